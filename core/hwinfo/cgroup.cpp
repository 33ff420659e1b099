#include "hwinfo/cgroup.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hwinfo/text.hpp"

namespace nexus::hwinfo {
namespace {

// Version 1 has no word for "no limit": it shows the largest page-aligned
// number, near 2^63.
constexpr std::uint64_t v1_unlimited = std::uint64_t{1} << 60;
constexpr std::uint64_t default_period_us = 100'000;

struct mount {
  std::string root;   // the cgroup that is visible at the mount point
  std::string point;  // as the process sees it
  std::string type;
  std::string options;  // of the superblock: version 1 names controllers here
};

// One cgroup that holds this process.
struct level {
  std::string directory;
  std::string name;  // below the mount point, "/" for the mount point itself
};

// The kernel writes blanks and backslashes in mountinfo as \ooo.
std::string unescape(std::string_view text) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) &&
        octal(text[i + 2]) && octal(text[i + 3])) {
      out += static_cast<char>((text[i + 1] - '0') * 64 +
                               (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// "36 35 98:0 /root /point rw,noatime shared:1 - cgroup source rw,memory"
std::vector<mount> parse_mounts(std::string_view text) {
  std::vector<mount> mounts;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::size_t dash = line.find(" - cgroup");
    if (dash == line.npos) continue;
    std::string_view tail = line.substr(dash + 3);
    mount m;
    m.type = take_word(tail);
    take_word(tail);  // the source: any word
    m.options = take_word(tail);
    for (int skipped = 0; skipped < 3; ++skipped) take_word(line);
    m.root = unescape(take_word(line));
    m.point = unescape(take_word(line));
    if (m.root.starts_with('/') && m.point.starts_with('/')) {
      mounts.push_back(std::move(m));
    }
  }
  return mounts;
}

bool lists(std::string_view comma_separated, std::string_view name) {
  while (!comma_separated.empty()) {
    if (take_until(comma_separated, ',') == name) return true;
  }
  return false;
}

// This process's cgroup for a version 1 controller, or version 2 for "".
std::optional<std::string> membership(std::string_view text,
                                      std::string_view controller) {
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::string_view id = take_until(line, ':');
    const std::string_view controllers = take_until(line, ':');
    if (!line.starts_with('/')) continue;
    const bool found = controller.empty() ? id == "0" && controllers.empty()
                                          : lists(controllers, controller);
    if (found) return std::string(line);
  }
  return std::nullopt;
}

bool holds(const std::string& root, const std::string& path) {
  if (root == "/") return true;
  return path.starts_with(root) &&
         (path.size() == root.size() || path[root.size()] == '/');
}

// The mount that shows most of the path. A hierarchy may be mounted twice,
// once for a part of it; of two alike the later one hides the earlier.
const mount* pick_mount(const std::vector<mount>& mounts,
                        std::string_view controller, const std::string& path) {
  const mount* best = nullptr;
  for (const mount& m : mounts) {
    const bool fits = controller.empty()
                          ? m.type == "cgroup2"
                          : m.type == "cgroup" && lists(m.options, controller);
    if (!fits) continue;
    const bool better =
        best == nullptr ||
        (holds(m.root, path) &&
         (!holds(best->root, path) || m.root.size() <= best->root.size()));
    if (better) best = &m;
  }
  return best;
}

void to_parent(std::string& path) {
  path.resize(path.rfind('/'));
}

// The cgroups from the process's own up to the mount point. In a nested
// container the path is often written from another root, or points outside
// (".."): some of these levels do not exist then, and limit nothing; the mount
// point does.
std::vector<level> levels(const mount& m, const std::string& path,
                          const hardware_roots& roots) {
  std::string below = path;
  if (m.root != "/" && holds(m.root, path)) below = path.substr(m.root.size());
  while (below.ends_with('/')) below.pop_back();
  if ((below + '/').find("/../") != below.npos) below.clear();
  std::string base = m.point;
  if (holds("/sys", base)) base = roots.sys + base.substr(4);
  std::vector<level> found;
  for (;; to_parent(below)) {
    found.push_back({base + below, below.empty() ? "/" : below});
    if (below.empty()) return found;
  }
}

std::optional<std::uint64_t> number_in(const std::string& path) {
  const std::optional<std::string> text = read_text(path);
  return text ? parse_u64(*text) : std::nullopt;
}

// What is charged and cannot be dropped at once: page cache that nobody used
// lately is charged too, but gives way before a limit is felt.
std::uint64_t used_in(const std::string& directory, const char* usage,
                      std::string_view cache_key) {
  const std::uint64_t current = number_in(directory + usage).value_or(0);
  const auto stat = read_text(directory + "/memory.stat");
  const std::uint64_t cache =
      stat ? field(*stat, cache_key).value_or(0) : std::uint64_t{0};
  return current - std::min(current, cache);
}

void note_quota(cgroup_facts& facts, std::uint64_t quota, std::uint64_t period,
                std::string origin) {
  if (quota == 0 || period == 0) return;
  const double worth = static_cast<double>(quota) / static_cast<double>(period);
  if (facts.cpu_quota && *facts.cpu_quota <= worth) return;
  facts.cpu_quota = worth;
  facts.cpu_quota_origin = std::move(origin);
}

void read_v2(const level& at, cgroup_facts& facts) {
  if (facts.own_v2.empty()) facts.own_v2 = at.directory;
  std::optional<std::uint64_t> used;  // the kernel adds up memory.stat slowly
  for (const std::string kind : {"max", "high"}) {
    const auto limit = number_in(at.directory + "/memory." + kind);
    if (!limit) continue;
    if (!used) used = used_in(at.directory, "/memory.current", "inactive_file");
    facts.memory.push_back(
        {"cgroup memory." + kind + " of " + at.name, *limit, *used});
    facts.hits.push_back({at.directory + "/memory.events", kind});
  }
  const auto text = read_text(at.directory + "/cpu.max");
  if (!text) return;
  std::string_view rest = *text;
  const auto quota = parse_u64(take_word(rest));
  const std::uint64_t period = parse_u64(rest).value_or(default_period_us);
  if (quota) note_quota(facts, *quota, period, "cgroup cpu.max of " + at.name);
}

void read_v1_memory(const level& at, cgroup_facts& facts) {
  const auto limit = number_in(at.directory + "/memory.limit_in_bytes");
  if (!limit || *limit >= v1_unlimited) return;
  facts.memory.push_back(
      {"cgroup memory.limit_in_bytes of " + at.name, *limit,
       used_in(at.directory, "/memory.usage_in_bytes", "total_inactive_file")});
  facts.hits.push_back({at.directory + "/memory.failcnt", ""});
}

void read_v1_cpu(const level& at, cgroup_facts& facts) {
  const auto quota = number_in(at.directory + "/cpu.cfs_quota_us");
  if (!quota) return;  // -1, no quota, is no unsigned number either
  const std::uint64_t period = number_in(at.directory + "/cpu.cfs_period_us")
                                   .value_or(default_period_us);
  note_quota(facts, *quota, period, "cgroup cpu.cfs_quota_us of " + at.name);
}

// Of this process, in the hierarchy of a version 1 controller, or of version 2
// for "": from its own to the mount point. None where there is no such thing.
std::vector<level> own_levels(const std::string& mine,
                              const std::vector<mount>& mounts,
                              std::string_view controller,
                              const hardware_roots& roots) {
  const auto path = membership(mine, controller);
  if (!path) return {};
  const mount* m = pick_mount(mounts, controller, *path);
  if (m == nullptr) return {};
  return levels(*m, *path, roots);
}

}  // namespace

