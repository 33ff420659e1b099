// The commands: what each is given, and what it does. Every one returns the
// exit status: 0, or 1 where it failed or nothing was affected.
#pragma once

#include <cstdint>
#include <nexus/status.hpp>
#include <string>
#include <vector>

#include "config.hpp"
#include "home.hpp"
#include "reasons.hpp"
#include "store.hpp"

namespace nexus::queue {

// What every command works with.
struct context {
  home where;
  store jobs;
  config values;
};
[[nodiscard]] result<context> open_context();

struct arguments {
  std::vector<std::string> words;  // positional
  bool json = false;
  bool why = false;
  bool follow = false;
  bool remove = false;
  bool dry_run = false;
  std::int64_t limit = 0;
  std::int64_t tail = -1;
  std::string stream;
  // of `add`
  std::string name;
  std::int64_t gpus = -1;  // -1: as configured
  std::int64_t priority = 0;
  std::int64_t retries = 0;
  std::string time_limit;
  std::string gpu_memory;
  std::string array;
  std::string notify;
  std::vector<std::string> after;
};

int show_status(context& all, const arguments& given);
int start_command(context& all, const arguments& given);
int stop_command(context& all, const arguments& given);
int restart_command(context& all, const arguments& given);
int add_command(context& all, const arguments& given);
int rerun_command(context& all, const arguments& given);
int queue_command(context& all, const arguments& given);
int history_command(context& all, const arguments& given);
int kill_command(context& all, const arguments& given);
int remove_command(context& all, const arguments& given);
int wait_command(context& all, const arguments& given);
int pause_command(context& all, const arguments& given);
int resume_command(context& all, const arguments& given);
int logs_command(context& all, const arguments& given);
int attach_command(context& all, const arguments& given);
int edit_command(context& all, const arguments& given);
int config_command(context& all, const arguments& given);
int blacklist_command(context& all, const arguments& given);

// For completions, without side effects: ids of jobs, a line each, of the kind
// queued, active or all (of the past, the last hundred); keys of config.toml.
int print_ids(std::string_view kind);
int print_keys();

// To standard error, "nexus: message", in red on a terminal, and the hint.
// Returns 1.
int complain(const status& failure);
// A line to standard output.
void say(const std::string& line);

// A running job by its id or a GPU's index. invalid_argument: there is none.
[[nodiscard]] result<job> find_running(context& all, const std::string& word);

// Why jobs do not run, as far as this process can see.
[[nodiscard]] result<queue_facts> gather_queue_facts(context& all);

// Writes jobs.txt anew; a failure is told, and changes nothing else.
void refresh_jobs_file(context& all);

}  // namespace nexus::queue
