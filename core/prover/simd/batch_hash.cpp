#include "prover/simd/batch_hash.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "prover/simd/kernels.hpp"

namespace nexus::prover {
namespace {

constexpr std::size_t most_lanes = 16;

void hash_with(const kernel_set& kernels, std::span<const fp> rows,
               std::span<digest> out) {
  const std::size_t lanes = kernels.target.lanes;
  const std::size_t width = rows.size() / out.size();
  const std::size_t stride =
      (width + sponge_rate - 1) / sponge_rate * sponge_rate;
  // Kernels read whole blocks of whole vectors.
  std::vector<fp> padded(lanes * stride, fp{});
  std::vector<row_piece> pieces;
  for (std::size_t at = 0; at < width; at += sponge_rate) {
    pieces.push_back(
        {padded.data() + at, stride, std::min(width - at, sponge_rate)});
  }
  std::array<digest, most_lanes> hashes;
  for (std::size_t done = 0; done < out.size(); done += lanes) {
    const std::size_t count = std::min(lanes, out.size() - done);
    for (std::size_t i = 0; i < count; ++i) {
      std::copy_n(&rows[(done + i) * width], width, &padded[i * stride]);
    }
    kernels.hash.hash_rows(pieces, 0, lanes, hashes.data());
    std::copy_n(hashes.begin(), count, out.begin() + done);
  }
}

void compress_with(const kernel_set& kernels, std::span<const digest> pairs,
                   std::span<digest> out) {
  const std::size_t lanes = kernels.target.lanes;
  std::array<digest, 2 * most_lanes> some{};
  std::array<digest, most_lanes> hashes;
  for (std::size_t done = 0; done < out.size(); done += lanes) {
    const std::size_t count = std::min(lanes, out.size() - done);
    std::copy_n(&pairs[2 * done], 2 * count, some.begin());
    kernels.hash.compress(some.data(), lanes, hashes.data());
    std::copy_n(hashes.begin(), count, out.begin() + done);
  }
}

}  // namespace

void hash_all(prover_isa isa, std::span<const fp> rows, std::span<digest> out) {
  const kernel_set* const kernels = kernels_of(isa);
  if (kernels != nullptr && !out.empty()) {
    hash_with(*kernels, rows, out);
    return;
  }
  const std::size_t width = out.empty() ? 0 : rows.size() / out.size();
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = hash_row(rows.subspan(i * width, width));
  }
}

void compress_all(prover_isa isa, std::span<const digest> pairs,
                  std::span<digest> out) {
  const kernel_set* const kernels = kernels_of(isa);
  if (kernels != nullptr) {
    compress_with(*kernels, pairs, out);
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = compress(pairs[2 * i], pairs[2 * i + 1]);
  }
}

}  // namespace nexus::prover
