// edit, config, blacklist.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "commands.hpp"
#include "files.hpp"
#include "status_view.hpp"
#include "sync.hpp"

namespace nexus::queue {
namespace {

status run_editor(const std::filesystem::path& file) {
  const char* editor = std::getenv("VISUAL");
  if (editor == nullptr || *editor == '\0') editor = std::getenv("EDITOR");
  if (editor == nullptr || *editor == '\0') editor = "vi";
  // By the shell, as others do: EDITOR may hold options.
  const std::string line = std::string(editor) + " \"$1\"";
  const pid_t pid = ::fork();
  if (pid < 0) return system_failure("start", editor);
  if (pid == 0) {
    ::execl("/bin/sh", "sh", "-c", line.c_str(), "sh", file.c_str(), nullptr);
    ::_exit(127);
  }
  int how = 0;
  while (::waitpid(pid, &how, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(how) && WEXITSTATUS(how) == 0) return {};
  return {status_code::cancelled,
          fmt::format("the editor \"{}\" failed; nothing was changed", editor)};
}

int edit_config(context& all) {
  const auto path = all.where.config();
  if (::access(path.c_str(), F_OK) != 0) {
    const status made = replace_file(path, render_config(all.values));
    if (!made.ok()) return complain(made);
  }
  if (const status edited = run_editor(path); !edited.ok()) {
    return complain(edited);
  }
  const auto loaded = load_config(all.where);
  if (!loaded) return complain(loaded.error());
  for (const auto& problem : loaded->problems) {
    std::fprintf(stderr, "nexus: config.toml, %s\n", problem.c_str());
  }
  return loaded->problems.empty() ? 0 : 1;
}

int change_config(context& all, const std::string& key,
                  const std::string& value) {
  auto text = read_file(all.where.config());
  if (!text) return complain(text.error());
  if (text->empty()) text = render_config(all.values);
  const auto changed = set_in_config(*text, all.where, key, value);
  if (!changed) return complain(changed.error());
  const status written = replace_file(all.where.config(), *changed);
  if (!written.ok()) return complain(written);
  say(fmt::format("Set {} to {}", key, value));
  return 0;
}

}  // namespace

int edit_command(context& all, const arguments&) {
  refresh_jobs_file(all);
  if (const status edited = run_editor(all.values.jobs_file); !edited.ok()) {
    return complain(edited);
  }
  const auto here = request_from_here(all.values);
  const auto report = sync_jobs_file(all.where, all.jobs, all.values, &here);
  for (const auto& line : report.messages) say(line);
  if (!report.failure.ok()) return complain(report.failure);
  return report.problems == 0 ? 0 : 1;
}

int config_command(context& all, const arguments& given) {
  const auto& words = given.words;
  if (words.empty()) {
    const config shown = without_secrets(all.values);
    const std::string text =
        given.json ? show_json(config_json(shown)) : render_config(shown);
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  if (words[0] == "edit" && words.size() == 1) return edit_config(all);
  if (words.size() == 2) return change_config(all, words[0], words[1]);
  return complain({status_code::invalid_argument,
                   "config takes nothing, `edit`, or a key and its value"});
}

int blacklist_command(context& all, const arguments& given) {
  auto list = all.values.blacklist;
  if (given.words.empty()) {
    if (given.json) {
      std::fputs(show_json(list).c_str(), stdout);
    } else if (list.empty()) {
      say("No GPU is on the blacklist");
    } else {
      for (const auto& word : list) say("GPU " + word);
    }
    return 0;
  }
  for (const auto& word : given.words) {
    const auto at = std::ranges::find(list, word);
    if ((at != list.end()) == !given.remove) {
      return complain({status_code::invalid_argument,
                       fmt::format("GPU {} is {} the blacklist", word,
                                   given.remove ? "not on" : "already on")});
    }
    if (given.remove) {
      list.erase(at);
    } else {
      list.push_back(word);
    }
  }
  return change_config(all, "gpus.blacklist", list_value(list));
}

int print_keys() {
  const nlohmann::json all = config_json({});
  for (const auto& [section, keys] : all.items()) {
    for (const auto& [key, value] : keys.items()) {
      say(fmt::format("{}.{}", section, key));
    }
  }
  return 0;
}

}  // namespace nexus::queue
