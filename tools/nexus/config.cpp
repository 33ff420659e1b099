#include "config.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "files.hpp"
#include "webhook.hpp"

namespace nexus::queue {
namespace {

using json = nlohmann::json;

constexpr const char* no_key = "is no key of this file";

std::string_view trim(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

// Without a comment: a # outside of quotes.
std::string_view without_comment(std::string_view line) {
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#') {
      return line.substr(0, i);
    }
  }
  return line;
}

// One value: a literal string has to be turned, the rest is JSON's too.
json value_of(std::string_view text) {
  if (text.size() >= 2 && text.front() == '\'' && text.back() == '\'') {
    return std::string(text.substr(1, text.size() - 2));
  }
  return json::parse(text, nullptr, false);
}

const char* put(std::filesystem::path& into, const json& value) {
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
    return "has to be a path in quotes";
  }
  auto path = expand_user(value.get<std::string>());
  if (!path.is_absolute()) return "has to be an absolute path";
  into = std::move(path);
  return nullptr;
}

const char* put(std::string& into, const json& value) {
  if (!value.is_string()) return "has to be text in quotes";
  into = value.get<std::string>();
  return nullptr;
}

const char* put(std::vector<std::string>& into, const json& value) {
  if (!value.is_array()) return "has to be a list, as [\"0\", \"1\"]";
  std::vector<std::string> words;
  for (const json& item : value) {
    if (item.is_string()) {
      words.push_back(item.get<std::string>());
    } else if (item.is_number_unsigned()) {
      words.push_back(std::to_string(item.get<std::uint64_t>()));
    } else {
      return "has to be a list of texts or whole numbers";
    }
  }
  into = std::move(words);
  return nullptr;
}

const char* put(double& into, const json& value, double from, double to) {
  if (!value.is_number()) return "has to be a number";
  const double number = value.get<double>();
  if (!(number >= from && number <= to)) return "is out of range";
  into = number;
  return nullptr;
}

const char* put(std::int64_t& into, const json& value, std::int64_t to) {
  if (!value.is_number_unsigned()) return "has to be a whole number";
  const auto number = value.get<std::uint64_t>();
  if (number > static_cast<std::uint64_t>(to)) return "is out of range";
  into = static_cast<std::int64_t>(number);
  return nullptr;
}

const char* put(notify_on& into, const json& value) {
  for (const notify_on one :
       {notify_on::never, notify_on::failed, notify_on::finished}) {
    if (value != name_of(one)) continue;
    into = one;
    return nullptr;
  }
  return "has to be \"finished\", \"failed\" or \"never\"";
}

const char* put(gpu_source& into, const json& value) {
  for (const gpu_source one :
       {gpu_source::automatic, gpu_source::nvml, gpu_source::nvidia_smi}) {
    if (value != name_of(one)) continue;
    into = one;
    return nullptr;
  }
  return "has to be \"auto\", \"nvml\" or \"nvidia-smi\"";
}

const char* put_url(std::string& into, const json& value) {
  if (!value.is_string()) return "has to be text in quotes";
  const auto text = value.get<std::string>();
  const bool known =
      text.starts_with("http://") || text.starts_with("https://");
  if (!text.empty() && !known) return "has to begin with http:// or https://";
  // It becomes a line of curl's options.
  for (const char c : text) {
    if (c <= ' ' || c == 0x7f) return "has to be one word";
  }
  into = text;
  return nullptr;
}

const char* put_secret(std::string& into, const json& value) {
  if (!value.is_string()) return "has to be text in quotes";
  const auto text = value.get<std::string>();
  if (!text.empty() && !decode_secret(text)) {
    return "has to be whsec_ and 24 to 64 bytes in base64";
  }
  into = text;
  return nullptr;
}

const char* assign(notify_config& c, std::string_view key, const json& value) {
  if (key == "command") return put(c.command, value);
  if (key == "webhook") return put_url(c.webhook, value);
  if (key == "secret") return put_secret(c.secret, value);
  if (key == "on") return put(c.on, value);
  if (key == "time_limit_seconds") {
    return put(c.time_limit_seconds, value, 0.1, 3600);
  }
  if (key == "retry_seconds") return put(c.retry_seconds, value, 0, 3600);
  return no_key;
}

