// How the scalar backend stores what it hands out.
#pragma once

#include <cstddef>
#include <memory>

#include "prover/backend.hpp"

namespace nexus::prover {

// Columns in panels of 16, the last one narrower; a panel's rows lie one after
// the other, so that a transform works on one piece of memory, and a row of a
// panel is a block of the row hash. The storage has room for `capacity` rows
// (the extension's, from the start: it is done in place), of which the first
// 2^log_height hold values.
class scalar_matrix final : public matrix {
 public:
  static constexpr std::size_t panel_width = 16;

  scalar_matrix(unsigned log_height, std::size_t width)
      : matrix(log_height, width),
        capacity_(std::size_t{2} << log_height),
        values_(std::make_unique_for_overwrite<fp[]>(capacity_ * width)) {}

  [[nodiscard]] std::size_t panels() const noexcept {
    return (width() + panel_width - 1) / panel_width;
  }
  [[nodiscard]] std::size_t width_of(std::size_t panel) const noexcept {
    return std::min(panel_width, width() - panel * panel_width);
  }
  [[nodiscard]] fp* row(std::size_t panel, std::size_t r) noexcept {
    return &values_[panel * panel_width * capacity_ + r * width_of(panel)];
  }
  [[nodiscard]] const fp* row(std::size_t panel, std::size_t r) const noexcept {
    return &values_[panel * panel_width * capacity_ + r * width_of(panel)];
  }
  // Copies a row, width() values.
  void load(std::size_t r, fp* out) const noexcept {
    for (std::size_t p = 0; p < panels(); ++p) {
      out = std::copy_n(row(p, r), width_of(p), out);
    }
  }
  void store(std::size_t r, const fp* in) noexcept {
    for (std::size_t p = 0; p < panels(); ++p, in += panel_width) {
      std::copy_n(in, width_of(p), row(p, r));
    }
  }
  // After the storage's second half was filled.
  void double_height() noexcept { ++log_height_; }

 private:
  std::size_t capacity_;
  std::unique_ptr<fp[]> values_;
};

class scalar_codeword final : public codeword {
 public:
  explicit scalar_codeword(unsigned log_length)
      : codeword(log_length), values(std::size_t{1} << log_length) {}
  std::vector<ext> values;
};

class scalar_layer final : public layer {
 public:
  explicit scalar_layer(unsigned log_length)
      : layer(log_length), hashes(std::size_t{1} << log_length) {}
  std::vector<digest> hashes;
};

inline const scalar_matrix& own(const matrix& x) noexcept {
  return static_cast<const scalar_matrix&>(x);
}
inline const scalar_codeword& own(const codeword& x) noexcept {
  return static_cast<const scalar_codeword&>(x);
}
inline const scalar_layer& own(const layer& x) noexcept {
  return static_cast<const scalar_layer&>(x);
}

}  // namespace nexus::prover
