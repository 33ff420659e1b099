// How the library reports failure: a value, never an exception, never a print.
#pragma once

#include <cstdint>
#include <nexus/export.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace nexus {

// Pinned: a number keeps its meaning in every release.
enum class status_code : std::int32_t {
  ok = 0,
  // The data or the key.
  invalid_data = 1,  // malformed, truncated or forged input
  wrong_key = 2,     // no identity or passphrase opens it
  // The caller.
  invalid_argument = 10,
  unsupported = 11,  // well-formed, but nothing here can do it
  // The environment.
  io_error = 20,
  out_of_memory = 21,
  no_device = 22,      // no usable device for the operation
  device_failed = 23,  // every attempt on every device failed
  // A stop that was asked for, or that the reader of our output caused.
  cancelled = 30,
  broken_pipe = 31,
  // A defect of this library.
  internal = 40,
};

// What a host does about it. Data: the input is at fault, and no retry helps.
// Usage: the call is wrong. Environment: memory, disk, devices. Stopped: asked
// for from outside.
enum class error_kind { none, data, usage, environment, stopped, internal };

[[nodiscard]] NEXUS_API error_kind kind_of(status_code code) noexcept;

// Short name of a code, such as "invalid_data".
[[nodiscard]] NEXUS_API std::string_view name_of(status_code code) noexcept;

// A result without a value. Cheap to move; `ok()` holds no memory.
// message: one line, lower case, no full stop. hint: what the user might do
// next, or empty. system_error: the errno behind an io_error, or 0.
class [[nodiscard]] status {
 public:
  status() noexcept = default;
  status(status_code code, std::string message, std::string hint = {},
         int system_error = 0)
      : code_(code),
        system_error_(system_error),
        message_(std::move(message)),
        hint_(std::move(hint)) {}

  [[nodiscard]] bool ok() const noexcept { return code_ == status_code::ok; }
  [[nodiscard]] status_code code() const noexcept { return code_; }
  [[nodiscard]] error_kind kind() const noexcept { return kind_of(code_); }
  [[nodiscard]] int system_error() const noexcept { return system_error_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  [[nodiscard]] const std::string& hint() const noexcept { return hint_; }

 private:
  status_code code_ = status_code::ok;
  int system_error_ = 0;
  std::string message_;
  std::string hint_;
};

// A value or a status that is not ok.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  result(status failure) : state_(std::in_place_index<1>, std::move(failure)) {}

  [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  // Precondition: ok().
  [[nodiscard]] T& value() & { return *std::get_if<0>(&state_); }
  [[nodiscard]] const T& value() const& { return *std::get_if<0>(&state_); }
  [[nodiscard]] T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

  // The failure; an ok status where there is none.
  [[nodiscard]] status error() const {
    return ok() ? status{} : *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, status> state_;
};

}  // namespace nexus
