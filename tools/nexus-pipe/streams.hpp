// The two ends of a run, checked before anything is made.
#pragma once

#include <memory>
#include <nexus/status.hpp>
#include <nexus/stream.hpp>
#include <span>
#include <string>
#include <vector>

#include "arguments.hpp"

namespace nexus::tool {

// What may be written to a terminal that is standard output, unless the user
// forced it with "-o -".
enum class terminal_output { anything, text_only, nothing };

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

struct stream_pair {
  source from;
  sink to;
  std::unique_ptr<text_guard> guard;  // `to` writes into it
  bool to_terminal = false;
};

// others: files of keys, which the output must not replace either.
// invalid_argument: the output is one of the inputs (by device and inode), or
// would go to a terminal that it does not suit.
[[nodiscard]] result<stream_pair> open_streams(
    const stream_arguments& arguments, terminal_output policy,
    const std::vector<std::string>& others = {});

}  // namespace nexus::tool
