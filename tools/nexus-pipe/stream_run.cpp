#include <csignal>
#include <string>
#include <utility>

#include "commands.hpp"
#include "progress.hpp"
#include "report.hpp"

namespace nexus::tool {
namespace {

const char* name_of_signal(int number) noexcept {
  switch (number) {
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "SIGINT";
  }
}

}  // namespace

int exit_status(const status& outcome, int signal) noexcept {
  switch (outcome.kind()) {
    case error_kind::none:
      return 0;
    case error_kind::data:
      return 1;
    case error_kind::usage:
      return 2;
    case error_kind::environment:
    case error_kind::internal:
      return 3;
    case error_kind::stopped:
      break;
  }
  if (outcome.code() == status_code::broken_pipe) return 128 + SIGPIPE;
  return 128 + (signal == 0 ? SIGINT : signal);
}

int fail(terminal& out, const status& failure, int signal) {
  if (failure.code() == status_code::cancelled) {
    out.error(
        {failure.code(), std::string("stopped by ") + name_of_signal(signal)});
  } else if (failure.code() != status_code::broken_pipe) {
    out.error(failure);
  }
  return exit_status(failure, signal);
}

engine_options engine_for(const stream_arguments& arguments, terminal& out) {
  engine_options options = arguments.engine;
  if (arguments.verbose || out.wants_info()) {
    options.log = [&out](const std::string& line) {
      // What happens to a worker is worth a line to everybody who reads a log.
      line.starts_with('[') ? out.info(line) : out.note(line);
    };
  }
  return options;
}

status run_stream(engine& worker, operation& work, stream_pair streams,
                  const stream_arguments& arguments, terminal& out,
                  signal_watch& signals, run_watch& watch) {
  const stop_event stop(signals.token());
  if (status s = connect(streams, stop); !s.ok()) return s;
  const watch_arguments& watched_by = arguments.watch;
  const bool lines_alone =
      watched_by.headless || watched_by.dashboard ||
      (watched_by.format == log_format::json && watched_by.log_file.empty());
  progress_display progress(out, arguments.progress, arguments.quiet,
                            streams.to_terminal || lines_alone);
  run_options options;
  options.stop = signals.token();
  if (progress.wanted()) {
    options.progress = [&progress](const telemetry& now) {
      progress.update(now);
    };
  }
  watch.begin(worker, signals, options);
  run_report report = worker.run(work, std::move(streams.from),
                                 std::move(streams.to), std::move(options));
  watch.leave_screen();
  out.clear_progress();
  if (report.outcome.ok() && streams.guard != nullptr) {
    report.outcome = streams.guard->flush();
  }
  if (report.outcome.ok()) {
    for (const std::string& line : warnings_of(report.statistics)) {
      out.warning(line);
    }
  }
  if (arguments.verbose) {
    for (const std::string& line : summarize(report.statistics)) out.note(line);
  }
  const status watched = watch.end(report);
  if (!arguments.telemetry_file.empty()) {
    status written = write_telemetry(arguments.telemetry_file, report);
    if (report.outcome.ok() && !written.ok()) return written;
  }
  return report.outcome.ok() ? watched : report.outcome;
}

}  // namespace nexus::tool
