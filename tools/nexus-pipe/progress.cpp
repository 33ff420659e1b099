#include "progress.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace nexus::tool {
namespace {

constexpr double smoothing_seconds = 3;
constexpr double shortest_sample_seconds = 0.02;
constexpr double quiet_start_seconds = 1;
constexpr std::size_t widest_bar = 40;
constexpr std::size_t narrowest_bar = 10;
// Kept for the words, so that the bar does not change its length with them.
constexpr std::size_t widest_words = 61;

unsigned percent(std::uint64_t part, std::uint64_t whole) noexcept {
  if (whole == 0 || part >= whole) return 100;
  return static_cast<unsigned>(static_cast<double>(part) /
                               static_cast<double>(whole) * 100);
}

std::string bar(unsigned percent_done, std::size_t width) {
  const std::size_t inside = width - 2;
  const std::size_t done = inside * percent_done / 100;
  std::string drawn = "[" + std::string(done, '=');
  if (done < inside) drawn += '>';
  drawn.resize(width - 1, ' ');
  return drawn + "]";
}

// What follows the bar.
std::string numbers(const progress_view& view) {
  std::string text = format_bytes(view.bytes);
  if (view.total_bytes) {
    text += " of " + format_bytes(std::max(*view.total_bytes, view.bytes));
  }
  const double rate = view.bytes_per_second.value_or(0);
  if (rate >= 1) {
    text += ", " + format_bytes(static_cast<std::uint64_t>(rate)) + "/s";
  }
  if (!view.total_bytes) {
    return text + ", " + format_duration(view.elapsed_seconds);
  }
  const std::uint64_t left =
      *view.total_bytes - std::min(view.bytes, *view.total_bytes);
  if (rate >= 1 && left > 0) {
    text += ", " + format_duration(static_cast<double>(left) / rate) + " left";
  }
  return text;
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::array units{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // From 1023.5 on, three digits would have to say 1024.
  while (value >= 1023.5 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  std::array<char, 32> text;
  const int size = std::snprintf(text.data(), text.size(), "%.*f %s", decimals,
                                 value, units[unit]);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string format_duration(double seconds) {
  constexpr double longest = 99'999 * 3600.0;
  const auto whole =
      static_cast<unsigned long>(std::ceil(std::clamp(seconds, 0.0, longest)));
  const unsigned long hours = whole / 3600;
  const unsigned long minutes = whole / 60 % 60;
  std::array<char, 32> text;
  const int size =
      hours > 0 ? std::snprintf(text.data(), text.size(), "%lu:%02lu:%02lu",
                                hours, minutes, whole % 60)
                : std::snprintf(text.data(), text.size(), "%lu:%02lu", minutes,
                                whole % 60);
  return {text.data(), static_cast<std::size_t>(size)};
}

// An exponential average whose weights are made to sum to one from the first
// sample on, so that the start is not pulled towards zero.
void rate_estimator::add(double seconds, std::uint64_t bytes) noexcept {
  if (!started_) {
    started_ = true;
    last_seconds_ = seconds;
    last_bytes_ = bytes;
    return;
  }
  const double passed = seconds - last_seconds_;
  if (passed < shortest_sample_seconds || bytes < last_bytes_) return;
  const double keep = std::exp(-passed / smoothing_seconds);
  const double rate = static_cast<double>(bytes - last_bytes_) / passed;
  average_ = average_ * keep + rate * (1 - keep);
  weight_ = weight_ * keep + (1 - keep);
  last_seconds_ = seconds;
  last_bytes_ = bytes;
}

std::optional<double> rate_estimator::bytes_per_second() const noexcept {
  if (weight_ <= 0) return std::nullopt;
  return average_ / weight_;
}

std::string format_progress(const progress_view& view, unsigned columns) {
  const std::size_t room = columns > 1 ? columns - 1 : 1;
  std::string text = view.operation + " ";
  const std::string tail = numbers(view);
  if (view.total_bytes) {
    const unsigned done = percent(view.bytes, *view.total_bytes);
    std::array<char, 8> label;
    std::snprintf(label.data(), label.size(), "%3u%% ", done);
    text += label.data();
    const std::size_t width =
        room > widest_words ? std::min(room - widest_words, widest_bar) : 0;
    if (width >= narrowest_bar &&
        text.size() + width + 1 + tail.size() <= room) {
      text += bar(done, width) + " ";
    }
  }
  text += tail;
  if (text.size() > room) text.resize(room);
  return text;
}

progress_display::progress_display(terminal& out, progress_mode mode,
                                   bool quiet, bool own_output)
    : out_(out), in_place_(draws_in_place() && !own_output) {
  wanted_ = mode == progress_mode::always ||
            (mode == progress_mode::automatic && in_place_ && !quiet);
}

void progress_display::update(const telemetry& now) {
  rate_.add(now.elapsed_seconds, now.input_bytes);
  // Before the first byte a key is being worked out, or asked for.
  if (!wanted_ || now.input_bytes == 0) return;
  if (now.elapsed_seconds < quiet_start_seconds) return;
  if (!in_place_ && now.elapsed_seconds < next_line_) return;
  next_line_ = std::floor(now.elapsed_seconds) + 1;
  const progress_view view{now.operation, now.elapsed_seconds, now.input_bytes,
                           now.input_total_bytes, rate_.bytes_per_second()};
  if (in_place_) {
    out_.show_progress(format_progress(view, terminal_columns()));
  } else {
    out_.plain(format_progress(view, 80));
  }
}

}  // namespace nexus::tool