// Null: done. Else what is wrong.
const char* assign(config& c, std::string_view key, const json& value) {
  if (value.is_discarded()) return "has a value that is not TOML";
  if (key == "paths.log_dir") return put(c.log_dir, value);
  if (key == "paths.jobs_file") return put(c.jobs_file, value);
  if (key == "gpus.source") return put(c.source, value);
  if (key == "gpus.nvidia_smi") return put(c.nvidia_smi, value);
  if (key == "gpus.poll_seconds") return put(c.poll_seconds, value, 0.1, 3600);
  if (key == "gpus.free_memory_mib") {
    return put(c.free_memory_mib, value, 1 << 30);
  }
  if (key == "gpus.blacklist") return put(c.blacklist, value);
  if (key == "gpus.ignore") return put(c.ignore, value);
  if (key == "gpus.cpu_slots") return put(c.cpu_slots, value, 1024);
  if (key == "jobs.gpus") return put(c.gpus, value, 64);
  if (key == "jobs.kill_grace_seconds") {
    return put(c.kill_grace_seconds, value, 0, 3600);
  }
  if (key.starts_with("notify.")) return assign(c.notify, key.substr(7), value);
  return no_key;
}

std::string toml_text(const std::string& text) {
  return json(text).dump();
}

std::string number(double value) {
  return value == std::floor(value) ? fmt::format("{}", std::int64_t(value))
                                    : fmt::format("{}", value);
}

std::string list(const std::vector<std::string>& words) {
  return json(words).dump();
}

}  // namespace

std::string_view name_of(notify_on when) noexcept {
  constexpr std::array<std::string_view, 4> names = {"configured", "never",
                                                     "failed", "finished"};
  return names[static_cast<std::size_t>(when)];
}

std::string_view name_of(gpu_source source) noexcept {
  constexpr std::array<std::string_view, 3> names = {"auto", "nvml",
                                                     "nvidia-smi"};
  return names[static_cast<std::size_t>(source)];
}

config default_config(const home& where) {
  config values;
  values.log_dir = where.root / "logs";
  values.jobs_file = where.root / "jobs.txt";
  return values;
}

