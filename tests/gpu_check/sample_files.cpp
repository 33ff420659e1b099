#include "sample_files.hpp"

#include <algorithm>
#include <fstream>
#include <vector>

namespace gpu_check {
namespace {

constexpr std::size_t block_words = std::size_t{1} << 17;  // 1 MiB

}  // namespace

bool write_sample(const std::filesystem::path& path, std::uint64_t bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  std::vector<std::uint64_t> block(block_words);
  std::uint64_t state = 0x9e3779b97f4a7c15u;
  for (std::uint64_t left = bytes; left > 0 && file;) {
    for (std::uint64_t& word : block) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      word = state;
    }
    const std::uint64_t some = std::min<std::uint64_t>(left, 8 * block_words);
    file.write(reinterpret_cast<const char*>(block.data()),
               static_cast<std::streamsize>(some));
    left -= some;
  }
  file.close();
  return !file.fail();
}

bool same_files(const std::filesystem::path& a,
                const std::filesystem::path& b) {
  std::ifstream first(a, std::ios::binary), second(b, std::ios::binary);
  if (!first || !second) return false;
  std::vector<char> mine(8 * block_words), other(mine.size());
  for (;;) {
    first.read(mine.data(), static_cast<std::streamsize>(mine.size()));
    second.read(other.data(), static_cast<std::streamsize>(other.size()));
    const auto count = first.gcount();
    if (count != second.gcount()) return false;
    if (count == 0) return true;
    if (!std::equal(mine.begin(), mine.begin() + count, other.begin()))
      return false;
  }
}

}  // namespace gpu_check
