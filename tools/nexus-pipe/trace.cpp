#include "trace.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "log.hpp"

namespace nexus::tool {
namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t most_events = 65536;
constexpr std::chrono::seconds patience{5};

// Microseconds, to the nanosecond.
double stamp(double seconds) {
  return static_cast<double>(static_cast<std::int64_t>(seconds * 1e9)) / 1e3;
}

std::string dumped(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

json slice(const std::string& name, int track, double begin, double end) {
  return {{"name", name},       {"ph", "X"},
          {"pid", 1},           {"tid", track},
          {"ts", stamp(begin)}, {"dur", std::max(0.0, stamp(end - begin))}};
}

std::string segment_name(const segment_event& event) {
  std::string name = "segment " + std::to_string(event.segment);
  if (event.segments > 1)
    name += " to " + std::to_string(event.segment + event.segments - 1);
  return name;
}

}  // namespace

std::string trace_text::head() {
  return "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
         "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,"
         "\"args\":{\"name\":\"nexus-pipe\"}}";
}

std::string trace_text::tail(std::uint64_t dropped) const {
  return "\n],\"otherData\":{\"dropped_events\":" + std::to_string(dropped) +
         "}}\n";
}

void trace_text::put(std::string_view text, std::string& into) {
  into.append(",\n").append(text);
}

trace_text::track& trace_text::track_of(const std::string& name,
                                        std::string& into) {
  const auto [found, added] = tracks_.try_emplace(name);
  track& on = found->second;
  if (!added) return on;
  on.number = static_cast<int>(tracks_.size());
  put(dumped({{"name", "thread_name"},
              {"ph", "M"},
              {"pid", 1},
              {"tid", on.number},
              {"args", {{"name", name}}}}),
      into);
  return on;
}

// Slices of one track must not overlap: the first of the group that is free.
trace_text::track& trace_text::free_track(const std::string& group,
                                          double begin, std::string& into) {
  for (int i = 0;; ++i) {
    const std::string name = i == 0 ? group : group + " " + std::to_string(i);
    track& on = track_of(name, into);
    if (on.end <= begin) return on;
  }
}

void trace_text::end_step(track& on, double end, std::string& into) {
  if (on.step.empty()) return;
  put(dumped(slice(on.step, on.number, on.step_begin, end)), into);
  on.step.clear();
}

// A lane takes a job while it still has another: it begins where that one ends.
void trace_text::add_job(const segment_event& event, std::string& into) {
  const bool gpu = event.worker.starts_with("GPU");
  track& on = track_of(
      gpu ? event.worker + " lane " + std::to_string(event.lane) : event.worker,
      into);
  if (event.step == segment_step::working) {
    end_step(on, event.begin_seconds, into);
    on.step = event.job_step_name;
    on.step_begin = std::max(event.begin_seconds, on.end);
    return;
  }
  end_step(on, event.end_seconds, into);
  const double begin = std::max(event.begin_seconds, on.end);
  on.end = std::max(event.end_seconds, begin);
  json object = slice(segment_name(event), on.number, begin, on.end);
  object["cat"] = event.job;
  object["args"] = {{"job", event.job},
                    {"bytes", event.bytes},
                    {"lane", event.lane},
                    {"waited_ms", (begin - event.begin_seconds) * 1e3},
                    {"ok", event.ok}};
  if (!event.ok) object["cname"] = "terrible";
  put(dumped(object), into);
}

void trace_text::count(const char* name, const char* unit, std::uint64_t value,
                       std::uint64_t& last, double seconds, std::string& into) {
  if (std::exchange(last, value) == value) return;
  put(dumped({{"name", name},
              {"ph", "C"},
              {"pid", 1},
              {"ts", stamp(seconds)},
              {"args", {{unit, value}}}}),
      into);
}

void trace_text::add(const segment_event& event, std::string& into) {
  switch (event.step) {
    case segment_step::read:
    case segment_step::written: {
      const bool reads = event.step == segment_step::read;
      track& on =
          free_track(reads ? "read" : "write", event.begin_seconds, into);
      on.end = event.end_seconds;
      json object = slice(segment_name(event), on.number, event.begin_seconds,
                          event.end_seconds);
      object["cat"] = reads ? "read" : "write";
      object["args"] = {{"bytes", event.bytes}};
      put(dumped(object), into);
      break;
    }
    case segment_step::submitted:
      break;  // the job's slice says from when
    case segment_step::working:
    case segment_step::computed:
      add_job(event, into);
      break;
  }
  count("window", "segments", event.window_used, last_window_,
        event.end_seconds, into);
  count("memory", "bytes", event.buffer_bytes, last_memory_, event.end_seconds,
        into);
}

result<std::unique_ptr<trace_file>> trace_file::open(const std::string& path) {
  // A named pipe that nobody reads would be waited for without end.
  constexpr int flags =
      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  descriptor file(::open(path.c_str(), flags, 0666));
  if (file.get() < 0) return system_failure("write", path, errno);
  return std::unique_ptr<trace_file>(new trace_file(std::move(file), path));
}

trace_file::trace_file(descriptor file, std::string path)
    : file_(std::move(file)), path_(std::move(path)) {
  struct stat facts{};
  seekable_ = ::fstat(file_.get(), &facts) == 0 && S_ISREG(facts.st_mode);
  write(trace_text::head(), {});
  events_ = std::make_unique<background_queue<segment_event>>(
      "nexus-trace", most_events,
      [this](std::vector<segment_event>& batch, const std::stop_token& hurry) {
        handle(batch, hurry);
      });
}

trace_file::~trace_file() {
  (void)close();
}

void trace_file::add(const segment_event& event) {
  events_->push(event);
}

void trace_file::handle(std::vector<segment_event>& batch,
                        const std::stop_token& hurry) {
  std::string piece;
  for (const segment_event& event : batch) text_.add(event, piece);
  write(std::move(piece), hurry);
}

void trace_file::write(std::string piece, const std::stop_token& hurry) {
  if (failure_ != 0) return;
  if (!seekable_) {
    failure_ = write_patiently(file_.get(), piece, hurry);
    return;
  }
  const std::uint64_t kept = piece.size();
  piece += text_.tail(events_ ? events_->dropped() : 0);
  const std::uint64_t begin = position_;
  position_ += kept;
  for (std::string_view rest = piece; !rest.empty() && failure_ == 0;) {
    const auto done = piece.size() - rest.size();
    const ssize_t written = ::pwrite(file_.get(), rest.data(), rest.size(),
                                     static_cast<off_t>(begin + done));
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      failure_ = errno;
    }
  }
}

status trace_file::close() {
  if (closed_) return {};
  closed_ = true;
  events_->close(patience);
  std::stop_source hurry;
  hurry.request_stop();
  if (!seekable_) {
    if (failure_ == 0)
      failure_ = write_patiently(file_.get(), text_.tail(events_->dropped()),
                                 hurry.get_token());
  } else {
    write({}, hurry.get_token());  // the last word on what was dropped
  }
  return failure_ == 0 ? status{} : system_failure("write", path_, failure_);
}

}  // namespace nexus::tool
