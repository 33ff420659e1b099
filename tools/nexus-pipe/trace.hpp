// What a run did when, as a file of Chrome's trace format, which
// ui.perfetto.dev opens: a track for each worker and for reading and writing, a
// slice for each segment, counters for the window and the memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nexus/status.hpp>
#include <nexus/trace.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "background_queue.hpp"
#include "files.hpp"

namespace nexus::tool {

// The text of a trace, event by event. Not thread-safe.
class trace_text {
 public:
  // Appends what the event adds to the trace.
  void add(const segment_event& event, std::string& into);
  // What stands ahead of the events, and after them. dropped: events that are
  // missing.
  [[nodiscard]] static std::string head();
  [[nodiscard]] std::string tail(std::uint64_t dropped) const;

 private:
  struct track {
    int number = 0;
    double end = 0;  // of its last slice
    // The step that is under way in its job.
    std::string step;
    double step_begin = 0;
  };
  track& track_of(const std::string& name, std::string& into);
  track& free_track(const std::string& group, double begin, std::string& into);
  void end_step(track& on, double end, std::string& into);
  void add_job(const segment_event& event, std::string& into);
  void count(const char* name, const char* unit, std::uint64_t value,
             std::uint64_t& last, double seconds, std::string& into);
  void put(std::string_view json, std::string& into);

  std::map<std::string, track> tracks_;
  std::uint64_t last_window_ = UINT64_MAX;
  std::uint64_t last_memory_ = UINT64_MAX;
};

// Streams the events of a run into a file, which is valid JSON between any two
// writes: what ends it is written with each piece, and overwritten by the next.
class trace_file {
 public:
  // Replaces the file. io_error: it cannot be written.
  [[nodiscard]] static result<std::unique_ptr<trace_file>> open(
      const std::string& path);
  ~trace_file();
  trace_file(const trace_file&) = delete;
  trace_file& operator=(const trace_file&) = delete;

  // (any thread) Never waits; what there is no room for is dropped and counted.
  void add(const segment_event& event);
  // Once, when no more will come: writes the rest. Waits five seconds at most.
  // io_error: something could not be written.
  status close();
  // Valid after close().
  [[nodiscard]] std::uint64_t dropped() const { return events_->dropped(); }

 private:
  trace_file(descriptor file, std::string path);
  void handle(std::vector<segment_event>& batch, const std::stop_token& hurry);
  void write(std::string piece, const std::stop_token& hurry);

  const descriptor file_;
  const std::string path_;
  bool seekable_ = false;
  bool closed_ = false;
  std::uint64_t position_ = 0;  // where the next piece goes
  int failure_ = 0;             // errno of the first that failed
  trace_text text_;
  std::unique_ptr<background_queue<segment_event>> events_;
};

}  // namespace nexus::tool
