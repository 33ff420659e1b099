#include "gpu_look.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "nvml.hpp"
#include "program.hpp"
#include "times.hpp"

namespace nexus::queue {
namespace {

constexpr std::chrono::seconds patience(10);
constexpr int no_nvml = 3;  // exit status

gpu_snapshot nothing(std::string problem) {
  return {now_ms(), std::move(problem), {}};
}

result<command_output> ask(std::vector<std::string> words,
                           const std::stop_token& stop) {
  program asked;
  asked.words = std::move(words);
  asked.limit = patience;
  asked.own_group = true;
  asked.stop = stop;
  return run_program(asked);
}

// unsupported: NVML is not there, or cannot be used.
result<gpu_snapshot> ask_nvml(const std::stop_token& stop) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto asked = ask({self.string(), "__gpus"}, stop);
  if (!asked) return asked.error();
  // nvidia-smi would hang in the same driver.
  if (asked->timed_out) return nothing("NVML does not answer");
  if (asked->exit_status != 0) {
    return status(status_code::unsupported,
                  asked->exit_status == no_nvml && !asked->text.empty()
                      ? asked->text
                      : "NVML failed");
  }
  return unpack(asked->text);
}

gpu_snapshot look_by_nvidia_smi(const config& rules,
                                const std::stop_token& stop) {
  const auto asked = ask(
      {rules.nvidia_smi, "--query-gpu=index,uuid,name,memory.total,memory.used",
       "--format=csv,noheader,nounits"},
      stop);
  if (!asked) return nothing("nvidia-smi was not found");
  if (asked->timed_out) return nothing("nvidia-smi does not answer");
  if (asked->exit_status != 0) {
    return nothing(
        fmt::format("nvidia-smi failed with status {}", asked->exit_status));
  }
  parsed_gpus parsed = parse_gpus(asked->text);
  gpu_snapshot snapshot{now_ms(), {}, std::move(parsed.gpus)};
  if (parsed.bad_lines > 0) {
    snapshot.problem = fmt::format("nvidia-smi printed {} lines without sense",
                                   parsed.bad_lines);
  } else if (snapshot.gpus.empty()) {
    snapshot.problem = "nvidia-smi lists no GPU";
  }
  if (snapshot.gpus.empty()) return snapshot;
  const auto users =
      ask({rules.nvidia_smi,
           "--query-compute-apps=gpu_uuid,pid,process_name,used_memory",
           "--format=csv,noheader,nounits"},
          stop);
  if (users && !users->timed_out && users->exit_status == 0) {
    parse_processes(users->text, snapshot.gpus);
  }
  return snapshot;
}

}  // namespace

gpu_snapshot look_at_gpus(const config& rules, const std::stop_token& stop) {
  gpu_snapshot seen;
  bool done = false;
  if (rules.source != gpu_source::nvidia_smi) {
    auto told = ask_nvml(stop);
    done = told.ok() || rules.source == gpu_source::nvml;
    seen = told ? std::move(told).value() : nothing(told.error().message());
  }
  if (!done) seen = look_by_nvidia_smi(rules, stop);
  judge(seen, rules);
  return seen;
}

int print_nvml_snapshot() {
  const auto seen = look_by_nvml();
  std::fputs(seen ? pack(*seen).c_str() : seen.error().message().c_str(),
             stdout);
  return seen ? 0 : no_nvml;
}

}  // namespace nexus::queue
