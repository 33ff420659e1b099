// The stub does what it is told: what other tests lean on. Linked with the
// stub's own sources, whose entry point it calls.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "stub_control.h"

namespace {

struct ending {
  std::uint64_t id;
  std::int32_t status;
  std::thread::id thread;
};

class StubPlugin : public testing::Test {
 protected:
  void SetUp() override {
    backend_ = nexus_plugin_entry(nullptr)->backend;
    control_ = static_cast<const nexus_stub_control*>(
        backend_->get_extension(NEXUS_STUB_CONTROL));
    control_->reset();
    params_.size = sizeof params_;
    params_.flags = NEXUS_AGE_LAST;
  }
  void TearDown() override {
    if (device_ != nullptr) backend_->close(device_);
    control_->reset();
  }

  void set(const char* text) { ASSERT_EQ(control_->configure(text), NEXUS_OK); }
  std::int32_t open(std::uint32_t index, std::uint32_t lanes = 1) {
    nexus_lane lane{};
    lane.size = sizeof lane;
    lane.numa_node = 3;
    const std::vector<const nexus_lane*> all(lanes, &lane);
    nexus_open options{sizeof options, index, lanes, 0, all.data()};
    return backend_->open(nullptr, &options, &device_, nullptr);
  }
  std::int32_t submit() {
    auto& job = *jobs_.emplace_back(std::make_unique<nexus_job>());
    outputs_.emplace_back(200);
    job.size = sizeof job;
    job.id = jobs_.size();
    job.operation = NEXUS_JOB_AGE_SEAL;
    job.input = input_;
    job.input_bytes = sizeof input_;
    job.output = outputs_.back().data();
    job.output_capacity = 116;
    job.params = &params_;
    job.params_bytes = sizeof params_;
    return backend_->submit(device_, 0, &job, on_done, this);
  }
  std::vector<ending> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(30),
                                  [&] { return ended_.size() >= count; }));
    return ended_;
  }
  std::size_t ended_so_far() {
    const std::lock_guard lock(mutex_);
    return ended_.size();
  }
  nexus_stub_counters counters(std::uint32_t device = 0) {
    nexus_stub_counters c{};
    control_->counters(device, &c);
    return c;
  }

  static void on_done(void* user, std::uint64_t id,
                      const nexus_result* result) {
    auto* self = static_cast<StubPlugin*>(user);
    const std::lock_guard lock(self->mutex_);
    self->ended_.push_back({id, result->status, std::this_thread::get_id()});
    self->changed_.notify_all();
  }

  const nexus_backend* backend_ = nullptr;
  const nexus_stub_control* control_ = nullptr;
  nexus_device* device_ = nullptr;
  nexus_age_params params_{};
  std::uint8_t input_[100] = {};
  std::vector<std::unique_ptr<nexus_job>> jobs_;
  std::vector<std::vector<std::uint8_t>> outputs_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ending> ended_;
};

TEST_F(StubPlugin, RefusesWordsItDoesNotKnow) {
  for (const char* text :
       {"fial=all", "fail", "fail=sometimes", "fail=every:0", "fail=every:x",
        "cpus=17", "code=SAD", "gpu99.fail=all", "disk.fail=all", "depth=0",
        "hold=2", "done=never", "delay_us=-1"}) {
    EXPECT_EQ(control_->configure(text), NEXUS_E_ARGUMENT) << text;
  }
}

TEST_F(StubPlugin, PosesAsWhatItIsTold) {
  set("cpus=1;gpus=2;gpu1.pci=0000:3b:00.0;gpu.memory=1024;gpu0.score=0");
  nexus_device_info info{};
  info.size = sizeof info;
  EXPECT_EQ(backend_->probe(nullptr, 3, &info), NEXUS_E_END);
  ASSERT_EQ(backend_->probe(nullptr, 0, &info), NEXUS_OK);
  EXPECT_EQ(info.kind, NEXUS_DEVICE_CPU);
  EXPECT_EQ(info.memory_bytes, 0u);
  ASSERT_EQ(backend_->probe(nullptr, 1, &info), NEXUS_OK);
  EXPECT_EQ(info.score, 0);
  ASSERT_EQ(backend_->probe(nullptr, 2, &info), NEXUS_OK);
  EXPECT_EQ(info.kind, NEXUS_DEVICE_GPU);
  EXPECT_STREQ(info.pci_id, "0000:3b:00.0");
  EXPECT_EQ(info.memory_bytes, 1024u);
}

TEST_F(StubPlugin, FailsTheJobsItIsToldTo) {
  set("fail=every:2;code=NO_MEMORY;depth=4");
  ASSERT_EQ(open(0), NEXUS_OK);
  for (int i = 0; i < 4; ++i) ASSERT_EQ(submit(), NEXUS_OK);
  const auto ends = wait_for(4);
  EXPECT_EQ(ends[0].status, NEXUS_OK);
  EXPECT_EQ(ends[1].status, NEXUS_E_NO_MEMORY);
  EXPECT_EQ(ends[2].status, NEXUS_OK);
  EXPECT_EQ(ends[3].status, NEXUS_E_NO_MEMORY);
}

