#include <nexus/status.hpp>

namespace nexus {

error_kind kind_of(status_code code) noexcept {
  switch (code) {
    case status_code::ok:
      return error_kind::none;
    case status_code::invalid_data:
    case status_code::wrong_key:
      return error_kind::data;
    case status_code::invalid_argument:
    case status_code::unsupported:
      return error_kind::usage;
    case status_code::io_error:
    case status_code::out_of_memory:
    case status_code::no_device:
    case status_code::device_failed:
      return error_kind::environment;
    case status_code::cancelled:
    case status_code::broken_pipe:
      return error_kind::stopped;
    case status_code::internal:
      return error_kind::internal;
  }
  return error_kind::internal;
}

std::string_view name_of(status_code code) noexcept {
  switch (code) {
    case status_code::ok:
      return "ok";
    case status_code::invalid_data:
      return "invalid_data";
    case status_code::wrong_key:
      return "wrong_key";
    case status_code::invalid_argument:
      return "invalid_argument";
    case status_code::unsupported:
      return "unsupported";
    case status_code::io_error:
      return "io_error";
    case status_code::out_of_memory:
      return "out_of_memory";
    case status_code::no_device:
      return "no_device";
    case status_code::device_failed:
      return "device_failed";
    case status_code::cancelled:
      return "cancelled";
    case status_code::broken_pipe:
      return "broken_pipe";
    case status_code::internal:
      return "internal";
  }
  return "unknown";
}

}  // namespace nexus
