// Memory that a device imported, devices side by side, and what is left after
// many jobs.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <thread>

#include "device_fixture.hpp"
#include "sanitizers.hpp"

#if NEXUS_ASAN
#include <sanitizer/allocator_interface.h>
#endif

namespace conformance {
namespace {

constexpr std::uint8_t untouched = 0x5c;
const age_key key = {9, 8, 7, 6, 5};

// Pages of their own, as the engine's buffers are.
class pages {
 public:
  explicit pages(std::size_t size) : size_((size + 4095) / 4096 * 4096) {
    void* at = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    data_ = at == MAP_FAILED ? nullptr : static_cast<std::uint8_t*>(at);
    if (data_ != nullptr) std::memset(data_, untouched, size_);
  }
  ~pages() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }
  pages(const pages&) = delete;
  pages& operator=(const pages&) = delete;
  std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_;
};

struct ending {
  std::int32_t status = -1;
  std::uint64_t output_bytes = 0;
  std::uint32_t flags = 0;
  std::atomic<int> calls{0};
};

void on_done(void* user, std::uint64_t, const nexus_result* result) {
  auto* to = static_cast<ending*>(user);
  to->status = result->status;
  to->output_bytes = result->output_bytes;
  to->flags = result->flags;
  to->calls.fetch_add(1, std::memory_order_release);
}

class ImportTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    nexus_caps caps{};
    caps.size = sizeof caps;
    const bool wants = backend().caps(GetParam().index, NEXUS_JOB_AGE_SEAL,
                                      &caps) == NEXUS_OK &&
                       (caps.flags & NEXUS_CAPS_WANTS_IMPORT) != 0;
    if (!wants) GTEST_SKIP() << "asks for no imports";
  }
  nexus_buffer* import(const pages& memory) {
    nexus_buffer* made = nullptr;
    EXPECT_EQ(backend().import_buffer(device(), memory.data(), memory.size(),
                                      -1, &made),
              NEXUS_OK);
    return made;
  }
  void release(nexus_buffer* import) {
    backend().release_buffer(device(), import);
  }

  struct spot {
    std::uint8_t* memory;
    nexus_buffer* import;
  };
  // Runs a job whose input is copied to `in`.
  template <class Params>
  void run(const char* operation, view input, spot in, spot out,
           std::uint64_t capacity, const Params& params, ending& end,
           bytes* tags = nullptr) {
    std::copy(input.begin(), input.end(), in.memory);
    nexus_job job{};
    job.size = sizeof job;
    job.id = next_id();
    job.operation = operation;
    job.input = in.memory;
    job.input_bytes = input.size();
    job.output = out.memory;
    job.output_capacity = capacity;
    job.params = &params;
    job.params_bytes = sizeof params;
    job.input_import = in.import;
    job.output_import = out.import;
    if (tags != nullptr) {
      job.tags = tags->data();
      job.tags_capacity = tags->size();
    }
    ASSERT_EQ(backend().submit(device(), 0, &job, on_done, &end), NEXUS_OK);
    while (end.calls.load(std::memory_order_acquire) == 0)
      std::this_thread::yield();
    EXPECT_EQ(end.calls, 1);
  }
};

bool is_untouched(const std::uint8_t* from, const std::uint8_t* to) {
  return std::all_of(from, to, [](auto b) { return b == untouched; });
}

// Wherever in the import they begin, and whichever of the two is imported.
TEST_P(ImportTest, SealsInImportedMemory) {
  const bytes plain = pattern(2 * plain_chunk + 77);
  const bytes sealed = seal_stream(key, 3, true, plain);
  const nexus_age_params params = age_params(key, 3, true);
  const pages in(plain.size() + 8192), out(sealed.size() + 8192);
  nexus_buffer *from = import(in), *to = import(out);
  for (const std::size_t in_at : {0u, 64u, 4096u, 1u, 12u}) {
    for (const std::size_t out_at : {0u, 128u, 7u, 8u}) {
      for (const unsigned which : {3u, 1u, 2u}) {
        SCOPED_TRACE(std::to_string(in_at) + ", " + std::to_string(out_at));
        std::memset(out.data(), untouched, out.size());
        ending end;
        run(NEXUS_JOB_AGE_SEAL, plain,
            {in.data() + in_at, (which & 1) != 0 ? from : nullptr},
            {out.data() + out_at, (which & 2) != 0 ? to : nullptr},
            sealed.size(), params, end);
        EXPECT_EQ(end.status, NEXUS_OK);
        EXPECT_TRUE(
            std::equal(sealed.begin(), sealed.end(), out.data() + out_at));
        EXPECT_TRUE(is_untouched(out.data(), out.data() + out_at));
        EXPECT_TRUE(is_untouched(out.data() + out_at + sealed.size(),
                                 out.data() + out.size()));
      }
    }
  }
  release(from);
  release(to);
}

