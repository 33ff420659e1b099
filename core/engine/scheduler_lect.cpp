// Least expected completion time. All finishing times here count from now.
//
// The job goes to the lane where it would be done first. If that lane is full,
// a slower one with room gets it only if that pays: the lanes that have work
// would need longer for this job and for all that may still overtake it (the
// rest of the stream, as far as the window reaches) than the slower lane needs
// for this job alone. Near the end of the stream nothing is left to overtake,
// and the rule comes down to finishing this job first.
#include <algorithm>
#include <limits>

#include "engine/scheduler.hpp"

namespace nexus {

namespace {

constexpr std::uint64_t explore_every = 32;  // jobs of an operation
constexpr std::uint64_t explore_unknown_every = 8;
// Exploring may cost this part of the time, and its knowledge is good for at
// least fresh_for seconds.
constexpr double explore_share = 0.05;
constexpr double fresh_for = 0.25;
constexpr double shortest_wait = 1e-3;

double as_positive(std::uint64_t bytes) {
  return static_cast<double>(std::max<std::uint64_t>(bytes, 1));
}

}  // namespace

std::optional<placement> scheduler::by_completion(
    const schedule_request& request, schedule_time now) {
  const survey seen = look(request, now);
  if (const auto where = explore(request, seen, now)) return where;
  if (!seen.room.found) return std::nullopt;
  if (!seen.full.found || seen.room.finish <= seen.full.finish) {
    return seen.room.where;
  }
  if (seen.room.finish <= time_of_others(request, seen)) {
    return seen.room.where;
  }
  wake_at(overdue_at(seen, now), now);
  return std::nullopt;
}

scheduler::survey scheduler::look(const schedule_request& request,
                                  schedule_time now) const {
  survey seen;
  for (const std::uint32_t i : candidates_) {
    const device_entry& d = devices_[i];
    const double time = expected(d, request.operation, request.bytes);
    const double rate = as_positive(request.bytes) / time;
    // One job a lane until the device has shown what it makes of such jobs.
    const bool known = d.skills[request.operation].model.knows(request.bytes);
    const std::uint32_t depth =
        known || candidates_.size() == 1 ? d.spec.lane_depth : 1;
    seen.rate_of_all += rate * d.open_lanes;
    offer room;
    for (std::uint32_t l = 0; l < d.open_lanes; ++l) {
      const std::uint32_t queued = d.lanes[l].queued;
      const double wait = queued > 0 ? backlog(d, l, now) : 0;
      const offer here{wait + time, {i, l}, queued, true};
      if (queued > 0) {
        seen.rate += rate;
        seen.owed += rate * wait;
      }
      if (queued >= depth) {
        if (!seen.full.found || here.finish < seen.full.finish) {
          seen.full = here;
        }
      } else if (!room.found || queued < room.queued ||
                 (queued == room.queued && here.finish < room.finish)) {
        room = here;
      }
    }
    if (room.found && (!seen.room.found || room.finish < seen.room.finish)) {
      seen.room = room;
    }
  }
  return seen;
}

std::optional<double> scheduler::measured_seconds(std::uint32_t device,
                                                  std::uint32_t operation,
                                                  std::uint64_t bytes) const {
  if (!able(device, operation)) return std::nullopt;
  const rate_model& model = devices_[device].skills[operation].model;
  if (!model.measured()) return std::nullopt;
  return model.generous_seconds(bytes);
}

double scheduler::expected(const device_entry& d, std::uint32_t op,
                           std::uint64_t bytes) const {
  const skill& s = d.skills[op];
  if (s.model.measured()) return std::max(s.model.seconds(bytes), 1e-9);
  const double(&scale)[2] = operations_[op].scale;
  const int own = d.spec.gpu ? 1 : 0;
  const double factor = scale[own] > 0       ? scale[own]
                        : scale[1 - own] > 0 ? scale[1 - own]
                                             : 1;
  return s.model.prior_seconds(bytes) * factor;
}

// Seconds until the lane is idle. A job that has run for longer than expected
// is taken to need as long again as it is late.
double scheduler::backlog(const device_entry& d, std::uint32_t index,
                          schedule_time now) const {
  const lane_entry& l = d.lanes[index];
  const queued_job* const jobs = d.queue(index);
  double total = 0;
  for (std::uint32_t i = 0; i < l.queued; ++i) {
    const double time = expected(d, jobs[i].operation, jobs[i].bytes);
    if (i > 0) {
      total += time;
      continue;
    }
    const double run = now - std::max(jobs[i].placed, l.last_end);
    total += run < time ? time - run : run - time;
  }
  return total;
}

// How long the lanes that have work will be busy while this job is away: until
// the stream ends, or until the window is full of what waits for it. A job that
// failed before has the window waiting for it already.
double scheduler::time_of_others(const schedule_request& request,
                                 const survey& seen) const {
  const double window = window_bytes(request.operation) / seen.rate;
  if (!request.tried.empty()) return 0;
  if (!request.bytes_to_come) return window;
  const double left = as_positive(request.bytes) + seen.owed +
                      static_cast<double>(*request.bytes_to_come);
  return std::min(window, left / seen.rate);
}

// What may be in flight at once.
double scheduler::window_bytes(std::uint32_t operation) const {
  const auto& op = operations_[operation];
  return op.mean_bytes * (op.window > 0 ? op.window : 2 * total_depth());
}

bool scheduler::near_end(const schedule_request& request) const {
  return request.bytes_to_come && static_cast<double>(*request.bytes_to_come) <
                                      window_bytes(request.operation);
}

// Now and then a job goes to an idle device of which too little is known: it
// was never measured, or so long ago that trying costs little by comparison.
std::optional<placement> scheduler::explore(const schedule_request& request,
                                            const survey& seen,
                                            schedule_time now) {
  operation_entry& op = operations_[request.operation];
  const std::uint64_t since = op.jobs - op.explored_at;
  if (since < explore_unknown_every) return std::nullopt;
  if (!request.tried.empty() || near_end(request)) return std::nullopt;
  const double window_time = window_bytes(request.operation) / seen.rate_of_all;
  std::optional<placement> where;
  double oldest = std::numeric_limits<double>::infinity();
  for (const std::uint32_t i : candidates_) {
    const skill& s = devices_[i].skills[request.operation];
    if (s.queued > 0 || candidates_.size() == 1) continue;
    const double time = expected(devices_[i], request.operation, request.bytes);
    const double loss = std::max(0.0, time - window_time);
    const double age = now - s.model.updated();
    const bool known = s.model.measured();
    const double lasts = loss / explore_share + fresh_for;
    if (known && (since < explore_every || age < lasts)) continue;
    const double updated = known ? s.model.updated() : -1;
    const auto room = least_queued(i);
    if (!room || devices_[i].lanes[room->lane].queued > 0) continue;
    if (updated >= oldest) continue;
    oldest = updated;
    where = room;
  }
  if (where) op.explored_at = op.jobs;
  return where;
}

// When the lane that was preferred will have disappointed so much that the
// other one is the better choice.
schedule_time scheduler::overdue_at(const survey& seen,
                                    schedule_time now) const {
  const placement& at = seen.full.where;
  const device_entry& d = devices_[at.device];
  const queued_job& head = d.queue(at.lane)[0];
  const double time = expected(d, head.operation, head.bytes);
  const double run = now - std::max(head.placed, d.lanes[at.lane].last_end);
  const double gap = seen.room.finish - seen.full.finish;
  const double wait = run < time ? 2 * (time - run) + gap : gap;
  return now + std::max(wait, shortest_wait);
}

}  // namespace nexus
