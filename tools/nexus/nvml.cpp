#include "nvml.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <memory>

#include "process.hpp"
#include "times.hpp"

namespace nexus::queue {
namespace {

// What is used of nvml.h, by NVIDIA's documentation of the interface.
using nvml_return = int;
using nvml_device = struct nvml_device_handle*;
constexpr nvml_return nvml_success = 0;
constexpr nvml_return nvml_insufficient_size = 7;

struct nvml_memory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;  // with what the driver keeps for itself
};

struct nvml_memory_v2 {
  unsigned version;
  unsigned long long total;
  unsigned long long reserved;
  unsigned long long free;
  unsigned long long used;
};
constexpr unsigned memory_v2_version = sizeof(nvml_memory_v2) | (2u << 24);

struct nvml_process {  // of _v2 and _v3
  unsigned pid;
  unsigned long long used;  // all ones: not known
  unsigned gpu_instance;
  unsigned compute_instance;
};
constexpr unsigned long long not_known = ~0ULL;
constexpr std::size_t most_processes = 4096;

constexpr std::int64_t mib = 1024 * 1024;

struct closer {
  void operator()(void* library) const noexcept { ::dlclose(library); }
};

class nvml {
 public:
  ~nvml() {
    if (started_) shutdown_();
  }
  // unsupported: why.
  status open();
  gpu_snapshot look();

 private:
  template <class F>
  bool bind(F& function, const char* name) {
    function = reinterpret_cast<F>(::dlsym(library_.get(), name));
    return function != nullptr;
  }
  bool bind_all();
  status failure(std::string_view what, nvml_return code) const;
  status describe(unsigned index, gpu& one);
  status take_memory(nvml_device device, gpu& one);
  void take_processes(nvml_device device, gpu& one);
  std::string name_of_process(unsigned pid);

  std::unique_ptr<void, closer> library_;
  bool started_ = false;
  nvml_return (*init_)() = nullptr;
  nvml_return (*shutdown_)() = nullptr;
  const char* (*error_string_)(nvml_return) = nullptr;
  nvml_return (*count_)(unsigned*) = nullptr;
  nvml_return (*handle_)(unsigned, nvml_device*) = nullptr;
  nvml_return (*uuid_)(nvml_device, char*, unsigned) = nullptr;
  nvml_return (*name_)(nvml_device, char*, unsigned) = nullptr;
  nvml_return (*memory_)(nvml_device, nvml_memory*) = nullptr;
  nvml_return (*memory_v2_)(nvml_device, nvml_memory_v2*) = nullptr;
  nvml_return (*processes_)(nvml_device, unsigned*, nvml_process*) = nullptr;
  nvml_return (*process_name_)(unsigned, char*, unsigned) = nullptr;
};

bool nvml::bind_all() {
  // Those that drivers may lack.
  bind(memory_v2_, "nvmlDeviceGetMemoryInfo_v2");
  bind(process_name_, "nvmlSystemGetProcessName");
  if (!bind(processes_, "nvmlDeviceGetComputeRunningProcesses_v3")) {
    bind(processes_, "nvmlDeviceGetComputeRunningProcesses_v2");
  }
  return bind(init_, "nvmlInit_v2") && bind(shutdown_, "nvmlShutdown") &&
         bind(error_string_, "nvmlErrorString") &&
         bind(count_, "nvmlDeviceGetCount_v2") &&
         bind(handle_, "nvmlDeviceGetHandleByIndex_v2") &&
         bind(uuid_, "nvmlDeviceGetUUID") && bind(name_, "nvmlDeviceGetName") &&
         bind(memory_, "nvmlDeviceGetMemoryInfo");
}

status nvml::failure(std::string_view what, nvml_return code) const {
  const char* text = error_string_(code);
  return {status_code::unsupported,
          fmt::format("NVML: {}: {}", what, text != nullptr ? text : "?")};
}

status nvml::open() {
  library_.reset(::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL));
  if (!library_) return {status_code::unsupported, "there is no NVML"};
  if (!bind_all()) {
    return {status_code::unsupported, "NVML is too old"};
  }
  const nvml_return code = init_();
  if (code != nvml_success) return failure("it cannot be used", code);
  started_ = true;
  return {};
}

status nvml::take_memory(nvml_device device, gpu& one) {
  if (memory_v2_ != nullptr) {
    nvml_memory_v2 memory{};
    memory.version = memory_v2_version;
    if (memory_v2_(device, &memory) == nvml_success) {
      one.memory_mib = static_cast<std::int64_t>(memory.total) / mib;
      one.used_mib = static_cast<std::int64_t>(memory.used) / mib;
      return {};
    }
  }
  nvml_memory memory{};
  const nvml_return code = memory_(device, &memory);
  if (code != nvml_success) return failure("memory", code);
  one.memory_mib = static_cast<std::int64_t>(memory.total) / mib;
  one.used_mib = static_cast<std::int64_t>(memory.used) / mib;
  return {};
}

std::string nvml::name_of_process(unsigned pid) {
  char name[1024] = {};
  if (process_name_ != nullptr &&
      process_name_(pid, name, sizeof name - 1) == nvml_success) {
    const std::string path = name;
    return path.substr(path.rfind('/') + 1);
  }
  return process_name(static_cast<pid_t>(pid));
}

// Without them, memory in use still tells that others are there.
void nvml::take_processes(nvml_device device, gpu& one) {
  if (processes_ == nullptr) return;
  std::vector<nvml_process> list(64);
  auto count = static_cast<unsigned>(list.size());
  nvml_return code = processes_(device, &count, list.data());
  while (code == nvml_insufficient_size && list.size() < most_processes) {
    list.resize(list.size() * 4);
    count = static_cast<unsigned>(list.size());
    code = processes_(device, &count, list.data());
  }
  if (code != nvml_success) return;
  for (unsigned i = 0; i < count && i < list.size(); ++i) {
    const auto used = list[i].used == not_known ? 0 : list[i].used / mib;
    one.processes.push_back({static_cast<std::int64_t>(list[i].pid),
                             name_of_process(list[i].pid),
                             static_cast<std::int64_t>(used)});
  }
}

status nvml::describe(unsigned index, gpu& one) {
  nvml_device device = nullptr;
  nvml_return code = handle_(index, &device);
  if (code != nvml_success) return failure("it cannot be opened", code);
  char text[256] = {};
  code = uuid_(device, text, sizeof text - 1);
  if (code != nvml_success) return failure("identity", code);
  one.index = std::to_string(index);
  one.uuid = text;
  if (name_(device, text, sizeof text - 1) == nvml_success) one.name = text;
  if (status failed = take_memory(device, one); !failed.ok()) return failed;
  take_processes(device, one);
  return {};
}

gpu_snapshot nvml::look() {
  gpu_snapshot seen;
  seen.time = now_ms();
  unsigned count = 0;
  const nvml_return code = count_(&count);
  if (code != nvml_success) {
    seen.problem = failure("they cannot be counted", code).message();
    return seen;
  }
  for (unsigned i = 0; i < count; ++i) {
    gpu one;
    if (const status failed = describe(i, one); !failed.ok()) {
      seen.problem = fmt::format("GPU {}: {}", i, failed.message());
    } else {
      seen.gpus.push_back(std::move(one));
    }
  }
  if (count == 0) seen.problem = "NVML lists no GPU";
  return seen;
}

}  // namespace

result<gpu_snapshot> look_by_nvml() {
  nvml library;
  if (status failed = library.open(); !failed.ok()) return failed;
  return library.look();
}

}  // namespace nexus::queue
