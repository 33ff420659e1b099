#include <exception>
#include <new>
#include <nexus/status.hpp>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>
#include <variant>

#include "arguments.hpp"
#include "commands.hpp"
#include "files.hpp"
#include "terminal.hpp"

namespace nexus::tool {
namespace {

struct dispatcher {
  terminal& out;

  int operator()(const text_request& request) const {
    const status printed = print_output(request.text);
    return printed.ok() ? 0 : fail(out, printed);
  }
  int operator()(const keygen_arguments& a) const { return run_keygen(a, out); }
  int operator()(const inspect_arguments& a) const {
    return run_inspect(a, out);
  }
  int operator()(const devices_arguments& a) const {
    return run_devices(a, out);
  }
  int operator()(const plugins_arguments& a) const {
    return run_plugins(a, out);
  }
  int operator()(const encrypt_arguments& a) const {
    out.configure(a.stream.quiet, a.stream.verbose);
    return run_encrypt(a, out);
  }
  int operator()(const decrypt_arguments& a) const {
    out.configure(a.stream.quiet, a.stream.verbose);
    return run_decrypt(a, out);
  }
  int operator()(const operation_arguments& a) const {
    out.configure(a.stream.quiet, a.stream.verbose);
    return run_operation(a, out);
  }
  int operator()(const prove_arguments& a) const {
    out.configure(a.stream.quiet, a.stream.verbose);
    return run_prove(a, out);
  }
  int operator()(const verify_arguments& a) const {
    out.configure(a.stream.quiet, a.stream.verbose);
    return run_verify(a, out);
  }
  int operator()(const digest_arguments& a) const {
    out.configure(a.stream.quiet, a.stream.verbose);
    return run_digest(a, out);
  }
  int operator()(const join_arguments& a) const { return run_join(a, out); }
  int operator()(const bench_arguments& a) const { return run_bench(a, out); }
};

int run(std::span<const char* const> arguments, terminal& out) {
  const result<command> parsed = parse_arguments(arguments);
  if (!parsed) return fail(out, parsed.error());
  return std::visit(dispatcher{out}, *parsed);
}

}  // namespace
}  // namespace nexus::tool

int main(int argc, char** argv) {
  using namespace nexus;
  tool::occupy_standard_descriptors();
  tool::ignore_write_signals();
  tool::terminal out;
  try {
    const std::span<const char* const> all(argv,
                                           static_cast<std::size_t>(argc));
    return tool::run(all.empty() ? all : all.subspan(1), out);
  } catch (const std::bad_alloc&) {
    return tool::fail(out, {status_code::out_of_memory, "out of memory"});
  } catch (const std::system_error& failure) {
    return tool::fail(
        out, {status_code::io_error,
              "the system refused a thread: " + failure.code().message(),
              "its limits may be too low (ulimit -a shows them)"});
  } catch (const std::exception& failure) {
    return tool::fail(out, {status_code::internal, failure.what()});
  }
}
