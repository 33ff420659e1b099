#include "service_control.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>

#include "config.hpp"
#include "files.hpp"
#include "screen.hpp"

namespace nexus::queue {
namespace {

using clock = std::chrono::steady_clock;
using json = nlohmann::json;

bool wait_for(std::chrono::milliseconds limit,
              const std::function<bool()>& come_true) {
  const auto until = clock::now() + limit;
  while (!come_true()) {
    if (clock::now() >= until) return false;
    ::usleep(20000);
  }
  return true;
}

}  // namespace

std::string describe(const service_identity& service) {
  return json{{"pid", service.process.pid},
              {"start_time", service.process.start_time},
              {"boot", service.process.boot},
              {"session", service.session}}
      .dump();
}

service_identity running_service(const home& where) {
  const auto text = read_file(where.service_lock());
  const json told = json::parse(text ? *text : "", nullptr, false);
  if (!told.is_object()) return {};
  service_identity service;
  try {
    service.process.pid = told.value("pid", pid_t{0});
    service.process.start_time = told.value("start_time", std::uint64_t{0});
    service.process.boot = told.value("boot", "");
    service.session = told.value("session", "");
  } catch (const json::exception&) {
    return {};  // rubbish in the file: it will be written anew
  }
  return is_alive(service.process) ? service : service_identity{};
}

result<bool> ensure_service(const home& where, store& jobs) {
  if (running_service(where).process.pid != 0) return false;
  if (const status set = jobs.set_word("control", ""); !set.ok()) return set;
  if (const status set = jobs.set_word("ready", ""); !set.ok()) return set;
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const status started =
      start_session(where, "nexus", {self.string(), "__service"});
  if (!started.ok()) return started;
  bool seen = false;
  bool up = false;
  static_cast<void>(wait_for(std::chrono::seconds(15), [&] {
    const bool runs = running_service(where).process.pid != 0;
    up = runs && !jobs.word("ready").empty();
    const bool ended = seen && !runs;
    seen = seen || runs;
    return up || ended;
  }));
  if (!up) {
    return status(status_code::io_error,
                  seen ? "the service ended before it was ready"
                       : "the service does not come up",
                  fmt::format("`nexus __service` in a terminal, or {}/logs/"
                              "service.log, tells why",
                              shorten_user(where.root)));
  }
  return true;
}

status end_service(const home& where, store& jobs, bool with_jobs) {
  const service_identity service = running_service(where);
  if (service.process.pid == 0) {
    return {status_code::invalid_argument, "the service does not run"};
  }
  const status told = jobs.set_word("control", with_jobs ? "stop" : "restart");
  if (!told.ok()) return told;
  const auto values = load_config(where);
  const double grace = values ? values->values.kill_grace_seconds : 10;
  const auto patience = std::chrono::milliseconds(
      15000 + (with_jobs ? static_cast<std::int64_t>(grace * 1000) : 0));
  if (!wait_for(patience, [&] { return !is_alive(service.process); })) {
    return {status_code::io_error,
            fmt::format("the service, process {}, does not end",
                        service.process.pid)};
  }
  return {};
}

}  // namespace nexus::queue
