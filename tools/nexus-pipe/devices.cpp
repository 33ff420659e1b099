#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "describe.hpp"
#include "progress.hpp"
#include "table.hpp"

namespace nexus::tool {
namespace {

using json = nlohmann::ordered_json;
using tool::to_json;

std::string bytes_or_none(std::uint64_t bytes) {
  return bytes == 0 ? "-" : format_bytes(bytes);
}


json to_json(const plugin_description& plugin) {
  json devices = json::array();
  for (const device_description& device : plugin.devices) {
    devices.push_back(to_json(device));
  }
  return {{"path", plugin.path},           {"loaded", plugin.loaded},
          {"reason", plugin.reason},       {"name", plugin.name},
          {"version", plugin.version},     {"abi_major", plugin.abi_major},
          {"abi_minor", plugin.abi_minor}, {"operations", plugin.operations},
          {"note", plugin.note},           {"devices", std::move(devices)}};
}

// For segments as large as a run would make them.
struct run_profile {
  parallelism_profile numbers;
  std::uint64_t segment_bytes;
  std::string segment_reason;
};

json to_json(const run_profile& run) {
  const parallelism_profile& profile = run.numbers;
  json reasons = json::object();
  for (const auto& [number, reason] : profile.reasons) {
    reasons[number] = reason;
  }
  reasons["segment_bytes"] = run.segment_reason;
  return {{"cpu_workers", profile.cpu_workers},
          {"gpu_workers", profile.gpu_workers},
          {"segment_bytes", run.segment_bytes},
          {"inflight_segments", profile.inflight_segments},
          {"budget_bytes", profile.budget_bytes},
          {"reasons", std::move(reasons)}};
}

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    line.append(line.empty() ? "" : " ").append(word);
  }
  return line;
}

// {0, 1, 2, 5} as "0-2,5".
std::string ranges(const std::vector<std::uint32_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() &&
           numbers[last + 1] == numbers[last] + 1) {
      ++last;
    }
    if (!text.empty()) text += ",";
    text += std::to_string(numbers[i]);
    if (last > i) text += "-" + std::to_string(numbers[last]);
    i = last + 1;
  }
  return text;
}

std::string known(std::uint64_t bytes) {
  return bytes == 0 ? "unknown" : format_bytes(bytes);
}

std::string quota_text(double processors) {
  std::string text = std::to_string(processors);  // six decimals
  text.erase(text.size() - 4);
  return text;
}

std::string describe_machine(const hardware& machine) {
  table rows;
  rows.add({"processors", std::to_string(machine.logical_processors) + " on " +
                              std::to_string(machine.physical_cores) +
                              " cores, " +
                              std::to_string(machine.allowed_processors) +
                              " allowed to this process"});
  if (machine.cpu_quota) {
    rows.add({"processor quota", quota_text(*machine.cpu_quota) + ", by " +
                                     machine.cpu_quota_origin});
  }
  rows.add({"memory", known(machine.memory_total_bytes) + ", " +
                          known(machine.memory_available_bytes) +
                          " available"});
  for (const memory_limit& limit : machine.memory_limits) {
    rows.add({"memory limit", format_bytes(limit.limit_bytes) + ", " +
                                  format_bytes(limit.used_bytes) +
                                  " used, by " + limit.origin});
  }
  rows.add({"caches", "L2 " + known(machine.l2_bytes) + " a core, L3 " +
                          known(machine.l3_bytes) + " a package"});
  for (const numa_node& node : machine.nodes) {
    rows.add({"NUMA node " + std::to_string(node.os_index),
              "processors " + ranges(node.processors) + ", " +
                  known(node.memory_bytes)});
  }
  return "Machine\n" + rows.text("  ");
}

std::string value_of(const parallelism_profile& profile,
                     const std::string& number) {
  if (number == "cpu_workers") return std::to_string(profile.cpu_workers);
  if (number == "gpu_workers") return std::to_string(profile.gpu_workers);
  if (number == "inflight_segments") {
    return std::to_string(profile.inflight_segments);
  }
  if (number == "budget_bytes") return format_bytes(profile.budget_bytes);
  return "";
}

std::string describe_profile(const run_profile& run) {
  table rows;
  for (const auto& [number, reason] : run.numbers.reasons) {
    rows.add({number, value_of(run.numbers, number), reason});
  }
  rows.add(
      {"segment_bytes", format_bytes(run.segment_bytes), run.segment_reason});
  return "\nWhat runs at once\n" + rows.text("  ");
}

