// The C2SP age testkit through whole runs: what is released, and how it ends,
// must not depend on workers or segments.
#include <dirent.h>

#include <algorithm>
#include <cstdio>

#include "support/engine_fixture.hpp"
#include "support/testkit.hpp"

namespace nexus::test {
namespace {

std::string folder() {
  const char* given = std::getenv("NEXUS_TESTKIT_DIR");
  return given != nullptr ? given : NEXUS_TESTKIT_DIR;
}

std::vector<std::string> vector_names() {
  std::vector<std::string> names;
  DIR* dir = ::opendir(folder().c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

struct shape {
  std::uint32_t workers;
  std::uint64_t segment_bytes;
};

void expect_as_told(const std::string& name, const test_vector& vector,
                    const shape& with) {
  // A machine with as many processors, whatever this one has.
  const std::string machine_text =
      "core:" + std::to_string(with.workers) + " pu:1";
  ::setenv("HWLOC_SYNTHETIC", machine_text.c_str(), 1);
  engine_options options = cpu_options(with.workers);
  options.segment_bytes = with.segment_bytes;
  engine machine(options);
  auto keys = keys_of(vector);
  ASSERT_TRUE(keys.ok());
  auto work = age::make_decrypt(std::move(*keys));
  const auto ran = run_in_memory(machine, *work, vector.file);
  for (const auto& device : ran.report.statistics.devices)
    EXPECT_EQ(device.lanes, with.workers);
  const auto ended = category_of(ran.report.outcome);
  ASSERT_TRUE(ended.has_value())
      << name << ": " << ran.report.outcome.message();
  EXPECT_EQ(*ended, vector.expect)
      << name << ": " << ran.report.outcome.message();
  if (vector.payload) {
    EXPECT_EQ(sha256(ran.output), *vector.payload) << name;
  }
}

TEST(Testkit, EveryVectorAtEveryShape) {
  const auto names = vector_names();
  if (names.empty())
    GTEST_SKIP() << "no vectors in " << folder()
                 << ": run `npm ci` in tests/peers";
  const shape shapes[] = {{1, 65536},    {2, 65536},    {7, 65536},
                          {1, 131072},   {2, 131072},   {7, 131072},
                          {1, 1u << 20}, {2, 1u << 20}, {7, 1u << 20}};
  std::size_t ran = 0;
  std::vector<std::string> unsupported;
  for (const auto& name : names) {
    const auto text = read_file(folder() + "/" + name);
    auto vector = parse_test_vector(text);
    if (!vector.ok()) continue;  // package.json and the like
    if (!keys_of(*vector).ok()) {
      unsupported.push_back(name);
      continue;
    }
    for (const shape& with : shapes) expect_as_told(name, *vector, with);
    ++ran;
  }
  for (const auto& name : unsupported)
    std::printf("not yet supported (post-quantum key): %s\n", name.c_str());
  EXPECT_EQ(ran, 124u);
  EXPECT_EQ(unsupported.size(), 19u);
}

}  // namespace
}  // namespace nexus::test
