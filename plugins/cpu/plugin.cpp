// The CPU as a backend: one device, a thread per lane.
#include <nexus/plugin.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <nexus/prover.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "common/results.hpp"
#include "common/worker_pool.hpp"
#include "job_runner.hpp"
#include "lane_team.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

using nexus::common::hand_over;
using nexus::common::refuse;
using nexus::common::worker_pool;
using nexus::cpu::armor_codec;
using nexus::cpu::cipher_choice;
using nexus::cpu::job_runner;
using nexus::cpu::lane_team;
using nexus::cpu::work_board;

struct nexus_device {
  // Lanes that have nothing to do help with the proofs of others.
  work_board board{[this](std::size_t lanes) {
    if (worker_pool* lent = lender.load()) lent->nudge(lanes);
  }};
  std::atomic<worker_pool*> lender{nullptr};         // the pool, once it runs
  std::vector<std::unique_ptr<job_runner>> runners;  // one per lane
  std::unique_ptr<worker_pool> pool;  // its threads use the runners
};

namespace {

constexpr std::int32_t cpu_score = 50;   // graphics cards say more
constexpr std::uint32_t lane_depth = 2;  // one that runs, one that waits
constexpr std::uint32_t max_lanes_at_all = 65536;

// The fastest base64 loops, or those that NEXUS_CPU_ARMOR names, so that tests
// can try each of them.
const armor_codec& chosen_armor() {
  return nexus::cpu::pick_armor_codec(std::getenv("NEXUS_CPU_ARMOR"));
}

// The fastest cipher, or the one that NEXUS_CPU_CIPHER names.
cipher_choice chosen_cipher() {
  return nexus::cpu::parse_cipher_choice(std::getenv("NEXUS_CPU_CIPHER"));
}

// Whether the devices are only to be listed: time for a look at libipsec-mb.
bool is_listing(const nexus_host* host) {
  if (host == nullptr || host->get_extension == nullptr) return false;
  const void* wish = host->get_extension(host->context, NEXUS_HOST_REQUESTED);
  return wish != nullptr &&
         std::strcmp(static_cast<const char*>(wish), "*") == 0;
}

// Notes the loops in use; the cipher only as far as that is known in no time. A
// cipher that is asked for and cannot be had makes the device unusable, so that
// no test takes the other one for it.
void describe_loops(const nexus_host* host, nexus_device_info& info) {
  const cipher_choice choice = chosen_cipher();
  const bool forced = choice == cipher_choice::ipsec_mb;
  const char* cipher = choice == cipher_choice::openssl ? "openssl" : nullptr;
  if (forced || (cipher == nullptr && is_listing(host))) {
    const char* why = nexus::cpu::why_no_ipsec_mb();
    if (forced && why != nullptr) {
      info.score = 0;
      std::snprintf(info.note, sizeof info.note, "no cipher ipsec-mb: %s", why);
      return;
    }
    cipher = why == nullptr ? nexus::cpu::ipsec_mb_name() : "openssl";
  }
  const std::string_view prover = nexus::prover_isa_in_use();
  std::snprintf(info.note, sizeof info.note, "armor: %s, prover: %.*s%s%s",
                chosen_armor().name, static_cast<int>(prover.size()),
                prover.data(), cipher != nullptr ? ", cipher: " : "",
                cipher != nullptr ? cipher : "");
}

// The processor's name, without leading spaces; 96 bytes.
void name_processor(char (&name)[96]) {
  std::snprintf(name, sizeof name, "processor");
#if defined(__x86_64__)
  // Three leaves of 16 characters: the "processor brand string".
  unsigned int text[13] = {};
  unsigned int a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(0x80000000u, &a, &b, &c, &d) == 0 || a < 0x80000004u) return;
  for (unsigned int leaf = 0; leaf < 3; ++leaf) {
    unsigned int* to = text + 4 * leaf;
    __get_cpuid(0x80000002u + leaf, to, to + 1, to + 2, to + 3);
  }
  char brand[sizeof text];
  std::memcpy(brand, text, sizeof brand);
  std::size_t end = std::strlen(brand);
  while (end > 0 && brand[end - 1] == ' ') brand[--end] = '\0';
  const char* begin = brand + std::strspn(brand, " ");
  if (*begin != '\0') std::snprintf(name, sizeof name, "%s", begin);
#endif
}

std::int32_t probe(const nexus_host* host, std::uint32_t index,
                   nexus_device_info* info) {
  if (index != 0) return NEXUS_E_END;
  nexus_device_info made{};
  made.size = sizeof made;
  made.kind = NEXUS_DEVICE_CPU;
  made.score = cpu_score;
  made.lane_depth = lane_depth;
  made.numa_node = -1;
  name_processor(made.name);
  std::snprintf(made.driver, sizeof made.driver, "%s",
                OpenSSL_version(OPENSSL_VERSION));
  describe_loops(host, made);
  return hand_over(made, info);
}

