#include "io/streams.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nexus {

namespace detail {

source_state::~source_state() {
  if (owns_fd && fd >= 0) ::close(fd);
}

}  // namespace detail

source::source(std::unique_ptr<detail::source_state> state) noexcept
    : state_(std::move(state)) {}
source::source(source&&) noexcept = default;
source& source::operator=(source&&) noexcept = default;
source::~source() = default;

const std::string& source::name() const noexcept {
  return state_->name;
}

result<source> source::from_file(const std::string& path) {
  auto failure = [&path](int error) {
    return status(status_code::io_error,
                  "cannot read " + path + ": " + std::strerror(error), {},
                  error);
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return failure(errno);
  auto state = std::make_unique<detail::source_state>();
  state->name = path;
  state->fd = fd;
  state->owns_fd = true;
  struct stat info{};
  if (::fstat(fd, &info) != 0) return failure(errno);
  if (S_ISDIR(info.st_mode)) return failure(EISDIR);
  return source(std::move(state));
}

source source::from_descriptor(int fd, std::string name) {
  auto state = std::make_unique<detail::source_state>();
  state->fd = fd;
  state->name =
      name.empty() ? "descriptor " + std::to_string(fd) : std::move(name);
  return source(std::move(state));
}

source source::from_memory(std::span<const std::byte> data) {
  auto state = std::make_unique<detail::source_state>();
  state->what = detail::source_state::kind::memory;
  state->name = "memory";
  state->memory = data;
  return source(std::move(state));
}

source source::from_callback(callback read, std::optional<std::uint64_t> size) {
  auto state = std::make_unique<detail::source_state>();
  state->what = detail::source_state::kind::callback;
  state->name = "the source";
  state->read = std::move(read);
  state->size = size;
  return source(std::move(state));
}

sink::sink(std::unique_ptr<detail::sink_state> state) noexcept
    : state_(std::move(state)) {}
sink::sink(sink&&) noexcept = default;
sink& sink::operator=(sink&&) noexcept = default;
sink::~sink() = default;

const std::string& sink::name() const noexcept {
  return state_->name;
}

sink sink::to_file(std::string path, file_sink_options options) {
  auto state = std::make_unique<detail::sink_state>();
  state->what = detail::sink_state::kind::file;
  state->name = path;
  state->path = std::move(path);
  state->options = options;
  return sink(std::move(state));
}

sink sink::to_descriptor(int fd, std::string name) {
  auto state = std::make_unique<detail::sink_state>();
  state->what = detail::sink_state::kind::descriptor;
  state->fd = fd;
  state->name =
      name.empty() ? "descriptor " + std::to_string(fd) : std::move(name);
  return sink(std::move(state));
}

sink sink::to_memory(std::vector<std::byte>& out) {
  auto state = std::make_unique<detail::sink_state>();
  state->what = detail::sink_state::kind::memory;
  state->name = "memory";
  state->memory = &out;
  return sink(std::move(state));
}

sink sink::to_callback(callback write) {
  auto state = std::make_unique<detail::sink_state>();
  state->what = detail::sink_state::kind::callback;
  state->name = "the sink";
  state->write = std::move(write);
  return sink(std::move(state));
}

sink sink::discard() {
  auto state = std::make_unique<detail::sink_state>();
  state->name = "nowhere";
  return sink(std::move(state));
}

}  // namespace nexus
