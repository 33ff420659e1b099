// What is checked, and the report on it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace gpu_check {

using json = nlohmann::ordered_json;

struct settings {
  std::filesystem::path bundle;   // the folder with bin, lib, tests, vectors
  std::filesystem::path scratch;  // for large files; empty: found
  bool cpu_devices = false;       // OpenCL's processors are checked too
  bool quick = false;             // less of everything
};

struct card {
  std::string id;  // "opencl:0"
  std::string plugin;
};

// Runs everything in turn. Use once.
class checks {
 public:
  explicit checks(settings chosen) : settings_(std::move(chosen)) {}

  // "passed", "failed" or "no gpu" stands under "result".
  json run();

 private:
  struct step_options;

  void note_machine();
  // The cards to be checked; what there is none of is said to be not run.
  std::vector<card> find_cards();
  void note_missing(const std::string& plugin, const json& devices);
  void check_card(const card& which);
  void check_plugin(const std::string& plugin);
  void round_trips(const std::string& plugin);
  void round_trip(const std::string& plugin,
                  const std::filesystem::path& folder, std::uint64_t bytes);
  void digests(const std::string& plugin, const std::filesystem::path& input);
  void measure(const std::string& plugin);

  // Runs a program of the bundle as a part of the report; whether it passed.
  bool step(const std::string& part, const std::string& subject,
            const std::vector<std::string>& words, const step_options& options);
  bool tool(const std::string& part, const std::string& subject,
            const std::vector<std::string>& words);
  void add_part(json part, const std::string& result,
                const std::string& reason);
  void not_run(const std::string& part, const std::string& reason);

  std::filesystem::path tests(const char* name) const;
  std::filesystem::path nexus_pipe() const;

  settings settings_;
  json report_ = json::object();
  bool failed_ = false;
};

}  // namespace gpu_check
