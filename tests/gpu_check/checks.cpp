#include "checks.hpp"

#include <gnu/libc-version.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>

#include "program.hpp"
#include "sample_files.hpp"

namespace gpu_check {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::chrono::seconds patience = 600s;

std::string first_line_of(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The end of what a program said: the line that matters comes last.
std::string last_words(const ended& done) {
  if (done.timed_out) return "it did not end in time";
  std::string said = done.output;
  while (!said.empty() && said.back() == '\n') said.pop_back();
  constexpr std::size_t most = 1000;
  if (said.size() > most) said = "..." + said.substr(said.size() - most);
  return "exit status " + std::to_string(done.status) + ": " + said;
}

std::string now_in_utc() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

json read_json(const fs::path& path) {
  std::ifstream file(path);
  return json::parse(file, nullptr, false);
}

}  // namespace

struct checks::step_options {
  std::map<std::string, std::string> environment;
  bool of_googletest = false;
};

fs::path checks::tests(const char* name) const {
  return settings_.bundle / "tests" / name;
}

fs::path checks::nexus_pipe() const {
  return settings_.bundle / "bin" / "nexus-pipe";
}

void checks::add_part(json part, const std::string& result,
                      const std::string& reason) {
  part["result"] = result;
  if (!reason.empty()) part["reason"] = reason;
  if (result == "failed") failed_ = true;
  std::fprintf(stderr, "%-8s %s, %s%s%s\n", result.c_str(),
               part.value("part", "").c_str(), part.value("of", "").c_str(),
               reason.empty() ? "" : ": ", reason.c_str());
  report_["parts"].push_back(std::move(part));
}

void checks::not_run(const std::string& part, const std::string& reason) {
  std::fprintf(stderr, "%-8s %s: %s\n", "not run", part.c_str(),
               reason.c_str());
  report_["not_run"].push_back({{"part", part}, {"reason", reason}});
}

bool checks::step(const std::string& part, const std::string& subject,
                  const std::vector<std::string>& words,
                  const step_options& options) {
  const ended done = run_program(words, options.environment, patience);
  json made = {{"part", part},
               {"of", subject},
               {"command", command_line(words, options.environment)},
               {"seconds", done.seconds}};
  bool passed = done.status == 0 && !done.timed_out;
  std::string reason = passed ? "" : last_words(done);
  if (options.of_googletest) {
    json all = tests_of(done.output);
    const auto count = [&all](const char* result) {
      return std::count_if(all.begin(), all.end(), [result](const json& each) {
        return each["result"] == result;
      });
    };
    made["passed"] = count("passed");
    made["skipped"] = count("skipped");
    made["failed"] = count("failed");
    // Where nothing ran, nothing was shown.
    if (passed && made["passed"] == 0) {
      passed = false;
      reason = "no test ran";
    }
    made["tests"] = std::move(all);
  }
  add_part(std::move(made), passed ? "passed" : "failed", reason);
  return passed;
}

bool checks::tool(const std::string& part, const std::string& subject,
                  const std::vector<std::string>& words) {
  std::vector<std::string> all = {nexus_pipe()};
  all.insert(all.end(), words.begin(), words.end());
  return step(part, subject, all, {});
}

void checks::note_machine() {
  utsname system{};
  ::uname(&system);
  std::string processor;
  std::ifstream about("/proc/cpuinfo");
  for (std::string line; processor.empty() && std::getline(about, line);) {
    if (line.starts_with("model name"))
      processor = line.substr(std::min(line.find(':') + 2, line.size()));
  }
  const std::string driver = first_line_of("/sys/module/nvidia/version");
  report_["machine"] = {
      {"system", system.release},
      {"architecture", system.machine},
      {"glibc", ::gnu_get_libc_version()},
      {"processor", processor},
      {"nvidia_driver", driver.empty() ? json(nullptr) : json(driver)}};
}

void checks::note_missing(const std::string& plugin, const json& devices) {
  std::string reason;
  bool processors = false;
  for (const json& device : devices) {
    if (device["plugin"] != plugin) continue;
    processors = processors || device["score"] > 0;
    if (reason.empty()) reason = device["note"];
  }
  if (processors)
    reason = "only processors, which --with-cpu-devices checks";
  else if (reason.empty())
    reason = fs::exists(settings_.bundle / "lib/nexus-pipe/plugins" /
                        ("nexus-" + plugin + ".so"))
                 ? "the plugin was not loaded: nexus-pipe plugins --why"
                 : "the plugin was not built";
  not_run(plugin, reason);
}

std::vector<card> checks::find_cards() {
  const std::vector<std::string> words = {nexus_pipe(), "devices", "--json"};
  const ended done = run_program(words, {}, patience);
  const json told = json::parse(done.output, nullptr, false);
  std::vector<card> cards;
  if (done.status != 0 || !told.is_object() || !told.contains("devices")) {
    add_part({{"part", "devices"}, {"command", command_line(words, {})}},
             "failed", last_words(done));
    return cards;
  }
  report_["machine"]["profile"] = told["machine"];
  report_["devices"] = told["devices"];
  for (const std::string plugin : {"cuda", "opencl"}) {
    const std::size_t before = cards.size();
    for (const json& device : told["devices"]) {
      const bool wanted = device["gpu"] || settings_.cpu_devices;
      if (device["plugin"] == plugin && device["score"] > 0 && wanted)
        cards.push_back({device["id"], plugin});
    }
    if (cards.size() == before) note_missing(plugin, told["devices"]);
  }
  return cards;
}

void checks::check_card(const card& which) {
  const std::string number = which.id.substr(which.id.find(':') + 1);
  std::string filter = "*/" + which.plugin + "_" + number + "_*";
  // What takes long, or needs several devices.
  if (settings_.quick)
    filter += "-*TenThousand*:*Random*:*EveryOther*:*ManyJobs*";
  step_options options;
  options.of_googletest = true;
  options.environment = {
      {"NEXUS_PROVE_VECTORS", settings_.bundle / "vectors/prove"}};
  const fs::path plugin = settings_.bundle / "lib/nexus-pipe/plugins" /
                          ("nexus-" + which.plugin + ".so");
  step("conformance", which.id,
       {tests("backend_conformance"), "--plugin=" + plugin.string(),
        "--gtest_filter=" + filter},
       options);
}

void checks::check_plugin(const std::string& plugin) {
  step_options options;
  options.of_googletest = true;
  options.environment = {
      {"NEXUS_TEST_PLUGIN_DIR", settings_.bundle / "lib/nexus-pipe/plugins"},
      {"NEXUS_TEST_CACHE_DIR", settings_.scratch / "cache"}};
  step("engine runs, and bytes equal to the processor's", plugin,
       {tests("engine_cards_test"), "--gtest_filter=*/" + plugin}, options);
}

void checks::round_trip(const std::string& plugin, const fs::path& folder,
                        std::uint64_t bytes) {
  const fs::path plain = folder / "plain", key = folder / "key",
                 sealed = folder / "sealed", opened = folder / "opened",
                 told = folder / "telemetry";
  const auto same = [&](const std::string& part) {
    const bool good = same_files(plain, opened);
    add_part({{"part", part}, {"of", plugin}, {"bytes", bytes}},
             good ? "passed" : "failed",
             good ? "" : "the bytes differ, or there are none");
  };
  // That the device worked, and how fast.
  const auto note = [&](const std::string& part, const std::string& backend) {
    const json numbers = read_json(told);
    std::uint64_t jobs = 0;
    if (numbers.is_object()) {
      for (const json& device : numbers["devices"])
        if (device["plugin"] == backend)
          jobs += device["jobs"].get<std::uint64_t>();
      const double seconds = numbers["elapsed_seconds"];
      report_["parts"].back()["bytes_per_second"] =
          seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
    }
    report_["parts"].back()["jobs"] = jobs;
    if (jobs == 0)
      add_part({{"part", part}, {"of", plugin}}, "failed", "it did no job");
  };
  const std::string other = "cpu";
  const auto seal = [&](const std::string& way, const std::string& by,
                        const std::string& isolated) {
    const bool good =
        tool(way, plugin,
             {"encrypt", "-i", key, "--backend", by, "--isolate", isolated,
              "--no-sync", "--telemetry", told, "-o", sealed, plain});
    if (good) note(way, by);
    return good;
  };
  const auto open = [&](const std::string& way, const std::string& by) {
    const bool good = tool(way + ", opened by " + by, plugin,
                           {"decrypt", "-i", key, "--backend", by, "--no-sync",
                            "--telemetry", told, "-o", opened, sealed});
    if (!good) return;
    note(way, by);
    same(way + ", compared");
  };
  std::string way = "round trip, sealed by " + plugin;
  if (seal(way, plugin, "none")) open(way, other);
  way = "round trip, sealed by cpu";
  if (seal(way, other, "none")) open(way, plugin);
  way = "round trip, sealed by " + plugin + " in a helper process";
  if (seal(way, plugin, "all")) open(way, other);
}

void checks::digests(const std::string& plugin, const fs::path& input) {
  std::string first;
  for (const std::string& backend : {std::string("cpu"), plugin}) {
    const std::vector<std::string> words = {nexus_pipe(), "digest", "--backend",
                                            backend, input};
    const ended done = run_program(words, {}, patience);
    const bool good = done.status == 0 && !done.output.empty() &&
                      (first.empty() || done.output == first);
    add_part({{"part", "digest by " + backend},
              {"of", plugin},
              {"command", command_line(words, {})},
              {"seconds", done.seconds}},
             good ? "passed" : "failed",
             good               ? ""
             : done.status == 0 ? "it is not that of the processor"
                                : last_words(done));
    first = done.output;
  }
}

void checks::round_trips(const std::string& plugin) {
  constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;
  const bool card =
      std::any_of(report_["devices"].begin(), report_["devices"].end(),
                  [&](const json& device) {
                    return device["plugin"] == plugin && device["gpu"];
                  });
  std::uint64_t bytes = settings_.quick ? gibibyte / 64
                        : card          ? 4 * gibibyte
                                        : gibibyte / 4;
  // The plain file, the sealed one and the opened one.
  const fs::path folder = settings_.scratch / plugin;
  const std::uint64_t room = fs::space(settings_.scratch).available;
  if (room / 4 < bytes) {
    bytes = room / 4 / gibibyte * gibibyte;
    if (bytes == 0) {
      not_run("round trips with " + plugin,
              "there is too little room in " + settings_.scratch.string());
      return;
    }
  }
  bytes += 12345;  // not a whole number of anything
  fs::create_directories(folder);
  if (!write_sample(folder / "plain", bytes)) {
    not_run("round trips with " + plugin,
            "no sample could be written to " + folder.string());
  } else if (tool("keygen", plugin, {"keygen", "-o", folder / "key"})) {
    round_trip(plugin, folder, bytes);
    digests(plugin, folder / "plain");
  }
  fs::remove_all(folder);
}

void checks::measure(const std::string& plugin) {
  const fs::path program = tests("nexus-bench-gpu");
  if (!fs::exists(program)) {
    not_run("figures of " + plugin, "the benchmark is not in this bundle");
    return;
  }
  const fs::path told = settings_.scratch / "figures";
  std::vector<std::string> words = {
      program, "--plugins", settings_.bundle / "lib/nexus-pipe/plugins",
      "--out", told,        plugin};
  if (settings_.quick) words.insert(words.begin() + 1, "--quick");
  if (!step("figures", plugin, words, {})) return;
  json figures = read_json(told);
  figures["command"] = command_line(words, {});
  // Beside them those of the command, file to file.
  json by_command = json::array();
  for (const json& part : report_["parts"]) {
    if (part.value("of", "") == plugin && part.contains("bytes_per_second"))
      by_command.push_back({{"part", part["part"]},
                            {"bytes_per_second", part["bytes_per_second"]},
                            {"command", part["command"]}});
  }
  figures["command_line"] = std::move(by_command);
  report_["figures"].push_back(std::move(figures));
}

json checks::run() {
  const auto began = std::chrono::steady_clock::now();
  report_ = {{"report", "nexus-pipe gpu-check"},
             {"release", first_line_of(settings_.bundle / "RELEASE")},
             {"began", now_in_utc()},
             {"result", ""},
             {"quick", settings_.quick},
             {"with_cpu_devices", settings_.cpu_devices},
             {"machine", json::object()},
             {"devices", json::array()},
             {"not_run", json::array()},
             {"parts", json::array()},
             {"figures", json::array()}};
  note_machine();
  const std::vector<card> cards = find_cards();
  std::set<std::string> plugins;
  for (const card& each : cards) {
    plugins.insert(each.plugin);
    check_card(each);
  }
  for (const std::string& plugin : plugins) {
    check_plugin(plugin);
    round_trips(plugin);
    measure(plugin);
  }
  report_["result"] = failed_ ? "failed" : cards.empty() ? "no gpu" : "passed";
  report_["seconds"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began)
          .count();
  return std::move(report_);
}

}  // namespace gpu_check
