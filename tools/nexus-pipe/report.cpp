#include "report.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "files.hpp"
#include "progress.hpp"

namespace nexus::tool {
namespace {

using json = nlohmann::ordered_json;

// For a reader of the telemetry that does not read on.
constexpr int patience_ms = 5000;

std::string seconds_text(double seconds) {
  std::array<char, 64> text;
  const int size = std::snprintf(text.data(), text.size(), "%.3f s", seconds);
  return {text.data(), static_cast<std::size_t>(size)};
}

const char* name_of_state(device_state state) {
  switch (state) {
    case device_state::ready:
      return "ready";
    case device_state::backing_off:
      return "backing_off";
    case device_state::quarantined:
      return "quarantined";
    case device_state::dead:
      return "dead";
  }
  return "unknown";
}

// Of the time in which it had a job; 0: it had none.
double bytes_per_busy_second(const device_telemetry& device) {
  return device.busy_seconds > 0
             ? static_cast<double>(device.input_bytes) / device.busy_seconds
             : 0;
}

std::string device_line(const device_telemetry& device) {
  std::string line =
      "device " + device.id + " (" + device.plugin + ", " +
      std::to_string(device.lanes) + " lanes): " + std::to_string(device.jobs) +
      " jobs, " + format_bytes(device.input_bytes) + ", busy " +
      seconds_text(device.busy_seconds) + ", " +
      format_bytes(static_cast<std::uint64_t>(bytes_per_busy_second(device))) +
      " a busy second";
  if (device.failed_jobs > 0) {
    line += ", " + std::to_string(device.failed_jobs) + " failed";
  }
  if (device.state != device_state::ready) {
    line.append(", ").append(name_of_state(device.state));
  }
  if (!device.last_error.empty()) line += ": " + device.last_error;
  return line;
}

std::string io_line(const io_telemetry& io) {
  std::string line = "i/o: " + io.engine;
  const auto add = [&line](const char* what, std::uint64_t reads,
                           std::uint64_t writes) {
    if (reads + writes == 0) return;
    line.append(", ").append(what).append(" ");
    line +=
        std::to_string(reads) + " reads " + std::to_string(writes) + " writes";
  };
  add("uring", io.uring_reads, io.uring_writes);
  add("threads", io.thread_reads, io.thread_writes);
  add("lanes", io.lane_reads, io.lane_writes);
  add("callbacks", io.callback_reads, io.callback_writes);
  if (!io.note.empty()) line += " (" + io.note + ")";
  return line;
}

std::string load_line(const load_telemetry& load) {
  return "load: shrunk " + std::to_string(load.shrinks) + " times, to " +
         format_bytes(load.least_budget_bytes) + ", grown " +
         std::to_string(load.growths) + " times, now " +
         format_bytes(load.budget_bytes) + " and " +
         std::to_string(load.workers) + " workers: " + load.reason;
}

std::string stall_line(const stall_telemetry& stalls) {
  return "waits, summed over segments: window " + seconds_text(stalls.window) +
         ", read " + seconds_text(stalls.read) + ", device " +
         seconds_text(stalls.device) + ", compute " +
         seconds_text(stalls.compute) + ", reorder " +
         seconds_text(stalls.reorder) + ", write " + seconds_text(stalls.write);
}

json to_json(const device_telemetry& device) {
  return {{"id", device.id},
          {"plugin", device.plugin},
          {"gpu", device.gpu},
          {"lanes", device.lanes},
          {"state", name_of_state(device.state)},
          {"jobs", device.jobs},
          {"failed_jobs", device.failed_jobs},
          {"active_workers", device.active_workers},
          {"queued_jobs", device.queued_jobs},
          {"quarantines", device.quarantines},
          {"restarts", device.restarts},
          {"input_bytes", device.input_bytes},
          {"busy_seconds", device.busy_seconds},
          {"bytes_per_busy_second", bytes_per_busy_second(device)},
          {"last_error", device.last_error}};
}

json to_json(const io_telemetry& io) {
  return {{"uring_reads", io.uring_reads},
          {"uring_writes", io.uring_writes},
          {"thread_reads", io.thread_reads},
          {"lane_reads", io.lane_reads},
          {"thread_writes", io.thread_writes},
          {"lane_writes", io.lane_writes},
          {"callback_reads", io.callback_reads},
          {"callback_writes", io.callback_writes},
          {"engine", io.engine},
          {"note", io.note}};
}

json to_json(const stall_telemetry& stalls) {
  return {{"window", stalls.window},   {"read", stalls.read},
          {"device", stalls.device},   {"compute", stalls.compute},
          {"reorder", stalls.reorder}, {"write", stalls.write}};
}

json to_json(const load_telemetry& load) {
  return {{"readings", load.readings},
          {"budget_bytes", load.budget_bytes},
          {"least_budget_bytes", load.least_budget_bytes},
          {"workers", load.workers},
          {"shrinks", load.shrinks},
          {"growths", load.growths},
          {"reason", load.reason}};
}

json to_json(const telemetry& run) {
  json devices = json::array();
  for (const device_telemetry& device : run.devices) {
    devices.push_back(to_json(device));
  }
  return {
      {"operation", run.operation},
      {"elapsed_seconds", run.elapsed_seconds},
      {"input_total_bytes",
       run.input_total_bytes ? json(*run.input_total_bytes) : json(nullptr)},
      {"input_bytes", run.input_bytes},
      {"output_bytes", run.output_bytes},
      {"segments", run.segments},
      {"retries", run.retries},
      {"queued_jobs", run.queued_jobs},
      {"segment_bytes", run.segment_bytes},
      {"window", run.window},
      {"window_used", run.window_used},
      {"window_peak", run.window_peak},
      {"budget_bytes", run.budget_bytes},
      {"buffer_bytes", run.buffer_bytes},
      {"buffer_peak_bytes", run.buffer_peak_bytes},
      {"io", to_json(run.io)},
      {"stalls", to_json(run.stalls)},
      {"load", to_json(run.load)},
      {"loop_beats", run.loop_beats},
      {"loop_stall_p99_seconds", run.loop_stall_p99_seconds},
      {"loop_stall_max_seconds", run.loop_stall_max_seconds},
      {"devices", std::move(devices)},
      {"unopened", run.unopened}};
}

}  // namespace

std::string total_line(const telemetry& run) {
  const double rate =
      run.elapsed_seconds > 0
          ? static_cast<double>(run.input_bytes) / run.elapsed_seconds
          : 0;
  return run.operation + ": " + format_bytes(run.input_bytes) + " in, " +
         format_bytes(run.output_bytes) + " out, " +
         seconds_text(run.elapsed_seconds) + ", " +
         format_bytes(static_cast<std::uint64_t>(rate)) + "/s";
}

std::string stats_json(const telemetry& now) {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since);
  json object{{"type", "stats"},
              {"unix_seconds", static_cast<double>(ms.count()) / 1e3}};
  object.update(to_json(now));
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<std::string> summarize(const telemetry& run) {
  std::vector<std::string> lines;
  lines.push_back(total_line(run));
  lines.push_back("segments: " + std::to_string(run.segments) + " of up to " +
                  format_bytes(run.segment_bytes) + ", retries " +
                  std::to_string(run.retries));
  lines.push_back("window: " + std::to_string(run.window) + " segments, peak " +
                  std::to_string(run.window_peak) + ", buffers " +
                  format_bytes(run.buffer_peak_bytes) + " of " +
                  format_bytes(run.budget_bytes));
  if (run.load.shrinks + run.load.growths != 0)
    lines.push_back(load_line(run.load));
  lines.push_back(io_line(run.io));
  for (const device_telemetry& device : run.devices) {
    lines.push_back(device_line(device));
  }
  lines.push_back(stall_line(run.stalls));
  return lines;
}

std::vector<std::string> warnings_of(const telemetry& run) {
  std::vector<std::string> lines;
  for (const std::string& problem : run.unopened)
    lines.push_back(problem + "; done without it");
  for (const device_telemetry& device : run.devices) {
    const std::string why =
        device.last_error.empty() ? "" : ": " + device.last_error;
    if (device.quarantines != 0 || device.state == device_state::dead)
      lines.push_back(device.id + " failed " +
                      std::to_string(device.failed_jobs) +
                      " jobs, which were done again, and was left alone" + why);
    else if (device.restarts != 0)
      lines.push_back("the process of " + device.id + " was started again " +
                      std::to_string(device.restarts) +
                      (device.restarts == 1 ? " time" : " times") + why);
  }
  return lines;
}

std::string telemetry_json(const run_report& report) {
  json object = to_json(report.statistics);
  object["outcome"] = {{"code", std::string(name_of(report.outcome.code()))},
                       {"message", report.outcome.message()}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

status write_telemetry(const std::string& path, const run_report& report) {
  const std::string text = telemetry_json(report);
  const bool to_standard_error = path == "-";
  int fd = STDERR_FILENO;
  if (!to_standard_error) {
    // A named pipe that nobody reads would be waited for without end.
    constexpr int flags =
        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    fd = ::open(path.c_str(), flags, 0666);
    if (fd < 0 && errno == ENXIO)
      return {status_code::io_error,
              "cannot write " + path + ": nothing reads from it",
              "the reader has to be there when the run ends", ENXIO};
    if (fd < 0) return system_failure("write", path, errno);
  }
  int failure = 0;
  for (std::string_view rest = text; !rest.empty() && failure == 0;) {
    const ssize_t written = ::write(fd, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd waiting{fd, POLLOUT, 0};
      if (::poll(&waiting, 1, patience_ms) == 0) failure = EAGAIN;
    } else if (errno != EINTR) {
      failure = errno;
    }
  }
  if (!to_standard_error && ::close(fd) != 0 && failure == 0) failure = errno;
  return failure == 0 ? status{} : system_failure("write", path, failure);
}

}  // namespace nexus::tool
