#include "schedule_simulator.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <queue>
#include <random>

namespace nexus::test {

namespace {

constexpr double never = std::numeric_limits<double>::infinity();
constexpr double fails_after = 0.001;
constexpr double hopeless = 1e7;  // seconds

struct event {
  double at = 0;
  std::uint64_t order = 0;  // first in, first out among equals
  std::size_t segment = 0;
  placement where;
  double placed = 0;
  job_end end = job_end::ok;

  bool operator>(const event& other) const {
    return at != other.at ? at > other.at : order > other.order;
  }
};

class engine_model {
 public:
  engine_model(const scheduler_options& options,
               const std::vector<virtual_device>& devices, const workload& work)
      : scheduler_(options),
        devices_(devices),
        work_(work),
        tried_(work.segments.size()),
        done_(work.segments.size()) {
    operation_ = scheduler_.operation_id("job");
    for (const virtual_device& d : devices) {
      const auto id = scheduler_.add_device(d.spec);
      scheduler_.set_support(id, operation_, d.support);
      free_at_.emplace_back(d.spec.lanes, 0.0);
      held_.emplace_back(d.spec.lanes, 0u);
    }
    if (work.window_known) scheduler_.set_window(operation_, work.window);
    std::uint64_t behind = 0;
    behind_.resize(work.segments.size());
    for (std::size_t i = work.segments.size(); i-- > 0;) {
      behind_[i] = behind;
      behind += work.segments[i];
    }
    outcome_.jobs.resize(devices.size());
  }

  simulation run() {
    while (written_ < work_.segments.size() && outcome_.problem.empty()) {
      admit();
      place_waiting();
      advance();
    }
    outcome_.makespan = now_;
    outcome_.finished = outcome_.problem.empty();
    for (std::uint32_t d = 0; d < devices_.size(); ++d) {
      if (outcome_.finished && scheduler_.queued(d) != 0) {
        outcome_.problem = "a queue is not empty at the end";
      }
    }
    return outcome_;
  }

 private:
  void admit() {
    while (admitted_ < work_.segments.size() &&
           admitted_ < written_ + work_.window && arrival(admitted_) <= now_) {
      waiting_.push_back(admitted_++);
    }
  }

  [[nodiscard]] double arrival(std::size_t segment) const {
    return work_.arrival_seconds * static_cast<double>(segment);
  }

  // In stream order.
  void place_waiting() {
    for (std::size_t i = 0; i < waiting_.size();) {
      const std::size_t segment = waiting_[i];
      schedule_request request{
          operation_, work_.segments[segment], tried_[segment], {}};
      if (work_.length_known) request.bytes_to_come = behind_[segment];
      if (const auto where = scheduler_.place(request, now_)) {
        waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
        start(segment, *where);
      } else if (work_.all_ask) {
        ++i;
      } else {
        return;
      }
    }
  }

  void start(std::size_t segment, const placement& where) {
    const virtual_device& d = devices_[where.device];
    if (++held_[where.device][where.lane] > d.spec.lane_depth) {
      outcome_.problem = "a lane holds more than its depth";
    }
    double& free_at = free_at_[where.device][where.lane];
    const double begin = std::max(now_, free_at);
    event e{jitter(d, begin, d.end_of(work_.segments[segment], begin)),
            next_order_++,
            segment,
            where,
            now_,
            job_end::ok};
    if (e.at > d.dies_at && begin < d.revives_at) {
      e.at = std::max(begin, d.dies_at) + fails_after;
      e.end = d.death;
    }
    free_at = e.at;
    events_.push(e);
  }

  double jitter(const virtual_device& d, double begin, double end) {
    std::uniform_real_distribution<double> factor(1 - d.noise, 1 + d.noise);
    return d.noise > 0 ? begin + (end - begin) * factor(random_) : end;
  }

  // To the next thing that happens.
  void advance() {
    double next = events_.empty() ? never : events_.top().at;
    if (admitted_ < work_.segments.size() &&
        admitted_ < written_ + work_.window) {
      next = std::min(next, arrival(admitted_));
    }
    if (!waiting_.empty()) {
      next = std::min(next, scheduler_.next_change(now_).value_or(never));
    }
    if (next == never || next > hopeless) {
      if (written_ < work_.segments.size()) {
        outcome_.problem = "a segment waits and nothing is going to happen";
      }
      return;
    }
    now_ = next;
    while (!events_.empty() && events_.top().at <= now_) {
      const event e = events_.top();
      events_.pop();
      end(e);
    }
  }

