// Bookkeeping and the two simple policies. Failing devices: scheduler_health,
// the default policy: scheduler_lect.
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

}  // namespace

scheduler::scheduler(scheduler_options options) : options_(options) {}

std::uint32_t scheduler::add_device(const scheduler_device& spec) {
  device_entry d;
  d.spec = spec;
  d.spec.lane_depth = std::max(1u, spec.lane_depth);
  d.open_lanes = spec.lanes;
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
  operation_entry added;
  added.name = name;
  operations_.push_back(std::move(added));
  for (device_entry& d : devices_) {
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

void scheduler::set_open_lanes(std::uint32_t device, std::uint32_t lanes) {
  if (device >= devices_.size()) return;
  device_entry& d = devices_[device];
  d.open_lanes = std::min(d.spec.lanes, std::max(1u, lanes));
}

void scheduler::set_window(std::uint32_t operation, std::uint32_t segments) {
  if (operation < operations_.size()) operations_[operation].window = segments;
}

// ---- asking -----------------------------------------------------------------

bool scheduler::able(std::uint32_t device, std::uint32_t operation) const {
  return device < devices_.size() && operation < operations_.size() &&
         devices_[device].skills[operation].able;
}

bool scheduler::supported(std::uint32_t operation) const {
  return operation < operations_.size() &&
         std::any_of(
             devices_.begin(), devices_.end(),
             [&](const device_entry& d) { return d.skills[operation].able; });
}

bool scheduler::supported(std::uint32_t operation, std::uint64_t bytes) const {
  if (operation >= operations_.size()) return false;
  const schedule_request request{operation, bytes, {}, {}};
  return std::any_of(
      devices_.begin(), devices_.end(),
      [&](const device_entry& d) { return rank_of(d, request) != rank::none; });
}

std::uint32_t scheduler::queued(std::uint32_t device) const {
  return device < devices_.size() ? devices_[device].queued : 0;
}

std::uint32_t scheduler::busy_lanes(std::uint32_t device) const {
  if (device >= devices_.size()) return 0;
  const auto& lanes = devices_[device].lanes;
  return static_cast<std::uint32_t>(
      std::count_if(lanes.begin(), lanes.end(),
                    [](const lane_entry& lane) { return lane.queued > 0; }));
}

std::uint32_t scheduler::total_depth() const {
  std::uint32_t depth = 0;
  for (const device_entry& d : devices_)
    if (d.usable()) depth += d.open_lanes * d.spec.lane_depth;
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

// The lane with the fewest jobs that has room; the first of equals.
std::optional<placement> scheduler::least_queued(std::uint32_t index) const {
  const device_entry& d = devices_[index];
  std::uint32_t fewest = d.spec.lane_depth;
  std::optional<placement> where;
  for (std::uint32_t l = 0; l < d.open_lanes && fewest > 0; ++l) {
    if (d.lanes[l].queued >= fewest) continue;
    fewest = d.lanes[l].queued;
    where = placement{index, l};
  }
  return where;
}

placement scheduler::enter(const placement& where,
                           const schedule_request& request, schedule_time now,
                           bool probe) {
  device_entry& d = devices_[where.device];
  lane_entry& l = d.lanes[where.lane];
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
  operation_entry& op = operations_[request.operation];
  const double bytes = static_cast<double>(request.bytes);
  op.mean_bytes +=
      (bytes - op.mean_bytes) /
      static_cast<double>(std::min<std::uint64_t>(op.jobs + 1, 16));
  ++op.jobs;
  return {where.device, where.lane, probe};
}

// ---- finishing --------------------------------------------------------------

void scheduler::finish(const placement& where, std::uint32_t operation,
                       std::uint64_t bytes, schedule_time started,
                       schedule_time now, job_end end) {
  if (where.device >= devices_.size()) return;
  device_entry& d = devices_[where.device];
  if (where.lane >= d.lanes.size() || d.lanes[where.lane].queued == 0) return;
  lane_entry& l = d.lanes[where.lane];
  const queued_job j = leave(where, operation, bytes, started, now);
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
    case job_end::crashed:
      d.health.fault(fault_kind::crashed, now, last, j.probe);
      break;
    case job_end::no_memory:
      d.health.fault(fault_kind::no_memory, now, last, j.probe);
      break;
    case job_end::cancelled:
      break;
  }
}

void scheduler::blame(std::uint32_t device, std::uint32_t operation,
                      schedule_time now) {
  if (device >= devices_.size() || operation >= devices_[device].skills.size())
    return;
  const bool last = last_usable(device, operation);
  devices_[device].skills[operation].health.fault(fault_kind::failed, now, last,
                                                  false);
}

// Takes the job out of its lane: of those that fit the description the last
// one placed by then, or else the oldest.
scheduler::queued_job scheduler::leave(const placement& where,
                                       std::uint32_t operation,
                                       std::uint64_t bytes,
                                       schedule_time started,
                                       schedule_time now) {
  device_entry& d = devices_[where.device];
  lane_entry& l = d.lanes[where.lane];
  queued_job* const first = d.queue(where.lane);
  queued_job* const past = first + l.queued;
  queued_job* found = past;
  for (queued_job* j = first; j != past; ++j) {
    if (j->operation != operation || j->bytes != bytes) continue;
    if (found == past || j->placed <= started) found = j;
  }
  if (found == past) found = first;
  queued_job taken = *found;
  taken.placed = std::min(taken.placed, now);
  std::move(found + 1, past, found);
  --l.queued;
  --d.queued;
  --d.skills[taken.operation].queued;
  return taken;
}

void scheduler::learn(device_entry& d, const queued_job& j, schedule_time began,
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
    const device_entry& d = devices_[i];
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
      const device_entry& d = devices_[i];
      for (std::uint32_t l = 0; l < d.open_lanes; ++l) {
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
