// The devices that the OpenCL loader knows. No context is made for this.
#pragma once

#include <nexus/plugin.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cl_object.hpp"

namespace nexus::opencl {

struct device_entry {
  cl_platform_id platform = nullptr;
  cl_device_id device = nullptr;  // NULL: stands for a list that is empty
  nexus_device_info info{};
  std::uint64_t max_allocation = 0;  // bytes, of one buffer
  bool host_memory = false;          // the device works in the host's
};

// Jobs per lane, the running one included.
inline constexpr std::uint32_t lane_depth = 2;

// All devices of all platforms, in the loader's order; asked for once per
// process. If there is none, one entry says why. Without a graphics card the
// drivers are asked only if the user of this host named the plugin.
const std::vector<device_entry>& devices_for(const nexus_host* host);

// The same as far as the drivers have been asked, for whichever host.
const std::vector<device_entry>& known_devices();

// Whether the device can run our kernels; `why` says what is missing.
bool can_run(cl_device_id device, std::string& why);

}  // namespace nexus::opencl
