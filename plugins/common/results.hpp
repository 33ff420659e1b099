// Filling in the blocks that cross the plugin ABI.
#pragma once

#include <nexus/plugin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace nexus::common {

inline nexus_result succeeded(std::uint64_t output_bytes,
                              std::uint32_t flags = 0) noexcept {
  nexus_result result{};
  result.size = sizeof result;
  result.status = NEXUS_OK;
  result.output_bytes = output_bytes;
  result.flags = flags;
  return result;
}

// `message` must live as long as the process.
inline nexus_result failed(std::int32_t status, const char* message) noexcept {
  nexus_result result{};
  result.size = sizeof result;
  result.status = status;
  result.message = message;
  return result;
}

// For a job that a device ended with this status; NULL: nothing to be said.
inline const char* words_for(std::int32_t status) noexcept {
  switch (status) {
    case NEXUS_E_NO_MEMORY:
      return "the device is out of memory";
    case NEXUS_E_LOST:
      return "the device is gone";
    case NEXUS_E_CANCELLED:
      return nullptr;
    default:
      return "the device failed";
  }
}

// The input is at fault at error_offset; output_bytes before that are good.
inline nexus_result bad_data(std::uint64_t output_bytes,
                             std::uint64_t error_offset,
                             const char* message) noexcept {
  nexus_result result = failed(NEXUS_E_DATA, message);
  result.output_bytes = output_bytes;
  result.error_offset = error_offset;
  return result;
}

// Writes what the caller's struct has room for and keeps the size it set.
template <typename T>
std::int32_t hand_over(const T& made, T* to) noexcept {
  if (to == nullptr || to->size < sizeof to->size) return NEXUS_E_ARGUMENT;
  const std::uint32_t size = to->size;
  std::memcpy(to, &made, std::min<std::size_t>(size, sizeof made));
  to->size = size;
  return NEXUS_OK;
}

// Answers the code, with words if the caller made room for them.
inline std::int32_t refuse(nexus_error* error, std::int32_t code,
                           const char* message) noexcept {
  if (error != nullptr && error->size >= sizeof *error) {
    error->code = code;
    std::snprintf(error->message, sizeof error->message, "%s", message);
  }
  return code;
}

}  // namespace nexus::common
