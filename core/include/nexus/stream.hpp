// Where bytes come from and where they go. Both are move-only descriptions:
// nothing is read or written before a run begins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nexus/export.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nexus {

namespace detail {
struct source_state;
struct sink_state;
}  // namespace detail

// An input stream. A regular file is read from its current offset to the size
// it has when the run begins, several requests in flight; anything else is
// read in order, to its end.
class NEXUS_API source {
 public:
  // Fills part of the buffer and returns how much: 0 is the end. Called in
  // sequence, on a thread of the engine's that may block; never concurrently.
  using callback = std::function<result<std::size_t>(std::span<std::byte>)>;

  // Opens for reading. io_error where that fails or the path is a directory.
  [[nodiscard]] static result<source> from_file(const std::string& path);
  // Borrows: fd must stay open until the run has ended, and is left there, with
  // its offset after the last byte that was used.
  [[nodiscard]] static source from_descriptor(int fd, std::string name = {});
  // Borrows: data must outlive the run.
  [[nodiscard]] static source from_memory(std::span<const std::byte> data);
  // size: bytes in all where known; it only guides planning.
  [[nodiscard]] static source from_callback(
      callback read, std::optional<std::uint64_t> size = {});

  source(source&&) noexcept;
  source& operator=(source&&) noexcept;
  ~source();

  // How messages call it, such as "standard input".
  [[nodiscard]] const std::string& name() const noexcept;

  // Library internals.
  [[nodiscard]] detail::source_state& state() noexcept { return *state_; }

 private:
  explicit source(std::unique_ptr<detail::source_state> state) noexcept;
  std::unique_ptr<detail::source_state> state_;
};

struct file_sink_options {
  // fsync the file and its directory before the run reports success.
  bool sync = true;
};

// An output stream. Bytes are written in order, and only a prefix of the
// correct output ever stands there.
class NEXUS_API sink {
 public:
  // Takes the next bytes of the output, all of them. Called in sequence, on a
  // thread of the engine's that may block; never concurrently.
  using callback = std::function<status(std::span<const std::byte>)>;

  // Writes to a temporary beside the path and renames it once everything is
  // there; removes it when the run fails. An existing regular file keeps its
  // permissions; a path that is no regular file is written directly.
  [[nodiscard]] static sink to_file(std::string path,
                                    file_sink_options options = {});
  // Borrows: fd must stay open until the run has ended. Written from its
  // current offset, which is left after the last byte.
  [[nodiscard]] static sink to_descriptor(int fd, std::string name = {});
  // Appends. Borrows: out must outlive the run.
  [[nodiscard]] static sink to_memory(std::vector<std::byte>& out);
  [[nodiscard]] static sink to_callback(callback write);
  // Counts and drops.
  [[nodiscard]] static sink discard();

  sink(sink&&) noexcept;
  sink& operator=(sink&&) noexcept;
  ~sink();

  [[nodiscard]] const std::string& name() const noexcept;

  // Library internals.
  [[nodiscard]] detail::sink_state& state() noexcept { return *state_; }

 private:
  explicit sink(std::unique_ptr<detail::sink_state> state) noexcept;
  std::unique_ptr<detail::sink_state> state_;
};

}  // namespace nexus
