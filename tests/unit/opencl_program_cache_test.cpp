#include "program_cache.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace nexus::opencl {
namespace {

namespace fs = std::filesystem;
using bytes = std::vector<unsigned char>;

class ProgramCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "nexus-cache-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  fs::path folder() const { return root_ / "a" / "b"; }
  program_cache cache() const { return program_cache(folder().string()); }
  fs::path only_file() const {
    return fs::directory_iterator(folder())->path();
  }

  const std::string key_ = "device\ndriver\ntext of the program";
  const bytes binary_ = {1, 2, 3, 0, 255};
  fs::path root_;
};

TEST_F(ProgramCacheTest, KnowsNothingAtFirst) {
  EXPECT_FALSE(cache().load(key_));
}

TEST_F(ProgramCacheTest, AnswersNothingUnderAnotherKey) {
  cache().store(key_, binary_);
  EXPECT_FALSE(cache().load(key_ + "."));
  fs::path other = only_file();  // as if the hashes of both were the same
  cache().store("another", binary_);
  for (const auto& file : fs::directory_iterator(folder())) {
    if (file.path() != other) fs::rename(other, file.path());
  }
  EXPECT_FALSE(cache().load("another"));
}

TEST_F(ProgramCacheTest, AnswersNothingFromADamagedFile) {
  cache().store(key_, binary_);
  const fs::path file = only_file();
  const auto size = fs::file_size(file);
  {
    std::fstream edit(file, std::ios::in | std::ios::out | std::ios::binary);
    edit.seekp(static_cast<std::streamoff>(size - 1));
    edit.put(7);
  }
  EXPECT_FALSE(cache().load(key_));
  cache().store(key_, binary_);
  fs::resize_file(file, size - 1);
  EXPECT_FALSE(cache().load(key_));
  fs::resize_file(file, 3);
  EXPECT_FALSE(cache().load(key_));
}

TEST_F(ProgramCacheTest, TrustsNoFileThatOthersMayWrite) {
  cache().store(key_, binary_);
  ASSERT_EQ(::chmod(only_file().c_str(), 0622), 0);
  EXPECT_FALSE(cache().load(key_));
}

TEST_F(ProgramCacheTest, FollowsNoLink) {
  cache().store(key_, binary_);
  const fs::path file = only_file();
  fs::rename(file, root_ / "elsewhere");
  fs::create_symlink(root_ / "elsewhere", file);
  EXPECT_FALSE(cache().load(key_));
}

TEST_F(ProgramCacheTest, KeepsNothingWithoutAFolder) {
  const program_cache none{std::string()};
  none.store(key_, binary_);
  EXPECT_FALSE(none.load(key_));
}

TEST_F(ProgramCacheTest, AnswersWhatWasStoredLast) {
  cache().store(key_, {9});
  cache().store(key_, binary_);
  EXPECT_EQ(cache().load(key_), binary_);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder()), {}), 1);
}

TEST(ProgramCacheFolder, FollowsTheEnvironment) {
  ::setenv("HOME", "/home/someone", 1);
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(program_cache::users_folder(),
            "/home/someone/.cache/nexus-pipe/opencl");
  ::setenv("XDG_CACHE_HOME", "/cache", 1);
  EXPECT_EQ(program_cache::users_folder(), "/cache/nexus-pipe/opencl");
  ::unsetenv("XDG_CACHE_HOME");
  ::unsetenv("HOME");
  EXPECT_EQ(program_cache::users_folder(), "");
}

}  // namespace
}  // namespace nexus::opencl
