#include "enumeration.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "common/pci.hpp"

namespace nexus::opencl {
namespace {

// Below what a vendor's own plugin says of the same card, above the processor.
constexpr std::int32_t gpu_score = 80;
constexpr std::int32_t other_score = 60;
constexpr std::int32_t cpu_score = 10;
constexpr std::uint32_t max_lanes = 4;
constexpr std::uint64_t least_local_bytes = 8 * 1024;
constexpr std::size_t least_group = 64;

// Queries of extensions, by number: older headers lack them.
constexpr cl_device_info pci_bus_info_khr = 0x410F;
constexpr cl_device_info pci_bus_nv = 0x4008;
constexpr cl_device_info pci_slot_nv = 0x4009;
constexpr cl_device_info pci_domain_nv = 0x400A;
constexpr cl_device_info topology_amd = 0x4037;

template <std::size_t N>
void copy_text(char (&to)[N], const std::string& text) {
  std::snprintf(to, N, "%s", text.c_str());
}

bool has_extension(const std::string& list, const char* name) {
  const std::size_t length = std::strlen(name);
  for (std::size_t at = list.find(name); at != std::string::npos;
       at = list.find(name, at + 1)) {
    const bool begins = at == 0 || list[at - 1] == ' ';
    const bool ends = at + length == list.size() || list[at + length] == ' ';
    if (begins && ends) return true;
  }
  return false;
}

void find_pci_id(cl_device_id device, nexus_device_info& info) {
  const std::string extensions =
      text_of(clGetDeviceInfo, device, CL_DEVICE_EXTENSIONS);
  if (has_extension(extensions, "cl_khr_pci_bus_info")) {
    struct {
      cl_uint domain, bus, device, function;
    } at{};
    if (clGetDeviceInfo(device, pci_bus_info_khr, sizeof at, &at, nullptr) ==
        CL_SUCCESS) {
      common::write_pci_id(info.pci_id, at.domain, at.bus, at.device,
                           at.function);
      return;
    }
  }
  if (has_extension(extensions, "cl_nv_device_attribute_query")) {
    constexpr cl_uint unknown = ~0u;
    const cl_uint bus = value_of(device, pci_bus_nv, unknown);
    const cl_uint slot = value_of(device, pci_slot_nv, unknown);
    if (bus == unknown || slot == unknown) return;
    common::write_pci_id(info.pci_id,
                         value_of<cl_uint>(device, pci_domain_nv, 0), bus,
                         slot >> 3, slot & 7);  // the slot holds both
    return;
  }
  if (has_extension(extensions, "cl_amd_device_attribute_query")) {
    // cl_device_topology_amd: a type, which is 1 for PCIe, 17 bytes of
    // nothing, and one byte each; it says no domain.
    unsigned char at[24] = {};
    if (clGetDeviceInfo(device, topology_amd, sizeof at, at, nullptr) ==
            CL_SUCCESS &&
        at[0] == 1) {
      common::write_pci_id(info.pci_id, 0, at[21], at[22], at[23]);
    }
  }
}

void set_kind(cl_device_id device, nexus_device_info& info) {
  const auto type =
      value_of<cl_device_type>(device, CL_DEVICE_TYPE, CL_DEVICE_TYPE_DEFAULT);
  if ((type & CL_DEVICE_TYPE_GPU) != 0) {
    info.kind = NEXUS_DEVICE_GPU;
    info.score = gpu_score;
  } else if ((type & CL_DEVICE_TYPE_CPU) != 0) {
    info.kind = NEXUS_DEVICE_CPU;
    info.score = cpu_score;
    info.flags = NEXUS_DEVICE_ON_REQUEST;
    copy_text(info.note, "a processor, which the cpu plugin uses better");
  } else {
    info.kind = NEXUS_DEVICE_OTHER;
    info.score = other_score;
  }
}

device_entry describe(cl_platform_id platform, cl_device_id device) {
  device_entry made;
  made.platform = platform;
  made.device = device;
  made.host_memory =
      value_of<cl_bool>(device, CL_DEVICE_HOST_UNIFIED_MEMORY, 0) != 0;
  made.max_allocation =
      value_of<cl_ulong>(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, 0);
  nexus_device_info& info = made.info;
  info.size = sizeof info;
  info.max_lanes = max_lanes;
  info.lane_depth = lane_depth;
  set_kind(device, info);
  if (!made.host_memory) {
    info.memory_bytes =
        value_of<cl_ulong>(device, CL_DEVICE_GLOBAL_MEM_SIZE, 0);
  }
  const std::string name = text_of(clGetDeviceInfo, device, CL_DEVICE_NAME);
  copy_text(info.name, name.empty() ? "OpenCL device" : name);
  copy_text(info.driver,
            text_of(clGetPlatformInfo, platform, CL_PLATFORM_NAME) + " " +
                text_of(clGetDeviceInfo, device, CL_DRIVER_VERSION));
  find_pci_id(device, info);
  info.numa_node = common::numa_node_of(info.pci_id);
  std::string why;
  if (!can_run(device, why)) {
    info.score = 0;
    copy_text(info.note, why);
  }
  return made;
}

device_entry nothing_found(const std::string& why) {
  device_entry made;
  made.info.size = sizeof made.info;
  made.info.kind = NEXUS_DEVICE_GPU;
  made.info.lane_depth = lane_depth;
  made.info.numa_node = -1;
  copy_text(made.info.name, "no device");
  copy_text(made.info.note, why);
  return made;
}

void add_platform(cl_platform_id platform, std::vector<device_entry>& all) {
  cl_uint count = 0;
  if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, nullptr, &count) !=
          CL_SUCCESS ||
      count == 0) {
    return;
  }
  std::vector<cl_device_id> devices(count);
  if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, devices.data(),
                     &count) != CL_SUCCESS) {
    return;
  }
  devices.resize(std::min<std::size_t>(count, devices.size()));
  for (cl_device_id device : devices) {
    all.push_back(describe(platform, device));
  }
}

