// A device over a backend made here, which answers as each test wants.
#include "backend/device.hpp"

#include <gmock/gmock.h>

#include <cstring>
#include <thread>
#include <vector>

#include "test_loop.hpp"

namespace nexus::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

nexus_result ok_result(std::uint64_t output) {
  nexus_result r{};
  r.size = sizeof r;
  r.output_bytes = output;
  return r;
}

// The backend's functions have nothing to hold on to but this.
struct fake_backend {
  struct order {
    std::uint32_t lane;
    std::uint64_t id;
    nexus_done done;
    void* user;
    void finish(const nexus_result* result) const { done(user, id, result); }
  };
  std::vector<order> orders;
  std::vector<std::uint64_t> cancelled;
  std::function<std::int32_t(const order&)> on_submit;
  std::function<std::int32_t(const nexus_open&, nexus_error&)> on_open;
  std::function<std::int32_t(std::uint32_t, nexus_device_info&)> on_probe;
  bool gives_handle = true;
  int closed = 0;
};
fake_backend* fake = nullptr;
int handle_target = 0;

std::int32_t fake_probe(const nexus_host*, std::uint32_t index,
                        nexus_device_info* info) {
  if (fake->on_probe) return fake->on_probe(index, *info);
  return index == 0 ? NEXUS_OK : NEXUS_E_END;
}
std::int32_t fake_caps(std::uint32_t, const char* operation, nexus_caps* caps) {
  if (std::strcmp(operation, "known") != 0) return NEXUS_E_UNSUPPORTED;
  EXPECT_EQ(caps->size, sizeof(nexus_caps));
  EXPECT_EQ(caps->max_bytes, 0u) << "left from before";
  caps->min_bytes = 77;
  return NEXUS_OK;
}
std::int32_t fake_open(const nexus_host*, const nexus_open* options,
                       nexus_device** device, nexus_error* error) {
  const std::int32_t code =
      fake->on_open ? fake->on_open(*options, *error) : NEXUS_OK;
  if (fake->gives_handle)
    *device = reinterpret_cast<nexus_device*>(&handle_target);
  return code;
}
void fake_close(nexus_device* device) {
  EXPECT_EQ(device, reinterpret_cast<nexus_device*>(&handle_target));
  ++fake->closed;
}
std::int32_t fake_submit(nexus_device*, std::uint32_t lane,
                         const nexus_job* job, nexus_done done, void* user) {
  const fake_backend::order order{lane, job->id, done, user};
  fake->orders.push_back(order);
  return fake->on_submit ? fake->on_submit(order) : NEXUS_OK;
}
void fake_cancel(nexus_device*, std::uint64_t id) {
  fake->cancelled.push_back(id);
}

class Device : public testing::Test {
 public:
  Device() {
    fake = &backend_;
    plugin_->name = "fake";
    plugin_->has_backend = true;
    plugin_->backend.size = sizeof(nexus_backend);
    plugin_->backend.probe = fake_probe;
    plugin_->backend.caps = fake_caps;
    plugin_->backend.open = fake_open;
    plugin_->backend.close = fake_close;
    plugin_->backend.submit = fake_submit;
    plugin_->backend.cancel = fake_cancel;
    job_.size = sizeof job_;
  }

  result<std::unique_ptr<device>> open(
      const std::vector<worker_binding>& lanes = {{0, {}}}) {
    return device::open({plugin_, 4, {}}, lanes, nullptr);
  }
  std::unique_ptr<device> opened() {
    auto made = open();
    EXPECT_TRUE(made.ok()) << made.error().message();
    return std::move(*made);
  }
  void start(device& on, std::optional<device_result>* into, nexus_job* job,
             std::uint64_t owner = 1) {
    loop_.start(on.submit(0, *job, owner), into);
    loop_.settle();
  }
  // One job for which the backend reports this.
  device_result reported(const nexus_result* result) {
    const auto on = opened();
    std::optional<device_result> got;
    start(*on, &got, &job_);
    fake->orders.back().finish(result);
    loop_.settle();
    return got.value_or(device_result{});
  }

