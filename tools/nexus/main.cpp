#include "arguments.hpp"

int main(int count, char** words) {
  return nexus::queue::run_command_line(count, words);
}