// Where the loader looks for drivers.
std::string drivers_place() {
  const char* given = ::secure_getenv("OCL_ICD_VENDORS");
  return given != nullptr && given[0] != '\0' ? given : "/etc/OpenCL/vendors";
}

bool holds_zero_byte(const std::filesystem::path& path) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return false;
  char text[4096];
  const std::size_t bytes = std::fread(text, 1, sizeof text, file);
  std::fclose(file);
  return std::memchr(text, 0, bytes) != nullptr;
}

// A file that is not what the loader expects, or empty. ocl-icd 2.3.1 crashes
// on a line that begins with a zero byte.
std::string damaged_driver_file() {
  std::error_code code;
  std::filesystem::directory_iterator files(drivers_place(), code);
  for (; !code && files != std::filesystem::directory_iterator();
       files.increment(code)) {
    const auto& path = files->path();
    if (path.extension() == ".icd" && files->is_regular_file(code) &&
        holds_zero_byte(path))
      return path.string();
  }
  return {};
}

std::vector<device_entry> enumerate() {
  if (const std::string file = damaged_driver_file(); !file.empty()) {
    return {
        nothing_found("the loader is not asked, since this names no "
                      "driver: " +
                      file)};
  }
  cl_uint count = 0;
  // With no driver at all, the loader answers an error of its own.
  if (clGetPlatformIDs(0, nullptr, &count) != CL_SUCCESS || count == 0) {
    return {nothing_found("no OpenCL driver: none is named in " +
                          drivers_place() + ", or none of those works")};
  }
  std::vector<cl_platform_id> platforms(count);
  if (clGetPlatformIDs(count, platforms.data(), &count) != CL_SUCCESS) {
    return {nothing_found("the OpenCL loader does not list its platforms")};
  }
  platforms.resize(std::min<std::size_t>(count, platforms.size()));
  std::vector<device_entry> all;
  for (cl_platform_id platform : platforms) add_platform(platform, all);
  if (all.empty())
    all.push_back(nothing_found("no OpenCL driver has a device"));
  return all;
}

// Once the drivers were asked.
std::atomic<const std::vector<device_entry>*> known{nullptr};

}  // namespace

bool can_run(cl_device_id device, std::string& why) {
  const auto yes = [&](cl_device_info what) {
    return value_of<cl_bool>(device, what, 0) != 0;
  };
  if (!yes(CL_DEVICE_AVAILABLE)) {
    why = "the driver says that the device is not available";
  } else if (!yes(CL_DEVICE_COMPILER_AVAILABLE)) {
    why = "the driver has no compiler";
  } else if (!yes(CL_DEVICE_ENDIAN_LITTLE)) {
    why = "the device is big-endian";
  } else if (value_of<cl_ulong>(device, CL_DEVICE_LOCAL_MEM_SIZE, 0) <
                 least_local_bytes ||
             value_of<std::size_t>(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, 0) <
                 least_group) {
    why = "the device is too small";
  }
  return why.empty();
}

// Whether the kernel shows anything like a graphics card. To ask the drivers
// instead takes 20 ms and 60 MiB where one of them compiles for processors.
bool card_present() {
  for (const char* node : {"/dev/kfd", "/dev/nvidiactl", "/dev/dxg",
                           "/dev/mali0", "/dev/dri/renderD128"})
    if (::access(node, F_OK) == 0) return true;
  return false;
}

bool requested(const nexus_host* host) {
  if (host == nullptr) return true;
  if (host->get_extension == nullptr) return false;
  const void* wish = host->get_extension(host->context, NEXUS_HOST_REQUESTED);
  if (wish == nullptr) return false;
  const std::string_view name = static_cast<const char*>(wish);
  return name == "*" || name == "opencl";
}

const std::vector<device_entry>& devices_for(const nexus_host* host) {
  static const bool worthwhile = card_present();
  if (!worthwhile && !requested(host)) {
    static const std::vector<device_entry> none = {nothing_found(
        "no graphics card; other devices are used with --backend opencl")};
    return none;
  }
  static const std::vector<device_entry> devices = enumerate();
  known.store(&devices);
  return devices;
}

const std::vector<device_entry>& known_devices() {
  static const std::vector<device_entry> none;
  const auto* found = known.load();
  return found != nullptr ? *found : none;
}

}  // namespace nexus::opencl
