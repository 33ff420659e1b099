// The rules of nexus/plugin.h that hold whatever a job does, on every device
// of the plugins named by --plugin=PATH (any number of times) or, parted by
// colons, by NEXUS_TEST_PLUGINS.
#include <sys/types.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string_view>
#include <thread>

#include "device_fixture.hpp"

namespace conformance {
namespace {

const age_key key = {1, 2, 3, 4, 5};

class BackendTest : public DeviceTest {
 protected:
  nexus_device_info probe_with_size(std::uint32_t size) {
    nexus_device_info info;
    std::memset(&info, 0x5a, sizeof info);
    info.size = size;
    EXPECT_EQ(backend().probe(&host(), GetParam().index, &info), NEXUS_OK);
    return info;
  }
  // Calls a job with parameters that are off in one way.
  std::int32_t status_with(const char* operation, const void* params,
                           std::uint32_t bytes_said) {
    request wanted;
    wanted.operation = operation;
    wanted.capacity = 4096;
    wanted.params = params;
    wanted.params_bytes = bytes_said;
    return run(wanted).status;
  }
};

TEST_P(BackendTest, EndsItsListOfDevices) {
  nexus_device_info info{};
  info.size = sizeof info;
  std::uint32_t index = GetParam().index;
  while (index < 1000 && backend().probe(&host(), index, &info) == NEXUS_OK) {
    ++index;
  }
  EXPECT_EQ(backend().probe(&host(), index, &info), NEXUS_E_END);
}

TEST_P(BackendTest, DescribesItsDevice) {
  const nexus_device_info info = probe_with_size(sizeof info);
  EXPECT_EQ(info.size, sizeof info);
  EXPECT_GE(info.lane_depth, 1u);
  EXPECT_GE(info.numa_node, -1);
  const auto ends = [](const auto& text) {
    return std::memchr(text, 0, sizeof text) != nullptr;
  };
  EXPECT_TRUE(ends(info.name) && info.name[0] != '\0');
  EXPECT_TRUE(ends(info.pci_id) && ends(info.driver) && ends(info.note));
}

TEST_P(BackendTest, WritesNoFurtherThanTheCallersStruct) {
  constexpr std::uint32_t known = offsetof(nexus_device_info, memory_bytes);
  const nexus_device_info info = probe_with_size(known);
  const auto* raw = reinterpret_cast<const std::uint8_t*>(&info);
  EXPECT_TRUE(std::all_of(raw + known, raw + sizeof info,
                          [](std::uint8_t b) { return b == 0x5a; }));
  EXPECT_EQ(info.kind, GetParam().info.kind);
}

TEST_P(BackendTest, SaysWhatItCannotRun) {
  nexus_caps caps{};
  caps.size = sizeof caps;
  for (const char* operation : {"", "age-sea", "age-seal ", "AGE-SEAL"}) {
    EXPECT_EQ(backend().caps(GetParam().index, operation, &caps),
              NEXUS_E_UNSUPPORTED)
        << operation;
    const nexus_age_params params = age_params(key, 0, true);
    EXPECT_EQ(status_with(operation, &params, sizeof params),
              NEXUS_E_UNSUPPORTED)
        << operation;
  }
}

TEST_P(BackendTest, RefusesParametersOfTheWrongSize) {
  for (const char* operation : {NEXUS_JOB_AGE_SEAL, NEXUS_JOB_AGE_OPEN}) {
    if (!runs(operation)) continue;
    SCOPED_TRACE(operation);
    nexus_age_params params = age_params(key, 0, true);
    EXPECT_EQ(status_with(operation, &params, sizeof params - 1),
              NEXUS_E_ARGUMENT);
    EXPECT_EQ(status_with(operation, &params, 0), NEXUS_E_ARGUMENT);
    params.size -= 1;
    EXPECT_EQ(status_with(operation, &params, sizeof params), NEXUS_E_ARGUMENT);
  }
  for (const char* operation :
       {NEXUS_JOB_ARMOR_ENCODE, NEXUS_JOB_ARMOR_DECODE}) {
    if (!runs(operation)) continue;
    SCOPED_TRACE(operation);
    nexus_armor_params params = {sizeof params, 0};
    EXPECT_EQ(status_with(operation, &params, sizeof params - 1),
              NEXUS_E_ARGUMENT);
    params.size = 4;
    EXPECT_EQ(status_with(operation, &params, sizeof params), NEXUS_E_ARGUMENT);
  }
}

TEST_P(BackendTest, RefusesFlagsItDoesNotKnow) {
  for (const char* operation : {NEXUS_JOB_AGE_SEAL, NEXUS_JOB_AGE_OPEN}) {
    if (!runs(operation)) continue;
    nexus_age_params params = age_params(key, 0, true);
    params.flags |= 0x80;
    EXPECT_EQ(status_with(operation, &params, sizeof params), NEXUS_E_ARGUMENT);
  }
}

TEST_P(BackendTest, RefusesAnOutputThatIsTooSmall) {
  const bytes plain = pattern(plain_chunk + 9);
  const bytes sealed = seal_stream(key, 0, true, plain);
  const nexus_age_params params = age_params(key, 0, true);
  for (const auto& [operation, input] :
       {std::pair{NEXUS_JOB_AGE_SEAL, &plain},
        std::pair{NEXUS_JOB_AGE_OPEN, &sealed}}) {
    if (!runs(operation)) continue;
    request wanted = age_request(operation, *input, params);
    --wanted.capacity;
    EXPECT_EQ(run(wanted).status, NEXUS_E_ARGUMENT) << operation;
  }
}

TEST_P(BackendTest, RefusesALaneThatIsNotThere) {
  SKIP_UNLESS_IT_RUNS(NEXUS_JOB_AGE_SEAL);
  const nexus_age_params params = age_params(key, 0, true);
  request wanted = age_request(NEXUS_JOB_AGE_SEAL, {}, params);
  wanted.lane = lanes();
  EXPECT_EQ(run(wanted).status, NEXUS_E_ARGUMENT);
}

TEST_P(BackendTest, RefusesToOpenWhatIsNotThere) {
  nexus_lane lane{};
  lane.size = sizeof lane;
  const nexus_lane* lanes[] = {&lane};
  nexus_open options{};
  options.size = sizeof options;
  options.device_index = 999;
  options.lane_count = 1;
  options.lanes = lanes;
  nexus_error error{};
  error.size = sizeof error;
  nexus_device* device = nullptr;
  EXPECT_NE(backend().open(&host(), &options, &device, &error), NEXUS_OK);
  EXPECT_NE(error.message[0], '\0');
  options.device_index = GetParam().index;
  options.lane_count = 0;
  EXPECT_NE(backend().open(&host(), &options, &device, nullptr), NEXUS_OK);
  EXPECT_EQ(device, nullptr);
}

TEST_P(BackendTest, HoldsAsManyJobsPerLaneAsItSays) {
  SKIP_UNLESS_IT_RUNS(NEXUS_JOB_AGE_SEAL);
  const bytes plain = pattern(16 * plain_chunk);
  const nexus_age_params params = age_params(key, 0, true);
  const bytes expected = seal_stream(key, 0, true, plain);
  std::vector<std::unique_ptr<flight>> jobs;
  for (std::uint32_t lane = 0; lane < lanes(); ++lane) {
    for (std::uint32_t i = 0; i < GetParam().info.lane_depth; ++i) {
      request wanted = age_request(NEXUS_JOB_AGE_SEAL, plain, params);
      wanted.lane = lane;
      jobs.push_back(std::make_unique<flight>(wanted, next_id()));
      ASSERT_EQ(jobs.back()->submit(device(), backend()), NEXUS_OK);
    }
  }
  for (const auto& job : jobs) EXPECT_EQ(job->wait().output, expected);
}

// Keeps every lane full with jobs of all kinds, good and bad.
TEST_P(BackendTest, CallsDoneOnceForEachOfManyJobs) {
  SKIP_UNLESS_IT_RUNS(NEXUS_JOB_AGE_SEAL);
  SKIP_UNLESS_IT_RUNS(NEXUS_JOB_AGE_OPEN);
  const nexus_age_params params = age_params(key, 0, true);
  std::vector<std::unique_ptr<flight>> jobs;
  std::vector<bytes> expected, inputs;
  inputs.reserve(300);
  for (std::uint32_t i = 0; i < 300; ++i) {
    const bytes plain = pattern((i * 7919) % 150000, i + 1);
    const bytes sealed = seal_stream(key, 0, true, plain);
    const bool seals = i % 3 != 0;
    inputs.push_back(seals ? plain : sealed);
    if (i % 5 == 0 && !seals) inputs.back().back() ^= 1;
    expected.push_back(seals ? sealed : plain);
    request wanted = age_request(
        seals ? NEXUS_JOB_AGE_SEAL : NEXUS_JOB_AGE_OPEN, inputs.back(), params);
    wanted.lane = i % lanes();
    jobs.push_back(std::make_unique<flight>(wanted, next_id()));
    std::int32_t answer = NEXUS_E_BUSY;
    while (answer == NEXUS_E_BUSY) {
      answer = jobs.back()->submit(device(), backend());
      if (answer == NEXUS_E_BUSY) std::this_thread::yield();
    }
    ASSERT_EQ(answer, NEXUS_OK);
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    SCOPED_TRACE(i);
    const outcome end = jobs[i]->wait();
    const bool spoilt = i % 15 == 0;
    EXPECT_EQ(end.status, spoilt ? NEXUS_E_DATA : NEXUS_OK);
    if (!spoilt) {
      EXPECT_EQ(end.output, expected[i]);
    }
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  for (const auto& job : jobs) EXPECT_EQ(job->done_calls(), 1);
}

TEST_P(BackendTest, EndsCancelledJobsOnceAndGoesOn) {
  SKIP_UNLESS_IT_RUNS(NEXUS_JOB_AGE_SEAL);
  if (backend().cancel == nullptr) GTEST_SKIP() << "has no cancel";
  const bytes plain = pattern(256 * plain_chunk);
  const nexus_age_params params = age_params(key, 0, true);
  std::vector<std::unique_ptr<flight>> jobs;
  for (std::uint32_t i = 0; i < GetParam().info.lane_depth; ++i) {
    jobs.push_back(std::make_unique<flight>(
        age_request(NEXUS_JOB_AGE_SEAL, plain, params), next_id()));
    ASSERT_EQ(jobs.back()->submit(device(), backend()), NEXUS_OK);
  }
  backend().cancel(device(), next_id());  // nobody's
  for (const auto& job : jobs) backend().cancel(device(), job->id());
  for (const auto& job : jobs) {
    const std::int32_t status = job->wait().status;
    EXPECT_TRUE(status == NEXUS_OK || status == NEXUS_E_CANCELLED) << status;
  }
  for (const auto& job : jobs) backend().cancel(device(), job->id());
  const bytes small = pattern(100);
  EXPECT_EQ(run(age_request(NEXUS_JOB_AGE_SEAL, small, params)).output,
            seal_stream(key, 0, true, small));
  for (const auto& job : jobs) EXPECT_EQ(job->done_calls(), 1);
}

TEST_P(BackendTest, OpensBesideItselfAndCloses) {
  const bytes plain = pattern(1000);
  const nexus_age_params params = age_params(key, 0, true);
  for (int round = 0; round < 3; ++round) {
    nexus_device* second = open_device(GetParam(), 1);
    ASSERT_NE(second, nullptr);
    if (runs(NEXUS_JOB_AGE_SEAL)) {
      flight job(age_request(NEXUS_JOB_AGE_SEAL, plain, params), 1);
      ASSERT_EQ(job.submit(second, backend()), NEXUS_OK);
      EXPECT_EQ(job.wait().output, seal_stream(key, 0, true, plain));
    }
    backend().close(second);
  }
}

TEST_P(BackendTest, IsWell) {
  if (backend().health == nullptr) GTEST_SKIP() << "has no health";
  nexus_health health{};
  health.size = sizeof health;
  EXPECT_EQ(backend().health(device(), &health), NEXUS_OK);
  EXPECT_EQ(health.status, NEXUS_OK) << health.message;
}

INSTANTIATE_TEST_SUITE_P(Devices, BackendTest, testing::ValuesIn(targets()),
                         name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackendTest);

class CloseDevices : public testing::Environment {
 public:
  void TearDown() override { close_all_devices(); }
};

std::vector<std::string> plugin_paths(int argc, char** argv) {
  std::vector<std::string> paths;
  constexpr std::string_view option = "--plugin=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.substr(0, option.size()) == option) {
      paths.emplace_back(word.substr(option.size()));
    }
  }
  if (const char* list = std::getenv("NEXUS_TEST_PLUGINS")) {
    std::istringstream parts(list);
    for (std::string path; std::getline(parts, path, ':');) {
      if (!path.empty()) paths.push_back(path);
    }
  }
  return paths;
}

}  // namespace
}  // namespace conformance

// Without any plugin that runs here there is nothing to show for: exit 77,
// which ctest counts as skipped (SKIP_RETURN_CODE), unless one failed to load.
int main(int argc, char** argv) {
  for (const auto& path : conformance::plugin_paths(argc, argv)) {
    const std::string why = conformance::add_targets(path);
    if (why.empty()) continue;
    std::fprintf(stderr, "%s: %s\n", path.c_str(), why.c_str());
    return 2;
  }
  testing::InitGoogleTest(&argc, argv);
  testing::AddGlobalTestEnvironment(new conformance::CloseDevices);
  const int rc = RUN_ALL_TESTS();
  return rc == 0 && conformance::targets().empty() ? 77 : rc;
}
