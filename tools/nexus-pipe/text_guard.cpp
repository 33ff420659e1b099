#include "text_guard.hpp"

#include <nexus/secret.hpp>
#include <utility>

namespace nexus::tool {

status binary_output() {
  return {status_code::invalid_argument,
          "the output is binary, and would go to a terminal",
          "write it to a file with -o FILE, or force it with -o -"};
}

text_guard::text_guard(sink::callback show, std::size_t hold_bytes)
    : show_(std::move(show)), hold_bytes_(hold_bytes) {}

text_guard::~text_guard() {
  wipe(held_);
}

status text_guard::write(std::span<const std::byte> data) {
  for (const std::byte byte : data) {
    const auto c = std::to_integer<unsigned>(byte);
    const bool c1 = after_c2_ && c >= 0x80 && c < 0xa0;
    after_c2_ = c == 0xc2;
    const bool c0 = (c < 0x20 && c != '\n' && c != '\r' && c != '\t');
    if (c0 || c1 || c == 0x7f) return binary_output();
  }
  if (hold_bytes_ == 0) return show_(data);
  // Reserved once: growing would leave copies of the plaintext behind.
  held_.reserve(hold_bytes_);
  if (data.size() <= hold_bytes_ - held_.size()) {
    held_.insert(held_.end(), data.begin(), data.end());
    return {};
  }
  if (status s = flush(); !s.ok()) return s;
  hold_bytes_ = 0;
  return show_(data);
}

status text_guard::flush() {
  if (held_.empty()) return {};
  const status shown = show_(held_);
  wipe(held_);
  held_.clear();
  return shown;
}

}  // namespace nexus::tool
