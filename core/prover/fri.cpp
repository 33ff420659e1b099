#include "prover/fri.hpp"

#include <algorithm>
#include <array>

namespace nexus::prover {

std::vector<unsigned> fri_arities(unsigned log_rows) {
  std::vector<unsigned> out;
  constexpr unsigned log_end = log_blowup + log_final_length;
  for (unsigned log_length = log_rows + log_blowup; log_length > log_end;) {
    out.push_back(std::min(log_length - log_end, max_log_arity));
    log_length -= out.back();
  }
  return out;
}

ext fold_group(std::span<const ext> values, std::uint64_t group,
               unsigned log_length, ext beta) noexcept {
  // Of pair i the first value is at x_i = w^reversed(i), w the root of the
  // whole domain: x_i = x_first * x_(i - first) when the group's first pair has
  // trailing zero bits enough. The squares of the x_(2i) are the next fold's.
  constexpr fp w4 = inverse(root_of_unity(2));
  constexpr fp w8 = inverse(root_of_unity(3));
  constexpr std::array<fp, 4> offsets = {one, w4, w8, w4 * w8};
  std::array<ext, std::size_t{1} << max_log_arity> folded;
  std::copy(values.begin(), values.end(), folded.begin());
  std::size_t count = values.size() / 2;
  const unsigned bits = log_length - 1;
  const auto exponent =
      reverse_bits(static_cast<std::uint32_t>(group * count), bits);
  fp first = power(inverse(root_of_unity(log_length)), exponent);
  for (; count != 0; count /= 2) {
    for (std::size_t i = 0; i < count; ++i) {
      folded[i] =
          fold_pair(folded[2 * i], folded[2 * i + 1], beta, first * offsets[i]);
    }
    first *= first;
    beta *= beta;
  }
  return folded[0];
}

}  // namespace nexus::prover