std::int32_t caps(std::uint32_t index, const char* operation,
                  nexus_caps* caps) {
  if (index != 0 || !nexus::cpu::supports_operation(operation)) {
    return NEXUS_E_UNSUPPORTED;
  }
  nexus_caps made{};  // any size and alignment, no scratch memory
  made.size = sizeof made;
  made.flags = NEXUS_CAPS_FILLS | NEXUS_CAPS_DRAINS;
  return hand_over(made, caps);
}

bool well_formed(const nexus_open* options) {
  if (options == nullptr || options->size < sizeof *options ||
      options->device_index != 0 || options->lane_count == 0 ||
      options->lane_count > max_lanes_at_all || options->lanes == nullptr) {
    return false;
  }
  const std::span lanes(options->lanes, options->lane_count);
  return std::all_of(lanes.begin(), lanes.end(), [](const nexus_lane* lane) {
    return lane != nullptr && lane->size >= sizeof *lane &&
           (lane->processor_count == 0 || lane->processors != nullptr);
  });
}

std::int32_t open_device(const nexus_host* host, const nexus_open* options,
                         nexus_device** device, nexus_error* error) {
  if (device == nullptr || !well_formed(options)) {
    return refuse(error, NEXUS_E_ARGUMENT,
                  "cpu: no such device, or lanes are not given as pinned");
  }
  auto made = std::make_unique<nexus_device>();
  for (std::uint32_t i = 0; i < options->lane_count; ++i) {
    made->runners.push_back(
        job_runner::create(chosen_armor(), chosen_cipher(),
                           std::make_unique<lane_team>(made->board)));
    if (!made->runners.back()) {
      return refuse(error, NEXUS_E_UNSUPPORTED,
                    "cpu: openssl offers no chacha20-poly1305 here");
    }
  }
  worker_pool::options wanted;
  wanted.lanes = {options->lanes, options->lane_count};
  wanted.depth = lane_depth;
  wanted.thread_name = "nexus-cpu";
  wanted.host = host;
  wanted.run = [owner = made.get()](std::uint32_t lane, const nexus_job& job,
                                    const std::atomic<bool>& cancelled) {
    return owner->runners[lane]->run(job, cancelled);
  };
  wanted.idle = [owner = made.get()](std::uint32_t,
                                     const std::atomic<bool>& needed) {
    owner->board.help(needed);
  };
  made->pool = worker_pool::start(std::move(wanted));
  if (!made->pool) {
    return refuse(error, NEXUS_E_NO_MEMORY,
                  "cpu: the system gives no more threads");
  }
  made->lender = made->pool.get();
  *device = made.release();
  return NEXUS_OK;
}

std::int32_t open(const nexus_host* host, const nexus_open* options,
                  nexus_device** device, nexus_error* error) {
  try {
    return open_device(host, options, device, error);
  } catch (const std::bad_alloc&) {
    return refuse(error, NEXUS_E_NO_MEMORY, "cpu: out of memory");
  }
}

void close(nexus_device* device) {
  if (device != nullptr) device->lender = nullptr;
  delete device;
}

std::int32_t submit(nexus_device* device, std::uint32_t lane,
                    const nexus_job* job, nexus_done done, void* user) {
  if (device == nullptr || done == nullptr) return NEXUS_E_ARGUMENT;
  const std::int32_t fit = nexus::cpu::check_job(job);
  return fit == NEXUS_OK ? device->pool->submit(lane, job, done, user) : fit;
}

void cancel(nexus_device* device, std::uint64_t job_id) {
  device->pool->cancel(job_id);
}

constexpr nexus_backend make_backend() {
  nexus_backend backend{};
  backend.size = sizeof backend;
  backend.probe = probe;
  backend.caps = caps;
  backend.open = open;
  backend.close = close;
  backend.submit = submit;
  backend.cancel = cancel;
  return backend;
}
constexpr nexus_backend backend = make_backend();

#ifndef NEXUS_PLUGIN_VERSION
#define NEXUS_PLUGIN_VERSION "0.0.0"
#endif

constexpr nexus_plugin plugin = {
    sizeof(nexus_plugin), NEXUS_ABI_MAJOR, NEXUS_ABI_MINOR, 0, "cpu",
    NEXUS_PLUGIN_VERSION, &backend,        nullptr};

}  // namespace

extern "C" const nexus_plugin* nexus_plugin_entry(const nexus_host*) {
  return &plugin;
}
