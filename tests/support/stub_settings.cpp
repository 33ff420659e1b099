#include "stub_settings.hpp"

#include <charconv>
#include <utility>

namespace nexus::stub {
namespace {

template <typename T>
bool read_number(std::string_view text, T& value) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && rest == end;
}

bool read_flag(std::string_view text, bool& value) {
  value = text == "1";
  return text == "0" || text == "1";
}

bool read_when(std::string_view text, when& value) {
  using kind = when::kind;
  constexpr std::pair<std::string_view, kind> kinds[] = {
      {"none", kind::none},    {"all", kind::all},    {"first:", kind::first},
      {"every:", kind::every}, {"only:", kind::only}, {"after:", kind::after},
  };
  for (const auto& [word, how] : kinds) {
    if (text.substr(0, word.size()) != word) continue;
    when read{how, 0};
    const std::string_view rest = text.substr(word.size());
    const bool good = word.back() == ':'
                          ? read_number(rest, read.n) && read.n > 0
                          : rest.empty();
    if (good) value = read;
    return good;
  }
  return false;
}

bool read_code(std::string_view text, std::int32_t& value) {
  constexpr std::pair<std::string_view, std::int32_t> codes[] = {
      {"OK", NEXUS_OK},
      {"DATA", NEXUS_E_DATA},
      {"DEVICE", NEXUS_E_DEVICE},
      {"LOST", NEXUS_E_LOST},
      {"NO_MEMORY", NEXUS_E_NO_MEMORY},
      {"BUSY", NEXUS_E_BUSY},
      {"CANCELLED", NEXUS_E_CANCELLED},
      {"UNSUPPORTED", NEXUS_E_UNSUPPORTED},
      {"ARGUMENT", NEXUS_E_ARGUMENT},
  };
  for (const auto& [word, code] : codes) {
    if (text != word) continue;
    value = code;
    return true;
  }
  return false;
}

bool read_caller(std::string_view text, device_settings::caller& value) {
  using caller = device_settings::caller;
  if (text == "worker")
    value = caller::worker;
  else if (text == "thread")
    value = caller::thread;
  else if (text == "submit")
    value = caller::submit;
  else
    return false;
  return true;
}

bool read_text(std::string_view text, std::string& value) {
  value = text;
  return true;
}

// What the device is.
bool set_shape(device_settings& d, std::string_view key, std::string_view v,
               bool& known) {
  known = true;
  if (key == "score") return read_number(v, d.score);
  if (key == "depth") return read_number(v, d.depth) && d.depth > 0;
  if (key == "max_lanes") return read_number(v, d.max_lanes);
  if (key == "memory") return read_number(v, d.memory);
  if (key == "min_bytes") return read_number(v, d.min_bytes);
  if (key == "max_bytes") return read_number(v, d.max_bytes);
  if (key == "preferred_bytes") return read_number(v, d.preferred_bytes);
  if (key == "scratch_bytes") return read_number(v, d.scratch_bytes);
  if (key == "alignment") return read_number(v, d.alignment);
  if (key == "pci") return read_text(v, d.pci);
  if (key == "on_request") return read_flag(v, d.on_request);
  if (key == "import") return read_flag(v, d.import);
  if (key == "import_code") return read_code(v, d.import_code);
  if (key == "drains") return read_flag(v, d.drains);
  if (key == "tags") return read_flag(v, d.tags);
  if (key == "operations") return read_text(v, d.operations);
  if (key == "open_code") return read_code(v, d.open_code);
  known = false;
  return false;
}

// What it does to jobs.
bool set_conduct(device_settings& d, std::string_view key, std::string_view v) {
  if (key == "fail") return read_when(v, d.fail);
  if (key == "code") return read_code(v, d.code);
  if (key == "busy") return read_when(v, d.busy);
  if (key == "refuse") return read_when(v, d.refuse);
  if (key == "corrupt") return read_when(v, d.corrupt);
  if (key == "garbage") return read_when(v, d.garbage);
  if (key == "room") return read_number(v, d.room);
  if (key == "regret") return read_when(v, d.regret);
  if (key == "lost") return read_when(v, d.lost);
  if (key == "late") return read_when(v, d.late);
  if (key == "crash") return read_when(v, d.crash);
  if (key == "quit") return read_when(v, d.quit);
  if (key == "hang") return read_when(v, d.hang);
  if (key == "eat") return read_when(v, d.eat);
  if (key == "eat_bytes") return read_number(v, d.eat_bytes);
  if (key == "late_us") return read_number(v, d.late_us);
  if (key == "delay_us") return read_number(v, d.delay_us);
  if (key == "jitter_us") return read_number(v, d.jitter_us);
  if (key == "reorder") return read_number(v, d.reorder);
  if (key == "done") return read_caller(v, d.done);
  if (key == "hold") return read_flag(v, d.hold);
  if (key == "health") return read_code(v, d.health);
  return false;
}

}  // namespace

bool when::holds(std::uint64_t number) const noexcept {
  switch (how) {
    case kind::none:
      return false;
    case kind::all:
      return true;
    case kind::first:
      return number <= n;
    case kind::every:
      return number % n == 0;
    case kind::only:
      return number == n;
    case kind::after:
      return number > n;
  }
  return false;
}

settings::settings() : cpu_settings_(max_devices), gpu_settings_(max_devices) {
  for (device_settings& gpu : gpu_settings_) gpu.score = 100;
}

const device_settings& settings::device(std::uint32_t index) const {
  return index < cpus_ ? cpu_settings_[index] : gpu_settings_[index - cpus_];
}

bool settings::apply(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find(';');
    const std::string_view entry = text.substr(0, end);
    if (!entry.empty() && !apply_one(entry)) return false;
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return true;
}

bool settings::set_count(std::uint32_t& count, std::string_view value) {
  std::uint32_t wanted = 0;
  if (!read_number(value, wanted)) return false;
  const std::uint32_t other = device_count() - count;
  if (wanted > max_devices || wanted + other > max_devices) return false;
  count = wanted;
  return true;
}

std::vector<device_settings*> settings::chosen(std::string_view which) {
  std::vector<device_settings*> all;
  for (auto [word, list] :
       {std::pair{std::string_view("cpu"), &cpu_settings_},
        std::pair{std::string_view("gpu"), &gpu_settings_}}) {
    if (!which.empty() && which.substr(0, word.size()) != word) continue;
    const std::string_view number =
        which.empty() ? which : which.substr(word.size());
    std::uint32_t index = 0;
    if (number.empty()) {
      for (device_settings& each : *list) all.push_back(&each);
    } else if (read_number(number, index) && index < max_devices) {
      all.push_back(&(*list)[index]);
    }
  }
  return all;
}

bool settings::apply_one(std::string_view entry) {
  const std::size_t equals = entry.find('=');
  if (equals == std::string_view::npos) return false;
  std::string_view key = entry.substr(0, equals);
  const std::string_view value = entry.substr(equals + 1);
  if (key == "cpus") return set_count(cpus_, value);
  if (key == "gpus") return set_count(gpus_, value);
  std::string_view which;
  if (const std::size_t dot = key.find('.'); dot != std::string_view::npos) {
    which = key.substr(0, dot);
    key.remove_prefix(dot + 1);
  }
  const auto targets = chosen(which);
  if (targets.empty()) return false;
  for (device_settings* device : targets) {
    bool known = false;
    const bool shaped = set_shape(*device, key, value, known);
    if (!(known ? shaped : set_conduct(*device, key, value))) return false;
  }
  return true;
}

}  // namespace nexus::stub
