// The command: measure, then print or write what came out.
#include <sys/stat.h>

#include <string>
#include <utility>

#include "bench/page.hpp"
#include "bench/print.hpp"
#include "bench/session.hpp"
#include "commands.hpp"
#include "files.hpp"
#include "progress.hpp"

namespace nexus::tool {
namespace {

// That it can be written is known before a minute was spent; the temporary is
// gone again meanwhile, so that no end of the process can leave it there.
status check_report(const std::string& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
    if (!S_ISDIR(facts.st_mode)) return {};  // a pipe has to be opened once
    return {status_code::invalid_argument,
            "--report: " + path + " is a directory"};
  }
  return output_file::create(path).error();
}

status write_report(const std::string& path, const std::string& text) {
  result<output_file> file = output_file::create(path);
  if (!file) return file.error();
  const status written = file->write(std::as_bytes(std::span(text)));
  return written.ok() ? file->commit(true) : written;
}

std::string progress_line(std::size_t done, std::size_t all,
                          const std::string& now) {
  std::string line = "bench " + std::to_string(done + 1) + " of " +
                     std::to_string(all) + ": " + now;
  const std::size_t room = terminal_columns() - 1;
  if (line.size() > room) line.resize(room);
  return line;
}

}  // namespace

int run_bench(const bench_arguments& arguments, terminal& out) {
  const signal_watch signals([&out] { out.restore(); });
  if (arguments.report) {
    const status writable = check_report(*arguments.report);
    if (!writable.ok()) return fail(out, writable);
  }
  const bool shown = !arguments.quiet && draws_in_place();
  const auto report = [&](std::size_t done, std::size_t all, std::string now) {
    if (shown) out.show_progress(progress_line(done, all, now));
  };
  const result<bench::results> measured =
      bench::measure(arguments, signals.token(), report);
  out.clear_progress();
  if (!measured) return fail(out, measured.error(), signals.caught());
  if (arguments.report) {
    const status written =
        write_report(*arguments.report, bench::as_page(*measured));
    if (!written.ok()) return fail(out, written, signals.caught());
  }
  const status done = print_output(arguments.json ? bench::as_json(*measured)
                                                  : bench::as_table(*measured));
  return done.ok() ? 0 : fail(out, done, signals.caught());
}

}  // namespace nexus::tool