  fake_backend backend_;
  std::shared_ptr<loaded_plugin> plugin_ = std::make_shared<loaded_plugin>();
  test_loop loop_;
  nexus_job job_{};
  const std::thread::id main_ = std::this_thread::get_id();
};

TEST_F(Device, ARefusalToOpenCarriesThePluginsWords) {
  backend_.gives_handle = false;
  backend_.on_open = [](const nexus_open&, nexus_error& error) {
    EXPECT_EQ(error.size, sizeof error);
    std::memset(error.message, 'x', sizeof error.message);  // not ended
    return NEXUS_E_DEVICE;
  };
  auto made = open();
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code(), status_code::device_failed);
  EXPECT_EQ(made.error().message(),
            "fake:4 cannot be opened: " + std::string(247, 'x'));
  EXPECT_EQ(backend_.closed, 0);
}

TEST_F(Device, ARefusalWithoutWordsIsPutIntoSome) {
  backend_.gives_handle = false;
  for (const auto& [code, words] :
       {std::pair{+NEXUS_E_NO_MEMORY, "out of memory"},
        std::pair{+NEXUS_E_LOST, "the device is gone"},
        std::pair{+NEXUS_E_DEVICE, "the device failed"},
        std::pair{+NEXUS_OK, "the device failed"}}) {  // no handle
    backend_.on_open = [answer = code](const nexus_open&, nexus_error&) {
      return answer;
    };
    auto made = open();
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().message(),
              std::string("fake:4 cannot be opened: ") + words);
  }
}

TEST_F(Device, OpenHandsOverEveryLane) {
  backend_.on_open = [](const nexus_open& options, nexus_error&) {
    EXPECT_EQ(options.size, sizeof options);
    EXPECT_EQ(options.device_index, 4u);
    EXPECT_EQ(options.lane_count, 3u);
    const nexus_lane& free = *options.lanes[0];
    EXPECT_EQ(free.size, sizeof free);
    EXPECT_EQ(free.numa_node, -1);
    EXPECT_EQ(free.processor_count, 0u);
    const nexus_lane& bound = *options.lanes[2];
    EXPECT_EQ(bound.numa_node, 1);
    EXPECT_EQ(std::vector<std::uint32_t>(
                  bound.processors, bound.processors + bound.processor_count),
              (std::vector<std::uint32_t>{6, 7}));
    return +NEXUS_OK;
  };
  auto made = open({{0, {}}, {0, {4, 5}}, {1, {6, 7}}});
  ASSERT_TRUE(made.ok());
  EXPECT_EQ((*made)->lanes(), 3u);
  EXPECT_EQ((*made)->id(), "fake:4");
  made->reset();
  EXPECT_EQ(backend_.closed, 1);
}

TEST_F(Device, AJobGoesToItsLaneUnderANumberOfItsOwn) {
  const auto on = opened();
  nexus_job jobs[3] = {job_, job_, job_};
  std::optional<device_result> got[3];
  for (int i = 0; i < 3; ++i)
    loop_.start(on->submit(static_cast<std::uint32_t>(i), jobs[i], 1), &got[i]);
  loop_.settle();
  ASSERT_EQ(backend_.orders.size(), 3u);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(backend_.orders[i].lane, i);
    EXPECT_EQ(backend_.orders[i].id, jobs[i].id);
  }
  EXPECT_NE(jobs[0].id, jobs[1].id);
  EXPECT_NE(jobs[1].id, jobs[2].id);
  // Ended in another order, each gets its own result.
  for (const std::uint32_t i : {2u, 0u, 1u}) {
    const auto result = ok_result(100 + i);
    backend_.orders[i].finish(&result);
  }
  loop_.settle();
  for (std::uint32_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(got[i].has_value());
    EXPECT_EQ(got[i]->output_bytes, 100 + i);
  }
}

