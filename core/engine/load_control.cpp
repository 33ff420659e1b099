#include "engine/load_control.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "hwinfo/size.hpp"

namespace nexus {
namespace {

constexpr std::uint64_t mib = 1u << 20;

// The reserve: a twentieth of a limit, within these bounds. Daemons that kill
// for memory begin at a tenth (earlyoom -m 10: SIGTERM, at half of it SIGKILL)
// or at a fixed 100 MiB (kubelet, eviction-hard memory.available); what may be
// gone within a second counts as well, which on a large machine is a gigabyte
// or two, and never a twentieth of a terabyte.
constexpr std::uint64_t reserve_share = 20;
constexpr std::uint64_t least_reserve = 64 * mib;
constexpr std::uint64_t most_reserve = 1024 * mib;
// Of a small limit no more than this part, or this one to hold a job: the
// budget needs the rest.
constexpr std::uint64_t small_share = 8;
constexpr std::uint64_t job_share = 4;
// A run must not feel pressed by its own use, nor that use keep it from growing
// back, which takes twice the reserve: of what it left of the headroom at the
// start a third is reserve. If that is nothing, this much.
constexpr std::uint64_t beside_share = 3;
constexpr std::uint64_t reserve_anyway = 16 * mib;
// To cut the budget below this part of the reserve would help nobody.
constexpr std::uint64_t floor_share = 16;

// Hits and stalls count while less than this part of a limit is left. With more
// left the kernel is only taking back page cache, for which a smaller window
// is no cure: a stream through a small cgroup hits its limits all the time.
constexpr std::uint64_t tight_share = 4;
// Percent of the time that some task waited for memory. The kernel's own
// example of a trigger is 15 (150 ms of 1 s, psi.rst); GLib warns at 3.5 and
// 5 (70 and 100 ms of 2 s); systemd-oomd kills at 60.
constexpr double much_stall = 10;
constexpr double some_stall = 5;

// Growing back. AIMD as TCP does it, with the back-off of a device in
// quarantine for where it was too soon.
constexpr std::uint64_t steps_back = 8;
constexpr double first_wait = 5;
constexpr double longest_wait = 60;
constexpr double step_seconds = 1;
// Pressure within this time after a step is held to be of our making.
constexpr double soon = 10;

constexpr double never = -std::numeric_limits<double>::infinity();

std::uint64_t left_of(const memory_limit& m) {
  return m.limit_bytes - std::min(m.limit_bytes, m.used_bytes);
}

bool is_tight(const memory_limit& m) {
  return left_of(m) < m.limit_bytes / tight_share;
}

// Hits since the reading before; limits come and go.
std::uint64_t new_hits(const hwinfo::felt_limit& now,
                       const hwinfo::pressure_reading& before) {
  if (!now.hits) return 0;
  for (const auto& then : before.limits)
    if (then.limit.origin == now.limit.origin && then.hits)
      return *now.hits - std::min(*now.hits, *then.hits);
  return 0;
}

std::string whole_percent(double value) {
  return std::to_string(static_cast<int>(value)) + "%";
}

// The processors' part of the profile that the engine began with.
std::uint32_t workers_by(const hwinfo::pressure_reading& reading,
                         const load_start& start, std::string& why) {
  hardware machine;
  machine.allowed_processors =
      reading.allowed_processors != 0 ? reading.allowed_processors : UINT32_MAX;
  machine.cpu_quota = reading.cpu_quota;
  machine.cpu_quota_origin = reading.cpu_quota_origin;
  profile_request request;
  request.max_threads = start.max_threads;
  request.memory_bytes = start.budget_bytes;
  const auto made = make_profile(machine, request);
  if (!made.ok()) return start.workers;
  why = made->reasons.front().second;
  return std::min(made->cpu_workers, start.workers);
}

}  // namespace

load_control::load_control(const load_start& start)
    : start_(start),
      budget_(start.budget_bytes),
      processors_(start.workers),
      uneasy_at_(never),
      grown_at_(never),
      wait_(first_wait) {
  allowed_.budget_bytes = start.budget_bytes;
  allowed_.workers = start.workers;
}

const load_allowance& load_control::update(
    const hwinfo::pressure_reading& reading, const load_use& use, double now) {
  const std::uint64_t budget = allowed_.budget_bytes;
  const std::uint32_t workers = allowed_.workers;
  most_used_ =
      std::max(most_used_, std::min(use.memory_bytes, start_.budget_bytes));
  const finding f = look(reading, use, now);
  if (f.is != mood::quiet) {
    uneasy_at_ = now;
    if (f.is == mood::pressed) shrink(f, use, now);
  } else {
    grow(f, now);
  }
  allowed_.budget_bytes = budget_;
  set_workers(reading);
  allowed_.shrunk =
      allowed_.budget_bytes < budget || allowed_.workers < workers;
  allowed_.grown = !allowed_.shrunk && (allowed_.budget_bytes > budget ||
                                        allowed_.workers > workers);
  last_ = reading;
  judged_ = true;
  judged_at_ = now;
  return allowed_;
}

const load_allowance& load_control::resume(double now) {
  allowed_.shrunk = allowed_.grown = false;
  most_used_ = 0;
  if (before_ == 0 || now - uneasy_at_ < wait_) return allowed_;
  restore();
  allowed_.budget_bytes = budget_;
  allowed_.workers = start_.workers;
  allowed_.reason = "the runs that were under pressure have ended";
  allowed_.grown = true;
  return allowed_;
}

std::uint64_t load_control::reserve_of(std::uint64_t limit,
                                       const load_use& use) const noexcept {
  const std::uint64_t beside =
      start_.headroom_bytes - std::min(start_.headroom_bytes, most_used_);
  const std::uint64_t share =
      std::min(std::clamp(limit / reserve_share, least_reserve, most_reserve),
               limit / small_share);
  const std::uint64_t job = std::min(use.job_bytes, limit / job_share);
  return std::min(std::max(share, job),
                  std::max(beside / beside_share, reserve_anyway));
}

load_control::finding load_control::look(
    const hwinfo::pressure_reading& reading, const load_use& use,
    double now) const {
  finding f;
  judge_limits(reading, use, f);
  judge_stalls(reading, now, f);
  const std::uint64_t kills = reading.oom_kills.value_or(0);
  if (judged_ && last_.oom_kills && kills > *last_.oom_kills) {
    f.is = mood::pressed;
    f.why = "a process of this cgroup was killed for its memory";
  }
  return f;
}

void load_control::judge_limits(const hwinfo::pressure_reading& reading,
                                const load_use& use, finding& f) const {
  double least = 1;  // of what is left, in reserves
  for (const auto& each : reading.limits) {
    const memory_limit& m = each.limit;
    const std::uint64_t reserve = reserve_of(m.limit_bytes, use);
    const std::uint64_t left = left_of(m);
    const std::uint64_t twice = 2 * reserve;
    f.reserve = std::min(f.reserve, reserve);
    f.spare = std::min(f.spare, left - std::min(left, twice));
    if (left < twice) f.is = std::min(f.is, mood::uneasy);
    if (left < reserve &&
        static_cast<double>(left) < least * static_cast<double>(reserve)) {
      least = static_cast<double>(left) / static_cast<double>(reserve);
      f.is = mood::pressed;
      f.why = hwinfo::size_text(left) + " left of " +
              hwinfo::size_text(m.limit_bytes) + " by " + m.origin;
    } else if (judged_ && is_tight(m) && new_hits(each, last_) != 0 &&
               f.is != mood::pressed) {
      f.is = mood::pressed;
      f.why = m.origin + " was reached " +
              std::to_string(new_hits(each, last_)) + " times";
    }
  }
}

// Who waits for memory may wait in another cgroup, for a limit of its own: the
// machine's stalls count while the machine is short of it.
void load_control::judge_stalls(const hwinfo::pressure_reading& reading,
                                double now, finding& f) const {
  const auto percent = [&](const std::optional<hwinfo::memory_stall>& stall,
                           const std::optional<hwinfo::memory_stall>& before) {
    if (!stall) return 0.0;
    if (!judged_ || !before || now <= judged_at_) return stall->percent;
    const std::uint64_t waited =
        stall->microseconds -
        std::min(stall->microseconds, before->microseconds);
    return static_cast<double>(waited) / (now - judged_at_) / 1e4;
  };
  const auto judge = [&f](double waited, bool tight, const char* whose) {
    if (!tight || waited < some_stall) return;
    f.is = std::min(f.is, waited < much_stall ? mood::uneasy : mood::pressed);
    if (waited >= much_stall && f.why.empty())
      f.why = "tasks of " + std::string(whose) + " waited for memory for " +
              whole_percent(waited) + " of the time";
  };
  bool machine_tight = false;
  bool any_tight = false;
  for (std::size_t i = 0; i < reading.limits.size(); ++i) {
    const bool tight = is_tight(reading.limits[i].limit);
    any_tight |= tight;
    if (reading.limits[i].limit.origin == hwinfo::machine_origin)
      machine_tight = tight;
  }
  judge(percent(reading.machine, last_.machine), machine_tight, "the machine");
  judge(percent(reading.group, last_.group), any_tight, "this cgroup");
}

void load_control::shrink(const finding& f, const load_use& use, double now) {
  // What was cut before has yet to come back from jobs that are under way.
  if (before_ != 0 && use.memory_bytes > budget_) return;
  const std::uint64_t reserve = f.reserve == UINT64_MAX ? 0 : f.reserve;
  const std::uint64_t floor = std::min(
      start_.budget_bytes, std::max(use.least_bytes, reserve / floor_share));
  const std::uint64_t base = std::min(budget_, use.memory_bytes);
  const std::uint64_t target = std::max(base / 2, floor);
  if (target >= base) return;  // there is nothing to give
  if (now - grown_at_ < soon) wait_ = std::min(2 * wait_, longest_wait);
  before_ = std::max(before_, base);
  budget_ = target;
  allowed_.reason = f.why;
}

void load_control::grow(const finding& f, double now) {
  if (before_ == 0) {
    if (now - uneasy_at_ >= longest_wait) wait_ = first_wait;
    return;
  }
  const std::uint64_t step = std::max(before_ / steps_back, std::uint64_t{1});
  if (now - uneasy_at_ < wait_ || now - grown_at_ < step_seconds) return;
  if (f.spare < step) return;
  grown_at_ = now;
  budget_ += step;
  allowed_.reason = "no pressure for " +
                    std::to_string(static_cast<int>(now - uneasy_at_)) + " s";
  if (budget_ >= before_) restore();
}

void load_control::restore() {
  budget_ = start_.budget_bytes;
  before_ = 0;
}

void load_control::set_workers(const hwinfo::pressure_reading& reading) {
  std::string why;
  std::uint32_t workers = workers_by(reading, start_, why);
  if (std::exchange(processors_, workers) != workers) allowed_.reason = why;
  if (before_ != 0) {
    const double part =
        static_cast<double>(budget_) / static_cast<double>(before_);
    const double share = std::ceil(part * start_.workers);
    workers = std::min(workers, static_cast<std::uint32_t>(share));
  }
  allowed_.workers = std::max(workers, 1u);
}

}  // namespace nexus
