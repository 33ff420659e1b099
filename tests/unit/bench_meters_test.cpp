#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/data.hpp"
#include "bench/disk.hpp"
#include "bench/memory.hpp"

namespace nexus::tool::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t mib = 1u << 20;

std::stop_token stopped() {
  std::stop_source source;
  source.request_stop();
  return source.get_token();
}

class Folder {
 public:
  Folder() {
    std::string pattern = fs::temp_directory_path() / "nexus-bench-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TEST(Fill, RepeatsItselfForTheSameSeedAlone) {
  std::vector<std::byte> one(4096), same(4096), other(4096);
  fill(one, 1);
  fill(same, 1);
  fill(other, 2);
  EXPECT_EQ(one, same);
  EXPECT_NE(one, other);
  EXPECT_NE(std::vector(one.begin(), one.begin() + 8),
            std::vector(one.begin() + 8, one.begin() + 16));
}

TEST(Pages, RefuseWhatNoMachineHas) {
  const result<pages> refused = pages::reserve(1ull << 62);
  EXPECT_EQ(refused.error().code(), status_code::out_of_memory);
}

TEST(MemoryMeter, AddsASampleOfEachKind) {
  result<memory_meter> meter = memory_meter::create(4 * mib);
  ASSERT_TRUE(meter.ok());
  EXPECT_EQ(meter->bytes(), 4 * mib);
  for (const std::uint32_t threads : {1u, 3u}) {
    memory_point point{threads, {}, {}};
    ASSERT_TRUE(meter->sample(point, 0.001, {}).ok());
    ASSERT_TRUE(meter->sample(point, 0.001, {}).ok());
    EXPECT_EQ(point.copy.values().size(), 2u);
    EXPECT_EQ(point.read.values().size(), 2u);
    EXPECT_GT(point.copy.least(), 1e6);
    EXPECT_GT(point.read.least(), 1e6);
  }
}

TEST(MemoryMeter, Stops) {
  result<memory_meter> meter = memory_meter::create(mib);
  ASSERT_TRUE(meter.ok());
  memory_point point{1, {}, {}};
  EXPECT_EQ(meter->sample(point, 0.001, stopped()).code(),
            status_code::cancelled);
}

disk_request request_of(const fs::path& directory) {
  return {directory, 3 * mib + 4096, 2, 10};
}

TEST(DiskMeter, MeasuresAndLeavesNothing) {
  const Folder folder;
  const std::vector<std::byte> data(mib);
  const auto found = measure_disk(request_of(folder.path()), data, {});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->failure, "");
  EXPECT_EQ(found->write.values().size(), 2u);
  EXPECT_EQ(found->read.values().size(), 2u);
  EXPECT_GT(found->write.least(), 0);
  EXPECT_GE(found->cached_share, 0);
  EXPECT_LE(found->cached_share, 1);
  EXPECT_NE(found->file_system, "");
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(DiskMeter, EndsEarlyWhereADiskIsSlow) {
  const Folder folder;
  const std::vector<std::byte> data(mib);
  disk_request request = request_of(folder.path());
  request.repeats = 1000;
  request.most_seconds = 0;
  const auto found = measure_disk(request, data, {});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->write.values().size(), 1u);
}

TEST(DiskMeter, SaysWhatWentWrong) {
  const std::vector<std::byte> data(mib);
  const auto found = measure_disk(request_of("/no/such/place"), data, {});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->failure,
            "cannot make a file in /no/such/place: No such file or directory");
  EXPECT_TRUE(found->write.empty());
  EXPECT_EQ(found->file_system, "unknown");
}

TEST(DiskMeter, Stops) {
  const Folder folder;
  const std::vector<std::byte> data(mib);
  const auto found = measure_disk(request_of(folder.path()), data, stopped());
  EXPECT_EQ(found.error().code(), status_code::cancelled);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

engine_options options() {
  engine_options made;
  made.plugin_directories = {NEXUS_TEST_PLUGIN_DIR};
  return made;
}

TEST(TestData, IsTheSameHoweverMuchOfItIsAskedFor) {
  result<test_data> data = test_data::create(4 * mib, options(), {});
  ASSERT_TRUE(data.ok());
  const auto little = data->plain(100);
  const std::vector<std::byte> before(little.begin(), little.end());
  const auto much = data->plain(4 * mib);
  EXPECT_EQ(much.size(), 4 * mib);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), much.begin()));
  // No piece of it is another one's copy.
  EXPECT_FALSE(std::equal(much.begin(), much.begin() + 64, much.begin() + mib));
}

// What is made of the data is what the operation reads: the same bytes.
TEST(TestData, OpensAndVerifiesAsItWasMade) {
  result<test_data> data = test_data::create(mib, options(), {});
  ASSERT_TRUE(data.ok());
  engine worker(options());
  constexpr std::uint64_t rows = 256;
  for (const std::uint64_t size : {std::uint64_t{1}, std::uint64_t{20000}}) {
    for (const bench_op op : {bench_op::encrypt, bench_op::decrypt,
                              bench_op::digest, bench_op::verify}) {
      const auto input = data->input(op, size, rows);
      ASSERT_TRUE(input.ok()) << input.error().message();
      const bool plain = op == bench_op::encrypt || op == bench_op::digest;
      EXPECT_EQ(input->size() == size, plain);
      std::vector<std::byte> out;
      const auto work = data->make(op, rows);
      const run_report report =
          worker.run(*work, source::from_memory(*input), sink::to_memory(out));
      EXPECT_TRUE(report.outcome.ok()) << report.outcome.message();
      if (op != bench_op::decrypt) continue;
      const auto expected = data->plain(size);
      EXPECT_TRUE(
          std::equal(out.begin(), out.end(), expected.begin(), expected.end()));
    }
  }
}

TEST(TestData, SealsAgainWhereTheSizeIsAnother) {
  result<test_data> data = test_data::create(mib, options(), {});
  ASSERT_TRUE(data.ok());
  const auto small = data->input(bench_op::decrypt, 100, 0);
  ASSERT_TRUE(small.ok());
  const std::size_t size = small->size();
  const auto large = data->input(bench_op::decrypt, 1000, 0);
  ASSERT_TRUE(large.ok());
  EXPECT_EQ(large->size(), size + 900);
}

TEST(TestData, Stops) {
  result<test_data> data = test_data::create(mib, options(), stopped());
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(data->input(bench_op::decrypt, mib, 0).error().code(),
            status_code::cancelled);
}

}  // namespace
}  // namespace nexus::tool::bench
