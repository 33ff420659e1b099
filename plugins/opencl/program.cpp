#include "program.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include "program_text.hpp"

namespace nexus::opencl {
namespace {

// More lanes than this leave each too few of a chunk's 1024 groups.
constexpr std::size_t most_lanes = 256;
// A processor runs the lanes of a chunk one after the other.
constexpr std::size_t lanes_on_processor = 64;

std::size_t group_size_for(const device_entry& entry) {
  if (entry.info.kind == NEXUS_DEVICE_CPU) return lanes_on_processor;
  const auto most = value_of<std::size_t>(
      entry.device, CL_DEVICE_MAX_WORK_GROUP_SIZE, lanes_on_processor);
  return std::bit_floor(std::min(most, most_lanes));
}

std::string options_for(std::size_t group_size) {
  return "-cl-std=CL1.2 -DLANES=" + std::to_string(group_size) +
         " -DLEVELS=" + std::to_string(std::countr_zero(group_size));
}

// Everything that a binary depends on.
std::string cache_key(const device_entry& entry, const char* text,
                      const std::string& options) {
  std::string key;
  for (const cl_platform_info what : {CL_PLATFORM_NAME, CL_PLATFORM_VERSION}) {
    key += text_of(clGetPlatformInfo, entry.platform, what) + '\n';
  }
  for (const cl_device_info what : {CL_DEVICE_NAME, CL_DEVICE_VENDOR,
                                    CL_DEVICE_VERSION, CL_DRIVER_VERSION}) {
    key += text_of(clGetDeviceInfo, entry.device, what) + '\n';
  }
  return key + options + '\n' + text;
}

cl_program_owner from_binary(cl_context context, cl_device_id device,
                             const std::vector<unsigned char>& binary,
                             const std::string& options) {
  const unsigned char* data = binary.data();
  const std::size_t bytes = binary.size();
  cl_int loaded = CL_SUCCESS, code = CL_SUCCESS;
  cl_program_owner program(clCreateProgramWithBinary(
      context, 1, &device, &bytes, &data, &loaded, &code));
  if (!program || code != CL_SUCCESS || loaded != CL_SUCCESS ||
      clBuildProgram(program.get(), 1, &device, options.c_str(), nullptr,
                     nullptr) != CL_SUCCESS) {
    return {};
  }
  return program;
}

std::vector<unsigned char> binary_of(cl_program program) {
  std::size_t bytes = 0;
  if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes,
                       nullptr) != CL_SUCCESS) {
    return {};
  }
  std::vector<unsigned char> binary(bytes);
  unsigned char* data = binary.data();
  if (bytes == 0 || clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof data,
                                     &data, nullptr) != CL_SUCCESS) {
    return {};
  }
  return binary;
}

// The first line of what the compiler said that names an error.
std::string complaint_of(cl_program program, cl_device_id device) {
  const auto query = [device](cl_program from, cl_uint what, std::size_t room,
                              void* to, std::size_t* bytes) {
    return clGetProgramBuildInfo(from, device, what, room, to, bytes);
  };
  const std::string log = text_of(query, program, CL_PROGRAM_BUILD_LOG);
  const std::size_t error = std::min(log.find("error"), log.size());
  const std::size_t before = log.rfind('\n', error);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  return log.substr(begin, log.find('\n', error) - begin);
}

std::int32_t build_text(cl_context context, cl_device_id device,
                        const char* text, const std::string& options,
                        cl_program_owner& made, std::string& why) {
  cl_int code = CL_SUCCESS;
  made = cl_program_owner(
      clCreateProgramWithSource(context, 1, &text, nullptr, &code));
  if (made) {
    code = clBuildProgram(made.get(), 1, &device, options.c_str(), nullptr,
                          nullptr);
  }
  if (code == CL_SUCCESS) return NEXUS_OK;
  why = "the kernels do not build";
  const std::string words = made ? complaint_of(made.get(), device) : "";
  why += words.empty() ? ", code " + std::to_string(code) : ": " + words;
  return status_of(code);
}

}  // namespace

std::int32_t make_context(const device_entry& entry, cl_context_owner& made,
                          std::string& why) {
  const cl_context_properties properties[] = {
      CL_CONTEXT_PLATFORM,
      reinterpret_cast<cl_context_properties>(entry.platform), 0};
  cl_int code = CL_SUCCESS;
  made = cl_context_owner(
      clCreateContext(properties, 1, &entry.device, nullptr, nullptr, &code));
  if (!made) {
    why = "the driver makes no context, code " + std::to_string(code);
  }
  return status_of(code);
}

std::int32_t build_program(const device_entry& entry, cl_context context,
                           const char* text, const std::string& options,
                           const program_cache& cache, cl_program_owner& made,
                           std::string& why) {
  const std::string key = cache_key(entry, text, options);
  if (const auto binary = cache.load(key)) {
    made = from_binary(context, entry.device, *binary, options);
    if (made) return NEXUS_OK;
  }
  const std::int32_t built =
      build_text(context, entry.device, text, options, made, why);
  if (built != NEXUS_OK) return built;
  const auto binary = binary_of(made.get());
  if (!binary.empty()) cache.store(key, binary);
  return NEXUS_OK;
}

std::int32_t build_age_program(const device_entry& entry, cl_context context,
                               const program_cache& cache, age_program& made,
                               std::string& why) {
  made.group_size = group_size_for(entry);
  return build_program(entry, context, age_text, options_for(made.group_size),
                       cache, made.program, why);
}

std::int32_t build_digest_program(const device_entry& entry, cl_context context,
                                  const program_cache& cache,
                                  cl_program_owner& made, std::string& why) {
  return build_program(entry, context, digest_text, "-cl-std=CL1.2", cache,
                       made, why);
}

}  // namespace nexus::opencl
