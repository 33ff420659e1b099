#include <unistd.h>

#include <deque>
#include <nexus/proof_stream.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "files.hpp"
#include "stop_event.hpp"
#include "streams.hpp"
#include "text_guard.hpp"

namespace nexus::tool {
namespace {

bool to_standard_output(const join_arguments& arguments) {
  return arguments.output.value_or("-") == "-";
}

// Reads the parts through descriptors that `files` keeps open.
result<std::vector<proofs::part>> open_parts(const join_arguments& arguments,
                                             const stop_event& stop,
                                             std::deque<input_file>& files) {
  std::vector<proofs::part> parts;
  for (const std::string& path : arguments.parts) {
    result<input_file> opened = input_file::open(path);
    if (!opened) return opened.error();
    input_file& file = files.emplace_back(*std::move(opened));
    parts.push_back({file.name(), [&file, &stop](std::span<std::byte> into) {
                       return file.read(into, stop);
                     }});
  }
  return parts;
}

status join_parts(const join_arguments& arguments, const stop_event& stop) {
  const std::string output = arguments.output.value_or("-");
  status distinct = check_distinct(output, arguments.parts);
  if (!distinct.ok()) return distinct;
  std::deque<input_file> files;
  const auto parts = open_parts(arguments, stop, files);
  if (!parts) return parts.error();
  if (to_standard_output(arguments)) {
    return proofs::join(*parts,
                        [&stop](std::span<const std::byte> data) {
                          return write_when_ready(
                              STDOUT_FILENO, "standard output", data, stop);
                        })
        .error();
  }
  result<output_file> to = output_file::create(*arguments.output, &stop);
  if (!to) return to.error();
  const auto joined = proofs::join(
      *parts,
      [&](std::span<const std::byte> data) { return to->write(data, &stop); });
  return joined ? to->commit(arguments.sync) : joined.error();
}

}  // namespace

int run_join(const join_arguments& arguments, terminal& out) {
  const signal_watch signals([&out] { out.restore(); });
  const stop_event stop(signals.token());
  if (to_standard_output(arguments) && !arguments.output &&
      ::isatty(STDOUT_FILENO) != 0) {
    return fail(out, binary_output());
  }
  const status outcome = join_parts(arguments, stop);
  return outcome.ok() ? 0 : fail(out, outcome, signals.caught());
}

}  // namespace nexus::tool
