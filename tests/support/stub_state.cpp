#include "stub_state.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace nexus::stub {

stub_state& state() {
  static auto* const only = new stub_state;
  return *only;
}

device_settings settings_of(std::uint32_t device) {
  const std::lock_guard lock(state().mutex);
  return state().settings.device(device);
}

bool exists(std::uint32_t device) {
  const std::lock_guard lock(state().mutex);
  return device < state().settings.device_count();
}

namespace {

std::int32_t configure(const char* text) {
  const std::lock_guard lock(state().mutex);
  const bool good = state().settings.apply(text);
  state().changed.notify_all();
  return good ? NEXUS_OK : NEXUS_E_ARGUMENT;
}

void reset() {
  const std::lock_guard lock(state().mutex);
  state().settings = nexus::stub::settings();
  state().settings.apply(state().from_environment);
  state().devices = {};
  state().tickets = 0;
  state().changed.notify_all();
}

void release(std::uint64_t count) {
  const std::lock_guard lock(state().mutex);
  state().tickets += count;
  state().changed.notify_all();
}

void read_counters(std::uint32_t device, nexus_stub_counters* counters) {
  const std::lock_guard lock(state().mutex);
  *counters = state().devices[device % max_devices].counters;
}

std::uint32_t lane_count(std::uint32_t device) {
  const std::lock_guard lock(state().mutex);
  return static_cast<std::uint32_t>(
      state().devices[device % max_devices].lanes.size());
}

std::uint32_t read_lane(std::uint32_t device, std::uint32_t lane,
                        std::int32_t* numa_node, std::uint32_t* processors,
                        std::uint32_t capacity) {
  const std::lock_guard lock(state().mutex);
  const auto& lanes = state().devices[device % max_devices].lanes;
  if (lane >= lanes.size()) return 0;
  const lane_record& record = lanes[lane];
  if (numa_node != nullptr) *numa_node = record.numa_node;
  const std::size_t n =
      std::min<std::size_t>(capacity, record.processors.size());
  std::copy_n(record.processors.begin(), n, processors);
  return static_cast<std::uint32_t>(record.processors.size());
}

void last_operation(std::uint32_t device, char* text, std::uint32_t capacity) {
  const std::lock_guard lock(state().mutex);
  std::snprintf(text, capacity, "%s",
                state().devices[device % max_devices].last_operation.c_str());
}

}  // namespace

void read_environment() {
  const char* text = std::getenv("NEXUS_STUB");
  if (text == nullptr) return;
  {
    const std::lock_guard lock(state().mutex);
    state().from_environment = text;
  }
  reset();
}

const nexus_stub_control& control() {
  static constexpr nexus_stub_control table = {sizeof(nexus_stub_control),
                                               0,
                                               configure,
                                               reset,
                                               release,
                                               read_counters,
                                               lane_count,
                                               read_lane,
                                               last_operation};
  return table;
}

}  // namespace nexus::stub
