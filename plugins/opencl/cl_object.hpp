// OpenCL's C API with owners for its objects, and its codes in our terms.
#pragma once

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS  // clCreateCommandQueue
#include <CL/cl.h>
#include <nexus/plugin.h>

#include <cstdint>
#include <string>
#include <utility>

namespace nexus::opencl {

// Owns one reference to an OpenCL object.
template <typename Handle, cl_int(CL_API_CALL* Release)(Handle)>
class cl_object {
 public:
  cl_object() = default;
  explicit cl_object(Handle handle) : handle_(handle) {}
  cl_object(cl_object&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)) {}
  cl_object& operator=(cl_object&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~cl_object() {
    if (handle_ != nullptr) Release(handle_);
  }

  Handle get() const { return handle_; }
  explicit operator bool() const { return handle_ != nullptr; }

 private:
  Handle handle_ = nullptr;
};

using cl_context_owner = cl_object<cl_context, clReleaseContext>;
using cl_program_owner = cl_object<cl_program, clReleaseProgram>;
using cl_kernel_owner = cl_object<cl_kernel, clReleaseKernel>;
using cl_queue_owner = cl_object<cl_command_queue, clReleaseCommandQueue>;
using cl_memory_owner = cl_object<cl_mem, clReleaseMemObject>;

// What the engine is to do about an OpenCL code: a NEXUS_E_*.
inline std::int32_t status_of(cl_int code) noexcept {
  switch (code) {
    case CL_SUCCESS:
      return NEXUS_OK;
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_HOST_MEMORY:
    case CL_INVALID_BUFFER_SIZE:
      return NEXUS_E_NO_MEMORY;
    case CL_DEVICE_NOT_AVAILABLE:
    case CL_INVALID_CONTEXT:
    case CL_INVALID_COMMAND_QUEUE:
    case CL_INVALID_DEVICE:
      return NEXUS_E_LOST;
    default:
      return NEXUS_E_DEVICE;
  }
}

// A property that is text; empty if there is none of it.
template <typename Id, typename Query>
std::string text_of(Query query, Id id, cl_uint what) {
  std::size_t bytes = 0;
  if (query(id, what, 0, nullptr, &bytes) != CL_SUCCESS || bytes < 2) return {};
  std::string text(bytes, '\0');
  if (query(id, what, bytes, text.data(), nullptr) != CL_SUCCESS) return {};
  text.resize(text.find('\0') == std::string::npos ? bytes : text.find('\0'));
  return text;
}

// A property of a fixed size; `otherwise` if it is not known.
template <typename T>
T value_of(cl_device_id device, cl_device_info what, T otherwise) noexcept {
  T value = otherwise;
  return clGetDeviceInfo(device, what, sizeof value, &value, nullptr) ==
                 CL_SUCCESS
             ? value
             : otherwise;
}

}  // namespace nexus::opencl
