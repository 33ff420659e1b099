// The two ends of a run, checked before anything is made.
#pragma once

#include <memory>
#include <nexus/status.hpp>
#include <nexus/stream.hpp>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "files.hpp"
#include "stop_event.hpp"
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
  // Named pipes, see connect().
  descriptor input_fifo;    // what `from` reads
  descriptor output_fifo;   // what `to` writes
  std::string output_path;  // of one that is not open yet
};

// others: files of keys, which the output must not replace either.
// invalid_argument: the output, or a file that tells of the run, is one of the
// other files (by device and inode), or the output would go to a terminal that
// it does not suit.
[[nodiscard]] result<stream_pair> open_streams(
    const stream_arguments& arguments, terminal_output policy,
    const std::vector<std::string>& others = {});

// The same for a command without an output.
[[nodiscard]] result<stream_pair> open_input(const stream_arguments& arguments);

// invalid_argument: the output is one of the inputs, by device and inode. "-"
// is standard output, or standard input.
[[nodiscard]] status check_distinct(const std::string& output,
                                    const std::vector<std::string>& inputs);

// Waits until named pipes have their other ends: somebody who wrote or closed,
// somebody who reads. To be called ahead of a run. cancelled: a stop was
// requested. io_error: the output cannot be opened.
[[nodiscard]] status connect(stream_pair& streams, const stop_event& stop);

}  // namespace nexus::tool
