#include "dashboard/dashboard.hpp"

#include <poll.h>

#include <utility>

#include "dashboard/cpu_meter.hpp"
#include "dashboard/layout.hpp"

namespace nexus::tool {
namespace {

constexpr std::size_t most_news = 4096;
constexpr int period_ms = 100;
// For a terminal that takes nothing any more.
constexpr std::chrono::milliseconds patience{500};
constexpr char control_l = '\x0c';

}  // namespace

result<std::unique_ptr<dashboard>> dashboard::open(terminal& out) {
  result<std::unique_ptr<screen>> on = screen::open();
  if (!on) return on.error();
  return std::unique_ptr<dashboard>(new dashboard(out, *std::move(on)));
}

dashboard::dashboard(terminal& out, std::unique_ptr<screen> on)
    : out_(out),
      screen_(std::move(on)),
      news_("nexus-news", most_news,
            [this](std::vector<news>& batch, const std::stop_token&) {
              const std::lock_guard lock(mutex_);
              for (const news& each : batch)
                std::visit([this](const auto& one) { model_.add(one); }, each);
            }),
      wake_(over_.get_token()) {
  out_.listen([this](const log_line& line) { add(line); });
}

void dashboard::start(std::function<void()> stop) {
  stop_ = std::move(stop);
  thread_ = start_quiet_thread("nexus-screen", [this] { work(); });
}

void dashboard::add(const segment_event& event) {
  const bool told =
      event.step != segment_step::read && event.step != segment_step::written;
  if (told) news_.push(event);
}

void dashboard::add(const log_line& line) {
  news_.push(line);
}

void dashboard::add(const telemetry& now) {
  const cpu_reading cpu = read_cpu();
  const std::lock_guard lock(mutex_);
  model_.add(now, cpu);
  known_ = true;
}

void dashboard::close() {
  out_.listen(nullptr);
  if (!thread_.joinable()) return;
  over_.request_stop();
  auto left = left_.get_future();
  while (left.wait_for(patience) != std::future_status::ready)
    screen_->unblock();
  thread_.join();
}

void dashboard::work() {
  while (!over_.stop_requested()) turn();
  leave_screen();
  left_.set_value();
}

void dashboard::turn() {
  if (screen_->asked_to_pause()) {
    leave_screen();
    screen_->pause();
  }
  if (screen_->was_continued()) leave_screen();  // a shell has changed it
  if (drawing_ && known_ && !refused_ && screen_->in_foreground()) {
    take_screen();
    const screen_shape shape = screen_->shape();
    std::vector<screen_line> lines;
    {
      const std::lock_guard lock(mutex_);
      lines = lay_out(model_, shape);
    }
    screen_->draw(lines, shape);
  }
  const result<bool> typed = wake_.wait(screen_->keys(), POLLIN, period_ms);
  if (typed.ok() && *typed) obey(screen_->typed());
}

void dashboard::obey(const std::string& keys) {
  if (keys.empty()) (void)wake_.wait(-1, 0, period_ms);  // it hung up
  for (const char key : keys) {
    if (key == 'q' || key == 'Q') return stop_();
    if (key == control_l) screen_->forget();
  }
}

void dashboard::take_screen() {
  if (screen_->is_on()) return;
  out_.hold_lines(true);
  if (screen_->enter()) return;
  refused_ = true;
  out_.hold_lines(false);
  out_.warning("--dashboard: the terminal cannot be drawn on");
}

void dashboard::leave_screen() {
  if (!screen_->is_on()) return;
  screen_->leave();
  out_.hold_lines(false);
}

}  // namespace nexus::tool
