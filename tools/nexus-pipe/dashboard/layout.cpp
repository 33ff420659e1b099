#include "dashboard/layout.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <utility>

#include "dashboard/line_writer.hpp"
#include "dashboard/worker_table.hpp"
#include "progress.hpp"

namespace nexus::tool {
namespace {

constexpr std::size_t label_columns = 9;
constexpr std::size_t widest_gauge = 20;
constexpr std::size_t widest_bar = 60;

std::string rate_text(std::optional<double> rate) {
  return format_bytes(static_cast<std::uint64_t>(rate.value_or(0))) + "/s";
}

std::string percent_text(double part) {
  return std::to_string(static_cast<int>(std::lround(part * 100))) + "%";
}

std::string seconds_text(double seconds) {
  const auto tenths = static_cast<std::uint64_t>(std::max(seconds, 0.0) * 10);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "s";
}

std::string time_of_day(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  std::array<char, 16> text;
  return {text.data(),
          std::strftime(text.data(), text.size(), "%H:%M:%S", &parts)};
}

// The rates of the last samples, as many as columns hold: several a column once
// the run is longer than the line.
std::vector<double> columns_of(const std::deque<double>& samples,
                               std::size_t columns) {
  constexpr std::array<std::size_t, 5> steps{1, 2, 4, 10, 20};
  std::size_t step = steps.back();
  for (const std::size_t each : steps) {
    if (each * columns < samples.size()) continue;
    step = each;
    break;
  }
  const std::size_t count = std::min(columns * step, samples.size());
  std::vector<double> shown;
  double sum = 0;
  std::size_t in_sum = 0;
  for (std::size_t i = samples.size() - count; i < samples.size(); ++i) {
    sum += samples[i];
    // Counted from the run's end, so that the last column is never half full.
    if (++in_sum < step && (samples.size() - 1 - i) % step != 0) continue;
    shown.push_back(sum / static_cast<double>(in_sum));
    sum = 0;
    in_sum = 0;
  }
  if (shown.size() > columns) shown.erase(shown.begin());
  return shown;
}

class dashboard_layout {
 public:
  dashboard_layout(const dashboard_model& model, const screen_shape& shape)
      : model_(model), run_(model.now()), shape_(shape) {}

  std::vector<screen_line> make() {
    plan();
    put_progress();
    put_throughput();
    if (with_[cpu]) put_cpu();
    if (with_[memory]) put_memory();
    if (with_[window]) put_window();
    if (with_[load]) put_load();
    if (with_[stalls]) put_stalls();
    put_workers();
    put_events();
    if (with_[keys]) put_keys();
    if (lines_.size() > shape_.rows) lines_.resize(shape_.rows);
    return std::move(lines_);
  }

 private:
  enum section { cpu, memory, window, load, stalls, keys, sections };

  // What fits, the most telling first.
  void plan() {
    std::size_t left = shape_.rows;
    const auto take = [&left](std::size_t rows) {
      if (left < rows) return false;
      left -= rows;
      return true;
    };
    take(1);  // progress
    const std::size_t all = model_.workers().size();
    curve_rows_ = take(2) ? 1 : 0;
    worker_rows_ = take(2) ? 1 : 0;
    if (all > 1 && worker_rows_ == 1 && take(1)) ++worker_rows_;
    for (const section each : {cpu, memory}) with_[each] = take(1);
    event_rows_ = take(1) ? 1 : 0;
    for (const section each : {window, keys, load, stalls})
      with_[each] = take(1);
    gaps_ = take(3);
    if (take(2)) event_rows_ += 2;
    const std::size_t more =
        std::min(all > worker_rows_ ? all - worker_rows_ : 0, left * 2 / 3);
    if (worker_rows_ > 0 && take(more)) worker_rows_ += more;
    // Curves of several rows where there is plenty.
    while (left >= 12 && curve_rows_ < 6 && take(2)) ++curve_rows_;
    event_rows_ += left;
  }

