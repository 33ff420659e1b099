// The calls of the CUDA runtime that plugins/cuda makes.
#include <dlfcn.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include "stand_in.hpp"

struct CUstream_st {
  std::deque<std::function<void()>> queued;
  std::uint64_t taken = 0;  // how many have been queued, ever
  std::uint64_t done = 0;
};
struct CUevent_st {
  cudaStream_t stream = nullptr;
  std::uint64_t after = 0;  // what had been queued when it was recorded
};

namespace {

struct rule {
  std::string function;
  int from = 0;
  bool on = false;  // and ever after
  int code = 0;
  int calls = 0;
};

struct state {
  std::mutex mutex;
  std::deque<rule> rules;
  std::map<char*, std::size_t> pinned;
  cudaError_t ended = cudaSuccess;  // what ended the context
};

std::deque<rule> rules_given() {
  std::deque<rule> all;
  const char* given = std::getenv("NEXUS_CUDA_FAULT");
  std::string text = given != nullptr ? given : "";
  while (!text.empty()) {
    const std::size_t end = text.find(';');
    const std::string one = text.substr(0, end);
    const std::size_t first = one.find(':'), second = one.rfind(':');
    rule made;
    made.function = one.substr(0, first);
    made.from = std::atoi(one.c_str() + first + 1);
    made.on = one[second - 1] == '+';
    made.code = std::atoi(one.c_str() + second + 1);
    all.push_back(made);
    text = end == std::string::npos ? "" : text.substr(end + 1);
  }
  return all;
}

state& all() {
  static state only{{}, rules_given(), {}, cudaSuccess};
  return only;
}

// Memory that the card itself copies, later.
bool is_pinned(const void* at) {
  const std::lock_guard lock(all().mutex);
  const char* byte = static_cast<const char*>(at);
  auto next = all().pinned.upper_bound(const_cast<char*>(byte));
  if (next == all().pinned.begin()) return false;
  --next;
  return byte < next->first + next->second;
}

// After these every call fails.
bool ends_context(cudaError_t code) {
  switch (code) {
    case cudaErrorECCUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorMisalignedAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorExternalDevice:
      return true;
    default:
      return false;
  }
}

void do_until(cudaStream_t stream, std::uint64_t count) {
  while (stream->done < count) {
    stream->queued.front()();
    stream->queued.pop_front();
    ++stream->done;
  }
}

}  // namespace

namespace stand_in {

cudaError_t enter(const char* function) {
  const std::lock_guard lock(all().mutex);
  cudaError_t code = all().ended;
  for (rule& each : all().rules) {
    if (code != cudaSuccess || each.function != function) continue;
    ++each.calls;
    if (each.calls == each.from || (each.on && each.calls > each.from))
      code = static_cast<cudaError_t>(each.code);
  }
  if (ends_context(code)) all().ended = code;
  return code;
}

void queue(cudaStream_t stream, std::function<void()> work) {
  stream->queued.push_back(std::move(work));
  ++stream->taken;
}

}  // namespace stand_in

using stand_in::enter;

#define ENTER(name) \
  if (const cudaError_t code = enter(#name); code != cudaSuccess) return code

// The plugin's own look whether there is a driver.
extern "C" __attribute__((visibility("hidden"))) void* dlopen(const char*,
                                                              int) noexcept {
  return &all();
}

extern "C" {

const char* cudaGetErrorString(cudaError_t) {
  return "the stand-in was told to fail";
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  ENTER(cudaGetDeviceCount);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* to, int) {
  ENTER(cudaGetDeviceProperties);
  *to = {};
  std::strcpy(to->name, "CUDA stand-in");
  to->totalGlobalMem = std::size_t{4} << 30;
  to->major = 9;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 0;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char* id, int room, int) {
  std::strncpy(id, "0000:FE:1F.0", static_cast<std::size_t>(room));
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 12080;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int) {
  ENTER(cudaSetDevice);
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  ENTER(cudaMalloc);
  *memory = std::malloc(bytes);
  std::memset(*memory, 0xcd, bytes);
  return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  std::free(memory);
  return cudaSuccess;
}

// Whether /proc/self/maps has it as writable.
static bool is_writable(const void* memory) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    char rights[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights) == 3 &&
        begin <= address && address < end)
      return rights[1] == 'w';
  }
  return false;
}

cudaError_t cudaHostRegister(void* memory, std::size_t bytes, unsigned flags) {
  ENTER(cudaHostRegister);
  // As the runtime does.
  if ((flags & cudaHostRegisterReadOnly) == 0 && !is_writable(memory))
    return cudaErrorInvalidValue;
  const std::lock_guard lock(all().mutex);
  return all().pinned.emplace(static_cast<char*>(memory), bytes).second
             ? cudaSuccess
             : cudaErrorHostMemoryAlreadyRegistered;
}

cudaError_t cudaGetLastError() {
  return cudaSuccess;
}

cudaError_t cudaHostUnregister(void* memory) {
  const std::lock_guard lock(all().mutex);
  return all().pinned.erase(static_cast<char*>(memory)) == 1
             ? cudaSuccess
             : cudaErrorHostMemoryNotRegistered;
}

cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned) {
  ENTER(cudaHostAlloc);
  *memory = std::malloc(bytes);
  const std::lock_guard lock(all().mutex);
  all().pinned.emplace(static_cast<char*>(*memory), bytes);
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* memory) {
  cudaHostUnregister(memory);
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  ENTER(cudaStreamCreateWithFlags);
  *stream = new CUstream_st;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  do_until(stream, stream->taken);
  delete stream;
  return cudaSuccess;
}

// Also where it fails, so that the memory of a job is done with.
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  do_until(stream, stream->taken);
  ENTER(cudaStreamSynchronize);
  return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  ENTER(cudaStreamQuery);
  return stream->done == stream->taken ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  ENTER(cudaEventCreateWithFlags);
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  ENTER(cudaEventRecord);
  *event = {stream, stream->taken};
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (event->stream != nullptr) do_until(event->stream, event->after);
  ENTER(cudaEventSynchronize);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes,
                            cudaStream_t stream) {
  ENTER(cudaMemsetAsync);
  stand_in::queue(stream, [=] { std::memset(memory, value, bytes); });
  return cudaSuccess;
}

// Pinned memory is touched when its turn comes. Other memory of the host has
// been read, or filled, when the call returns.
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes,
                            cudaMemcpyKind kind, cudaStream_t stream) {
  ENTER(cudaMemcpyAsync);
  const bool in = kind == cudaMemcpyHostToDevice;
  if (in && !is_pinned(from)) {
    const std::string kept(static_cast<const char*>(from), bytes);
    stand_in::queue(stream, [=] { std::memcpy(to, kept.data(), kept.size()); });
    return cudaSuccess;
  }
  stand_in::queue(stream, [=] { std::memcpy(to, from, bytes); });
  if (!in && !is_pinned(to)) do_until(stream, stream->taken);
  return cudaSuccess;
}

}  // extern "C"
