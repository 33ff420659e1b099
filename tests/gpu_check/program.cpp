#include "program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string_view>

extern char** environ;

namespace gpu_check {
namespace {

using clock = std::chrono::steady_clock;
using json = nlohmann::ordered_json;

std::vector<std::string> changed_environment(
    const std::map<std::string, std::string>& changes) {
  std::vector<std::string> made;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view entry = *at;
    if (!changes.contains(std::string(entry.substr(0, entry.find('=')))))
      made.emplace_back(entry);
  }
  for (const auto& [name, value] : changes) made.push_back(name + "=" + value);
  return made;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> made;
  for (std::string& text : texts) made.push_back(text.data());
  made.push_back(nullptr);
  return made;
}

// The id of a process in a group of its own, or -1.
pid_t spawn(std::vector<std::string> words,
            std::vector<std::string> environment, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t child = -1;
  const int failed = ::posix_spawnp(&child, words[0].c_str(), &actions,
                                    &attributes, pointers_to(words).data(),
                                    pointers_to(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return failed == 0 ? child : -1;
}

// Appends what comes until the end, or until the time is up: false.
bool read_until(int from, clock::time_point end, std::string& to) {
  char piece[65536];
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - clock::now());
    if (left.count() <= 0) return false;
    pollfd wait{from, POLLIN, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = ::read(from, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    to.append(piece, static_cast<std::size_t>(got));
  }
}

bool begins(std::string_view line, std::string_view with) {
  return line.substr(0, with.size()) == with;
}

// "NAME, where GetParam() = ... (12 ms)": the name, and the seconds.
std::string name_in(std::string_view rest, double& seconds) {
  const std::size_t bracket = rest.rfind('(');
  if (bracket != std::string_view::npos)
    seconds = std::atof(rest.data() + bracket + 1) / 1000;
  return std::string(rest.substr(0, rest.find_first_of(", ")));
}

std::string ending_of(const std::string& said) {
  constexpr std::size_t most = 2000;
  const std::size_t end = said.find_last_not_of('\n');
  const std::string text =
      end == std::string::npos ? "" : said.substr(0, end + 1);
  return text.size() > most ? "..." + text.substr(text.size() - most) : text;
}

}  // namespace

ended run_program(const std::vector<std::string>& words,
                  const std::map<std::string, std::string>& changes,
                  std::chrono::seconds limit) {
  ended made;
  const auto began = clock::now();
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) {
    made.output = std::strerror(errno);
    return made;
  }
  const pid_t child = spawn(words, changed_environment(changes), pipe[1]);
  ::close(pipe[1]);
  if (child < 0) {
    made.status = 127;
    made.output = words[0] + " could not be started";
  } else {
    made.timed_out = !read_until(pipe[0], began + limit, made.output);
    if (made.timed_out) ::kill(-child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    made.status =
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  ::close(pipe[0]);
  made.seconds = std::chrono::duration<double>(clock::now() - began).count();
  return made;
}

std::string command_line(const std::vector<std::string>& words,
                         const std::map<std::string, std::string>& changes) {
  std::string line;
  const auto add = [&line](const std::string& word) {
    if (!line.empty()) line += ' ';
    const bool plain = word.find_first_of(" '*\"$&;|<>()") == word.npos;
    line += plain ? word : "'" + word + "'";
  };
  for (const auto& [name, value] : changes) add(name + "=" + value);
  for (const std::string& word : words) add(word);
  return line;
}

json tests_of(const std::string& output) {
  json all = json::array();
  std::istringstream lines(output);
  std::string said, running;
  const auto end = [&](std::string_view rest, const char* result) {
    double seconds = 0;
    const std::string name = name_in(rest, seconds);
    if (name != running) return;  // the list at the end
    json made = {{"name", name}, {"result", result}, {"seconds", seconds}};
    if (std::string_view(result) != "passed") made["reason"] = ending_of(said);
    all.push_back(std::move(made));
    running.clear();
  };
  for (std::string line; std::getline(lines, line);) {
    const std::string_view text = line;
    constexpr std::size_t mark = 13;  // "[ RUN      ] "
    if (begins(text, "[ RUN      ] ")) {
      running = line.substr(mark);
      said.clear();
    } else if (begins(text, "[       OK ] ")) {
      end(text.substr(mark), "passed");
    } else if (begins(text, "[  FAILED  ] ")) {
      end(text.substr(mark), "failed");
    } else if (begins(text, "[  SKIPPED ] ")) {
      end(text.substr(mark), "skipped");
    } else {
      said += line + "\n";
    }
  }
  if (!running.empty()) {
    all.push_back({{"name", running},
                   {"result", "failed"},
                   {"reason", "it did not end: " + ending_of(said)}});
  }
  return all;
}

}  // namespace gpu_check