TEST_F(Device, DoneTwiceCountsOnce) {
  const auto on = opened();
  std::optional<device_result> first, second;
  nexus_job other = job_;
  start(*on, &first, &job_);
  start(*on, &second, &other);
  const auto good = ok_result(5), bad = ok_result(6);
  backend_.orders[0].finish(&good);
  backend_.orders[0].finish(&bad);
  loop_.settle();
  backend_.orders[0].finish(&bad);
  loop_.settle();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->output_bytes, 5u);
  EXPECT_FALSE(second.has_value()) << "the wrong job was ended";
  EXPECT_EQ(on->stray_completions(), 2u);
  backend_.orders[1].finish(&good);
  loop_.settle();
  EXPECT_TRUE(second.has_value());
}

TEST_F(Device, DoneForAJobThatNeverWasIsCounted) {
  const auto on = opened();
  std::optional<device_result> got;
  start(*on, &got, &job_);
  const auto result = ok_result(1);
  backend_.orders[0].done(backend_.orders[0].user, 987654321, &result);
  loop_.settle();
  EXPECT_FALSE(got.has_value());
  EXPECT_EQ(on->stray_completions(), 1u);
  backend_.orders[0].finish(&result);
  loop_.settle();
}

TEST_F(Device, DoneFromWithinSubmitResumesLater) {
  backend_.on_submit = [](const fake_backend::order& order) {
    const auto result = ok_result(9);
    order.finish(&result);
    return +NEXUS_OK;
  };
  const auto on = opened();
  std::optional<device_result> got;
  start(*on, &got, &job_);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->status, NEXUS_OK);
  EXPECT_EQ(got->output_bytes, 9u);
  EXPECT_EQ(on->stray_completions(), 0u);
}

TEST_F(Device, SubmitThatRefusesEndsTheJobWithItsCode) {
  const auto on = opened();
  for (const auto& [code, words] :
       {std::pair{+NEXUS_E_BUSY, "its queue is full"},
        std::pair{+NEXUS_E_ARGUMENT, "it refused the job's parameters"},
        std::pair{+NEXUS_E_UNSUPPORTED, "it does not support the operation"}}) {
    backend_.on_submit = [answer = code](const auto&) { return answer; };
    std::optional<device_result> got;
    start(*on, &got, &job_);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->status, code);
    EXPECT_EQ(got->message, words);
    EXPECT_EQ(got->output_bytes, 0u);
  }
  EXPECT_EQ(on->stray_completions(), 0u);
}

TEST_F(Device, DoneForARefusedJobIsAStrayOne) {
  backend_.on_submit = [](const fake_backend::order&) { return +NEXUS_E_BUSY; };
  const auto on = opened();
  std::optional<device_result> got;
  start(*on, &got, &job_);
  ASSERT_TRUE(got.has_value());
  const auto result = ok_result(3);
  backend_.orders[0].finish(&result);
  loop_.settle();
  EXPECT_EQ(got->status, NEXUS_E_BUSY);
  EXPECT_EQ(on->stray_completions(), 1u);
}

TEST_F(Device, DoneOnAnotherThreadResumesOnTheLoop) {
  const auto on = opened();
  constexpr int jobs = 200;
  std::vector<nexus_job> table(jobs, job_);
  std::vector<std::optional<device_result>> got(jobs);
  int off_loop = 0;
  auto one = [&](int i) -> task<device_result> {
    auto r = co_await on->submit(0, table[static_cast<std::size_t>(i)], 1);
    if (std::this_thread::get_id() != main_) ++off_loop;
    co_return r;
  };
  for (int i = 0; i < jobs; ++i)
    loop_.start(one(i), &got[static_cast<std::size_t>(i)]);
  loop_.settle();
  std::vector<std::thread> threads;
  for (int part = 0; part < 4; ++part) {
    threads.emplace_back([this, part] {
      for (std::size_t i = static_cast<std::size_t>(part); i < jobs; i += 4) {
        const auto result = ok_result(i);
        backend_.orders[i].finish(&result);
      }
    });
  }
  EXPECT_TRUE(loop_.until([&] {
    return std::all_of(got.begin(), got.end(),
                       [](const auto& each) { return each.has_value(); });
  }));
  for (auto& thread : threads) thread.join();
  for (std::size_t i = 0; i < jobs; ++i) EXPECT_EQ(got[i]->output_bytes, i);
  EXPECT_EQ(off_loop, 0);
}

