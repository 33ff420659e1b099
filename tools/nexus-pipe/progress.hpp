// How far a run is: the arithmetic and the words apart from the drawing.
#pragma once

#include <cstdint>
#include <nexus/telemetry.hpp>
#include <optional>
#include <string>

#include "arguments.hpp"
#include "terminal.hpp"

namespace nexus::tool {

// "0 B", "1023 B", "1.00 KiB", "9.99 MiB", "123 GiB": three digits.
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);
// "0:00", "12:34", "1:02:03"; whole seconds, rounded up.
[[nodiscard]] std::string format_duration(double seconds);

// Bytes a second, smoothed over about three seconds of past.
class rate_estimator {
 public:
  // seconds and bytes since the start, neither ever falling.
  void add(double seconds, std::uint64_t bytes) noexcept;
  // Nothing before two samples a moment apart.
  [[nodiscard]] std::optional<double> bytes_per_second() const noexcept;

 private:
  double last_seconds_ = 0;
  std::uint64_t last_bytes_ = 0;
  bool started_ = false;
  double average_ = 0;
  double weight_ = 0;  // of what average_ has seen so far, 0 to 1
};

struct progress_view {
  std::string operation;
  double elapsed_seconds = 0;
  std::uint64_t bytes = 0;  // of the input
  std::optional<std::uint64_t> total_bytes;
  std::optional<double> bytes_per_second;
};

// "encrypt  42% [====>     ] 1.2 GiB of 2.9 GiB, 512 MiB/s, 0:03 left", or
// without the total what there is to say. Shorter than `columns`: the bar goes
// first, then the end of the line.
[[nodiscard]] std::string format_progress(const progress_view& view,
                                          unsigned columns);

// Draws on standard error, from the run's second second on: in place on a
// terminal, else a line a second, and only where asked for.
class progress_display {
 public:
  // own_output: something else is on the terminal, such as the run's output.
  progress_display(terminal& out, progress_mode mode, bool quiet,
                   bool own_output);
  ~progress_display() { out_.clear_progress(); }
  progress_display(const progress_display&) = delete;
  progress_display& operator=(const progress_display&) = delete;

  [[nodiscard]] bool wanted() const noexcept { return wanted_; }
  // About every 100 ms, by one thread at a time.
  void update(const telemetry& now);

 private:
  terminal& out_;
  rate_estimator rate_;
  bool wanted_ = false;
  bool in_place_ = false;
  double next_line_ = 1;  // seconds into the run
};

}  // namespace nexus::tool
