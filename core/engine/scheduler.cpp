// Bookkeeping, health and the two simple policies; the default policy is in
// scheduler_lect.cpp.
#include "engine/scheduler.hpp"

#include <algorithm>

namespace nexus {

namespace {

// Before anything is measured only the crossing counts: a GPU lane takes as
// long as a CPU lane at the threshold and nears a quarter of it far above.
constexpr double cpu_overhead = 20e-6;
constexpr double cpu_seconds_per_byte = 1e-9;
constexpr double gpu_advantage = 4;
// A size equal to the threshold counts as large.
constexpr double tie_to_gpu = 1 - 1e-9;

rate_prior prior_of(bool gpu, std::uint64_t threshold) {
  if (!gpu) return {cpu_overhead, cpu_seconds_per_byte};
  const double slope = cpu_seconds_per_byte / gpu_advantage;
  const double lead =
      static_cast<double>(threshold) * (cpu_seconds_per_byte - slope);
  return {(cpu_overhead + lead) * tie_to_gpu, slope};
}

bool contains(const std::vector<std::uint32_t>& list, std::uint32_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

scheduler::scheduler(scheduler_options options) : options_(options) {}

std::uint32_t scheduler::add_device(const scheduler_device& spec) {
  device d;
  d.spec = spec;
  d.spec.lane_depth = std::max(1u, spec.lane_depth);
  d.lanes.resize(spec.lanes);
  d.jobs.resize(std::size_t{spec.lanes} * d.spec.lane_depth);
  skill unskilled;
  unskilled.model =
      rate_model(prior_of(spec.gpu, options_.gpu_threshold_bytes));
  d.skills.resize(operations_.size(), unskilled);
  devices_.push_back(std::move(d));
  candidates_.reserve(devices_.size());
  return static_cast<std::uint32_t>(devices_.size() - 1);
}

std::uint32_t scheduler::operation_id(std::string_view name) {
  for (std::uint32_t i = 0; i < operations_.size(); ++i) {
    if (operations_[i].name == name) return i;
  }
  operation added;
  added.name = name;
  operations_.push_back(std::move(added));
  for (device& d : devices_) {
    skill unskilled;
    unskilled.model =
        rate_model(prior_of(d.spec.gpu, options_.gpu_threshold_bytes));
    d.skills.push_back(unskilled);
  }
  return static_cast<std::uint32_t>(operations_.size() - 1);
}

void scheduler::set_support(std::uint32_t device, std::uint32_t operation,
                            const scheduler_support& support) {
  if (device >= devices_.size() || operation >= operations_.size()) return;
  skill& s = devices_[device].skills[operation];
  s.able = devices_[device].usable();
  s.limits = support;
}

void scheduler::set_window(std::uint32_t operation, std::uint32_t segments) {
  if (operation < operations_.size()) operations_[operation].window = segments;
}

// ---- asking -----------------------------------------------------------------

bool scheduler::supported(std::uint32_t operation) const {
  return operation < operations_.size() &&
         std::any_of(
             devices_.begin(), devices_.end(),
             [&](const device& d) { return d.skills[operation].able; });
}

bool scheduler::supported(std::uint32_t operation, std::uint64_t bytes) const {
  if (operation >= operations_.size()) return false;
  const schedule_request request{operation, bytes, {}, {}};
  return std::any_of(devices_.begin(), devices_.end(), [&](const device& d) {
    return rank_of(d, request) != rank::none;
  });
}

std::optional<schedule_time> scheduler::next_change(schedule_time now) const {
  std::optional<schedule_time> first;
  const auto consider = [&](schedule_time at) {
    if (at > now && (!first || at < *first)) first = at;
  };
  consider(wake_at_);
  for (const device& d : devices_) {
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
  bool quarantined = d.health.quarantined();
  bool backing_off = d.health.active() && now < d.health.until();
  for (const skill& s : d.skills) {
    quarantined |= s.health.quarantined();
    backing_off |= s.health.active() && now < s.health.until();
  }
  if (quarantined) return device_state::quarantined;
  return backing_off ? device_state::backing_off : device_state::ready;
}

std::uint32_t scheduler::queued(std::uint32_t device) const {
  return device < devices_.size() ? devices_[device].queued : 0;
}

std::uint32_t scheduler::total_depth() const {
  std::uint32_t depth = 0;
  for (const device& d : devices_) depth += d.spec.lanes * d.spec.lane_depth;
  return depth;
}

// ---- placing ----------------------------------------------------------------

std::optional<placement> scheduler::place(const schedule_request& request,
                                          schedule_time now) {
  if (request.operation >= operations_.size()) return std::nullopt;
  const rank best = collect(request);
  if (best == rank::none) return std::nullopt;
  if (const auto probe = find_probe(request, best, now)) {
    return enter(*probe, request, now, true);
  }
  if (candidates_.empty()) {
    const auto resort = last_resort(request, best, now);
    if (!resort) return std::nullopt;
    return enter(*resort, request, now, true);
  }
  std::optional<placement> where;
  switch (options_.policy) {
    case schedule_policy::lect:
      where = by_completion(request, now);
      break;
    case schedule_policy::threshold:
      where = by_threshold(request);
      break;
    case schedule_policy::round_robin:
      where = by_turns();
      break;
  }
  if (!where) return std::nullopt;
  return enter(*where, request, now, false);
}

scheduler::rank scheduler::rank_of(const device& d,
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

bool scheduler::active(const device& d, std::uint32_t operation) const {
  return d.health.active() || d.skills[operation].health.active();
}

bool scheduler::probing(const device& d, std::uint32_t operation) const {
  return d.health.probing() || d.skills[operation].health.probing();
}

schedule_time scheduler::until(const device& d, std::uint32_t op) {
  const device_health& own = d.skills[op].health;
  return std::max(d.health.active() ? d.health.until() : 0,
                  own.active() ? own.until() : 0);
}

schedule_time scheduler::retry_at(const device& d, std::uint32_t op) {
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
    const device& d = devices_[i];
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
  const device* first = nullptr;
  std::optional<placement> where;
  for (std::uint32_t i = 0; i < devices_.size(); ++i) {
    const device& d = devices_[i];
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

void scheduler::wake_at(schedule_time at, schedule_time now) {
  if (wake_at_ <= now || at < wake_at_) wake_at_ = at;
}

// The lane with the fewest jobs that has room; the first of equals.
std::optional<placement> scheduler::least_queued(std::uint32_t index) const {
  const device& d = devices_[index];
  std::uint32_t fewest = d.spec.lane_depth;
  std::optional<placement> where;
  for (std::uint32_t l = 0; l < d.spec.lanes && fewest > 0; ++l) {
    if (d.lanes[l].queued >= fewest) continue;
    fewest = d.lanes[l].queued;
    where = placement{index, l};
  }
  return where;
}

placement scheduler::enter(const placement& where,
                           const schedule_request& request, schedule_time now,
                           bool probe) {
  device& d = devices_[where.device];
  lane& l = d.lanes[where.lane];
  skill& s = d.skills[request.operation];
  d.queue(where.lane)[l.queued] = {request.operation, request.bytes, now,
                                   probe};
  ++l.queued;
  ++d.queued;
  ++s.queued;
  if (probe) {
    d.health.begin_probe();
    s.health.begin_probe();
  }
  operation& op = operations_[request.operation];
  const double bytes = static_cast<double>(request.bytes);
  op.mean_bytes +=
      (bytes - op.mean_bytes) /
      static_cast<double>(std::min<std::uint64_t>(op.jobs + 1, 16));
  ++op.jobs;
  return where;
}

// ---- finishing --------------------------------------------------------------

void scheduler::finish(const placement& where, std::uint32_t operation,
                       std::uint64_t bytes, schedule_time started,
                       schedule_time now, job_end end) {
  if (where.device >= devices_.size()) return;
  device& d = devices_[where.device];
  if (where.lane >= d.lanes.size() || d.lanes[where.lane].queued == 0) return;
  lane& l = d.lanes[where.lane];
  const job j = leave(where, operation, bytes, started, now);
  const schedule_time began = std::max(j.placed, l.last_end);
  l.last_end = now;

  skill& s = d.skills[j.operation];
  if (j.probe) {
    d.health.end_probe(end == job_end::ok);
    s.health.end_probe(end == job_end::ok);
  }
  const bool last = last_usable(where.device, j.operation);
  switch (end) {
    case job_end::ok:
      learn(d, j, began, now);
      break;
    case job_end::failed:
      s.health.fault(fault_kind::failed, now, last, j.probe);
      break;
    case job_end::lost:
      d.health.fault(fault_kind::lost, now, last, j.probe);
      break;
    case job_end::no_memory:
      d.health.fault(fault_kind::no_memory, now, last, j.probe);
      break;
    case job_end::cancelled:
      break;
  }
}

// Takes the job out of its lane: the one that was described, or the oldest.
scheduler::job scheduler::leave(const placement& where, std::uint32_t operation,
                                std::uint64_t bytes, schedule_time started,
                                schedule_time now) {
  device& d = devices_[where.device];
  lane& l = d.lanes[where.lane];
  job* const first = d.queue(where.lane);
  job* const past = first + l.queued;
  const auto same = [&](const job& j) {
    return j.operation == operation && j.bytes == bytes;
  };
  job* found = std::find_if(first, past, [&](const job& j) {
    return same(j) && !(j.placed < started) && !(started < j.placed);
  });
  if (found == past) found = std::find_if(first, past, same);
  if (found == past) found = first;
  job taken = *found;
  taken.placed = std::min(taken.placed, now);
  std::move(found + 1, past, found);
  --l.queued;
  --d.queued;
  --d.skills[taken.operation].queued;
  return taken;
}

void scheduler::learn(device& d, const job& j, schedule_time began,
                      schedule_time now) {
  rate_model& model = d.skills[j.operation].model;
  model.add({j.bytes, j.placed, began, now});
  operations_[j.operation].scale[d.spec.gpu ? 1 : 0] =
      model.seconds(j.bytes) / model.prior_seconds(j.bytes);
}

// ---- the simple policies ----------------------------------------------------

std::optional<placement> scheduler::by_threshold(
    const schedule_request& request) const {
  bool any[2] = {false, false};
  for (const std::uint32_t i : candidates_) {
    any[devices_[i].spec.gpu ? 1 : 0] = true;
  }
  const bool large = request.bytes >= options_.gpu_threshold_bytes;
  const bool gpu = any[1] && (large || !any[0]);
  if (const auto where = from_pool(gpu, false)) return where;
  return from_pool(!gpu, true);
}

// Among GPUs the device with the fewest jobs, among CPUs the lane.
std::optional<placement> scheduler::from_pool(bool gpu, bool idle_only) const {
  std::optional<placement> best;
  std::uint32_t fewest = UINT32_MAX;
  for (const std::uint32_t i : candidates_) {
    const device& d = devices_[i];
    if (d.spec.gpu != gpu) continue;
    const auto where = least_queued(i);
    if (!where) continue;
    const std::uint32_t in_lane = d.lanes[where->lane].queued;
    if (idle_only && in_lane > 0) continue;
    const std::uint32_t load = gpu ? d.queued : in_lane;
    if (load >= fewest) continue;
    fewest = load;
    best = where;
  }
  return best;
}

std::optional<placement> scheduler::by_turns() {
  for (const bool later : {true, false}) {
    for (const std::uint32_t i : candidates_) {
      const device& d = devices_[i];
      for (std::uint32_t l = 0; l < d.spec.lanes; ++l) {
        const bool after =
            i > turn_.device || (i == turn_.device && l > turn_.lane);
        if (after != later || d.lanes[l].queued >= d.spec.lane_depth) continue;
        turn_ = {i, l};
        return turn_;
      }
    }
  }
  return std::nullopt;
}

}  // namespace nexus