TEST_F(Device, AResultIsCopiedWhole) {
  const std::string words = "no good";
  nexus_result result{};
  result.size = sizeof result;
  result.status = NEXUS_E_DATA;
  result.output_bytes = 1;
  result.error_offset = 2;
  result.flags = 3;
  result.tags_bytes = 4;
  result.device_ns = 5;
  result.message = words.c_str();
  const auto got = reported(&result);
  EXPECT_EQ(got.status, NEXUS_E_DATA);
  EXPECT_EQ(got.output_bytes, 1u);
  EXPECT_EQ(got.error_offset, 2u);
  EXPECT_EQ(got.flags, 3u);
  EXPECT_EQ(got.tags_bytes, 4u);
  EXPECT_EQ(got.device_ns, 5u);
  EXPECT_EQ(got.message, words);
}

// Bytes beyond the size that a plugin stated are not the plugin's.
TEST_F(Device, AShorterResultReadsAsZeroBeyondItsEnd) {
  nexus_result result;
  std::memset(&result, 0xee, sizeof result);
  result.size = offsetof(nexus_result, error_offset);
  result.status = NEXUS_E_DATA;
  result.output_bytes = 11;
  const auto got = reported(&result);
  EXPECT_EQ(got.status, NEXUS_E_DATA);
  EXPECT_EQ(got.output_bytes, 11u);
  EXPECT_EQ(got.error_offset, 0u);
  EXPECT_EQ(got.flags, 0u);
  EXPECT_EQ(got.tags_bytes, 0u);
  EXPECT_EQ(got.message, "the device failed");
}

TEST_F(Device, ALongerResultIsCutToWhatIsKnown) {
  struct longer {
    nexus_result known;
    std::uint64_t appended[4];
  } result{};
  result.known = ok_result(12);
  result.known.size = sizeof result;
  result.appended[0] = ~0ull;
  EXPECT_EQ(reported(&result.known).output_bytes, 12u);
}

TEST_F(Device, NoResultOrOneWithoutAStatusIsTheDevicesFailure) {
  nexus_result tiny = ok_result(5);
  tiny.size = 4;
  for (const nexus_result* result :
       {static_cast<nexus_result*>(nullptr), &tiny}) {
    const auto got = reported(result);
    EXPECT_EQ(got.status, NEXUS_E_DEVICE);
    EXPECT_EQ(got.message, "it reported no result");
    EXPECT_EQ(got.output_bytes, 0u);
  }
}

TEST_F(Device, CancelReachesTheJobsOfItsOwnerAlone) {
  const auto on = opened();
  nexus_job jobs[4] = {job_, job_, job_, job_};
  std::optional<device_result> got[4];
  for (int i = 0; i < 4; ++i)
    start(*on, &got[i], &jobs[i], i == 1 || i == 2 ? 22 : 11);
  const auto result = ok_result(1);
  backend_.orders[2].finish(&result);  // under way no more
  on->cancel(33);
  EXPECT_THAT(backend_.cancelled, IsEmpty());
  on->cancel(22);
  EXPECT_THAT(backend_.cancelled, ElementsAre(jobs[1].id));
  on->cancel(11);
  EXPECT_THAT(backend_.cancelled, testing::UnorderedElementsAre(
                                      jobs[0].id, jobs[1].id, jobs[3].id));
  for (const int i : {0, 1, 3}) {
    EXPECT_FALSE(got[i].has_value()) << "ended by cancel() itself";
    backend_.orders[static_cast<std::size_t>(i)].finish(&result);
  }
  loop_.settle();
}

