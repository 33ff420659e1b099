// Runs a fuzz target over the files of its corpus, in place of libFuzzer: every
// build then keeps what fuzzing has taught.
//
//   NAME_replay FILE-OR-DIRECTORY...
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz_check.hpp"
#include "support/sanitizers.hpp"

// What a target may take, whatever its input says: a sanitizer's own memory is
// no matter of an input's.
void limit_memory() {
#if !NEXUS_ASAN && !NEXUS_TSAN
  constexpr rlim_t bytes = rlim_t{1} << 30;
  const rlimit limit{bytes, bytes};
  (void)setrlimit(RLIMIT_AS, &limit);
#endif
}

int main(int count, char** words) {
  limit_memory();
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  for (int i = 1; i < count; ++i) {
    const fs::path word = words[i];
    if (!fs::is_directory(word)) {
      files.emplace_back(word);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(word))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::ifstream in(path, std::ios::binary);
    // No more capacity than bytes, for a sanitizer to see the end.
    std::vector<std::uint8_t> data{std::istreambuf_iterator<char>(in), {}};
    data.shrink_to_fit();
    if (!in) {
      std::fprintf(stderr, "cannot read %s\n", path.c_str());
      return 1;
    }
    std::printf("%s: %zu bytes\n", path.filename().c_str(), data.size());
    std::fflush(stdout);
    LLVMFuzzerTestOneInput(data.data(), data.size());
  }
  if (files.empty()) {
    std::fprintf(stderr, "the corpus is empty\n");
    return 1;
  }
  return 0;
}
