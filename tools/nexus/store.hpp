// The one truth: every job there ever was, in a SQLite database. A move from
// state to state is on the disk before anybody acts on it, and happens only
// where the job still is in the state that the caller believes.
#pragma once

#include <cstdint>
#include <nexus/status.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "database.hpp"
#include "process.hpp"

namespace nexus::queue {

// queued -> starting -> running -> completed | failed | killed.
// queued -> removed. starting -> queued where the launcher did not take it.
enum class job_state {
  queued,
  starting,
  running,
  completed,
  failed,
  killed,
  removed
};
[[nodiscard]] std::string_view name_of(job_state state) noexcept;
[[nodiscard]] bool is_finished(job_state state) noexcept;

// What the submitter says.
struct job_request {
  std::string command;
  std::string directory;
  std::string environment;  // NAME=value, each ended by a zero byte
  std::string name;
  std::int64_t gpus = 1;
  std::int64_t priority = 0;    // more goes first
  std::int64_t retries = 0;     // more runs after one that failed
  std::int64_t time_limit = 0;  // seconds; 0: none
};

struct job {
  std::int64_t number = 0;  // counts up in the order of adding
  std::string id;
  job_request asked;  // its environment is empty: see environment_of()
  std::int64_t environment = 0;
  job_state state = job_state::queued;
  std::int64_t position = 0;
  std::int64_t attempt = 0;   // starts so far; tells one from the next
  std::int64_t failures = 0;  // of them, those that failed
  std::string gpu;            // indices, "0" or "0,2"; empty: none
  process_identity launcher;
  pid_t pid = 0;
  pid_t group = 0;
  std::string session;  // of screen, as $STY
  std::int64_t added = 0;
  std::optional<std::int64_t> started;
  std::optional<std::int64_t> ended;
  std::optional<std::int64_t> exit_status;  // 128 + the signal that ended it
  std::string error;                        // why it failed, in words
  bool kill_requested = false;
};

// A GPU or a slot, as the schedule hands it out.
struct unit {
  std::string key;    // the UUID, or "slot:0"
  std::string index;  // as shown; empty for a slot
};

struct outcome {
  job_state state = job_state::failed;
  std::optional<std::int64_t> exit_status;
  std::string error;
};

struct queue_counts {
  std::int64_t queued = 0;
  std::int64_t active = 0;  // starting and running
  std::int64_t finished = 0;
};

class store {
 public:
  // Makes or brings up to date. unsupported: it is of a later version.
  [[nodiscard]] static result<store> open(const std::filesystem::path& path);

  // ---- reading ----
  // Jobs of the states: those queued in the order they will start, all others
  // by number. limit: the last so many; 0: all.
  [[nodiscard]] result<std::vector<job>> list(
      const std::vector<job_state>& states, std::int64_t limit = 0);
  // invalid_argument: there is no such job.
  [[nodiscard]] result<job> find(std::string_view id);
  [[nodiscard]] result<queue_counts> counts();
  [[nodiscard]] result<std::string> environment_of(const job& which);
  // (unit, job's number), of jobs that are starting or running.
  [[nodiscard]] result<std::vector<std::pair<std::string, std::int64_t>>>
  claims();
  // Changes whenever another connection has written.
  [[nodiscard]] std::int64_t version();
  [[nodiscard]] std::int64_t last_number();
  [[nodiscard]] std::int64_t last_position();  // in the queue

  // ---- moves; false: the job is no longer where it was ----
  [[nodiscard]] result<job> add(const job_request& request);
  [[nodiscard]] result<bool> assign(const job& which,
                                    const std::vector<unit>& units);
  [[nodiscard]] result<bool> run(const job& which,
                                 const process_identity& launcher, pid_t pid,
                                 pid_t group, std::string_view session);
  // To its end; or back into the queue, where it failed and may be run again.
  [[nodiscard]] result<bool> finish(const job& which, const outcome& end);
  [[nodiscard]] result<bool> requeue(const job& which);
  [[nodiscard]] result<bool> remove(const job& which);
  [[nodiscard]] result<bool> request_kill(const job& which);
  [[nodiscard]] result<bool> rewrite(const job& which,
                                     std::string_view command);
  [[nodiscard]] status set_position(const job& which, std::int64_t position);

  // ---- words kept beside ----
  [[nodiscard]] std::string word(std::string_view key);
  [[nodiscard]] status set_word(std::string_view key, std::string_view value);

  [[nodiscard]] database& data() noexcept { return data_; }

 private:
  explicit store(database data) : data_(std::move(data)) {}
  result<bool> changed(statement& move);
  result<std::int64_t> keep_environment(std::string_view environment);
  status release(const job& which);

  database data_;
};

}  // namespace nexus::queue