TEST_F(Device, ABackendWithoutCancelIsNotAsked) {
  plugin_->backend.cancel = nullptr;
  const auto on = opened();
  std::optional<device_result> got;
  start(*on, &got, &job_);
  on->cancel(1);
  const auto result = ok_result(1);
  backend_.orders[0].finish(&result);
  loop_.settle();
  EXPECT_TRUE(got.has_value());
}

TEST_F(Device, CapsAreAskedWithAnEmptyTable) {
  const auto on = opened();
  nexus_caps caps;
  std::memset(&caps, 0xee, sizeof caps);
  EXPECT_EQ(on->caps("known", caps), NEXUS_OK);
  EXPECT_EQ(caps.min_bytes, 77u);
  EXPECT_EQ(on->caps("unknown", caps), NEXUS_E_UNSUPPORTED);
}

TEST_F(Device, ProbingEndsTextsAndTheList) {
  backend_.on_probe = [](std::uint32_t index, nexus_device_info& info) {
    EXPECT_EQ(info.size, sizeof info);
    EXPECT_EQ(info.numa_node, -1);
    if (index == 2) return +NEXUS_E_END;
    std::memset(info.name, 'n', sizeof info.name);
    std::memset(info.pci_id, 'p', sizeof info.pci_id);
    std::memset(info.driver, 'd', sizeof info.driver);
    std::memset(info.note, 'o', sizeof info.note);
    return +NEXUS_OK;
  };
  const auto found = probe_devices(plugin_, nullptr);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1].id(), "fake:1");
  EXPECT_EQ(std::strlen(found[0].info.name), sizeof found[0].info.name - 1);
  EXPECT_EQ(std::strlen(found[0].info.pci_id), sizeof found[0].info.pci_id - 1);
  EXPECT_EQ(std::strlen(found[0].info.driver), sizeof found[0].info.driver - 1);
  EXPECT_EQ(std::strlen(found[0].info.note), sizeof found[0].info.note - 1);
  EXPECT_EQ(found[0].info.lane_depth, 1u) << "a lane holds one job at least";
}

TEST_F(Device, ABackendWithDevicesWithoutEndIsCutAt64) {
  backend_.on_probe = [](std::uint32_t, nexus_device_info&) {
    return +NEXUS_OK;
  };
  EXPECT_EQ(probe_devices(plugin_, nullptr).size(), 64u);
  plugin_->has_backend = false;
  EXPECT_THAT(probe_devices(plugin_, nullptr), IsEmpty());
}

// ---- one card, two plugins --------------------------------------------------

probed_device card(const std::string& plugin, std::int32_t score,
                   std::uint32_t flags = 0, const char* pci = "0000:3b:00.0") {
  auto made = std::make_shared<loaded_plugin>();
  made->name = plugin;
  probed_device seen{made, 0, {}};
  seen.info.score = score;
  seen.info.flags = flags;
  std::strcpy(seen.info.pci_id, pci);
  return seen;
}

TEST(OneCard, CountsOnceWhateverTheScores) {
  for (const auto& [a, b] : {std::pair{card("cuda", 100), card("opencl", 80)},
                             std::pair{card("opencl", 100), card("cuda", 80)},
                             std::pair{card("cuda", 100), card("opencl", 100)},
                             std::pair{card("a", 5), card("b", 5)}}) {
    EXPECT_TRUE(stands_before(a, b));
    EXPECT_FALSE(stands_before(b, a));
  }
}

TEST(OneCard, AnotherCardOrNoneStandsInNobodysWay) {
  EXPECT_FALSE(stands_before(card("a", 9), card("b", 5, 0, "0000:3b:00.1")));
  EXPECT_FALSE(stands_before(card("a", 9, 0, ""), card("b", 5, 0, "")));
  const auto one = card("a", 9);
  auto other = one;
  other.index = 1;
  other.info.score = 5;
  EXPECT_FALSE(stands_before(one, other)) << "parts of a card, of one plugin";
}