std::optional<std::uint64_t> hit_counter::read() const {
  const auto text = read_text(file);
  if (!text) return std::nullopt;
  return key.empty() ? parse_u64(*text) : field(*text, key);
}

cgroup_facts read_cgroups(const hardware_roots& roots) {
  struct hierarchy {
    std::string_view controller;
    void (*read)(const level&, cgroup_facts&);
  };
  constexpr hierarchy hierarchies[] = {
      {"", read_v2}, {"memory", read_v1_memory}, {"cpu", read_v1_cpu}};

  cgroup_facts facts;
  const auto mine = read_text(roots.proc + "/self/cgroup");
  const auto table = read_text(roots.proc + "/self/mountinfo");
  if (!mine || !table) return facts;
  const std::vector<mount> mounts = parse_mounts(*table);
  for (const hierarchy& h : hierarchies) {
    for (const level& at : own_levels(*mine, mounts, h.controller, roots))
      h.read(at, facts);
  }
  return facts;
}

std::optional<memory_group> own_memory_group(const hardware_roots& roots) {
  const auto mine = read_text(roots.proc + "/self/cgroup");
  const auto table = read_text(roots.proc + "/self/mountinfo");
  if (!mine || !table) return std::nullopt;
  const std::vector<mount> mounts = parse_mounts(*table);
  const auto v2 = own_levels(*mine, mounts, "", roots);
  if (!v2.empty() && number_in(v2.front().directory + "/memory.current"))
    return memory_group{v2.front().directory, 2};
  const auto v1 = own_levels(*mine, mounts, "memory", roots);
  if (v1.empty()) return std::nullopt;
  return memory_group{v1.front().directory, 1};
}

}  // namespace nexus::hwinfo
