// prove, verify and digest.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <nexus/proof_stream.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "commands.hpp"
#include "files.hpp"

namespace nexus::tool {
namespace {

using json = nlohmann::ordered_json;

json describe(const proofs::summary& total) {
  return {{"root", proofs::to_text(total.root)},
          {"length", total.bytes},
          {"segments", total.segments},
          {"segment_rows", total.cut.rows},
          {"first_segment", total.cut.first_index},
          {"partial", total.cut.partial}};
}

std::string line(const char* label, const std::string& text) {
  std::string out = label;
  out.resize(14, ' ');
  return out + text + "\n";
}

std::string lines(const proofs::summary& total) {
  const std::uint64_t first = total.cut.first_index;
  std::string segments = std::to_string(total.segments) + " of " +
                         std::to_string(total.cut.rows) + " rows";
  if (first != 0 || total.cut.partial) {
    segments += ", from number " + std::to_string(first);
  }
  if (total.cut.partial) segments += ", others follow";
  return line("root", proofs::to_text(total.root)) +
         line("length", std::to_string(total.bytes)) +
         line("segments", segments);
}

std::string verified_text(const verify_arguments& arguments,
                          const proofs::summary& total) {
  const proof_profile& profile = profile_of(total.options.security);
  if (arguments.json) {
    json object = describe(total);
    object["profile"] = profile.name;
    object["conjectured_bits"] = profile.conjectured_bits;
    object["proven_bits"] = profile.proven_bits;
    object["data_compared"] = !arguments.data.empty();
    return object.dump(2) + "\n";
  }
  std::string text = lines(total);
  text += line("profile", std::string(profile.name) + ": " +
                              std::to_string(profile.conjectured_bits) +
                              " bits conjectured, " +
                              std::to_string(profile.proven_bits) + " proven");
  return text + line("verified", arguments.data.empty()
                                     ? "the proofs"
                                     : "the proofs, and that they are about " +
                                           arguments.data);
}

// Read at several places at once.
result<proofs::data_source> open_data(const std::string& path) {
  const auto refused = [&path] {
    return status(status_code::invalid_argument,
                  "--data " + path + ": not a regular file",
                  "`nexus-pipe digest` prints the root of any stream");
  };
  if (path == "-") return refused();
  result<descriptor> opened = open_to_read(path);
  if (!opened) return opened.error();
  struct stat facts{};
  if (::fstat(opened->get(), &facts) != 0) {
    return system_failure("read", path, errno);
  }
  if (!S_ISREG(facts.st_mode)) return refused();
  auto file = std::make_shared<const descriptor>(*std::move(opened));
  return proofs::data_source(
      [file, path](std::uint64_t offset,
                   std::span<std::byte> into) -> result<std::size_t> {
        std::size_t filled = 0;
        while (filled < into.size()) {
          const auto room = into.subspan(filled);
          const ssize_t got = ::pread(file->get(), room.data(), room.size(),
                                      static_cast<off_t>(offset + filled));
          if (got < 0 && errno == EINTR) continue;
          if (got < 0) return system_failure("read", path, errno);
          if (got == 0) break;
          filled += static_cast<std::size_t>(got);
        }
        return filled;
      });
}

}  // namespace

int run_prove(const prove_arguments& arguments, terminal& out) {
  signal_watch signals([&out] { out.restore(); });
  result<stream_pair> streams =
      open_streams(arguments.stream, terminal_output::nothing);
  if (!streams) return fail(out, streams.error());
  run_watch watch(out);
  if (status s = watch.open(arguments.stream); !s.ok()) return fail(out, s);
  engine worker(engine_for(arguments.stream, out));
  const auto work = proofs::make_prove(arguments.options);
  const status outcome = run_stream(worker, *work, *std::move(streams),
                                    arguments.stream, out, signals, watch);
  return outcome.ok() ? 0 : fail(out, outcome, signals.caught());
}

int run_verify(const verify_arguments& arguments, terminal& out) {
  signal_watch signals([&out] { out.restore(); });
  proofs::verify_options options = arguments.options;
  if (!arguments.data.empty()) {
    result<proofs::data_source> data = open_data(arguments.data);
    if (!data) return fail(out, data.error());
    options.data = *std::move(data);
  }
  result<stream_pair> streams = open_input(arguments.stream);
  if (!streams) return fail(out, streams.error());
  run_watch watch(out);
  if (status s = watch.open(arguments.stream); !s.ok()) return fail(out, s);
  engine worker(engine_for(arguments.stream, out));
  const auto work = proofs::make_verify(std::move(options));
  status outcome = run_stream(worker, *work, *std::move(streams),
                              arguments.stream, out, signals, watch);
  if (outcome.ok()) {
    outcome = print_output(verified_text(arguments, work->total()));
  }
  return outcome.ok() ? 0 : fail(out, outcome, signals.caught());
}

int run_digest(const digest_arguments& arguments, terminal& out) {
  signal_watch signals([&out] { out.restore(); });
  result<stream_pair> streams = open_input(arguments.stream);
  if (!streams) return fail(out, streams.error());
  run_watch watch(out);
  if (status s = watch.open(arguments.stream); !s.ok()) return fail(out, s);
  engine worker(engine_for(arguments.stream, out));
  const auto work = proofs::make_digest(arguments.cut, arguments.self_check);
  status outcome = run_stream(worker, *work, *std::move(streams),
                              arguments.stream, out, signals, watch);
  if (outcome.ok()) {
    outcome =
        print_output(arguments.json ? describe(work->total()).dump(2) + "\n"
                                    : lines(work->total()));
  }
  return outcome.ok() ? 0 : fail(out, outcome, signals.caught());
}

}  // namespace nexus::tool