  line_writer line() { return line_writer(shape_.columns, shape_.unicode); }
  line_writer labelled(const char* label) {
    line_writer into = line();
    into.add(label, text_style::heading);
    into.pad_to(label_columns);
    return into;
  }
  void put(line_writer&& from) { lines_.push_back(std::move(from).take()); }
  void gap() {
    if (gaps_) lines_.emplace_back();
  }

  void put_progress() {
    line_writer into = line();
    into.add(run_.operation, text_style::heading);
    const std::uint64_t done = run_.input_bytes;
    std::string tail = format_bytes(done);
    std::string right = format_duration(std::floor(run_.elapsed_seconds));
    if (run_.input_total_bytes) {
      const std::uint64_t total = std::max(*run_.input_total_bytes, done);
      const double part =
          total == 0 ? 1
                     : static_cast<double>(done) / static_cast<double>(total);
      tail += " of " + format_bytes(total);
      const double rate = model_.read_rate().value_or(0);
      if (total > done && rate >= 1)
        right += ", " +
                 format_duration(static_cast<double>(total - done) / rate) +
                 " left";
      into.add(" " + percent_text(std::floor(part * 100) / 100) + " ");
      const std::size_t words = into.used() + tail.size() + right.size() + 4;
      if (words + 6 < shape_.columns)
        into.gauge(part, std::min(shape_.columns - words, widest_bar),
                   text_style::good);
    }
    into.add(" " + tail);
    into.add_right(right);
    put(std::move(into));
    gap();
  }

  void put_throughput() {
    if (curve_rows_ == 0) return;
    put_curve("read", model_.read_rates(), model_.read_rate(),
              text_style::read);
    put_curve("written", model_.write_rates(), model_.write_rate(),
              text_style::write);
    gap();
  }

  void put_curve(const char* label, const std::deque<double>& samples,
                 std::optional<double> now, text_style style) {
    constexpr std::size_t number_columns = 13;
    const std::size_t before = label_columns + number_columns;
    const std::size_t room =
        shape_.columns > before ? shape_.columns - before : 0;
    const std::vector<double> shown = columns_of(samples, room);
    const double most =
        shown.empty() ? 0 : *std::max_element(shown.begin(), shown.end());
    for (std::size_t row = 0; row < curve_rows_; ++row) {
      line_writer into = row == 0 ? labelled(label) : line();
      if (row == 0) into.add(rate_text(now));
      if (row == 1) {
        into.pad_to(label_columns);
        into.add("peak " + format_bytes(static_cast<std::uint64_t>(most)),
                 text_style::faint);
      }
      into.pad_to(before + room - shown.size());
      const std::size_t from_bottom = curve_rows_ - 1 - row;
      into.curve(shown, most, curve_rows_, from_bottom, style);
      put(std::move(into));
    }
  }

  void put_cpu() {
    line_writer into = labelled("CPU");
    const double machine = model_.machine_part().value_or(0);
    into.gauge(machine, gauge_columns(),
               machine > 0.95 ? text_style::warning : text_style::good);
    into.add(" machine " + percent_text(machine));
    const double mine = model_.process_cpus().value_or(0);
    into.add(", this process " + percent_text(mine));
    put(std::move(into));
  }

  void put_memory() {
    line_writer into = labelled("memory");
    const std::uint64_t allowed =
        run_.load.budget_bytes > 0 ? run_.load.budget_bytes : run_.budget_bytes;
    const double part = allowed == 0 ? 0
                                     : static_cast<double>(run_.buffer_bytes) /
                                           static_cast<double>(allowed);
    into.gauge(part, gauge_columns(),
               part > 0.95 ? text_style::warning : text_style::good);
    into.add(" " + format_bytes(run_.buffer_bytes) + " of " +
             format_bytes(allowed) + " in buffers, peak " +
             format_bytes(run_.buffer_peak_bytes));
    put(std::move(into));
  }

