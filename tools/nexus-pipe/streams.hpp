// The two ends of a run, checked before anything is made.
#pragma once

#include <memory>
#include <nexus/status.hpp>
#include <nexus/stream.hpp>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "text_guard.hpp"

namespace nexus::tool {

// What may be written to a terminal that is standard output, unless the user
// forced it with "-o -".
enum class terminal_output { anything, text_only, nothing };

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
