// Large files to work on.
#pragma once

#include <cstdint>
#include <filesystem>

namespace gpu_check {

// Fills a new file with bytes that look random and are always the same.
bool write_sample(const std::filesystem::path& path, std::uint64_t bytes);
// Whether both are there and hold the same bytes.
bool same_files(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace gpu_check