TEST(OneCard, ADeviceThatIsNotUsedStandsInNobodysWay) {
  EXPECT_FALSE(
      stands_before(card("a", 9, NEXUS_DEVICE_ON_REQUEST), card("b", 5)));
  EXPECT_FALSE(stands_before(card("a", 0), card("b", 0)));
}

// ---- health and imports -----------------------------------------------------

std::function<std::int32_t(nexus_health&)> on_health;
std::int32_t fake_health(nexus_device*, nexus_health* health) {
  EXPECT_EQ(health->size, sizeof *health);
  return on_health(*health);
}

TEST_F(Device, SaysHowItIsWithItsOwnWords) {
  const auto on = opened();
  std::string words;
  EXPECT_EQ(on->health(words), NEXUS_OK) << "it cannot tell";
  EXPECT_EQ(words, "");
  plugin_->backend.health = fake_health;
  on_health = [](nexus_health& health) {
    health.status = NEXUS_E_LOST;
    std::memset(health.message, 'x', sizeof health.message);  // not ended
    return NEXUS_OK;
  };
  EXPECT_EQ(on->health(words), NEXUS_E_LOST);
  EXPECT_EQ(words, std::string(159, 'x'));
  on_health = [](nexus_health& health) {
    health.status = NEXUS_E_DEVICE;
    return NEXUS_OK;
  };
  EXPECT_EQ(on->health(words), NEXUS_E_DEVICE);
  EXPECT_EQ(words, "the device failed");
  on_health = [](nexus_health&) { return NEXUS_E_LOST; };
  EXPECT_EQ(on->health(words), NEXUS_E_LOST) << "by the call itself";
}

TEST_F(Device, IsWellWhereItSaysNothingOfUse) {
  plugin_->backend.health = fake_health;
  const auto on = opened();
  std::string words;
  for (const std::int32_t code : {+NEXUS_OK, +NEXUS_E_UNSUPPORTED, 4711, -1}) {
    on_health = [code](nexus_health& health) {
      health.status = code;
      return NEXUS_OK;
    };
    EXPECT_EQ(on->health(words), NEXUS_OK) << code;
    on_health = [code](nexus_health&) { return code; };
    EXPECT_EQ(on->health(words), NEXUS_OK) << code;
  }
}

int buffer_target = 0;
std::int32_t import_answer = NEXUS_OK;
void* imported_memory = nullptr;
std::int32_t fake_import(nexus_device*, void* memory, std::uint64_t bytes,
                         int fd, nexus_buffer** buffer) {
  EXPECT_EQ(bytes, 4096u);
  EXPECT_EQ(fd, -1);
  imported_memory = memory;
  *buffer = reinterpret_cast<nexus_buffer*>(&buffer_target);
  return import_answer;
}
nexus_buffer* released_buffer = nullptr;
void fake_release(nexus_device*, nexus_buffer* buffer) {
  released_buffer = buffer;
}

TEST_F(Device, ImportsMemoryOrSaysThatItCannot) {
  auto on = opened();
  EXPECT_FALSE(on->imports());
  plugin_->backend.import_buffer = fake_import;
  plugin_->backend.release_buffer = fake_release;
  EXPECT_TRUE(on->imports());
  char memory[4096];
  nexus_buffer* made = on->import_buffer(memory, sizeof memory, -1);
  EXPECT_EQ(made, reinterpret_cast<nexus_buffer*>(&buffer_target));
  EXPECT_EQ(imported_memory, memory);
  on->release_buffer(made);
  EXPECT_EQ(released_buffer, made);
  import_answer = NEXUS_E_NO_MEMORY;
  EXPECT_EQ(on->import_buffer(memory, sizeof memory, -1), nullptr)
      << "a failure that left a pointer behind";
  import_answer = NEXUS_OK;
}

}  // namespace
}  // namespace nexus::test
