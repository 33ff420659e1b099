// An OpenCL layer that fails on command: to be preloaded (LD_PRELOAD), it
// stands between a program and the OpenCL loader.
//   NEXUS_CL_FAULT  rules, parted by ';': FUNCTION:WHEN:CODE. FUNCTION may end
//                   in '*'. WHEN is a number N, for the N-th call that the rule
//                   fits, or N+ for that and all that follow. CODE is OpenCL's.
//   NEXUS_CL_LOG    a file to which each failure made appends a line
//   NEXUS_CL_GPU    if set, every device says that it is a graphics card, and
//                   the system that it has one
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>

#define SHOWN __attribute__((visibility("default")))

namespace {

struct rule {
  std::string function;
  bool is_prefix = false;
  std::uint64_t from = 0;
  bool on = false;  // and ever after
  cl_int code = 0;
  std::atomic<std::uint64_t> calls{0};

  bool fits(const char* name) const {
    return is_prefix
               ? std::strncmp(name, function.c_str(), function.size()) == 0
               : function == name;
  }
};

void add_rule(std::deque<rule>& rules, const std::string& text) {
  const std::size_t first = text.find(':');
  const std::size_t second = text.find(':', first + 1);
  if (first == std::string::npos || second == std::string::npos) return;
  rule& made = rules.emplace_back();
  made.function = text.substr(0, first);
  made.is_prefix = !made.function.empty() && made.function.back() == '*';
  if (made.is_prefix) made.function.pop_back();
  made.from = std::strtoull(text.c_str() + first + 1, nullptr, 10);
  made.on = text[second - 1] == '+';
  made.code =
      static_cast<cl_int>(std::strtol(text.c_str() + second + 1, nullptr, 10));
}

std::deque<rule>& rules() {
  static std::deque<rule> all = [] {
    std::deque<rule> made;
    const char* given = std::getenv("NEXUS_CL_FAULT");
    std::string text = given != nullptr ? given : "";
    while (!text.empty()) {
      const std::size_t end = text.find(';');
      add_rule(made, text.substr(0, end));
      text = end == std::string::npos ? "" : text.substr(end + 1);
    }
    return made;
  }();
  return all;
}

void log_failure(const char* name, cl_int code) {
  const char* path = std::getenv("NEXUS_CL_LOG");
  if (path == nullptr) return;
  const std::string line =
      std::string(name) + " " + std::to_string(code) + "\n";
  const int file =
      ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  const ssize_t put = ::write(file, line.data(), line.size());
  ::close(file);
  if (put < 0) std::abort();
}

// The code that this call is to end with, or CL_SUCCESS.
cl_int failure_of(const char* name) {
  for (rule& each : rules()) {
    if (!each.fits(name)) continue;
    const std::uint64_t call = ++each.calls;
    if (call == each.from || (each.on && call > each.from)) {
      log_failure(name, each.code);
      return each.code;
    }
  }
  return CL_SUCCESS;
}

// The next one of this name: this object needs the loader, so it is there.
template <typename Function>
Function* real(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// Calls that answer their code.
#define ANSWERS_CODE(name, parameters, arguments)       \
  extern "C" SHOWN cl_int CL_API_CALL name parameters { \
    static auto* const next = real(&name, #name);       \
    const cl_int code = failure_of(#name);              \
    return code == CL_SUCCESS ? next arguments : code;  \
  }

// Calls that answer an object, and their code where asked.
#define ANSWERS_OBJECT(type, name, parameters, arguments) \
  extern "C" SHOWN type CL_API_CALL name parameters {     \
    static auto* const next = real(&name, #name);         \
    const cl_int failure = failure_of(#name);             \
    if (failure == CL_SUCCESS) return next arguments;     \
    if (code != nullptr) *code = failure;                 \
    return nullptr;                                       \
  }

ANSWERS_OBJECT(cl_context, clCreateContext,
               (const cl_context_properties* properties, cl_uint count,
                const cl_device_id* devices,
                void(CL_CALLBACK* notify)(const char*, const void*, size_t,
                                          void*),
                void* user, cl_int* code),
               (properties, count, devices, notify, user, code))
ANSWERS_OBJECT(cl_command_queue, clCreateCommandQueue,
               (cl_context context, cl_device_id device,
                cl_command_queue_properties properties, cl_int* code),
               (context, device, properties, code))
ANSWERS_OBJECT(cl_program, clCreateProgramWithSource,
               (cl_context context, cl_uint count, const char** strings,
                const size_t* lengths, cl_int* code),
               (context, count, strings, lengths, code))
ANSWERS_OBJECT(cl_program, clCreateProgramWithBinary,
               (cl_context context, cl_uint count, const cl_device_id* devices,
                const size_t* lengths, const unsigned char** binaries,
                cl_int* status, cl_int* code),
               (context, count, devices, lengths, binaries, status, code))
ANSWERS_CODE(clBuildProgram,
             (cl_program program, cl_uint count, const cl_device_id* devices,
              const char* options, void(CL_CALLBACK* notify)(cl_program, void*),
              void* user),
             (program, count, devices, options, notify, user))
ANSWERS_OBJECT(cl_kernel, clCreateKernel,
               (cl_program program, const char* name, cl_int* code),
               (program, name, code))
ANSWERS_OBJECT(cl_mem, clCreateBuffer,
               (cl_context context, cl_mem_flags flags, size_t size,
                void* memory, cl_int* code),
               (context, flags, size, memory, code))
ANSWERS_CODE(clSetKernelArg,
             (cl_kernel kernel, cl_uint index, size_t size, const void* value),
             (kernel, index, size, value))
ANSWERS_CODE(clEnqueueWriteBuffer,
             (cl_command_queue queue, cl_mem memory, cl_bool blocking,
              size_t offset, size_t size, const void* from, cl_uint count,
              const cl_event* before, cl_event* event),
             (queue, memory, blocking, offset, size, from, count, before,
              event))
ANSWERS_CODE(clEnqueueReadBuffer,
             (cl_command_queue queue, cl_mem memory, cl_bool blocking,
              size_t offset, size_t size, void* to, cl_uint count,
              const cl_event* before, cl_event* event),
             (queue, memory, blocking, offset, size, to, count, before, event))
ANSWERS_CODE(clEnqueueFillBuffer,
             (cl_command_queue queue, cl_mem memory, const void* pattern,
              size_t pattern_size, size_t offset, size_t size, cl_uint count,
              const cl_event* before, cl_event* event),
             (queue, memory, pattern, pattern_size, offset, size, count, before,
              event))
ANSWERS_CODE(clEnqueueNDRangeKernel,
             (cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
              const size_t* offset, const size_t* items, const size_t* group,
              cl_uint count, const cl_event* before, cl_event* event),
             (queue, kernel, dimensions, offset, items, group, count, before,
              event))
ANSWERS_OBJECT(void*, clEnqueueMapBuffer,
               (cl_command_queue queue, cl_mem memory, cl_bool blocking,
                cl_map_flags flags, size_t offset, size_t size, cl_uint count,
                const cl_event* before, cl_event* event, cl_int* code),
               (queue, memory, blocking, flags, offset, size, count, before,
                event, code))
ANSWERS_CODE(clEnqueueUnmapMemObject,
             (cl_command_queue queue, cl_mem memory, void* mapped,
              cl_uint count, const cl_event* before, cl_event* event),
             (queue, memory, mapped, count, before, event))

// What was queued is done all the same: only the answer is a failure.
extern "C" SHOWN cl_int CL_API_CALL clFinish(cl_command_queue queue) {
  static auto* const next = real(&clFinish, "clFinish");
  const cl_int done = next(queue);
  const cl_int code = failure_of("clFinish");
  return code == CL_SUCCESS ? done : code;
}

extern "C" SHOWN cl_int CL_API_CALL clGetDeviceInfo(cl_device_id device,
                                                    cl_device_info what,
                                                    size_t room, void* to,
                                                    size_t* size) {
  static auto* const next = real(&clGetDeviceInfo, "clGetDeviceInfo");
  const cl_int code = next(device, what, room, to, size);
  if (code == CL_SUCCESS && what == CL_DEVICE_TYPE && to != nullptr &&
      std::getenv("NEXUS_CL_GPU") != nullptr) {
    const cl_device_type card = CL_DEVICE_TYPE_GPU;
    std::memcpy(to, &card, sizeof card);
  }
  return code;
}

extern "C" SHOWN int access(const char* path, int mode) noexcept {
  using function = int(const char*, int);
  static auto* const next =
      reinterpret_cast<function*>(dlsym(RTLD_NEXT, "access"));
  if (std::getenv("NEXUS_CL_GPU") != nullptr &&
      std::strcmp(path, "/dev/nvidiactl") == 0) {
    return 0;
  }
  return next(path, mode);
}
