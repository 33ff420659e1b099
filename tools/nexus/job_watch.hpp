// The jobs that are starting or running, and what is done where their launcher
// does not do it itself.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "home.hpp"
#include "process.hpp"
#include "service_log.hpp"
#include "store.hpp"

namespace nexus::queue {

class job_watch {
 public:
  job_watch(const home& where, store& jobs, service_log& log)
      : where_(where), jobs_(jobs), log_(log) {}

  void set_grace(std::chrono::milliseconds grace) { grace_ = grace; }
  // Takes over what the last service left.
  void recover();
  void add(const job& which);
  // Kills where that was asked for, and buries what died. all_end: every one is
  // to end.
  void look(bool all_end);
  void request_all_ends();
  [[nodiscard]] std::size_t size() const noexcept { return active_.size(); }

 private:
  using clock = std::chrono::steady_clock;
  struct watched {
    watched() = default;
    explicit watched(job of) : which(std::move(of)) {}

    job which;
    clock::time_point since = clock::now();
    clock::time_point told{};  // when its launcher was last told to end
    clock::time_point kill_since{};
    std::unique_ptr<job_ending> ending;  // where no launcher does it
  };

  void look_at(watched& one, bool has_to_end);
  void look_for_launcher(const watched& one);
  void bury(watched& one, std::string why);
  void report_requeued(const job& before);

  const home& where_;
  store& jobs_;
  service_log& log_;
  std::chrono::milliseconds grace_{10000};
  std::map<std::int64_t, watched> active_;
};

}  // namespace nexus::queue
