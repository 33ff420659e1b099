// Which devices a job may go to: what they support, where it failed, and who is
// in quarantine.
#include <algorithm>

#include "engine/scheduler.hpp"

namespace nexus {

namespace {

bool contains(const std::vector<std::uint32_t>& list, std::uint32_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

std::optional<schedule_time> scheduler::next_change(schedule_time now) const {
  std::optional<schedule_time> first;
  const auto consider = [&](schedule_time at) {
    if (at > now && (!first || at < *first)) first = at;
  };
  consider(wake_at_);
  for (const device_entry& d : devices_) {
    if (d.health.active()) consider(d.health.until());
    for (const skill& s : d.skills) {
      if (s.health.active()) consider(s.health.until());
    }
  }
  return first;
}

device_state scheduler::state(std::uint32_t device, schedule_time now) const {
  if (device >= devices_.size()) return device_state::ready;
  const auto& d = devices_[device];
  if (d.dead) return device_state::dead;
  bool quarantined = d.health.quarantined();
  bool backing_off = d.health.active() && now < d.health.until();
  for (const skill& s : d.skills) {
    quarantined |= s.health.quarantined();
    backing_off |= s.health.active() && now < s.health.until();
  }
  if (quarantined) return device_state::quarantined;
  return backing_off ? device_state::backing_off : device_state::ready;
}

scheduler::rank scheduler::rank_of(const device_entry& d,
                                   const schedule_request& r) const {
  const skill& s = d.skills[r.operation];
  if (!s.able) return rank::none;
  if (s.limits.max_bytes != 0 && r.bytes > s.limits.max_bytes) {
    return rank::none;
  }
  if (d.health.quarantined() || s.health.quarantined()) return rank::out;
  const bool small = r.bytes < s.limits.min_bytes;
  const auto index = static_cast<std::uint32_t>(&d - devices_.data());
  if (contains(r.tried, index)) return small ? rank::tried_small : rank::tried;
  return small ? rank::small : rank::fit;
}

// Fills candidates_ with the healthy devices of the best rank that exists;
// they may be none, if all of that rank pause.
scheduler::rank scheduler::collect(const schedule_request& request) {
  candidates_.clear();
  rank best = rank::none;
  for (std::uint32_t i = 0; i < devices_.size(); ++i) {
    const rank r = rank_of(devices_[i], request);
    if (r > best || r == rank::none) continue;
    if (r < best) candidates_.clear();
    best = r;
    if (!active(devices_[i], request.operation)) candidates_.push_back(i);
  }
  return best;
}

bool scheduler::active(const device_entry& d, std::uint32_t operation) const {
  return d.health.active() || d.skills[operation].health.active();
}

bool scheduler::probing(const device_entry& d, std::uint32_t operation) const {
  return d.health.probing() || d.skills[operation].health.probing();
}

schedule_time scheduler::until(const device_entry& d, std::uint32_t op) {
  const device_health& own = d.skills[op].health;
  return std::max(d.health.active() ? d.health.until() : 0,
                  own.active() ? own.until() : 0);
}

schedule_time scheduler::retry_at(const device_entry& d, std::uint32_t op) {
  const device_health& own = d.skills[op].health;
  return std::max(d.health.active() ? d.health.retry_at() : 0,
                  own.active() ? own.retry_at() : 0);
}

// A device whose time is over, for a job that can bear another failure: one
// that has not failed yet and that nothing near the end waits for. A job that
// has failed on all others has nothing to lose.
std::optional<placement> scheduler::find_probe(const schedule_request& request,
                                               rank best,
                                               schedule_time now) const {
  const bool desperate = best >= rank::tried;
  if (!desperate && (!request.tried.empty() || near_end(request))) {
    return std::nullopt;
  }
  const bool large = request.bytes >= options_.gpu_threshold_bytes;
  for (std::uint32_t i = 0; i < devices_.size(); ++i) {
    const device_entry& d = devices_[i];
    const std::uint32_t op = request.operation;
    if (!active(d, op) || probing(d, op) || now < until(d, op)) continue;
    if (rank_of(d, request) == rank::none || contains(request.tried, i)) {
      continue;
    }
    const bool misfit =
        request.bytes < d.skills[op].limits.min_bytes ||
        (options_.policy == schedule_policy::threshold && d.spec.gpu != large);
    if (misfit && !desperate) continue;
    if (const auto where = least_queued(i)) return where;
  }
  return std::nullopt;
}

// Every device that could do it pauses: the one that would be back first is
// asked soon, whatever its sentence.
std::optional<placement> scheduler::last_resort(const schedule_request& request,
                                                rank best, schedule_time now) {
  const std::uint32_t op = request.operation;
  const device_entry* first = nullptr;
  std::optional<placement> where;
  for (std::uint32_t i = 0; i < devices_.size(); ++i) {
    const device_entry& d = devices_[i];
    if (rank_of(d, request) != best) continue;
    if (first && until(*first, op) <= until(d, op)) continue;
    const auto room = least_queued(i);
    if (!room) continue;
    first = &d;
    where = room;
  }
  if (!first || probing(*first, op)) return std::nullopt;
  if (now < retry_at(*first, op)) {
    wake_at(retry_at(*first, op), now);
    return std::nullopt;
  }
  return where;
}

bool scheduler::last_usable(std::uint32_t device,
                            std::uint32_t operation) const {
  for (std::uint32_t i = 0; i < devices_.size(); ++i) {
    const skill& s = devices_[i].skills[operation];
    if (i != device && s.able && !s.health.quarantined() &&
        !devices_[i].health.quarantined()) {
      return false;
    }
  }
  return true;
}

bool scheduler::withdraw(const placement& where, std::uint32_t operation,
                         std::uint64_t bytes, schedule_time started,
                         schedule_time now, ailment what) {
  if (where.device >= devices_.size()) return false;
  device_entry& d = devices_[where.device];
  if (where.lane >= d.lanes.size() || d.lanes[where.lane].queued == 0)
    return false;
  const queued_job j = leave(where, operation, bytes, started, now);
  const bool last = last_usable(where.device, j.operation);
  if (what == ailment::passing) {
    d.health.stay_away(now, last);
    d.skills[j.operation].health.stay_away(now, last);
    return last;
  }
  d.dead = true;
  d.health = {};
  for (skill& s : d.skills) {
    s.able = false;
    s.health = {};
  }
  return last;
}

void scheduler::wake_at(schedule_time at, schedule_time now) {
  if (wake_at_ <= now || at < wake_at_) wake_at_ = at;
}

}  // namespace nexus
