// Keeps what would confuse a terminal away from it.
#pragma once

#include <cstddef>
#include <nexus/status.hpp>
#include <nexus/stream.hpp>
#include <span>
#include <vector>

namespace nexus::tool {

// Holds output for a terminal until it is known to be text: all of it up to a
// limit; beyond that each further piece is checked before it is shown.
class text_guard {
 public:
  // show: gets what may be seen.
  explicit text_guard(sink::callback show, std::size_t hold_bytes = 1u << 20);
  ~text_guard();
  text_guard(const text_guard&) = delete;
  text_guard& operator=(const text_guard&) = delete;

  // invalid_argument for control characters other than \n, \r and \t.
  status write(std::span<const std::byte> data);
  // At the end of a run that worked.
  status flush();

 private:
  sink::callback show_;
  std::size_t hold_bytes_;
  std::vector<std::byte> held_;
  bool after_c2_ = false;  // the byte before was UTF-8's lead of U+0080..
};

// What such output is refused with.
[[nodiscard]] status binary_output();

}  // namespace nexus::tool
