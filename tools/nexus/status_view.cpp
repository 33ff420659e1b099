#include "status_view.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "service_log.hpp"
#include "times.hpp"

namespace nexus::queue {
namespace {

using json = nlohmann::json;

const job* job_on(const status_facts& facts, const std::string& key) {
  for (const auto& [unit, number] : facts.claims) {
    if (unit != key) continue;
    const auto found = std::ranges::find(facts.active, number, &job::number);
    if (found != facts.active.end()) return &*found;
  }
  return nullptr;
}

// "NVIDIA GeForce RTX 3090" is read as "RTX 3090".
std::string short_name(std::string name) {
  for (const std::string_view front : {"NVIDIA ", "GeForce "}) {
    if (name.starts_with(front)) name.erase(0, front.size());
  }
  return name;
}

std::string show_gib(std::int64_t mib) {
  return fmt::format("{}GB", (mib + 512) / 1024);
}

std::string show_job(const job& which, std::int64_t now, const style& paint_) {
  std::string text = fmt::format("  Job ID: {}\n", paint_(paint::id, which.id));
  if (!which.asked.name.empty()) {
    text += fmt::format("  Name: {}\n", one_line(which.asked.name));
  }
  text += fmt::format("  Command: {}\n",
                      paint_(paint::command, one_line(which.asked.command)));
  text +=
      fmt::format("  Runtime: {}\n",
                  paint_(paint::time, show_duration(runtime_of(which, now))));
  if (which.started) {
    text +=
        fmt::format("  Started: {}\n",
                    paint_(paint::time, show_short_time(*which.started, now)));
  }
  return text;
}

std::string show_unit(const std::string& header, const job* which,
                      const std::string& blocked, const status_facts& facts,
                      const style& paint_, bool why) {
  std::string text = paint_(paint::header, header + ":");
  if (which != nullptr) {
    text += "\n" + show_job(*which, facts.now, paint_);
    if (why && !blocked.empty()) text += fmt::format("  Why: {}\n", blocked);
    return text;
  }
  if (blocked.empty()) {
    return text + " " + paint_(paint::available, "Available") + "\n";
  }
  text += " " + paint_(paint::state, "Not available") + "\n";
  if (why) text += fmt::format("  Why: {}\n", blocked);
  return text;
}

// Jobs on GPUs that are no longer seen.
std::string show_stray(const status_facts& facts, const style& paint_) {
  std::string text;
  for (const job& which : facts.active) {
    const bool seen = std::ranges::any_of(facts.claims, [&](const auto& claim) {
      return claim.second == which.number &&
             (claim.first.starts_with("slot:") ||
              std::ranges::find(facts.snapshot.gpus, claim.first, &gpu::uuid) !=
                  facts.snapshot.gpus.end());
    });
    if (seen) continue;
    text += paint_(paint::header, where_of(which) + " (not seen):") + "\n" +
            show_job(which, facts.now, paint_);
  }
  return text;
}

std::string show_waiting(const status_facts& facts, const style& paint_) {
  std::string text = "\nPending:\n";
  for (const auto& [which, why] : facts.waiting) {
    text +=
        fmt::format("{} {}\n  Why: {}\n", paint_(paint::id, which.id),
                    paint_(paint::command, one_line(which.asked.command)), why);
  }
  const auto shown = static_cast<std::int64_t>(facts.waiting.size());
  if (facts.counts.queued > shown) {
    text += fmt::format("and {} more; `nexus queue --json` tells of all\n",
                        facts.counts.queued - shown);
  }
  return text;
}

}  // namespace

std::int64_t runtime_of(const job& which, std::int64_t now) {
  if (!which.started) return 0;
  return std::max<std::int64_t>(0, which.ended.value_or(now) - *which.started);
}

std::string render_status(const status_facts& facts, const style& paint_,
                          bool why) {
  std::string text = fmt::format(
      "{} {}\n",
      paint_(paint::queue,
             fmt::format("Queue: {} jobs pending", facts.counts.queued)),
      paint_(paint::state, facts.paused ? "[PAUSED]" : "[RUNNING]"));
  text += paint_(paint::queue, fmt::format("History: {} jobs completed",
                                           facts.counts.finished)) +
          "\n\nGPUs:\n";
  if (!facts.snapshot.problem.empty()) {
    text += paint_(paint::error, facts.snapshot.problem) + "\n";
  }
  for (const gpu& one : facts.snapshot.gpus) {
    text +=
        show_unit(fmt::format("GPU {} ({}, {})", one.index,
                              short_name(one.name), show_gib(one.memory_mib)),
                  job_on(facts, one.uuid), one.blocked, facts, paint_, why);
  }
  for (std::int64_t i = 0; i < facts.cpu_slots; ++i) {
    text += show_unit(fmt::format("Slot {} (no GPU)", i),
                      job_on(facts, fmt::format("slot:{}", i)), {}, facts,
                      paint_, why);
  }
  text += show_stray(facts, paint_);
  if (why && !facts.waiting.empty()) text += show_waiting(facts, paint_);
  return text;
}

json job_json(const job& which) {
  json made = {{"id", which.id},
               {"name", which.asked.name},
               {"command", which.asked.command},
               {"directory", which.asked.directory},
               {"state", name_of(which.state)},
               {"gpus", which.asked.gpus},
               {"gpu", which.gpu},
               {"gpu_memory_mib", which.asked.gpu_memory},
               {"priority", which.asked.priority},
               {"attempt", which.attempt},
               {"added_ms", which.added},
               {"error", which.error}};
  const auto put = [&](const char* key, const auto& value) {
    made[key] = value ? json(*value) : json();
  };
  put("started_ms", which.started);
  put("ended_ms", which.ended);
  put("exit_status", which.exit_status);
  made["pid"] = which.pid != 0 ? json(which.pid) : json();
  return made;
}

json job_json(const job& which, const dependency_map& after) {
  json made = job_json(which);
  made["after"] = json::array();
  const auto found = after.find(which.number);
  if (found == after.end()) return made;
  for (const dependency& one : found->second) {
    made["after"].push_back({{"id", one.id}, {"when", name_of(one.when)}});
  }
  return made;
}

json status_json(const status_facts& facts) {
  json gpus = json::array();
  for (const gpu& one : facts.snapshot.gpus) {
    const job* which = job_on(facts, one.uuid);
    gpus.push_back({{"index", one.index},
                    {"uuid", one.uuid},
                    {"name", one.name},
                    {"memory_mib", one.memory_mib},
                    {"used_mib", one.used_mib},
                    {"available", which == nullptr && one.blocked.empty()},
                    {"blocked", one.blocked},
                    {"job", which != nullptr ? json(which->id) : json()}});
  }
  json active = json::array();
  for (const job& which : facts.active) active.push_back(job_json(which));
  json waiting = json::array();
  for (const auto& [which, why] : facts.waiting) {
    waiting.push_back({{"id", which.id}, {"reason", why}});
  }
  return {{"queued", facts.counts.queued}, {"finished", facts.counts.finished},
          {"paused", facts.paused},        {"problem", facts.snapshot.problem},
          {"cpu_slots", facts.cpu_slots},  {"gpus", std::move(gpus)},
          {"jobs", std::move(active)},     {"waiting", std::move(waiting)}};
}

std::string show_json(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace nexus::queue
