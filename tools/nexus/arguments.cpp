#include "arguments.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "commands.hpp"
#include "gpu_look.hpp"
#include "help.hpp"
#include "launcher.hpp"
#include "service.hpp"

namespace nexus::queue {
namespace {

using command_function = int (*)(context&, const arguments&);

constexpr int usage_status = 2;

int run(command_function command, const arguments& given) {
  auto all = open_context();
  if (!all) return complain(all.error());
  return command(*all, given);
}

// Where the words end that are for us: at the -- of `add`.
int cut_command(int count, char** words) {
  if (count < 2 || std::string_view(words[1]) != "add") return count;
  for (int i = 2; i < count; ++i) {
    if (std::string_view(words[i]) == "--") return i;
  }
  return count;
}

bool is_option(std::string_view word) {
  return word.starts_with('-');
}

class command_line {
 public:
  int run(int count, char** words);

 private:
  CLI::App* command(const char* name, command_function does);
  void define();
  void define_jobs();
  void define_add();
  int complain_of(const CLI::ParseError& error);
  int help(const std::string& of);
  std::string list() const;

  CLI::App app_{"A queue of jobs for the GPUs of this machine"};
  arguments given_;
  command_function chosen_ = show_status;
};

CLI::App* command_line::command(const char* name, command_function does) {
  CLI::App* made =
      app_.add_subcommand(name, std::string(text_of(name).summary));
  made->footer(std::string(text_of(name).details));
  made->callback([this, does] { chosen_ = does; });
  return made;
}

void command_line::define_add() {
  CLI::App* add = command("add", add_command);
  add->add_option("-n,--name", given_.name, "A name to know it by");
  add->add_option("-g,--gpus", given_.gpus,
                  "How many GPUs; 0 takes a slot without one")
      ->check(CLI::Range(0, 64));
  add->add_option("-m,--gpu-memory", given_.gpu_memory,
                  "Only on GPUs with so much free: 10G, 800M");
  add->add_option("-p,--priority", given_.priority,
                  "More goes first; 0 unless given")
      ->check(CLI::Range(-1000000, 1000000));
  add->add_option("-r,--retries", given_.retries,
                  "Runs again so often where it fails")
      ->check(CLI::Range(0, 1000));
  add->add_option("-t,--time-limit", given_.time_limit,
                  "Ends it after 90s, 15m, 2h, 1d");
  add->add_option("-a,--after", given_.after,
                  "Waits for ID to complete; ID:any to end, ID:failure to fail")
      ->allow_extra_args(false)
      ->delimiter(',');
  add->add_option("--array", given_.array,
                  "A job a number, which takes the place of {}: 0-9, 1,3,5-7, "
                  "0-100:10");
  add->add_option("--notify", given_.notify,
                  "When to tell of its end: finished, failed, never");
  add->add_flag("--json", given_.json, "Print the jobs as JSON");
  add->add_flag("--dry-run", given_.dry_run, "Only show what would be added");
  // What follows the command's first word is the command's own.
  add->prefix_command();
}

void command_line::define_jobs() {
  define_add();
  const auto words = [&](CLI::App* to, const char* name) {
    return to->add_option(name, given_.words);
  };
  const auto json = [&](CLI::App* to) {
    to->add_flag("--json", given_.json, "Print JSON");
    return to;
  };
  words(command("rerun", rerun_command), "id")->required();
  json(command("queue", queue_command));
  json(command("history", history_command))
      ->add_option("-n,--limit", given_.limit, "Only the last so many")
      ->check(CLI::PositiveNumber);
  words(command("kill", kill_command), "id|gpu")->required();
  words(command("remove", remove_command), "id")->required();
  words(command("wait", wait_command), "id")->required();
  CLI::App* logs = command("logs", logs_command);
  words(logs, "id")->required()->expected(1);
  logs->add_flag("-f,--follow", given_.follow, "Go on until the job ends");
  logs->add_option("-n,--tail", given_.tail, "Begin at the last so many lines")
      ->check(CLI::NonNegativeNumber);
  words(command("attach", attach_command), "id|gpu|service")
      ->required()
      ->expected(1);
  command("edit", edit_command);
  // As they are: a list in brackets is one word.
  json(command("config", config_command))->prefix_command();
  CLI::App* blacklist = json(command("blacklist", blacklist_command));
  words(blacklist, "gpu")->expected(0, -1);
  blacklist->add_flag("-r,--remove", given_.remove,
                      "Take them off the blacklist");
}

void command_line::define() {
  app_.name("nexus");
  app_.set_version_flag("--version", std::string("nexus ") + NEXUS_VERSION);
  app_.add_flag("--json", given_.json, "Print the status as JSON");
  app_.add_flag("--why", given_.why,
                "Say why a GPU is not available, why jobs wait");
  app_.require_subcommand(0, 1);
  command("start", start_command);
  command("stop", stop_command);
  command("restart", restart_command);
  define_jobs();
  command("pause", pause_command);
  command("resume", resume_command);
}

std::string command_line::list() const {
  std::string text =
      "usage: nexus [--why] [--json]\n"
      "       nexus <command> [arguments]\n\n"
      "Without a command: starts the service if needed, shows the status.\n\n"
      "Commands:\n";
  for (const command_text& one : command_texts()) {
    text +=
        fmt::format("  {:<29} {}\n",
                    fmt::format("{} {}", one.name, one.arguments), one.summary);
  }
  return text +
         "\n`nexus help <command>` tells more. Everything lies in "
         "$NEXUS_HOME, or ~/.nexus.\n";
}

int command_line::help(const std::string& of) {
  if (of.empty()) {
    std::fputs(list().c_str(), stdout);
    return 0;
  }
  for (const CLI::App* one : app_.get_subcommands(nullptr)) {
    if (one->get_name() != of) continue;
    std::fputs(one->help("nexus").c_str(), stdout);
    return 0;
  }
  if (of == "help") return help({});
  std::fprintf(stderr, "nexus: there is no command \"%s\"\n\n%s", of.c_str(),
               list().c_str());
  return usage_status;
}

int command_line::complain_of(const CLI::ParseError& error) {
  if (error.get_name() == "CallForHelp") {
    for (const CLI::App* one : app_.get_subcommands()) {
      return help(one->get_name());
    }
    return help({});
  }
  if (error.get_exit_code() == 0) return app_.exit(error);
  std::fprintf(stderr, "nexus: %s\n\n", error.what());
  for (const CLI::App* one : app_.get_subcommands()) {
    std::fputs(one->help("nexus").c_str(), stderr);
    return usage_status;
  }
  std::fputs(list().c_str(), stderr);
  return usage_status;
}

int command_line::run(int count, char** words) {
  define();
  if (count >= 2 && std::string_view(words[1]) == "help") {
    return help(count >= 3 ? words[2] : "");
  }
  const auto cut = cut_command(count, words);
  try {
    app_.parse(cut, words);
  } catch (const CLI::ParseError& error) {
    return complain_of(error);
  }
  if (chosen_ == config_command) {
    given_.words = app_.get_subcommand("config")->remaining();
  }
  if (chosen_ == add_command) {
    given_.words = app_.get_subcommand("add")->remaining();
    // Inside a command, -- is a word as others are.
    const int from = given_.words.empty() ? cut + 1 : cut;
    if (from < count) {
      given_.words.insert(given_.words.end(), words + from, words + count);
    }
    if (given_.words.empty() || (cut == count && is_option(given_.words[0]))) {
      std::fprintf(stderr, "nexus: add: %s\n\n",
                   given_.words.empty()
                       ? "the command is missing"
                       : (given_.words[0] + " is no option").c_str());
      help("add");
      return usage_status;
    }
  }
  return queue::run(chosen_, given_);
}

// What the program starts of itself.
int run_inner(int count, char** words) {
  if (std::string_view(words[1]) == "__gpus") return print_nvml_snapshot();
  if (std::string_view(words[1]) == "__keys") return print_keys();
  if (std::string_view(words[1]) == "__ids") {
    return print_ids(count > 2 ? words[2] : "all");
  }
  const auto where = open_home();
  if (!where) return complain(where.error());
  if (std::string_view(words[1]) == "__service") return serve(*where);
  std::int64_t attempt = 0;
  if (count != 4 || !CLI::detail::lexical_cast(words[3], attempt)) return 2;
  return launch(*where, words[2], attempt);
}

}  // namespace

int run_command_line(int count, char** words) {
  if (count >= 2 && std::string_view(words[1]).starts_with("__")) {
    return run_inner(count, words);
  }
  command_line line;
  return line.run(count, words);
}

}  // namespace nexus::queue
