#include "isolate/worker_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <future>

#include "async/thread_setup.hpp"

extern char** environ;

namespace nexus::isolate {
namespace {

// A first kernel that OpenCL compiles may take half a minute.
constexpr auto open_patience = std::chrono::seconds(120);
constexpr int close_patience_ms = 5000;
constexpr int kill_patience_ms = 3000;  // after SIGKILL
constexpr int look_ms = 20;  // at memory that a cgroup does not limit
constexpr std::size_t max_line = 400;

// posix_spawn's file actions read better with a name each.
class file_actions {
 public:
  file_actions() { ::posix_spawn_file_actions_init(&actions_); }
  ~file_actions() { ::posix_spawn_file_actions_destroy(&actions_); }
  file_actions(const file_actions&) = delete;
  file_actions& operator=(const file_actions&) = delete;
  void null(int fd, int flags) {
    ::posix_spawn_file_actions_addopen(&actions_, fd, "/dev/null", flags, 0);
  }
  void place(int from, int to) {
    ::posix_spawn_file_actions_adddup2(&actions_, from, to);
  }
  void close_from(int fd) {
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, fd);
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// A session of its own: keys pressed at the terminal are for the parent, which
// tells its helpers what to do.
class spawn_attributes {
 public:
  spawn_attributes() {
    ::posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID |
                                                 POSIX_SPAWN_SETSIGMASK |
                                                 POSIX_SPAWN_SETSIGDEF);
  }
  ~spawn_attributes() { ::posix_spawnattr_destroy(&attributes_); }
  spawn_attributes(const spawn_attributes&) = delete;
  spawn_attributes& operator=(const spawn_attributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

// Out of the way of the numbers that the helper's descriptors get.
descriptor high(int fd) {
  return descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 10));
}

status failed(const std::string& what, int error) {
  return {status_code::device_failed, what + ": " + std::strerror(error)};
}

// At a signal of its own a process may be said to have crashed.
std::string signal_text(int number) {
  const char* text = ::sigdescr_np(number);
  return text != nullptr ? text : "signal " + std::to_string(number);
}

template <class T>
bool read_as(std::span<const std::byte> packet, T& into) {
  if (packet.size() != sizeof into) return false;
  std::memcpy(&into, packet.data(), sizeof into);
  return true;
}

template <std::size_t N>
std::string text_of(const char (&text)[N]) {
  return {text, ::strnlen(text, N)};
}

}  // namespace

result<std::shared_ptr<worker_process>> worker_process::start(
    const worker_settings& settings, const std::function<bool()>& give_up,
    bool& gone) {
  std::shared_ptr<worker_process> made(new worker_process);
  made->name_ = settings.name;
  made->log_ = settings.log;
  status done = made->spawn(settings);
  if (done.ok()) done = made->greet(settings.greeting, give_up, gone);
  if (!done.ok()) return done;
  return made;
}

status worker_process::spawn(const worker_settings& settings) {
  oom_kills_ = oom_kill_count();
  auto control = socket_pair();
  int pipe_ends[2];
  if (!control || ::pipe2(pipe_ends, O_CLOEXEC) != 0)
    return failed("no descriptors for a helper process", errno);
  words_ = descriptor(pipe_ends[0]);
  const descriptor its_words(pipe_ends[1]);
  control_ = std::move(control->first);
  const descriptor its_control = high(control->second.get());
  const descriptor its_error = high(its_words.get());
  if (!its_control || !its_error)
    return failed("no descriptors for a helper process", errno);
  file_actions files;
  files.null(0, O_RDONLY);
  files.null(1, O_WRONLY);
  files.place(its_error.get(), 2);
  files.place(its_control.get(), control_descriptor);
  files.close_from(control_descriptor + 1);
  (void)::fcntl(words_.get(), F_SETFL, O_NONBLOCK);
  std::promise<int> started;
  std::future<int> error = started.get_future();
  // The helper asks to be killed when the thread that started it ends: so it is
  // the one that watches it to its end.
  try {
    watcher_ = std::thread([this, &settings, &files, &started] {
      set_up_thread("nexus-watch");
      const int failure = execute(settings.program, files.get());
      const bool runs = failure == 0;
      if (runs) memory_.begin(pid_, settings.memory_bytes);
      started.set_value(failure);
      if (runs) watch();
    });
  } catch (const std::system_error&) {
    return {status_code::device_failed, "no thread for a helper process"};
  }
  const int failure = error.get();
  if (failure != 0) return failed("cannot start " + settings.program, failure);
  return {};
}

// errno, or 0.
int worker_process::execute(const std::string& program,
                            const posix_spawn_file_actions_t* files) {
  const spawn_attributes attributes;
  char name[] = "nexus-pipe-worker";
  char* const arguments[] = {name, nullptr};
  pid_t made = -1;
  const int error = ::posix_spawn(&made, program.c_str(), files,
                                  attributes.get(), arguments, environ);
  if (error != 0) return error;
  pid_ = made;
  // Nobody else waits for it, so its number is still its own.
  pidfd_ = descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  alive_ = true;
  return 0;
}

status worker_process::greet(const hello& greeting,
                             const std::function<bool()>& give_up, bool& gone) {
  std::vector<descriptor> theirs;
  std::vector<int> numbers;
  for (std::uint32_t i = 0; i < greeting.slot_count; ++i) {
    auto pair = socket_pair();
    if (!pair) return failed("no sockets for a helper process", errno);
    slots_.push_back(std::move(pair->first));
    numbers.push_back(pair->second.get());
    theirs.push_back(std::move(pair->second));
  }
  const auto limit = std::chrono::steady_clock::now() + open_patience;
  // A helper that heard nothing would be waited for.
  if (send_packet(control_.get(), packet(greeting), numbers) !=
      channel_state::ok)
    end("it could not be greeted");
  std::unique_lock lock(mutex_);
  while (!opened_ && alive_) {
    answered_.wait_for(lock, std::chrono::milliseconds(50));
    const bool late = std::chrono::steady_clock::now() > limit;
    if (opened_ || !alive_ || (!late && !give_up())) continue;
    lock.unlock();
    end(late ? "it did not open its device in time" : "it was not needed");
    lock.lock();
  }
  if (!opened_) {
    lock.unlock();
    return {status_code::device_failed, cause()};
  }
  if (opened_->status == NEXUS_OK) return {};
  gone = opened_->status == NEXUS_E_LOST;
  return {status_code::device_failed, text_of(opened_->text)};
}

worker_process::~worker_process() {
  {
    const std::lock_guard lock(mutex_);
    if (why_.empty()) why_ = "it was closed";
  }
  if (pid_ < 0) {
    if (watcher_.joinable()) watcher_.join();
    return;
  }
  // It ends when nobody speaks to it any more.
  (void)::shutdown(control_.get(), SHUT_RDWR);
  slots_.clear();
  reap(close_patience_ms);
  if (watcher_.joinable()) watcher_.join();
}

bool worker_process::meets(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  return !met_.insert(id).second;
}

void worker_process::send_control(std::span<const std::byte> data) noexcept {
  // A helper that reads nothing is no reason to wait: it is given up by time.
  (void)send_if_room(control_.get(), data);
}

void worker_process::say(const std::string& line) const {
  if (log_) log_(name_ + ": " + line);
}

// ---- the watching thread ---------------------------------------------------

void worker_process::watch() {
  const int tick = memory_.needs_looking() ? look_ms : -1;
  for (;;) {
    pollfd waits[] = {{control_.get(), POLLIN, 0}, {words_.get(), POLLIN, 0}};
    if (::poll(waits, 2, tick) < 0 && errno != EINTR) break;
    if (waits[1].revents != 0) read_words();
    if (waits[0].revents != 0 && !read_control()) break;
    if (auto too_much = memory_.exceeded()) end(*too_much);
  }
  {
    const std::lock_guard lock(mutex_);
    alive_ = false;
  }
  read_words();
  if (!line_.empty()) say(line_);
  answered_.notify_all();
  // Here too: nobody may have a job for it, or close it, for hours.
  reap(close_patience_ms);
}

// False: it says nothing more.
bool worker_process::read_control() {
  alignas(8) std::byte room[sizeof(log_line)];
  std::size_t size = 0;
  const auto state = receive_packet(control_.get(), room, size);
  if (state == channel_state::ok) take(std::span(room).first(size));
  if (state == channel_state::garbage) end("it sent what makes no sense");
  return state != channel_state::closed;
}

void worker_process::take(std::span<const std::byte> packet) {
  message kind{};
  if (packet.size() >= sizeof kind)
    std::memcpy(&kind, packet.data(), sizeof kind);
  log_line said;
  if (kind == message::log_line && read_as(packet, said))
    return say(text_of(said.text));
  std::unique_lock lock(mutex_);
  health well;
  if (kind == message::health && read_as(packet, well)) {
    if (well.turn == turn_) answer_ = well;
    answered_.notify_all();
    return;
  }
  opened ready;
  if (kind == message::opened && read_as(packet, ready)) {
    opened_ = ready;
    answered_.notify_all();
    return;
  }
  lock.unlock();
  end("it sent what makes no sense");
}

// What a plugin or a library of its prints, line by line.
void worker_process::read_words() {
  char room[1024];
  for (;;) {
    const ssize_t got = ::read(words_.get(), room, sizeof room);
    if (got <= 0) {
      // At the end poll() would not stop telling.
      if (got == 0) words_.reset();
      return;
    }
    for (const char c : std::string_view(room, static_cast<std::size_t>(got))) {
      if (c != '\n' && line_.size() < max_line) line_.push_back(c);
      if (c != '\n') continue;
      say(line_);
      line_.clear();
    }
  }
}

// ---- its health and its end ------------------------------------------------

nexus_health worker_process::ask_health(double seconds) {
  std::unique_lock lock(mutex_);
  answer_.reset();
  isolate::ask_health question;
  question.turn = ++turn_;
  send_control(packet(question));
  const auto patience = std::chrono::duration<double>(seconds);
  answered_.wait_for(lock, patience, [this] { return answer_ || !alive_; });
  nexus_health said{};
  said.size = sizeof said;
  if (answer_) {
    said.status = answer_->status;
    std::memcpy(said.message, answer_->text, sizeof said.message);
    return said;
  }
  lock.unlock();
  end("it did not say how it is");
  said.status = NEXUS_E_DEVICE;
  std::strncpy(said.message, cause().c_str(), sizeof said.message - 1);
  return said;
}

void worker_process::end(const std::string& why) noexcept {
  const std::lock_guard lock(mutex_);
  if (!cause_.empty()) return;  // its number may be another's now
  try {
    if (why_.empty()) why_ = why;
  } catch (const std::bad_alloc&) {
    // Without words, then.
  }
  kill_it();
}

// By its descriptor: a host that ignores SIGCHLD, or waits for any child, may
// have freed the number for another process.
void worker_process::kill_it() const noexcept {
  if (pidfd_)
    (void)::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  else if (pid_ > 0)
    (void)::kill(pid_, SIGKILL);
}

bool worker_process::ended(int wait_ms) const {
  if (pidfd_) {
    pollfd exit{pidfd_.get(), POLLIN, 0};
    return ::poll(&exit, 1, wait_ms) == 1;
  }
  // The system has no such descriptors, or none left: it is asked now and then.
  constexpr int step_ms = 10;
  for (;; wait_ms -= step_ms) {
    siginfo_t how{};
    const int got = ::waitid(P_PID, static_cast<id_t>(pid_), &how,
                             WEXITED | WNOHANG | WNOWAIT);
    if (got == 0 ? how.si_pid != 0 : errno != EINTR) return true;
    if (wait_ms <= 0) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(step_ms));
  }
}

