#include "enumeration.hpp"

#include <dlfcn.h>
#include <stdlib.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>

#include "common/pci.hpp"

namespace nexus::cuda {
namespace {

constexpr std::int32_t score = 100;  // above OpenCL's view of the same card
constexpr std::uint32_t max_lanes = 4;
constexpr int least_capability = 75;  // 7.5, the oldest that we build for

template <std::size_t N>
void copy_text(char (&to)[N], const char* text) {
  std::snprintf(to, N, "%.*s", static_cast<int>(N - 1), text);
}

nexus_device_info blank() {
  nexus_device_info made{};
  made.size = sizeof made;
  made.kind = NEXUS_DEVICE_GPU;
  made.max_lanes = max_lanes;
  made.lane_depth = lane_depth;
  made.numa_node = -1;
  return made;
}

nexus_device_info nothing_found(const char* why) {
  nexus_device_info made = blank();
  copy_text(made.name, "no device");
  copy_text(made.note, why);
  return made;
}

int attribute_of(int index, cudaDeviceAttr what) {
  int value = 0;
  return cudaDeviceGetAttribute(&value, what, index) == cudaSuccess ? value : 0;
}

// "580.65.06, CUDA 13.0": of the kernel's module, and what the driver offers.
void name_driver(char (&driver)[48]) {
  char module[24] = "";
  if (std::FILE* file = std::fopen("/sys/module/nvidia/version", "re")) {
    if (std::fscanf(file, "%23s", module) != 1) module[0] = '\0';
    std::fclose(file);
  }
  int version = 0;
  cudaDriverGetVersion(&version);
  std::snprintf(driver, sizeof driver, "%s%sCUDA %d.%d", module,
                module[0] != '\0' ? ", " : "", version / 1000,
                version % 1000 / 10);
}

void find_pci_id(int index, nexus_device_info& info) {
  char id[24] = "";
  if (cudaDeviceGetPCIBusId(id, sizeof id, index) != cudaSuccess) return;
  std::transform(id, id + sizeof id, info.pci_id, [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  info.numa_node = common::numa_node_of(info.pci_id);
}

void judge(int index, int capability, nexus_device_info& info) {
  if (capability < least_capability) {
    std::snprintf(info.note, sizeof info.note,
                  "its compute capability is %d.%d, 7.5 is needed",
                  capability / 10, capability % 10);
  } else if (attribute_of(index, cudaDevAttrComputeMode) ==
             cudaComputeModeProhibited) {
    copy_text(info.note, "its compute mode is prohibited: nvidia-smi -c 0");
  } else {
    info.score = score;
  }
}

nexus_device_info describe(int index) {
  nexus_device_info info = blank();
  cudaDeviceProp properties{};
  const cudaError_t code = cudaGetDeviceProperties(&properties, index);
  if (code != cudaSuccess) {
    copy_text(info.name, "CUDA device");
    copy_text(info.note, cudaGetErrorString(code));
    return info;
  }
  copy_text(info.name, properties.name);
  if (attribute_of(index, cudaDevAttrIntegrated) == 0) {
    info.memory_bytes = properties.totalGlobalMem;
  }
  name_driver(info.driver);
  find_pci_id(index, info);
  judge(index, properties.major * 10 + properties.minor, info);
  return info;
}

// The runtime says the same of a missing driver and of one that is too old. It
// loads the library itself, so that it may as well stay.
bool driver_is_there() {
  return dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) != nullptr;
}

std::vector<nexus_device_info> enumerate() {
  if (!driver_is_there()) {
    return {nothing_found("no NVIDIA driver: libcuda.so.1 not found")};
  }
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code == cudaErrorInsufficientDriver) {
    return {nothing_found("the NVIDIA driver is older than this plugin needs")};
  }
  if (code == cudaErrorNoDevice && ::getenv("CUDA_VISIBLE_DEVICES") != nullptr)
    return {
        nothing_found("no NVIDIA device that CUDA_VISIBLE_DEVICES lets see")};
  if (code != cudaSuccess) return {nothing_found(cudaGetErrorString(code))};
  if (count == 0) return {nothing_found("the NVIDIA driver shows no device")};
  std::vector<nexus_device_info> all;
  for (int i = 0; i < count; ++i) all.push_back(describe(i));
  return all;
}

}  // namespace

const std::vector<nexus_device_info>& all_devices() {
  static const std::vector<nexus_device_info> all = enumerate();
  return all;
}

std::int32_t status_of(cudaError_t code) noexcept {
  switch (code) {
    case cudaSuccess:
      return NEXUS_OK;
    case cudaErrorMemoryAllocation:
      return NEXUS_E_NO_MEMORY;
    // After these, nothing runs in the context any more.
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorIllegalInstruction:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorDevicesUnavailable:
    case cudaErrorNoDevice:
      return NEXUS_E_LOST;
    default:
      return NEXUS_E_DEVICE;
  }
}

}  // namespace nexus::cuda
