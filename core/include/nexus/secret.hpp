// Memory that is wiped: fixed-size keys and text of unknown length.
#pragma once

#include <array>
#include <cstddef>
#include <nexus/export.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace nexus {

// Overwrites memory in a way that the compiler keeps.
NEXUS_API void wipe(void* data, std::size_t size) noexcept;

inline void wipe(std::span<std::byte> data) noexcept {
  wipe(data.data(), data.size());
}

// Equality in time that depends on the lengths alone.
[[nodiscard]] NEXUS_API bool equal_in_constant_time(
    std::span<const std::byte> a, std::span<const std::byte> b) noexcept;

// N secret bytes, wiped on destruction and when moved from.
template <std::size_t N>
class secret_array {
 public:
  secret_array() noexcept : data_{} {}
  ~secret_array() { wipe(data_); }
  secret_array(const secret_array&) noexcept = default;
  secret_array& operator=(const secret_array&) noexcept = default;
  secret_array(secret_array&& other) noexcept : data_(other.data_) {
    wipe(other.data_);
  }
  secret_array& operator=(secret_array&& other) noexcept {
    if (this != &other) {
      data_ = other.data_;
      wipe(other.data_);
    }
    return *this;
  }

  static constexpr std::size_t size() noexcept { return N; }
  std::byte* data() noexcept { return data_.data(); }
  const std::byte* data() const noexcept { return data_.data(); }
  std::span<std::byte, N> span() noexcept { return data_; }
  std::span<const std::byte, N> view() const noexcept { return data_; }

 private:
  std::array<std::byte, N> data_;
};

// Text such as a passphrase. Move-only; the characters are wiped when it goes,
// and growth leaves no copy behind.
class secret_string {
 public:
  secret_string() = default;
  explicit secret_string(std::string_view text) : text_(text) {}
  ~secret_string() { clear(); }
  secret_string(const secret_string&) = delete;
  secret_string& operator=(const secret_string&) = delete;
  secret_string(secret_string&& other) noexcept {
    text_.swap(other.text_);
    other.clear();  // a short text was copied, not handed over
  }
  secret_string& operator=(secret_string&& other) noexcept {
    clear();
    text_.swap(other.text_);
    other.clear();
    return *this;
  }

  void push_back(char c) {
    if (text_.size() == text_.capacity()) {
      std::string larger;
      larger.reserve(text_.capacity() * 2 + 64);
      larger.assign(text_);
      clear();
      text_.swap(larger);
    }
    text_.push_back(c);
  }
  void append(std::string_view more) {
    for (char c : more) push_back(c);
  }
  void pop_back() noexcept {
    text_.back() = '\0';
    text_.pop_back();
  }
  void clear() noexcept {
    wipe(text_.data(), text_.capacity());
    text_.clear();
  }
  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
  [[nodiscard]] std::string_view view() const noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace nexus
