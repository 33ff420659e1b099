// The command line.
#pragma once

namespace nexus::queue {

// Returns the exit status: that of the command, 2 where the line makes no
// sense.
int run_command_line(int count, char** words);

}  // namespace nexus::queue