std::string describe_devices(const std::vector<plugin_description>& plugins) {
  table rows;
  rows.add({"ID", "PLUGIN", "NAME", "LANES", "MEMORY", "SEGMENT", "SCORE",
            "OPERATIONS", "NOTE"});
  std::size_t count = 0;
  for (const plugin_description& plugin : plugins) {
    for (const device_description& device : plugin.devices) {
      ++count;
      rows.add({device.id, device.plugin, device.name,
                std::to_string(device.lanes),
                bytes_or_none(device.memory_bytes),
                bytes_or_none(wish_of(device)), std::to_string(device.score),
                joined(device.operations), device.note});
    }
  }
  if (count == 0) return "\nDevices\n  none: see nexus-pipe plugins --why\n";
  return "\nDevices\n" + rows.text("  ");
}

json devices_json(const std::vector<plugin_description>& plugins,
                  const hardware& machine, const result<run_profile>& profile) {
  json devices = json::array();
  for (const plugin_description& plugin : plugins) {
    for (const device_description& device : plugin.devices) {
      devices.push_back(to_json(device));
    }
  }
  return {{"version", version()},
          {"machine", to_json(machine)},
          {"profile", profile ? to_json(*profile) : json(nullptr)},
          {"devices", std::move(devices)}};
}

// As a run chooses its segments where the input is large: two for each worker
// and two more have to fit into the budget.
result<run_profile> profile_of(engine& worker,
                               std::optional<std::uint64_t> asked) {
  constexpr std::uint64_t largest = 1u << 20;
  constexpr std::uint64_t smallest = 65536;  // a chunk of the age format
  const auto keeps_busy = [](const parallelism_profile& made,
                             std::uint64_t size) {
    // Input, output, and a little beside them.
    return made.budget_bytes / (2 * size + 8192) >= 2ull * made.cpu_workers + 2;
  };
  std::uint64_t size = asked.value_or(largest);
  result<parallelism_profile> made = worker.profile(size);
  while (!asked && size > smallest && !(made && keeps_busy(*made, size))) {
    size /= 2;
    made = worker.profile(size);
  }
  if (!made) return made.error();
  const char* reason = asked             ? "asked for"
                       : size == largest ? "less where the input is small"
                                         : "smaller ones, for the budget";
  return run_profile{*std::move(made), size, reason};
}

std::string describe_plugins(const std::vector<plugin_description>& plugins,
                             bool why) {
  table rows;
  rows.add({"NAME", "VERSION", "ABI", "DEVICES", "OPERATIONS", "PATH"});
  std::string refused;
  std::string notes;
  std::size_t refusals = 0;
  for (const plugin_description& plugin : plugins) {
    if (!plugin.loaded) {
      ++refusals;
      refused += "  " + plugin.path + ": " + plugin.reason + "\n";
      continue;
    }
    std::size_t usable = 0;
    for (const device_description& device : plugin.devices) {
      if (device.score != 0)
        ++usable;
      else
        notes += "  " + device.id + ": " + device.note + "\n";
    }
    rows.add({plugin.name, plugin.version,
              std::to_string(plugin.abi_major) + "." +
                  std::to_string(plugin.abi_minor),
              std::to_string(usable), joined(plugin.operations), plugin.path});
    if (!plugin.note.empty())
      notes += "  " + plugin.path + ": " + plugin.note + "\n";
  }
  std::string text =
      plugins.size() == refusals ? "No plugin was loaded.\n" : rows.text("");
  if (why && !notes.empty()) text += "\nNot used\n" + notes;
  if (refusals == 0) return text;
  if (why) return text + "\nNot loaded\n" + refused;
  return text + "\n" + std::to_string(refusals) +
         " not loaded: nexus-pipe plugins --why tells the reasons\n";
}

}  // namespace

int run_devices(const devices_arguments& arguments, terminal& out) {
  engine worker(arguments.engine);
  const std::vector<plugin_description> plugins = worker.plugins();
  const hardware machine = worker.machine();
  const result<run_profile> profile =
      profile_of(worker, arguments.engine.segment_bytes);
  const std::string text =
      arguments.json ? printed(devices_json(plugins, machine, profile))
                     : describe_machine(machine) +
                           (profile ? describe_profile(*profile) : "") +
                           describe_devices(plugins);
  if (status s = print_output(text); !s.ok()) return fail(out, s);
  return profile ? 0 : fail(out, profile.error());
}

int run_plugins(const plugins_arguments& arguments, terminal& out) {
  engine worker(arguments.engine);
  const std::vector<plugin_description> plugins = worker.plugins();
  std::string text;
  if (arguments.json) {
    json all = json::array();
    for (const plugin_description& plugin : plugins) {
      all.push_back(to_json(plugin));
    }
    text = printed({{"version", version()}, {"plugins", std::move(all)}});
  } else {
    text = describe_plugins(plugins, arguments.why);
  }
  const status done = print_output(text);
  return done.ok() ? 0 : fail(out, done);
}

}  // namespace nexus::tool