  void end(const event& e) {
    --held_[e.where.device][e.where.lane];
    scheduler_.finish(e.where, operation_, work_.segments[e.segment], e.placed,
                      now_, e.end);
    if (e.end != job_end::ok) {
      ++outcome_.retries;
      tried_[e.segment].push_back(e.where.device);
      // The oldest goes first.
      waiting_.insert(
          std::lower_bound(waiting_.begin(), waiting_.end(), e.segment),
          e.segment);
      return;
    }
    ++outcome_.jobs[e.where.device];
    done_[e.segment] = true;
    while (written_ < done_.size() && done_[written_]) ++written_;
  }

  scheduler scheduler_;
  const std::vector<virtual_device>& devices_;
  const workload& work_;
  std::uint32_t operation_ = 0;
  double now_ = 0;
  std::vector<std::uint64_t> behind_;  // bytes after each segment
  std::uint64_t next_order_ = 0;
  std::size_t admitted_ = 0;
  std::size_t written_ = 0;
  std::deque<std::size_t> waiting_;
  std::vector<std::vector<std::uint32_t>> tried_;
  std::vector<bool> done_;
  std::vector<std::vector<double>> free_at_;
  std::vector<std::vector<std::uint32_t>> held_;
  std::priority_queue<event, std::vector<event>, std::greater<>> events_;
  std::mt19937 random_{1};
  simulation outcome_;
};

// All ways to share `steps` among the devices from `first` on.
void search(const std::vector<virtual_device>& devices, const workload& work,
            std::vector<double>& shares, std::size_t first, int steps,
            double& best) {
  if (first + 1 == devices.size()) {
    shares[first] = steps;
    best = std::min(best, static_makespan(devices, work, shares));
    return;
  }
  for (int mine = 0; mine <= steps; ++mine) {
    shares[first] = mine;
    search(devices, work, shares, first + 1, steps - mine, best);
  }
}

}  // namespace

double virtual_device::end_of(std::uint64_t bytes, double begin) const {
  if (begin >= stalls_at && begin < stalls_at + stall) {
    begin = stalls_at + stall;
  }
  const double rate =
      begin >= changes_at ? bytes_per_second * change : bytes_per_second;
  const double end = begin + overhead + static_cast<double>(bytes) / rate;
  return begin < stalls_at && end > stalls_at ? end + stall : end;
}

workload equal_segments(std::size_t count, std::uint64_t bytes) {
  workload work;
  work.segments.assign(count, bytes);
  return work;
}

simulation simulate(const scheduler_options& options,
                    const std::vector<virtual_device>& devices,
                    const workload& work) {
  return engine_model(options, devices, work).run();
}

double static_makespan(const std::vector<virtual_device>& devices,
                       const workload& work,
                       const std::vector<double>& shares) {
  double all = 0;
  for (const double share : shares) all += share;
  std::vector<std::vector<double>> free_at;
  for (const auto& d : devices) free_at.emplace_back(d.spec.lanes, 0.0);
  std::vector<double> given(devices.size(), 0.0);
  std::vector<double> written;
  double total = 0;
  for (std::size_t i = 0; i < work.segments.size(); ++i) {
    const double bytes = static_cast<double>(work.segments[i]);
    total += bytes;
    // The device that is furthest behind its share.
    std::size_t chosen = 0;
    double lag = -never;
    for (std::size_t d = 0; d < devices.size(); ++d) {
      const double l = shares[d] / all * total - given[d];
      if (shares[d] > 0 && l > lag) {
        lag = l;
        chosen = d;
      }
    }
    given[chosen] += bytes;
    auto& lanes = free_at[chosen];
    double& lane = *std::min_element(lanes.begin(), lanes.end());
    const double admitted = i < work.window ? 0 : written[i - work.window];
    lane = devices[chosen].end_of(work.segments[i], std::max(lane, admitted));
    written.push_back(std::max(written.empty() ? 0 : written.back(), lane));
  }
  return written.empty() ? 0 : written.back();
}

double best_static_makespan(const std::vector<virtual_device>& devices,
                            const workload& work, int steps) {
  std::vector<double> shares(devices.size(), 0.0);
  double best = never;
  search(devices, work, shares, 0, steps, best);
  return best;
}

}  // namespace nexus::test
