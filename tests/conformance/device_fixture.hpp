// Loads plugins as an engine would, through the C ABI alone, and runs single
// jobs on their devices.
#pragma once

#include <gtest/gtest.h>
#include <nexus/plugin.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "age_reference.hpp"

namespace conformance {

// One device of one plugin.
struct target {
  std::string path;
  const nexus_plugin* plugin = nullptr;
  std::uint32_t index = 0;
  nexus_device_info info{};
};

// For the messages of GoogleTest.
void PrintTo(const target& which, std::ostream* out);

// Loads the plugin and appends its devices that can run here. The reason, if
// there is none.
std::string add_targets(const std::string& path);
const std::vector<target>& targets();
const nexus_host& host();
std::string name_of(const testing::TestParamInfo<target>& info);

// A job to be: what it reads, how much it may write, its parameters.
struct request {
  const char* operation = "";
  view input;
  std::uint64_t capacity = 0;
  const void* params = nullptr;
  std::uint32_t params_bytes = 0;
  std::uint32_t lane = 0;
  std::size_t input_shift = 0;  // bytes off a 64-byte boundary
  std::size_t output_shift = 0;
  bool takes_output = false;  // by nexus_job.drain, as the device's caps say
  bool tells_steps = false;   // by nexus_job.step
  std::uint32_t job_bytes = sizeof(nexus_job);  // less: a host of before
  bool gives_tags = false;  // room for tags that the device need not compare
};

// What came of it.
struct outcome {
  std::int32_t status = -1;  // of submit() if it refused, else of the result
  bool accepted = false;
  std::uint64_t error_offset = 0;
  bool final_chunk = false;
  bool host_compared = false;      // NEXUS_RESULT_TAGS: the test did it instead
  std::vector<std::string> steps;  // "1 of 6: witness"
  bytes output;                    // output_bytes of it
  bytes room;                      // all of the output's capacity
};

// A job in flight, with memory of its own and guards around its output.
class flight {
 public:
  flight(const request& wanted, std::uint64_t id);
  ~flight();
  flight(const flight&) = delete;
  flight& operator=(const flight&) = delete;

  std::int32_t submit(nexus_device* device, const nexus_backend& backend);
  // Waits for done; fails the test if it does not come or writes too far.
  outcome wait();
  std::uint64_t id() const { return job_.id; }
  int done_calls() const { return done_calls_.load(); }

 private:
  static void on_done(void* user, std::uint64_t id, const nexus_result* result);
  static void on_step(void* user, std::uint32_t step, std::uint32_t steps,
                      const char* name);
  static void on_drain(void* user, std::uint64_t bytes, std::uint32_t flags);
  void check_drained() const;
  void compare_tags(outcome& end);

  request wanted_;
  bytes input_memory_, output_memory_, tags_;
  std::size_t output_at_ = 0;
  nexus_job job_{};
  nexus_result result_{};
  std::atomic<int> done_calls_{0};
  std::vector<std::string> steps_;
  bool stepped_late_ = false;
  // What was drained; done is called after that.
  int drain_calls_ = 0;
  bool drained_late_ = false;
  std::uint32_t drained_flags_ = 0;
  bytes drained_;
  bool wrong_id_ = false;
};

// The device under test stays open from one test to the next.
class DeviceTest : public testing::TestWithParam<target> {
 protected:
  void SetUp() override;

  const nexus_backend& backend() const { return *GetParam().plugin->backend; }
  nexus_device* device() const { return device_; }
  std::uint32_t lanes() const { return lanes_; }
  bool runs(const char* operation) const;
  outcome run(const request& wanted);
  std::uint64_t next_id() { return ++last_id_; }

 private:
  nexus_device* device_ = nullptr;
  std::uint32_t lanes_ = 1;
  static inline std::uint64_t last_id_ = 0;
};

#define SKIP_UNLESS_IT_RUNS(operation) \
  if (!runs(operation)) GTEST_SKIP() << "not offered: " << operation

// Opens a device with `lanes` unbound lanes; NULL if it does not open.
nexus_device* open_device(const target& which, std::uint32_t lanes);
void close_all_devices();

request age_request(const char* operation, view input,
                    const nexus_age_params& params);
nexus_age_params age_params(const age_key& key, std::uint64_t first_chunk,
                            bool last);

}  // namespace conformance
