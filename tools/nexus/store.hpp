// The one truth: every job there ever was, in a SQLite database. A move from
// state to state is on the disk before anybody acts on it, and happens only
// where the job still is in the state that the caller believes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nexus/status.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config.hpp"
#include "database.hpp"
#include "process.hpp"

namespace nexus::queue {

// queued -> starting -> running -> completed | failed | killed.
// queued -> removed. queued -> failed where what it waits for cannot come any
// more. starting -> queued where the launcher did not take it.
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

// How a job that another waits for has to end: completed; in any way, removed
// too; failed or killed.
enum class condition { success, any, failure };
[[nodiscard]] std::string_view name_of(condition when) noexcept;

// "abc" or "abc:any", as it is typed.
struct dependency {
  std::string id;
  condition when = condition::success;
  std::int64_t parent = 0;  // its number; the store finds it
};

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
  std::int64_t gpu_memory = 0;  // MiB that each GPU has to have free
  notify_on notify = notify_on::configured;
  std::vector<dependency> after;  // only to add it: see dependencies()
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
  std::int64_t free_mib = 0;
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

// A job that came to its end, and the service has not said so yet.
struct ending {
  std::int64_t number = 0;
  job which;
};

// What is to be told of a job's end, and how.
enum class channel { command, webhook };
struct notice {
  std::int64_t number = 0;
  std::string job;  // its id
  channel by = channel::command;
  std::string message;  // names it, the same at every attempt
  std::string body;
  std::int64_t due = 0;  // not before, in milliseconds since 1970
  std::int64_t attempts = 0;
};

// What jobs wait for, by their number.
using dependency_map = std::map<std::int64_t, std::vector<dependency>>;

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
  // Of jobs in the queue, what has not come yet; or of all jobs, everything.
  [[nodiscard]] result<dependency_map> unmet_dependencies();
  [[nodiscard]] result<dependency_map> all_dependencies();
  // Changes whenever another connection has written.
  [[nodiscard]] std::int64_t version();
  [[nodiscard]] std::int64_t last_number();
  [[nodiscard]] std::int64_t last_position();  // in the queue

  // ---- moves; false: the job is no longer where it was ----
  // All of them, or none. invalid_argument: one waits for a job that does not
  // exist, or has ended otherwise.
  [[nodiscard]] result<std::vector<job>> add(
      const std::vector<job_request>& requests);
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

  // ---- word of ends ----
  // The first hundred of those that nobody settled.
  [[nodiscard]] result<std::vector<ending>> endings();
  // Strikes it off and keeps the notices, both or none.
  [[nodiscard]] status settle(const ending& end,
                              const std::vector<notice>& notices);
  // The one that is due first.
  [[nodiscard]] result<std::optional<notice>> next_notice(channel by);
  [[nodiscard]] status put_off(const notice& which, std::int64_t due);
  [[nodiscard]] status strike_off(const notice& which);

  // ---- words kept beside ----
  [[nodiscard]] std::string word(std::string_view key);
  [[nodiscard]] status set_word(std::string_view key, std::string_view value);

  [[nodiscard]] database& data() noexcept { return data_; }

 private:
  explicit store(database data) : data_(std::move(data)) {}
  // In a transaction of its own; body() says whether the job was moved.
  result<bool> make_move(std::string_view name,
                         const std::function<result<bool>()>& body);
  result<bool> changed(statement& move);
  result<job> insert(const job_request& request);
  status insert_dependency(std::int64_t number, const dependency& wanted);
  result<dependency_map> read_dependencies(std::string_view where);
  // Fails the jobs that waited for another end of this one, and those that
  // waited for them.
  status fail_dependents(std::int64_t number);
  result<std::int64_t> keep_environment(std::string_view environment);
  status release(const job& which);

  database data_;
};

}  // namespace nexus::queue
