#include "watch.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <utility>

#include "files.hpp"
#include "progress.hpp"
#include "report.hpp"

namespace nexus::tool {
namespace {

using clock = std::chrono::steady_clock;

// Of the file of metrics: scrapers come every 15 s or less often.
constexpr std::chrono::seconds metrics_period{5};
constexpr std::chrono::seconds progress_period{10};
// What took less is told by the trace alone: there are too many of them.
constexpr double long_job_seconds = 0.1;

std::string seconds_text(double seconds) {
  const auto ms = static_cast<std::uint64_t>(std::max(seconds, 0.0) * 1e3);
  std::string fraction = std::to_string(ms % 1000);
  fraction.insert(0, 3 - fraction.size(), '0');
  return std::to_string(ms / 1000) + "." + fraction + " s";
}

std::string counted(std::uint64_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

// What a log at -v says of an event; empty: nothing.
std::string words_of(const segment_event& event) {
  std::string text =
      "[" + event.worker + "] segment " + std::to_string(event.segment) + ": ";
  if (event.step == segment_step::working) {
    return text + event.job + ", step " + std::to_string(event.job_step) +
           " of " + std::to_string(event.job_steps) + ": " +
           event.job_step_name;
  }
  const double took = event.end_seconds - event.begin_seconds;
  const bool told = event.step == segment_step::computed && event.ok &&
                    took >= long_job_seconds;
  if (!told) return {};
  return text + event.job + " of " + format_bytes(event.bytes) + " done in " +
         seconds_text(took);
}

// When something is due again and again.
class timetable {
 public:
  explicit timetable(clock::duration period)
      : period_(period), next_(clock::now() + period) {}
  [[nodiscard]] clock::time_point next() const noexcept { return next_; }
  bool is_due(clock::time_point now) {
    if (now < next_) return false;
    // What was missed is not made up for.
    while (next_ <= now) next_ += period_;
    return true;
  }

 private:
  const clock::duration period_;
  clock::time_point next_;
};

}  // namespace

run_watch::~run_watch() {
  detach();
}

status run_watch::open(const stream_arguments& arguments) {
  wanted_ = arguments.watch;
  verbose_ = arguments.verbose;
  if (status s = out_.start_log(wanted_); !s.ok()) return s;
  if (wanted_.dashboard) {
    auto opened = dashboard::open(out_);
    if (!opened) return opened.error();
    dashboard_ = *std::move(opened);
  }
  if (!wanted_.trace_file.empty()) {
    auto opened = trace_file::open(wanted_.trace_file);
    if (!opened) return opened.error();
    trace_ = *std::move(opened);
  }
  if (!wanted_.metrics_file.empty()) {
    if (status s = write_metrics(); !s.ok()) return s;
  }
  if (!wanted_.metrics_address) return {};
  auto started = metrics_server::start(
      *wanted_.metrics_address,
      [this](const std::string& path) { return answer(path); });
  if (!started) return started.error();
  server_ = *std::move(started);
  const listen_address& at = server_->address();
  if (!at.is_loopback()) {
    out_.warning("everybody who reaches " + at.text() +
                 " can read the metrics there");
  }
  out_.info("metrics are at http://" + at.text() + "/metrics");
  return {};
}

void run_watch::begin(engine& worker, signal_watch& signals,
                      run_options& options) {
  {
    const std::lock_guard lock(mutex_);
    engine_ = &worker;
  }
  signals_ = &signals;
  signals.on_report([this] {
    if (const auto run = now()) out_.data(stats_json(*run));
  });
  // Until then nothing is written.
  signals.set_dispensable(true);
  options.planned = [this, &signals](const run_setup& setup) {
    signals.set_dispensable(false);
    if (out_.wants_info()) say_setup(setup);
  };
  if (dashboard_) {
    options.progress = [this](const telemetry& now) { dashboard_->add(now); };
    dashboard_->start([&signals] { signals.interrupt(); });
  }
  const bool metrics = server_ || !wanted_.metrics_file.empty();
  if (trace_ || metrics || verbose_ || dashboard_) {
    options.trace = [this](const segment_event& event) { add_event(event); };
  }
  const bool ticks = wanted_.stats_seconds || out_.tells_info() ||
                     !wanted_.metrics_file.empty();
  if (ticks) ticker_ = start_quiet_thread("nexus-tick", [this] { tick(); });
}

// On the engine's thread: nothing here waits for anything.
void run_watch::add_event(const segment_event& event) {
  if (trace_) trace_->add(event);
  if (dashboard_) dashboard_->add(event);
  durations_.add(event);
  if (!verbose_) return;
  const std::string words = words_of(event);
  if (!words.empty()) out_.note(words);
}

void run_watch::say_setup(const run_setup& setup) {
  out_.info("System Info: " + counted(setup.processors, "logical core") + ", " +
            format_bytes(setup.memory_total_bytes) + " total memory, " +
            format_bytes(setup.memory_available_bytes) + " available memory");
  out_.info("Starting " + counted(setup.workers, "parallel worker") +
            " across " + counted(setup.processors, "CPU core") + ": " +
            setup.workers_reason);
  out_.info("segments of " + format_bytes(setup.segment_bytes) + " for " +
            setup.operation + ", at most " + std::to_string(setup.window) +
            " in flight within " + format_bytes(setup.budget_bytes) +
            " of memory");
  // Whatever had to be asked was asked.
  if (dashboard_) dashboard_->begin_drawing();
}

void run_watch::say_total(const telemetry& run) {
  // Whoever saw the run wants to see what became of it.
  const bool seen = dashboard_ && !out_.tells_info();
  seen ? out_.plain(total_line(run)) : out_.info(total_line(run));
}

// Nothing before the run has begun.
std::optional<telemetry> run_watch::now() {
  const std::lock_guard lock(mutex_);
  if (engine_ == nullptr) return last_;
  std::vector<telemetry> runs = engine_->snapshot();
  if (!runs.empty()) last_ = std::move(runs.front());
  return last_;
}

std::string run_watch::metrics() {
  const std::optional<telemetry> run = now();
  return metrics_text(run, durations_.copy(), finished_);
}

http_page run_watch::answer(const std::string& path) {
  http_page page;
  if (path == "/metrics") {
    page.type = "text/plain; version=0.0.4; charset=utf-8";
    page.body = metrics();
  } else if (path == "/healthz") {
    const bool healthy = is_healthy(now());
    page.code = healthy ? 200 : 503;
    page.body = healthy ? "ok\n" : "no device can be used\n";
  } else {
    page.code = 404;
    page.body = "there are /metrics and /healthz\n";
  }
  return page;
}

status run_watch::write_metrics() {
  result<output_file> file = output_file::create(wanted_.metrics_file);
  if (!file) return file.error();
  const std::string text = metrics();
  status written = file->write(std::as_bytes(std::span(text)));
  return written.ok() ? file->commit(false) : written;
}

void run_watch::tick() {
  timetable stats(std::chrono::seconds(wanted_.stats_seconds.value_or(86400)));
  timetable metrics(metrics_period);
  timetable progress(progress_period);
  std::unique_lock lock(tick_mutex_);
  while (true) {
    const auto next = std::min({stats.next(), metrics.next(), progress.next()});
    if (ended_.wait_until(lock, next, [this] { return over_; })) return;
    lock.unlock();
    const auto time = clock::now();
    const std::optional<telemetry> run = now();
    const bool show = stats.is_due(time) && wanted_.stats_seconds && run;
    if (show) out_.data(stats_json(*run));
    if (metrics.is_due(time) && !wanted_.metrics_file.empty()) {
      (void)write_metrics();  // at the end a failure is told
    }
    if (progress.is_due(time) && run && out_.tells_info()) {
      out_.info(total_line(*run) + " so far");
    }
    lock.lock();
  }
}

void run_watch::detach() {
  if (signals_ != nullptr) signals_->on_report(nullptr);
  signals_ = nullptr;
  {
    const std::lock_guard lock(tick_mutex_);
    over_ = true;
  }
  ended_.notify_all();
  if (ticker_.joinable()) ticker_.join();
  const std::lock_guard lock(mutex_);
  engine_ = nullptr;
}

void run_watch::leave_screen() {
  if (dashboard_) dashboard_->close();
}

status run_watch::end(const run_report& report) {
  detach();
  {
    const std::lock_guard lock(mutex_);
    last_ = report.statistics;
    finished_ = true;
  }
  if (wanted_.stats_seconds) out_.data(stats_json(report.statistics));
  if (!verbose_) say_total(report.statistics);  // it says more
  status outcome;
  if (!wanted_.metrics_file.empty()) outcome = write_metrics();
  if (!trace_) return outcome;
  status closed = trace_->close();
  if (trace_->dropped() > 0) {
    out_.warning(wanted_.trace_file + ": " +
                 counted(trace_->dropped(), "event") + " could not be written");
  }
  return outcome.ok() ? closed : outcome;
}

}  // namespace nexus::tool