TEST_P(ImportTest, OpensInImportedMemory) {
  const bytes plain = pattern(3 * plain_chunk);
  const bytes sealed = seal_stream(key, 0, true, plain);
  const nexus_age_params params = age_params(key, 0, true);
  const pages in(sealed.size()), out(plain.size());
  nexus_buffer *from = import(in), *to = import(out);
  for (const bool leaves_tags : {false, true}) {
    std::memset(out.data(), untouched, out.size());
    bytes tags(3 * tag_bytes);
    ending end;
    run(NEXUS_JOB_AGE_OPEN, sealed, {in.data(), from}, {out.data(), to},
        plain.size(), params, end, leaves_tags ? &tags : nullptr);
    EXPECT_EQ(end.status, NEXUS_OK);
    EXPECT_EQ(end.output_bytes, plain.size());
    EXPECT_TRUE(std::equal(plain.begin(), plain.end(), out.data()));
    EXPECT_TRUE(std::equal(sealed.begin(), sealed.end(), in.data()))
        << "the input was written to";
  }
  release(from);
  release(to);
}

// A device that works right in the host's memory is to hide it all the same.
TEST_P(ImportTest, ShowsNothingThatDidNotAuthenticate) {
  const bytes plain = pattern(2 * plain_chunk);
  bytes sealed = seal_stream(key, 0, true, plain);
  sealed[sealed_chunk + 5] ^= 1;
  const nexus_age_params params = age_params(key, 0, true);
  const pages in(sealed.size()), out(plain.size());
  nexus_buffer *from = import(in), *to = import(out);
  ending end;
  run(NEXUS_JOB_AGE_OPEN, sealed, {in.data(), from}, {out.data(), to},
      plain.size(), params, end);
  EXPECT_EQ(end.status, NEXUS_E_DATA);
  EXPECT_EQ(end.output_bytes, plain_chunk);
  EXPECT_TRUE(is_untouched(out.data() + plain_chunk, out.data() + out.size()));
  release(from);
  release(to);
}

TEST_P(ImportTest, DigestsImportedMemory) {
  SKIP_UNLESS_IT_RUNS(NEXUS_JOB_DIGEST);
  nexus_digest_params params{};
  params.size = sizeof params;
  const pages in(40000 + 8192), out(4096), copied(40000 + 64);
  nexus_buffer* from = import(in);
  for (const std::size_t length : {1u, 59u, 15300u, 15301u, 40000u}) {
    const bytes data = pattern(length);
    ending copy;
    run(NEXUS_JOB_DIGEST, data, {copied.data(), nullptr}, {out.data(), nullptr},
        32, params, copy);
    const bytes expected(out.data(), out.data() + 32);
    for (const std::size_t at : {0u, 4u, 60u, 4097u}) {
      std::memset(in.data(), untouched, in.size());
      ending end;
      run(NEXUS_JOB_DIGEST, data, {in.data() + at, from}, {out.data(), nullptr},
          32, params, end);
      EXPECT_EQ(end.status, NEXUS_OK);
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), out.data()))
          << length << " bytes at " << at;
    }
  }
  release(from);
}

// What jobs read is what stands there when they begin, not what was imported.
TEST_P(ImportTest, SeesWhatWasWrittenSinceTheImport) {
  const nexus_age_params params = age_params(key, 0, true);
  const pages in(1 << 16), out(1 << 17);
  nexus_buffer *from = import(in), *to = import(out);
  for (unsigned round = 0; round < 20; ++round) {
    const bytes plain = pattern(10000 + round, round);
    const bytes sealed = seal_stream(key, 0, true, plain);
    ending end;
    run(NEXUS_JOB_AGE_SEAL, plain, {in.data(), from}, {out.data(), to},
        sealed.size(), params, end);
    ASSERT_TRUE(std::equal(sealed.begin(), sealed.end(), out.data())) << round;
  }
  release(from);
  release(to);
}

TEST_P(ImportTest, ImportsBesideOtherDevicesAndOutlivesThem) {
  const pages in(1 << 16), out(1 << 17);
  nexus_buffer* from = import(in);
  nexus_device* second = open_device(GetParam(), 1);
  ASSERT_NE(second, nullptr);
  nexus_buffer* again = nullptr;
  ASSERT_EQ(backend().import_buffer(second, in.data(), in.size(), -1, &again),
            NEXUS_OK);
  backend().release_buffer(second, again);
  backend().close(second);
  const bytes plain = pattern(5000);
  const bytes sealed = seal_stream(key, 0, true, plain);
  const nexus_age_params params = age_params(key, 0, true);
  ending end;
  run(NEXUS_JOB_AGE_SEAL, plain, {in.data(), from}, {out.data(), nullptr},
      sealed.size(), params, end);
  EXPECT_TRUE(std::equal(sealed.begin(), sealed.end(), out.data()));
  release(from);
}

// ---- many jobs, and several devices -----------------------------------------

class LoadTest : public DeviceTest {};

