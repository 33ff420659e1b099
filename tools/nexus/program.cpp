#include "program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "files.hpp"

namespace nexus::queue {
namespace {

using clock = std::chrono::steady_clock;

// Until when to wait, and whether to go on.
struct patience {
  clock::time_point until;
  const std::stop_token& stop;

  [[nodiscard]] bool over() const {
    return stop.stop_requested() || clock::now() >= until;
  }
};

bool wait_for_end(pid_t pid, const patience& how_long, int& how) {
  for (;;) {
    const pid_t got = ::waitpid(pid, &how, WNOHANG);
    if (got == pid || (got < 0 && errno != EINTR)) return true;
    if (how_long.over()) return false;
    ::usleep(5000);
  }
}

bool read_to_end(int fd, const patience& how_long, std::string& text) {
  while (!how_long.over()) {
    pollfd wait{fd, POLLIN, 0};
    const int ready = ::poll(&wait, 1, 50);
    if (ready < 0 && errno != EINTR) return false;
    if (ready <= 0) continue;
    char block[4096];
    const ssize_t got = ::read(fd, block, sizeof block);
    if (got <= 0) return true;
    // Nobody who is asked for a few lines has megabytes to say.
    if (text.size() < 1 << 20) text.append(block, static_cast<size_t>(got));
  }
  return false;
}

// Ours, with some variables set.
std::vector<std::string> environment_with(const std::vector<std::string>& set) {
  std::vector<std::string> all = set;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view ours(*entry);
    bool replaced = false;
    for (const auto& one : set) {
      replaced = replaced || ours.starts_with(one.substr(0, one.find('=') + 1));
    }
    if (!replaced) all.emplace_back(ours);
  }
  return all;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const auto& text : texts) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// A file of its own: nobody has to feed a pipe.
result<file_descriptor> input_of(const std::string& text) {
  file_descriptor file(::memfd_create("input", MFD_CLOEXEC));
  if (!file || !write_all(file.get(), text) ||
      ::lseek(file.get(), 0, SEEK_SET) != 0) {
    return system_failure("make", "an input");
  }
  return file;
}

// input, output: -1 stands for /dev/null.
int spawn(const program& asked, int input, int output, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (input < 0) {
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions, input, 0);
  }
  if (output < 0) {
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions, output, 1);
  }
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  // The service blocks signals for itself; what it starts hears them.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t set;
  sigemptyset(&set);
  posix_spawnattr_setsigmask(&attributes, &set);
  sigaddset(&set, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &set);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                         (asked.own_group ? POSIX_SPAWN_SETPGROUP : 0)));
  const auto words = pointers_to(asked.words);
  const auto environment = environment_with(asked.environment);
  const int code =
      ::posix_spawnp(&pid, words[0], &actions, &attributes, words.data(),
                     pointers_to(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return code;
}

}  // namespace

result<command_output> run_program(const program& asked) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_failure("make", "a pipe");
  const file_descriptor from(ends[0]);
  file_descriptor to(ends[1]);
  file_descriptor input;
  if (!asked.input.empty()) {
    auto made = input_of(asked.input);
    if (!made) return made.error();
    input = std::move(made).value();
  }
  pid_t pid = 0;
  const int code =
      spawn(asked, input.get(), asked.keep_output ? to.get() : -1, pid);
  if (code != 0) {
    return status(
        status_code::unsupported,
        fmt::format("cannot run {}: {}", asked.words[0], std::strerror(code)));
  }
  to.reset();
  const patience how_long{clock::now() + asked.limit, asked.stop};
  command_output output;
  int how = 0;
  if ((asked.keep_output && !read_to_end(from.get(), how_long, output.text)) ||
      !wait_for_end(pid, how_long, how)) {
    output.stopped = asked.stop.stop_requested();
    output.timed_out = !output.stopped;
    ::kill(asked.own_group ? -pid : pid, SIGKILL);
    // One that the kernel holds cannot even be killed: it is left behind.
    const std::stop_token none;
    wait_for_end(pid, {clock::now() + std::chrono::milliseconds(200), none},
                 how);
    return output;
  }
  if (WIFEXITED(how)) output.exit_status = WEXITSTATUS(how);
  return output;
}

result<command_output> run_program(const std::vector<std::string>& words,
                                   std::chrono::milliseconds limit) {
  program asked;
  asked.words = words;
  asked.limit = limit;
  return run_program(asked);
}

std::string find_program(std::string_view name) {
  if (name.find('/') != std::string_view::npos) {
    return ::access(std::string(name).c_str(), X_OK) == 0 ? std::string(name)
                                                          : std::string();
  }
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate =
        fmt::format("{}/{}", folder.empty() ? "." : folder, name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace nexus::queue
