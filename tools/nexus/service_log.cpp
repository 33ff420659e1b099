#include "service_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdio>

#include "files.hpp"
#include "times.hpp"

namespace nexus::queue {

service_log::service_log(std::filesystem::path file) : file_(std::move(file)) {
  std::error_code error;
  std::filesystem::create_directories(file_.parent_path(), error);
}

void service_log::say(std::string_view text) {
  const std::string line = fmt::format("[{}] {}\n", show_time(now_ms()), text);
  const std::lock_guard guard(mutex_);
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
  const file_descriptor file(
      ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (file) static_cast<void>(write_all(file.get(), line));
}

void service_log::check(const status& done) {
  if (done.ok()) return;
  {
    const std::lock_guard guard(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (done.message() == last_failure_ &&
        now - said_ < std::chrono::minutes(1)) {
      return;
    }
    last_failure_ = done.message();
    said_ = now;
  }
  say("Error: " + done.message());
}

std::string where_of(const job& which) {
  if (which.gpu.empty()) return "no GPU";
  const bool several = which.gpu.find(',') != std::string::npos;
  return (several ? "GPUs " : "GPU ") + which.gpu;
}

std::string describe_end(const job& which) {
  const std::string place = where_of(which);
  switch (which.state) {
    case job_state::completed:
      return fmt::format("Job {} completed successfully on {}", which.id,
                         place);
    case job_state::killed:
      return fmt::format("Job {} killed on {}", which.id, place);
    case job_state::queued:
      return fmt::format("Job {} is queued again{}", which.id,
                         which.error.empty() ? "" : ": " + which.error);
    default:
      break;
  }
  std::string text = fmt::format("Job {} failed", which.id);
  if (which.started) text += " on " + place;
  if (which.exit_status) {
    text += fmt::format(" with exit status {}", *which.exit_status);
  }
  if (!which.error.empty()) text += ": " + which.error;
  return text;
}

std::string one_line(std::string_view command) {
  std::string text;
  for (const char c : command) {
    if (c == '\n') {
      text += "\u2424";
    } else {
      text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
  }
  return text;
}

}  // namespace nexus::queue
