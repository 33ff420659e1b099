// One output of a job: a terminal of its own, which goes into a log and to
// whoever is attached.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nexus/status.hpp>
#include <string>

#include "files.hpp"

namespace nexus::queue {

class output_relay {
 public:
  // Opens the log for appending and a new terminal. `screen`: where what is
  // written is shown; must not block.
  [[nodiscard]] static result<output_relay> open(
      const std::filesystem::path& log, int screen);

  [[nodiscard]] int terminal() const noexcept { return terminal_.get(); }
  // What the job gets. Closed here once the job has it.
  [[nodiscard]] int job_side() const noexcept { return job_side_.get(); }
  void close_job_side() noexcept { job_side_.reset(); }
  [[nodiscard]] bool ended() const noexcept { return !terminal_; }

  // Takes the size of the terminal `from`.
  void copy_size(int from) noexcept;
  // Moves what is there; false: there was nothing.
  bool relay();
  // Bytes that the log could not take, and why the first of them.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  void keep(std::string_view text);

  file_descriptor terminal_;
  file_descriptor job_side_;
  file_descriptor log_;
  int screen_ = -1;
  std::uint64_t lost_ = 0;
  std::string problem_;
};

}  // namespace nexus::queue
