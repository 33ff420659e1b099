// What tests set and read in the stub plugin.
#pragma once

#include <nexus/plugin.h>

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "stub_control.h"
#include "stub_settings.hpp"

namespace nexus::stub {

struct lane_record {
  std::int32_t numa_node = -1;
  std::vector<std::uint32_t> processors;
};

struct device_record {
  nexus_stub_counters counters{};
  std::uint64_t held = 0;  // accepted, not completed
  bool lost = false;
  std::string last_operation;
  std::vector<lane_record> lanes;
  std::set<const nexus_buffer*> imports;  // that stand
};

// Lives until the process ends. All under its mutex.
struct stub_state {
  std::mutex mutex;
  std::condition_variable changed;  // settings, tickets, or a cancellation
  nexus::stub::settings settings;
  std::string from_environment;
  std::uint64_t tickets = 0;  // held jobs that may go
  std::uint32_t at_work = 0;  // jobs, on all devices
  std::array<device_record, max_devices> devices;
};

stub_state& state();
device_settings settings_of(std::uint32_t device);
bool exists(std::uint32_t device);

// Takes the settings of NEXUS_STUB.
void read_environment();

const nexus_stub_control& control();

}  // namespace nexus::stub
