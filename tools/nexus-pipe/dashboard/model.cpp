#include "dashboard/model.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>
#include <utility>

namespace nexus::tool {
namespace {

// More jobs than a lane holds mean that an end went untold.
constexpr std::size_t most_jobs_now = 8;
constexpr double shortest_cpu_sample = 0.4;

// CPUs ahead of cards, "W2" ahead of "W10".
std::tuple<bool, std::uint32_t> place_of(const std::string& name) {
  const bool card = name.starts_with("GPU");
  std::uint32_t number = 0;
  const char* digits =
      name.data() + std::min<std::size_t>(name.size(), card ? 3 : 1);
  std::from_chars(digits, name.data() + name.size(), number);
  return {card, number};
}

double per_second(std::uint64_t now, std::uint64_t before, double seconds) {
  return now > before ? static_cast<double>(now - before) / seconds : 0;
}

}  // namespace

void dashboard_model::add(const telemetry& now, const cpu_reading& cpu) {
  now_ = now;
  read_.now.add(now.elapsed_seconds, now.input_bytes);
  written_.now.add(now.elapsed_seconds, now.output_bytes);
  sample(now.elapsed_seconds);
  measure_cpu(now.elapsed_seconds, cpu);
  match_workers();
  for (worker_view& each : workers_)
    each.rate.add(now.elapsed_seconds, each.bytes);
}

// A time that was missed gets the average over it.
void dashboard_model::sample(double seconds) {
  const double passed = seconds - sampled_at_;
  if (passed < seconds_per_sample) return;
  const auto count = std::min(
      static_cast<std::size_t>(passed / seconds_per_sample), most_samples);
  for (auto [side, bytes] : {std::pair{&read_, now_.input_bytes},
                             std::pair{&written_, now_.output_bytes}}) {
    const double rate = per_second(bytes, side->bytes, passed);
    side->rates.insert(side->rates.end(), count, rate);
    while (side->rates.size() > most_samples) side->rates.pop_front();
    side->bytes = bytes;
  }
  sampled_at_ = seconds;
}

void dashboard_model::measure_cpu(double seconds, const cpu_reading& cpu) {
  const double passed = seconds - cpu_at_;
  if (cpu_before_ && passed < shortest_cpu_sample) return;
  if (cpu_before_) {
    const double total = cpu.machine_total - cpu_before_->machine_total;
    const double busy = cpu.machine_busy - cpu_before_->machine_busy;
    if (total > 0) machine_part_ = std::clamp(busy / total, 0.0, 1.0);
    process_cpus_ = std::max(0.0, cpu.process - cpu_before_->process) / passed;
  }
  cpu_before_ = cpu;
  cpu_at_ = seconds;
}

// Workers are numbered over the devices of their kind, in order: lanes of CPUs,
// and cards.
void dashboard_model::match_workers() {
  std::uint32_t cards = 0;
  std::uint32_t lanes = 0;
  for (const device_telemetry& device : now_.devices) {
    const std::uint32_t count = device.gpu ? 1 : device.lanes;
    for (std::uint32_t i = 0; i < count; ++i) {
      worker_view& each = worker(device.gpu ? "GPU" + std::to_string(cards++)
                                            : "W" + std::to_string(lanes++));
      each.device = device.id;
      each.state = device.state;
      each.restarts = device.restarts;
      if (device.active_workers == 0) each.jobs_now.clear();
      if (count > 1) continue;
      // Events that were dropped are missing in what they add up to.
      each.jobs = device.jobs;
      each.failures = device.failed_jobs;
      each.bytes = std::max(each.bytes, device.input_bytes);
    }
  }
}

worker_view& dashboard_model::worker(const std::string& name) {
  const auto place = place_of(name);
  const auto at =
      std::lower_bound(workers_.begin(), workers_.end(), place,
                       [](const worker_view& each, const auto& wanted) {
                         return place_of(each.name) < wanted;
                       });
  if (at != workers_.end() && at->name == name) return *at;
  worker_view fresh;
  fresh.name = name;
  return *workers_.insert(at, std::move(fresh));
}

void dashboard_model::add(const segment_event& event) {
  if (event.worker.empty()) return;
  worker_view& mine = worker(event.worker);
  const auto is_it = [&event](const job_view& job) {
    return job.segment == event.segment && job.job == event.job;
  };
  auto& jobs = mine.jobs_now;
  if (event.step == segment_step::submitted) {
    jobs.push_back({event.segment, event.job, 0, 0, {}});
    if (jobs.size() > most_jobs_now) jobs.erase(jobs.begin());
  } else if (event.step == segment_step::working) {
    const auto job = std::find_if(jobs.begin(), jobs.end(), is_it);
    if (job == jobs.end()) return;
    job->step = event.job_step;
    job->steps = event.job_steps;
    job->step_name = event.job_step_name;
  } else if (event.step == segment_step::computed) {
    std::erase_if(jobs, is_it);
    ++mine.jobs;
    event.ok ? mine.bytes += event.bytes : ++mine.failures;
  }
}

void dashboard_model::add(const log_line& line) {
  events_.push_back(line);
  if (events_.size() > most_events) events_.pop_front();
}

}  // namespace nexus::tool