TEST_F(StubPlugin, IsBusyAndRefusesAsTold) {
  set("busy=only:2;refuse=only:3;code=ARGUMENT");
  ASSERT_EQ(open(0), NEXUS_OK);
  EXPECT_EQ(submit(), NEXUS_OK);
  EXPECT_EQ(submit(), NEXUS_E_BUSY);
  EXPECT_EQ(submit(), NEXUS_E_ARGUMENT);
  wait_for(1);
  EXPECT_EQ(counters().submitted, 3u);
  EXPECT_EQ(counters().accepted, 1u);
}

TEST_F(StubPlugin, IsLostUntilItIsReset) {
  set("lost=after:1");
  ASSERT_EQ(open(0), NEXUS_OK);
  submit();
  wait_for(1);
  submit();
  EXPECT_EQ(wait_for(2)[1].status, NEXUS_E_LOST);
  nexus_health health{};
  health.size = sizeof health;
  backend_->health(device_, &health);
  EXPECT_EQ(health.status, NEXUS_E_LOST);
  control_->reset();
  submit();
  EXPECT_EQ(wait_for(3)[2].status, NEXUS_OK);
}

TEST_F(StubPlugin, CorruptsWithoutSayingSo) {
  set("corrupt=only:2");
  ASSERT_EQ(open(0), NEXUS_OK);
  submit();
  submit();
  const auto ends = wait_for(2);
  EXPECT_EQ(ends[1].status, NEXUS_OK);
  EXPECT_NE(outputs_[0], outputs_[1]);
}

TEST_F(StubPlugin, ReordersAndFlushesWhatIsLeft) {
  set("reorder=3;depth=8");
  ASSERT_EQ(open(0), NEXUS_OK);
  for (int i = 0; i < 3; ++i) submit();
  const auto three = wait_for(3);
  EXPECT_EQ(three[0].id, 3u);
  EXPECT_EQ(three[1].id, 2u);
  EXPECT_EQ(three[2].id, 1u);
  submit();
  EXPECT_EQ(wait_for(4)[3].id, 4u);
}

TEST_F(StubPlugin, CallsDoneWhereItIsTold) {
  ASSERT_EQ(open(0), NEXUS_OK);
  set("done=submit");
  submit();
  ASSERT_EQ(ended_so_far(), 1u);
  EXPECT_EQ(wait_for(1)[0].thread, std::this_thread::get_id());
  set("done=thread");
  submit();
  wait_for(2);
  set("done=worker");
  submit();
  const auto ends = wait_for(3);
  EXPECT_NE(ends[1].thread, ends[0].thread);
  EXPECT_NE(ends[2].thread, ends[1].thread);
  EXPECT_NE(ends[2].thread, ends[0].thread);
}

TEST_F(StubPlugin, HoldsUntilReleasedOrCancelled) {
  set("hold=1;depth=3");
  ASSERT_EQ(open(0), NEXUS_OK);
  for (int i = 0; i < 3; ++i) submit();
  EXPECT_EQ(counters().most_held, 3u);
  EXPECT_EQ(ended_so_far(), 0u);
  control_->release(1);
  EXPECT_EQ(wait_for(1)[0].status, NEXUS_OK);
  backend_->cancel(device_, 2);
  EXPECT_EQ(wait_for(2)[1].status, NEXUS_E_CANCELLED);
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(ended_so_far(), 2u);
  set("hold=0");
  EXPECT_EQ(wait_for(3)[2].status, NEXUS_OK);
}

TEST_F(StubPlugin, DelaysALateJob) {
  set("late=only:1;late_us=30000");
  ASSERT_EQ(open(0), NEXUS_OK);
  const auto began = std::chrono::steady_clock::now();
  submit();
  wait_for(1);
  EXPECT_GE(std::chrono::steady_clock::now() - began,
            std::chrono::milliseconds(30));
}

TEST_F(StubPlugin, RunsOnlyTheOperationsItIsTold) {
  set("operations=armor-encode,age-open");
  nexus_caps caps{};
  caps.size = sizeof caps;
  EXPECT_EQ(backend_->caps(0, NEXUS_JOB_AGE_SEAL, &caps), NEXUS_E_UNSUPPORTED);
  EXPECT_EQ(backend_->caps(0, NEXUS_JOB_AGE_OPEN, &caps), NEXUS_OK);
  ASSERT_EQ(open(0), NEXUS_OK);
  EXPECT_EQ(submit(), NEXUS_E_UNSUPPORTED);
}

TEST_F(StubPlugin, RecordsTheLanesItWasGiven) {
  set("max_lanes=2");
  EXPECT_EQ(open(0, 3), NEXUS_E_ARGUMENT);
  ASSERT_EQ(open(0, 2), NEXUS_OK);
  EXPECT_EQ(control_->lane_count(0), 2u);
  std::int32_t node = -1;
  EXPECT_EQ(control_->lane(0, 1, &node, nullptr, 0), 0u);
  EXPECT_EQ(node, 3);
  EXPECT_EQ(counters().opened, 1u);
}

TEST_F(StubPlugin, DoesNotOpenWhenTold) {
  set("open_code=NO_MEMORY");
  EXPECT_EQ(open(0), NEXUS_E_NO_MEMORY);
}

}  // namespace