  void put_window() {
    line_writer into = labelled("window");
    const double part = run_.window == 0
                            ? 0
                            : static_cast<double>(run_.window_used) /
                                  static_cast<double>(run_.window);
    into.gauge(part, gauge_columns(), text_style::good);
    into.add(" " + std::to_string(run_.window_used) + " of " +
             std::to_string(run_.window) + " segments of " +
             format_bytes(run_.segment_bytes) + ", " +
             std::to_string(run_.segments) + " done, " +
             std::to_string(run_.queued_jobs) + " queued");
    if (run_.retries > 0)
      into.add(", " + std::to_string(run_.retries) + " again",
               text_style::warning);
    put(std::move(into));
  }

  void put_load() {
    line_writer into = labelled("load");
    const load_telemetry& load = run_.load;
    const bool changed = load.shrinks + load.growths > 0;
    into.add(std::to_string(load.workers) + " CPU workers allowed");
    if (!changed) {
      into.add(load.readings > 0 ? ", nothing was shrunk" : ", not followed",
               text_style::faint);
    } else {
      into.add(", shrunk " + std::to_string(load.shrinks) + ", grown " +
                   std::to_string(load.growths) + " times: " + load.reason,
               text_style::warning);
    }
    put(std::move(into));
  }

  void put_stalls() {
    line_writer into = labelled("waits");
    const stall_telemetry& stalls = run_.stalls;
    const std::array<std::pair<const char*, double>, 6> stages{
        {{"window", stalls.window},
         {"read", stalls.read},
         {"device", stalls.device},
         {"compute", stalls.compute},
         {"reorder", stalls.reorder},
         {"write", stalls.write}}};
    double most = 0;
    for (const auto& [name, seconds] : stages) most = std::max(most, seconds);
    const char* between = "";
    for (const auto& [name, seconds] : stages) {
      into.add(std::string(between) + name + " ", text_style::faint);
      const bool longest = seconds == most && most > 0;
      into.add(seconds_text(seconds),
               longest ? text_style::warning : text_style::plain);
      between = " ";
    }
    put(std::move(into));
  }

  void put_workers() {
    if (worker_rows_ == 0) return;
    gap();
    for (line_writer& each :
         worker_table(model_.workers(), worker_rows_, shape_))
      put(std::move(each));
  }

  void put_events() {
    if (gaps_) lines_.emplace_back();
    const auto& events = model_.events();
    const std::size_t bottom = shape_.rows - (with_[keys] ? 1 : 0);
    const std::size_t room =
        bottom > lines_.size() ? bottom - lines_.size() : 0;
    const std::size_t count = std::min(room, events.size());
    for (std::size_t i = events.size() - count; i < events.size(); ++i) {
      const log_line& event = events[i];
      line_writer into = line();
      into.add(time_of_day(event.time) + " ", text_style::faint);
      into.add(event.text, event.level == log_level::error ? text_style::bad
                           : event.level == log_level::warning
                               ? text_style::warning
                               : text_style::plain);
      put(std::move(into));
    }
    while (lines_.size() < bottom) lines_.emplace_back();
  }

  void put_keys() {
    line_writer into = line();
    into.add("q", text_style::heading);
    into.add(" or Ctrl-C stops the run   ", text_style::faint);
    into.add("Ctrl-Z", text_style::heading);
    into.add(" pauses it", text_style::faint);
    put(std::move(into));
  }

  [[nodiscard]] std::size_t gauge_columns() const noexcept {
    return std::min(shape_.columns / 5, widest_gauge);
  }

  const dashboard_model& model_;
  const telemetry& run_;
  const screen_shape shape_;
  std::vector<screen_line> lines_;
  std::array<bool, sections> with_{};
  std::size_t curve_rows_ = 0;
  std::size_t worker_rows_ = 0;
  std::size_t event_rows_ = 0;
  bool gaps_ = false;
};

}  // namespace

std::vector<screen_line> lay_out(const dashboard_model& model,
                                 const screen_shape& shape) {
  return dashboard_layout(model, shape).make();
}

}  // namespace nexus::tool
