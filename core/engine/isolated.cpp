#include "engine/isolated.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <future>
#include <iterator>
#include <utility>

#include "isolate/remote_device.hpp"

namespace nexus {
namespace {

using isolate::confinement;
using isolate::hello;
using isolate::remote_settings;

template <std::size_t N>
bool put_text(char (&into)[N], const std::string& text) {
  if (text.size() >= N) return false;
  std::snprintf(into, N, "%s", text.c_str());
  return true;
}

bool is_cpu(const probed_device& probed) {
  return probed.info.kind == NEXUS_DEVICE_CPU;
}

// One that is only used on request is a processor behind a driver, which may
// start a compiler.
bool only_computes(const probed_device& probed) {
  return is_cpu(probed) && (probed.info.flags & NEXUS_DEVICE_ON_REQUEST) == 0;
}

// The processors that a lane may use: those that the engine bound it to, as far
// as the user allows them.
std::vector<std::uint32_t> processors_of(
    const worker_binding& lane, const std::vector<std::uint32_t>& allowed) {
  if (allowed.empty()) return lane.processors;
  std::vector<std::uint32_t> both;
  for (const std::uint32_t each : lane.processors)
    if (std::find(allowed.begin(), allowed.end(), each) != allowed.end())
      both.push_back(each);
  return both.empty() ? allowed : both;
}

void place_lanes(hello& greeting, const std::vector<worker_binding>& lanes,
                 const std::vector<std::uint32_t>& allowed) {
  greeting.lane_count = static_cast<std::uint32_t>(lanes.size());
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const bool bound = !lanes[i].processors.empty();
    greeting.numa_node[i] =
        bound ? static_cast<std::int32_t>(lanes[i].numa_node) : -1;
    for (const std::uint32_t each : processors_of(lanes[i], allowed))
      if (each < isolate::max_processors)
        greeting.processors[i][each / 64] |= std::uint64_t{1} << (each % 64);
  }
}

result<std::unique_ptr<device>> open_one(
    const probed_device& probed, const std::string& id,
    const std::vector<worker_binding>& lanes, const engine_options& options,
    const std::string& program) {
  const isolation_options& wanted = options.isolation;
  const std::string& path = probed.plugin->path;
  remote_settings settings;
  settings.lane_depth = probed.info.lane_depth;
  settings.worker.program = program;
  settings.worker.name = id;
  settings.worker.memory_bytes = wanted.memory_bytes;
  settings.worker.log = options.log;
  hello& greeting = settings.worker.greeting;
  const bool fits =
      put_text(greeting.release, version()) &&
      put_text(greeting.directory, path.substr(0, path.rfind('/'))) &&
      put_text(greeting.plugin, probed.plugin->name) &&
      put_text(greeting.requested, options.backend);
  if (!fits || lanes.size() > isolate::max_lanes)
    return status(status_code::device_failed,
                  id + " cannot be isolated: a name is too long");
  greeting.device_index = probed.index;
  greeting.confine =
      only_computes(probed) ? confinement::processor : confinement::device;
  greeting.nice = wanted.nice;
  greeting.io_class = wanted.io_class;
  greeting.io_level = wanted.io_level;
  place_lanes(greeting, lanes, wanted.processors);
  settings.caps = [plugin = probed.plugin, index = probed.index](
                      const char* operation, nexus_caps& caps) {
    return plugin->backend.caps(index, operation, &caps);
  };
  auto port = isolate::remote_device::open(std::move(settings));
  if (!port.ok())
    return status(status_code::device_failed,
                  id + " cannot be opened: " + port.error().message());
  return std::make_unique<device>(
      probed, static_cast<std::uint32_t>(lanes.size()), id, std::move(*port));
}

}  // namespace

bool is_isolated(const isolation_options& options,
                 const probed_device& probed) {
  switch (options.mode) {
    case isolate_mode::none:
      return false;
    case isolate_mode::gpu:
      return !is_cpu(probed);
    case isolate_mode::all:
      return true;
  }
  return false;
}

result<std::string> worker_program(const isolation_options& options) {
  std::string path = options.program;
  if (path.empty()) {
    path = default_plugin_directory();
    path.resize(path.rfind('/') == path.npos ? 0 : path.rfind('/'));
    path += "/nexus-pipe-worker";
  }
  if (::access(path.c_str(), X_OK) == 0) return path;
  return status(status_code::device_failed,
                "there is no program for isolated devices at " + path);
}

bool may_have_cards() {
  constexpr const char* files[] = {"/dev/kfd", "/dev/nvidiactl", "/dev/dxg",
                                   "/dev/mali0", "/dev/dri/renderD128"};
  return std::any_of(std::begin(files), std::end(files), [](const char* file) {
    return ::access(file, F_OK) == 0;
  });
}

status try_probing(const loaded_plugin& plugin, const engine_options& options,
                   const std::string& requested) {
  const auto program = worker_program(options.isolation);
  if (!program.ok()) return {};
  isolate::worker_settings settings;
  settings.program = *program;
  settings.name = plugin.name;
  hello& greeting = settings.greeting;
  const bool fits = put_text(greeting.release, version()) &&
                    put_text(greeting.directory,
                             plugin.path.substr(0, plugin.path.rfind('/'))) &&
                    put_text(greeting.plugin, plugin.name) &&
                    put_text(greeting.requested, requested);
  if (!fits) return {};
  status outcome;
  constexpr int tries = 2;  // somebody may have killed it
  for (int i = 0; i < tries; ++i) {
    bool gone = false;
    const auto made =
        isolate::worker_process::start(settings, [] { return false; }, gone);
    outcome = made.error();
    if (outcome.ok()) break;
  }
  return outcome;
}

isolated_opening open_isolated(const probed_device& probed,
                               const std::vector<worker_binding>& lanes,
                               const engine_options& options,
                               const std::string& program) {
  std::vector<std::future<result<std::unique_ptr<device>>>> starting;
  const auto start = [&](const std::string& id,
                         const std::vector<worker_binding>& part) {
    starting.push_back(std::async(std::launch::async, open_one,
                                  std::cref(probed), id, part,
                                  std::cref(options), std::cref(program)));
  };
  if (is_cpu(probed)) {
    for (std::size_t i = 0; i < lanes.size(); ++i)
      start(probed.id() + "/" + std::to_string(i), {lanes[i]});
  } else {
    start(probed.id(), lanes);
  }
  isolated_opening found;
  for (auto& each : starting) {
    auto opened = each.get();
    if (opened.ok())
      found.devices.push_back(std::move(*opened));
    else
      found.problems.push_back(opened.error().message());
  }
  return found;
}

}  // namespace nexus
