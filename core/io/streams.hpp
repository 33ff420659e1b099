// What stands behind the public source and sink.
#pragma once

#include <nexus/stream.hpp>
#include <string>

#include "base/bytes.hpp"

namespace nexus::detail {

struct source_state {
  enum class kind { descriptor, memory, callback } what = kind::descriptor;
  std::string name;
  int fd = -1;
  bool owns_fd = false;
  byte_view memory;
  source::callback read;
  std::optional<std::uint64_t> size;  // of a callback's stream

  source_state() = default;
  ~source_state();
  source_state(const source_state&) = delete;
  source_state& operator=(const source_state&) = delete;
};

struct sink_state {
  enum class kind { file, descriptor, memory, callback, discard };
  kind what = kind::discard;
  std::string name;
  std::string path;
  file_sink_options options;
  int fd = -1;
  bytes* memory = nullptr;
  sink::callback write;
};

}  // namespace nexus::detail