std::string worker_process::cause() {
  reap(close_patience_ms);
  const std::lock_guard lock(mutex_);
  return cause_;
}

void worker_process::reap(int patience_ms) {
  {
    const std::lock_guard lock(mutex_);
    if (!cause_.empty()) return;
  }
  if (!ended(patience_ms)) {
    end("it said nothing any more");
    // One that waits for a driver in the kernel does not hear of it.
    (void)ended(kill_patience_ms);
  }
  const std::lock_guard lock(mutex_);
  if (!cause_.empty()) return;
  siginfo_t how{};
  constexpr int options = WEXITED | WNOHANG;
  int got = 0;
  do {
    got = pidfd_ ? ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &how,
                            options)
                 : ::waitid(P_PID, static_cast<id_t>(pid_), &how, options);
  } while (got != 0 && errno == EINTR);
  alive_ = false;
  if (got != 0)
    cause_ = "its process is gone";
  else if (how.si_pid == 0)  // and it stays, until this process ends
    cause_ = "its process cannot be ended: " + why_;
  else
    cause_ = describe_end(how.si_code, how.si_status);
}

std::string worker_process::describe_end(int code, int status) const {
  const bool killed = code == CLD_KILLED || code == CLD_DUMPED;
  if (memory_.killed_by_group())
    return "its process was killed: it took more memory than it may";
  if (!why_.empty()) return "its process was ended: " + why_;
  if (!killed)
    return "its process exited with status " + std::to_string(status);
  if (status == SIGKILL && oom_kill_count() != oom_kills_)
    return "its process was killed by the kernel for lack of memory";
  if (status == SIGKILL || status == SIGTERM || status == SIGINT)
    return "its process was killed: " + signal_text(status);
  return "its process crashed: " + signal_text(status);
}

}  // namespace nexus::isolate
