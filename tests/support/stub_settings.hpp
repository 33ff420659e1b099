// The settings of the stub plugin; their words are in stub_control.h.
#pragma once

#include <nexus/plugin.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::stub {

// Picks some of the numbers 1, 2, 3 …
struct when {
  enum class kind { none, all, first, every, only, after };
  kind how = kind::none;
  std::uint64_t n = 0;

  bool holds(std::uint64_t number) const noexcept;
};

struct device_settings {
  std::int32_t score = 50;
  std::uint32_t depth = 2;
  std::uint32_t max_lanes = 0;
  std::uint64_t memory = 0;
  std::uint64_t min_bytes = 0, max_bytes = 0, preferred_bytes = 0;
  std::uint64_t scratch_bytes = 0;
  std::uint32_t alignment = 0;
  std::string pci;
  bool on_request = false;
  bool import = false;
  std::int32_t import_code = NEXUS_OK;
  bool drains = false;
  bool tags = false;
  std::string operations;  // empty: all
  std::int32_t open_code = NEXUS_OK;

  when fail, busy, refuse, corrupt, garbage, regret, lost, late;
  when crash, quit, hang, eat;
  std::uint64_t eat_bytes = 0;
  std::int32_t code = NEXUS_E_DEVICE;
  std::uint64_t delay_us = 0, jitter_us = 0, late_us = 0;
  std::uint32_t reorder = 0;
  std::uint32_t room = 0;
  enum class caller { worker, thread, submit } done = caller::worker;
  bool hold = false;
  std::int32_t health = NEXUS_OK;
};

inline constexpr std::uint32_t max_devices = 16;

// Settings of the whole plugin: devices are numbered, CPUs first.
class settings {
 public:
  settings();
  // False: a word is not known; those before it have taken effect.
  bool apply(std::string_view text);

  std::uint32_t device_count() const { return cpus_ + gpus_; }
  bool is_gpu(std::uint32_t device) const { return device >= cpus_; }
  const device_settings& device(std::uint32_t index) const;

 private:
  bool apply_one(std::string_view entry);
  bool set_count(std::uint32_t& count, std::string_view value);
  std::vector<device_settings*> chosen(std::string_view which);

  std::uint32_t cpus_ = 1, gpus_ = 0;
  std::vector<device_settings> cpu_settings_, gpu_settings_;
};

}  // namespace nexus::stub