parsed_config parse_config(std::string_view text, const home& where) {
  parsed_config parsed{default_config(where), {}};
  std::string section;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const auto end = text.find('\n');
    const std::string_view content = trim(without_comment(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (content.empty()) continue;
    const auto problem = [&](std::string_view what) {
      parsed.problems.push_back(fmt::format("line {}: {}", line, what));
    };
    if (content.front() == '[' && content.back() == ']' &&
        content.find('=') == std::string_view::npos) {
      section = std::string(trim(content.substr(1, content.size() - 2)));
      continue;
    }
    const auto equals = content.find('=');
    if (equals == std::string_view::npos) {
      problem("neither a section nor a key and its value");
      continue;
    }
    const std::string key =
        fmt::format("{}.{}", section, trim(content.substr(0, equals)));
    const char* wrong =
        assign(parsed.values, key, value_of(trim(content.substr(equals + 1))));
    if (wrong != nullptr) {
      const bool sane = key.find_first_not_of("abcdefghijklmnopqrstuvwxyz_.") ==
                        std::string::npos;
      problem(fmt::format("{} {}", sane ? key : "this", wrong));
    }
  }
  return parsed;
}

result<parsed_config> load_config(const home& where) {
  const auto text = read_file(where.config());
  if (!text) return text.error();
  return parse_config(*text, where);
}

std::string render_config(const config& c) {
  return fmt::format(
      "[paths]\n"
      "log_dir = {}\n"
      "jobs_file = {}\n"
      "\n"
      "[gpus]\n"
      "source = {}                # nvml, nvidia-smi, or auto\n"
      "nvidia_smi = {}\n"
      "poll_seconds = {}\n"
      "free_memory_mib = {}       # a GPU with more in use is not free\n"
      "blacklist = {}             # GPUs to leave alone: indices or UUIDs\n"
      "ignore = {}                # processes that do not count: names or "
      "pids\n"
      "cpu_slots = {}             # jobs without a GPU at a time\n"
      "\n"
      "[jobs]\n"
      "gpus = {}                  # of a job that does not say\n"
      "kill_grace_seconds = {}    # from SIGTERM to SIGKILL\n"
      "\n"
      "[notify]                    # of jobs that ended\n"
      "command = {}               # with NEXUS_JOB_ID, NEXUS_JOB_STATE, ...\n"
      "webhook = {}               # gets them as JSON, by POST\n"
      "secret = {}                # whsec_..., which signs it\n"
      "on = {}            # finished, failed, or never\n"
      "time_limit_seconds = {}    # of one attempt\n"
      "retry_seconds = {}          # until the second one; then longer\n",
      toml_text(shorten_user(c.log_dir)), toml_text(shorten_user(c.jobs_file)),
      toml_text(std::string(name_of(c.source))), toml_text(c.nvidia_smi),
      number(c.poll_seconds), c.free_memory_mib, list(c.blacklist),
      list(c.ignore), c.cpu_slots, c.gpus, number(c.kill_grace_seconds),
      toml_text(c.notify.command), toml_text(c.notify.webhook),
      toml_text(c.notify.secret), toml_text(std::string(name_of(c.notify.on))),
      number(c.notify.time_limit_seconds), number(c.notify.retry_seconds));
}

json config_json(const config& c) {
  return {
      {"paths",
       {{"log_dir", c.log_dir.string()}, {"jobs_file", c.jobs_file.string()}}},
      {"gpus",
       {{"nvidia_smi", c.nvidia_smi},
        {"poll_seconds", c.poll_seconds},
        {"free_memory_mib", c.free_memory_mib},
        {"blacklist", c.blacklist},
        {"ignore", c.ignore},
        {"cpu_slots", c.cpu_slots}}},
      {"jobs",
       {{"gpus", c.gpus}, {"kill_grace_seconds", c.kill_grace_seconds}}},
      {"notify",
       {{"command", c.notify.command},
        {"webhook", c.notify.webhook},
        {"secret", c.notify.secret},
        {"on", name_of(c.notify.on)},
        {"time_limit_seconds", c.notify.time_limit_seconds},
        {"retry_seconds", c.notify.retry_seconds}}}};
}

config without_secrets(config values) {
  if (!values.notify.secret.empty()) values.notify.secret = "(hidden)";
  return values;
}

std::string list_value(const std::vector<std::string>& words) {
  return list(words);
}

result<std::string> set_in_config(std::string_view text, const home& where,
                                  std::string_view key,
                                  std::string_view value) {
  config tried = default_config(where);
  std::string written(value);
  const char* wrong = assign(tried, key, value_of(value));
  if (wrong != nullptr) {
    // A word without quotes is typed more easily.
    written = toml_text(written);
    wrong = assign(tried, key, json(std::string(value)));
    if (wrong != nullptr) {
      return status(status_code::invalid_argument,
                    fmt::format("{} {}", key, wrong),
                    "`nexus config` shows the keys");
    }
  }
  const auto dot = key.find('.');
  const std::string header = fmt::format("[{}]", key.substr(0, dot));
  const std::string line = fmt::format("{} = {}", key.substr(dot + 1), written);
  std::string made;
  std::string section;
  bool done = false;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view whole = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::string_view content = trim(without_comment(whole));
    const auto equals = content.find('=');
    const bool is_key = section == header && equals != std::string_view::npos &&
                        trim(content.substr(0, equals)) == key.substr(dot + 1);
    made += is_key ? line + "\n" : std::string(whole) + "\n";
    done = done || is_key;
    if (!content.empty() && content.front() == '[') section = content;
  }
  // Said anew at the end, a section goes on.
  if (!done) made += fmt::format("\n{}\n{}\n", header, line);
  return made;
}

}  // namespace nexus::queue
