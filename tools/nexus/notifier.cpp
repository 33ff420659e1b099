#include "notifier.hpp"

#include <fmt/format.h>

#include <cmath>

#include "notices.hpp"
#include "program.hpp"
#include "test_hooks.hpp"
#include "times.hpp"
#include "webhook.hpp"

namespace nexus::queue {
namespace {

using std::chrono::milliseconds;

// By default: at once, after 5 s, 20 s, 80 s, 5 and 21 minutes.
constexpr std::int64_t most_attempts = 6;
constexpr double growth = 4;
constexpr milliseconds longest_wait(60000);

milliseconds in_ms(double seconds) {
  return milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

status run_command(const config& rules, const job& ended,
                   const std::stop_token& stop) {
  program asked;
  asked.words = {"/bin/sh", "-c", rules.notify.command};
  asked.limit = in_ms(rules.notify.time_limit_seconds);
  asked.environment = notice_environment(ended);
  asked.keep_output = false;
  asked.own_group = true;
  asked.stop = stop;
  const auto ran = run_program(asked);
  if (!ran) return ran.error();
  if (ran->stopped) return {status_code::cancelled, "it was stopped"};
  if (ran->timed_out) {
    return {status_code::io_error, "it ran into its time limit"};
  }
  if (ran->exit_status == 0) return {};
  return {status_code::io_error,
          ran->exit_status < 0
              ? "it was killed"
              : fmt::format("its exit status was {}", ran->exit_status)};
}

status deliver(store& jobs, const config& rules, const notice& which,
               const std::stop_token& stop) {
  if (which.by == channel::command) {
    const auto ended = jobs.find(which.job);
    if (!ended) return ended.error();
    return run_command(rules, *ended, stop);
  }
  return post({rules.notify.webhook, rules.notify.secret, which.message,
               now_ms() / 1000, which.body},
              in_ms(rules.notify.time_limit_seconds), stop);
}

bool is_configured(const config& rules, channel by) {
  return !(by == channel::command ? rules.notify.command : rules.notify.webhook)
              .empty();
}

std::string_view name_of(channel by) {
  return by == channel::command ? "notify.command" : "notify.webhook";
}

}  // namespace

notifier::notifier(const home& where, channel by, config rules,
                   service_log& log)
    : where_(where),
      by_(by),
      log_(log),
      rules_(std::move(rules)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void notifier::set_rules(config rules) {
  const std::lock_guard guard(mutex_);
  rules_ = std::move(rules);
  asked_ = true;
  wake_.notify_all();
}

void notifier::look_now() {
  const std::lock_guard guard(mutex_);
  asked_ = true;
  wake_.notify_all();
}

void notifier::try_again_later(store& jobs, const config& rules,
                               const notice& which, const status& failed) {
  const std::string what = fmt::format("{} for job {} failed: {}", name_of(by_),
                                       which.job, failed.message());
  const std::int64_t attempts = which.attempts + 1;
  if (attempts >= most_attempts) {
    log_.say(fmt::format("{}; given up after {} times", what, attempts));
    return log_.check(jobs.strike_off(which));
  }
  const double wait = rules.notify.retry_seconds *
                      std::pow(growth, static_cast<double>(which.attempts));
  log_.say(fmt::format("{}; tried again in {}", what,
                       show_duration(in_ms(wait).count())));
  log_.check(jobs.put_off(which, now_ms() + in_ms(wait).count()));
}

milliseconds notifier::pass_on(store& jobs, const config& rules,
                               const std::stop_token& stop) {
  const auto next = jobs.next_notice(by_);
  if (!next) {
    log_.check(next.error());
    return milliseconds(1000);
  }
  if (!*next) return longest_wait;
  const notice& which = **next;
  if (!is_configured(rules, by_)) {
    log_.check(jobs.strike_off(which));
    return milliseconds(0);
  }
  const milliseconds wait(which.due - now_ms());
  if (wait.count() > 0) return std::min(wait, longest_wait);
  const status done = deliver(jobs, rules, which, stop);
  // As if it had not been tried: the next service will.
  if (done.code() == status_code::cancelled) return longest_wait;
  crash_point("notice", "sent");
  if (done.ok()) {
    log_.check(jobs.strike_off(which));
  } else {
    try_again_later(jobs, rules, which, done);
  }
  return milliseconds(0);
}

void notifier::run(const std::stop_token& stop) {
  auto jobs = store::open(where_.database());
  if (!jobs) return log_.check(jobs.error());
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    asked_ = false;
    const config rules = rules_;
    lock.unlock();
    const milliseconds wait = pass_on(*jobs, rules, stop);
    lock.lock();
    if (wait.count() > 0) {
      wake_.wait_for(lock, stop, wait, [this] { return asked_; });
    }
  }
}

}  // namespace nexus::queue