// What the process holds. AddressSanitizer keeps freed memory in quarantine, so
// there its own count of what is allocated stands for the resident pages.
std::size_t held_bytes() {
#if NEXUS_ASAN
  return __sanitizer_get_current_allocated_bytes();
#else
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  unsigned long total = 0, resident = 0;
  if (file != nullptr) {
    if (std::fscanf(file, "%lu %lu", &total, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
#endif
}

// Small enough for an interpreter of kernels that looks for races.
// Checked with every access looked at (check_races.py). Devices round buffers
// up and keep them: sizes grow, and powers of two leave no room behind them.
TEST_P(LoadTest, DoesOneSmallJobOfEachKind) {
  SKIP_UNLESS_IT_RUNS(NEXUS_JOB_AGE_SEAL);
  const nexus_age_params params = age_params(key, 0, true);
  const bytes plain = pattern(plain_chunk + 100);
  if (runs(NEXUS_JOB_DIGEST)) {
    nexus_digest_params digests{};
    digests.size = sizeof digests;
    request wanted;
    wanted.operation = NEXUS_JOB_DIGEST;
    wanted.input = view(plain).first(4096);
    wanted.params = &digests;
    wanted.params_bytes = sizeof digests;
    wanted.capacity = 32;
    const outcome digest = run(wanted);
    EXPECT_EQ(digest.status, NEXUS_OK);
    EXPECT_EQ(digest.output.size(), 32u);
  }
  for (const std::size_t size :
       {16384 - tag_bytes, std::size_t{16384}, plain.size()}) {
    const view text = view(plain).first(size);
    const bytes sealed = seal_stream(key, 0, true, text);
    EXPECT_EQ(run(age_request(NEXUS_JOB_AGE_SEAL, text, params)).output,
              sealed);
    EXPECT_EQ(run(age_request(NEXUS_JOB_AGE_OPEN, sealed, params)).output,
              bytes(text.begin(), text.end()));
  }
}

TEST_P(LoadTest, LeavesNothingBehindAfterTenThousandJobs) {
  SKIP_UNLESS_IT_RUNS(NEXUS_JOB_AGE_SEAL);
  const nexus_age_params seals = age_params(key, 0, true);
  nexus_digest_params digests{};
  digests.size = sizeof digests;
  const bool hashes = runs(NEXUS_JOB_DIGEST);
  const bytes plain = pattern(200);
  const bytes sealed = seal_stream(key, 0, true, plain);
  const auto some = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const bool hash = hashes && i % 10 == 0;
      request wanted = age_request(NEXUS_JOB_AGE_SEAL, plain, seals);
      if (hash) {
        wanted.operation = NEXUS_JOB_DIGEST;
        wanted.input = view(plain).first(60);
        wanted.params = &digests;
        wanted.params_bytes = sizeof digests;
        wanted.capacity = 32;
      }
      const outcome end = run(wanted);
      ASSERT_EQ(end.status, NEXUS_OK);
      ASSERT_EQ(end.output.size(), hash ? 32 : sealed.size());
    }
  };
  some(2000);  // caches fill
  const std::size_t before = held_bytes();
  some(10000);
  const std::size_t after = held_bytes();
  // A hundred bytes a job would be a megabyte.
  EXPECT_LT(after, before + (std::size_t{1} << 20))
      << before << " bytes before";
}

// All devices of this run, this one among them.
TEST_P(LoadTest, RunsBesideEveryOtherDevice) {
  SKIP_UNLESS_IT_RUNS(NEXUS_JOB_AGE_SEAL);
  const bytes plain = pattern(40 * plain_chunk + 3);
  const bytes sealed = seal_stream(key, 0, true, plain);
  const nexus_age_params params = age_params(key, 0, true);
  std::vector<std::pair<const nexus_backend*, nexus_device*>> devices;
  for (const target& each : targets()) {
    nexus_caps caps{};
    caps.size = sizeof caps;
    const nexus_backend* by = each.plugin->backend;
    if (by->caps(each.index, NEXUS_JOB_AGE_SEAL, &caps) != NEXUS_OK) continue;
    devices.emplace_back(by, open_device(each, 1));
    ASSERT_NE(devices.back().second, nullptr);
  }
  std::vector<std::unique_ptr<flight>> flights;
  for (int round = 0; round < 3; ++round) {
    for (const auto& [by, handle] : devices) {
      auto next = std::make_unique<flight>(
          age_request(NEXUS_JOB_AGE_SEAL, plain, params), next_id());
      std::int32_t said = NEXUS_E_BUSY;
      while ((said = next->submit(handle, *by)) == NEXUS_E_BUSY)
        std::this_thread::yield();
      ASSERT_EQ(said, NEXUS_OK);
      flights.push_back(std::move(next));
    }
  }
  for (const auto& each : flights) EXPECT_EQ(each->wait().output, sealed);
  for (const auto& [by, handle] : devices) by->close(handle);
}

INSTANTIATE_TEST_SUITE_P(Devices, ImportTest, testing::ValuesIn(targets()),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Devices, LoadTest, testing::ValuesIn(targets()),
                         name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ImportTest);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LoadTest);

}  // namespace
}  // namespace conformance
