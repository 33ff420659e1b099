#include "prover/segment.hpp"

#include <cstring>

namespace nexus {

std::uint64_t segment_rows(std::uint64_t length) noexcept {
  std::uint64_t rows = segment_leaf_rows;
  while (rows < max_segment_rows && segment_capacity(rows) < length) {
    rows *= 2;
  }
  return rows;
}

namespace prover {
namespace {

constexpr std::uint64_t lane_mask = (std::uint64_t{1} << 30) - 1;

std::uint64_t load_little_endian(const std::byte* from) noexcept {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    out |= std::to_integer<std::uint64_t>(from[i]) << (8 * i);
  }
  return out;
}

fp lane(std::uint64_t bits) noexcept {
  return fp::from_canonical(static_cast<std::uint32_t>(bits & lane_mask));
}

}  // namespace

capacity segment_statement::top() const noexcept {
  const std::uint64_t index = position.index;
  return {fp::from(0x4e585001),   lane(length),
          fp::from(length >> 30), lane(index),
          fp::from(index >> 30),  fp::from(position.last ? 1 : 0),
          fp::from(log_rows()),   fp{}};
}

public_values segment_statement::publics(const digest& root) const noexcept {
  public_values out;
  const capacity first = top();
  std::copy(root.begin(), root.end(), out.begin());
  std::copy(first.begin(), first.end(), out.begin() + 8);
  return out;
}

status segment_statement::check() const {
  if (length > segment_capacity(max_segment_rows)) {
    return {
        status_code::invalid_argument,
        "segment of " + std::to_string(length) + " bytes is too long to prove",
        "at most " + std::to_string(segment_capacity(max_segment_rows)) +
            " bytes"};
  }
  if (position.index >> 60 != 0) {
    return {status_code::invalid_argument, "segment index " +
                                               std::to_string(position.index) +
                                               " is not below 2^60"};
  }
  return {};
}

void unpack_row(byte_view data, std::uint32_t* lanes) noexcept {
  std::array<std::byte, row_bytes> padded{};
  const std::byte* from = data.data();
  if (data.size() < row_bytes) {
    std::copy(data.begin(), data.end(), padded.begin());
    from = padded.data();
  }
  for (std::size_t i = 0; i < 16; i += 4, from += 15) {
    const std::uint64_t low = load_little_endian(from);
    const std::uint64_t high = load_little_endian(from + 7);
    lanes[i] = static_cast<std::uint32_t>(low & lane_mask);
    lanes[i + 1] = static_cast<std::uint32_t>(low >> 30 & lane_mask);
    lanes[i + 2] = static_cast<std::uint32_t>(high >> 4 & lane_mask);
    lanes[i + 3] = static_cast<std::uint32_t>(high >> 34);
  }
}

void load_row(byte_view data, fp* lanes) noexcept {
  std::array<std::uint32_t, 16> integers;
  unpack_row(data, integers.data());
  std::transform(integers.begin(), integers.end(), lanes, fp::from_canonical);
}

segment_digest to_integers(const digest& value) noexcept {
  segment_digest out;
  std::transform(value.begin(), value.end(), out.begin(),
                 [](fp x) { return x.canonical(); });
  return out;
}

bool from_integers(const segment_digest& integers, digest& out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (integers[i] >= modulus) {
      return false;
    }
    out[i] = fp::from_canonical(integers[i]);
  }
  return true;
}

}  // namespace prover
}  // namespace nexus
