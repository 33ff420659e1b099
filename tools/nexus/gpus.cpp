#include "gpus.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

namespace nexus::queue {
namespace {

using json = nlohmann::json;

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  for (;;) {
    const auto comma = line.find(',');
    std::string_view cell = line.substr(0, comma);
    const auto from = cell.find_first_not_of(" \t\r");
    cell =
        from == std::string_view::npos ? std::string_view() : cell.substr(from);
    cells.emplace_back(cell.substr(0, cell.find_last_not_of(" \t\r") + 1));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < 0) return {};
  return value;
}

template <class F>
void each_line(std::string_view text, F&& f) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) f(line);
  }
}

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

parsed_gpus parse_gpus(std::string_view csv) {
  parsed_gpus parsed;
  each_line(csv, [&](std::string_view line) {
    const auto cells = cells_of(line);
    const bool shaped = cells.size() == 5 && number_of(cells[0]) &&
                        cells[0].size() <= 4 && !cells[1].empty() &&
                        printable(line);
    const auto total = shaped ? number_of(cells[3]) : std::nullopt;
    const bool twice =
        shaped && std::ranges::any_of(parsed.gpus, [&](const gpu& other) {
          return other.index == cells[0] || other.uuid == cells[1];
        });
    if (!total || twice) {
      ++parsed.bad_lines;
      return;
    }
    gpu one;
    one.index = cells[0];
    one.uuid = cells[1];
    one.name = cells[2];
    one.memory_mib = *total;
    // Where it will not say how much is in use, nothing is risked.
    const auto used = number_of(cells[4]);
    one.used_mib = used.value_or(0);
    if (!used) one.blocked = "nvidia-smi does not tell how much memory is used";
    parsed.gpus.push_back(std::move(one));
  });
  return parsed;
}

void parse_processes(std::string_view csv, std::vector<gpu>& gpus) {
  each_line(csv, [&](std::string_view line) {
    const auto cells = cells_of(line);
    // A name may hold commas.
    const auto pid = cells.size() >= 4 ? number_of(cells[1]) : std::nullopt;
    const auto where = std::ranges::find(gpus, cells[0], &gpu::uuid);
    if (!pid || where == gpus.end()) return;
    const std::string path = cells[2];
    where->processes.push_back({*pid, path.substr(path.rfind('/') + 1),
                                number_of(cells.back()).value_or(0)});
  });
}

void judge(gpu& one, const config& rules) {
  const auto listed = [](const auto& words, const std::string& word) {
    return std::ranges::find(words, word) != words.end();
  };
  if (listed(rules.blacklist, one.index) || listed(rules.blacklist, one.uuid)) {
    one.blocked = "on the blacklist";
    one.excluded = true;
    return;
  }
  std::int64_t ignored_mib = 0;
  for (const gpu_process& process : one.processes) {
    if (listed(rules.ignore, process.name) ||
        listed(rules.ignore, std::to_string(process.pid))) {
      ignored_mib += process.memory_mib;
      continue;
    }
    one.blocked = fmt::format("in use by process {} ({}, {} MiB)", process.pid,
                              process.name, process.memory_mib);
    return;
  }
  if (one.used_mib - ignored_mib > rules.free_memory_mib) {
    one.blocked = fmt::format("{} MiB in use, of {} that would be ignored",
                              one.used_mib, rules.free_memory_mib);
  }
}

void judge(gpu_snapshot& seen, const config& rules) {
  for (gpu& one : seen.gpus) {
    if (one.blocked.empty()) judge(one, rules);
  }
}

std::string pack(const gpu_snapshot& snapshot) {
  json gpus = json::array();
  for (const gpu& one : snapshot.gpus) {
    json processes = json::array();
    for (const gpu_process& process : one.processes) {
      processes.push_back({{"pid", process.pid},
                           {"name", process.name},
                           {"memory_mib", process.memory_mib}});
    }
    gpus.push_back({{"index", one.index},
                    {"uuid", one.uuid},
                    {"name", one.name},
                    {"memory_mib", one.memory_mib},
                    {"used_mib", one.used_mib},
                    {"processes", std::move(processes)},
                    {"blocked", one.blocked},
                    {"excluded", one.excluded}});
  }
  return json{{"time", snapshot.time},
              {"problem", snapshot.problem},
              {"gpus", std::move(gpus)}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

gpu_snapshot unpack(std::string_view text) {
  const json all = json::parse(text, nullptr, false);
  if (!all.is_object()) return {};
  gpu_snapshot snapshot;
  snapshot.time = all.value("time", std::int64_t{0});
  snapshot.problem = all.value("problem", "");
  for (const json& item : all.value("gpus", json::array())) {
    gpu one;
    one.index = item.value("index", "");
    one.uuid = item.value("uuid", "");
    one.name = item.value("name", "");
    one.memory_mib = item.value("memory_mib", std::int64_t{0});
    one.used_mib = item.value("used_mib", std::int64_t{0});
    one.blocked = item.value("blocked", "");
    one.excluded = item.value("excluded", false);
    for (const json& process : item.value("processes", json::array())) {
      one.processes.push_back({process.value("pid", std::int64_t{0}),
                               process.value("name", ""),
                               process.value("memory_mib", std::int64_t{0})});
    }
    snapshot.gpus.push_back(std::move(one));
  }
  return snapshot;
}

}  // namespace nexus::queue
