// logs, attach.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "commands.hpp"
#include "files.hpp"
#include "launcher.hpp"
#include "screen.hpp"
#include "service_control.hpp"

namespace nexus::queue {
namespace {

// A log, read on from where one was.
class log_reader {
 public:
  log_reader(std::filesystem::path path, int into)
      : path_(std::move(path)), into_(into) {}

  // From the start of the last `lines`.
  void skip_to_tail(std::int64_t lines);
  // Copies what is new. True: there was something.
  bool copy();
  [[nodiscard]] bool broken() const noexcept { return broken_; }

 private:
  bool open();

  std::filesystem::path path_;
  int into_;
  file_descriptor file_;
  bool broken_ = false;
};

bool log_reader::open() {
  if (!file_) {
    file_ = file_descriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  }
  return static_cast<bool>(file_);
}

void log_reader::skip_to_tail(std::int64_t lines) {
  if (!open()) return;
  off_t at = ::lseek(file_.get(), 0, SEEK_END);
  char block[65536];
  std::int64_t ends = 0;
  const off_t size = at;
  while (at > 0) {
    const off_t from = std::max<off_t>(0, at - off_t{sizeof block});
    const ssize_t got =
        ::pread(file_.get(), block, static_cast<std::size_t>(at - from), from);
    if (got <= 0) break;
    for (ssize_t i = got; i-- > 0;) {
      // The end of the last line is not the start of another.
      if (block[i] != '\n' || from + i == size - 1) continue;
      if (++ends == lines) {
        ::lseek(file_.get(), from + i + 1, SEEK_SET);
        return;
      }
    }
    at = from;
  }
  ::lseek(file_.get(), lines == 0 ? size : 0, SEEK_SET);
}

bool log_reader::copy() {
  if (!open()) return false;
  char block[65536];
  bool any = false;
  for (;;) {
    const ssize_t got = ::read(file_.get(), block, sizeof block);
    if (got <= 0) return any;
    any = true;
    if (!write_all(into_, {block, static_cast<std::size_t>(got)})) {
      broken_ = true;
      return false;
    }
  }
}

void follow(context& all, const std::string& id, log_reader& out,
            log_reader& error) {
  for (;;) {
    // Asked before the logs are read: nothing that it wrote is left out.
    const auto now = all.jobs.find(id);
    const bool from_out = out.copy();
    const bool any = error.copy() || from_out;
    if (out.broken() || error.broken()) return;
    if (!now || (is_finished(now->state) && !any)) return;
    if (!any) ::usleep(100000);
  }
}

}  // namespace

// Each to its own: standard output to standard output.
int logs_command(context& all, const arguments& given) {
  const std::string& word = given.words[0];
  if (word == "service") {
    log_reader log(all.values.log_dir / "service.log", STDOUT_FILENO);
    if (given.tail >= 0) log.skip_to_tail(given.tail);
    do {
      log.copy();
      if (given.follow) ::usleep(200000);
    } while (given.follow && !log.broken());
    return 0;
  }
  const auto found = all.jobs.find(word);
  if (!found) return complain(found.error());
  if (found->attempt == 0 && !given.follow) {
    return complain({status_code::invalid_argument,
                     fmt::format("job {} has not started yet", word)});
  }
  const auto folder = log_folder(all.values, found->id);
  log_reader out(folder / "stdout.log", STDOUT_FILENO);
  log_reader error(folder / "stderr.log", STDERR_FILENO);
  if (given.tail >= 0) {
    out.skip_to_tail(given.tail);
    error.skip_to_tail(given.tail);
  }
  if (given.follow) {
    follow(all, found->id, out, error);
  } else {
    out.copy();
    error.copy();
  }
  return 0;
}

int attach_command(context& all, const arguments& given) {
  const std::string& word = given.words[0];
  if (word == "service") {
    const auto service = running_service(all.where);
    if (service.session.empty()) {
      return complain({status_code::invalid_argument,
                       "there is no session of the service",
                       "`nexus` starts it"});
    }
    return complain(attach_session(service.session));
  }
  const auto found = find_running(all, word);
  if (!found) return complain(found.error());
  if (found->session.empty()) {
    return complain({status_code::invalid_argument,
                     fmt::format("job {} is just starting", found->id),
                     "try again"});
  }
  return complain(attach_session(found->session));
}

}  // namespace nexus::queue
