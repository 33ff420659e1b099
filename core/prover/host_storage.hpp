// How the backends that run on the host store what they hand out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "prover/backend.hpp"

namespace nexus::prover {

// Memory, unset, on a cache line's border and with a cache line to spare behind
// it, so that whole vectors may be read at its end. Throws std::bad_alloc.
//
// Pieces from 1 MiB on are kept when they are done with, for the next proof,
// since a system takes long to clear a trace's pages. What is kept is the
// system's to take back as soon as it is short of memory (MADV_FREE), and
// together with what is in use, is never more than was in use at once before.
// Pieces from 8 MiB on are backed by large pages where the system has them.
class host_memory {
 public:
  explicit host_memory(std::size_t bytes);
  host_memory(host_memory&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), size_(other.size_) {}
  ~host_memory();
  host_memory& operator=(host_memory&&) = delete;

  [[nodiscard]] void* get() const noexcept { return memory_; }

 private:
  void* memory_;
  std::size_t size_;
};

template <class T>
class host_array {
 public:
  explicit host_array(std::size_t size)
      : memory_(size * sizeof(T)), size_(size) {}
  [[nodiscard]] T* data() noexcept { return static_cast<T*>(memory_.get()); }
  [[nodiscard]] const T* data() const noexcept {
    return static_cast<const T*>(memory_.get());
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T& operator[](std::size_t i) noexcept { return data()[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept {
    return data()[i];
  }
  [[nodiscard]] T* begin() noexcept { return data(); }
  [[nodiscard]] T* end() noexcept { return data() + size_; }
  [[nodiscard]] const T* begin() const noexcept { return data(); }
  [[nodiscard]] const T* end() const noexcept { return data() + size_; }

 private:
  host_memory memory_;
  std::size_t size_;
};

// Columns in panels of 16, the last one narrower; a panel's rows lie one after
// the other, so that a transform works on one piece of memory, and a row of a
// panel is a block of the row hash. Rows are padded with zeros to 4, 8 or 16
// columns. The storage has room for `capacity` rows (the extension's, from the
// start: it is done in place), of which the first 2^log_height hold values.
class host_matrix final : public matrix {
 public:
  static constexpr std::size_t panel_width = 16;

  host_matrix(unsigned log_height, std::size_t width)
      : matrix(log_height, width),
        capacity_(std::size_t{2} << log_height),
        values_(capacity_ * padded(width) + panels() * stagger) {}

  [[nodiscard]] std::size_t panels() const noexcept {
    return (width() + panel_width - 1) / panel_width;
  }
  [[nodiscard]] std::size_t width_of(std::size_t panel) const noexcept {
    return std::min(panel_width, width() - panel * panel_width);
  }
  // From one row of a panel to the next.
  [[nodiscard]] std::size_t stride_of(std::size_t panel) const noexcept {
    return padded(width_of(panel));
  }
  [[nodiscard]] fp* row(std::size_t panel, std::size_t r) noexcept {
    return &values_[panel * (panel_width * capacity_ + stagger) +
                    r * stride_of(panel)];
  }
  [[nodiscard]] const fp* row(std::size_t panel, std::size_t r) const noexcept {
    return &values_[panel * (panel_width * capacity_ + stagger) +
                    r * stride_of(panel)];
  }
  // Copies a row, width() values.
  void load(std::size_t r, fp* out) const noexcept {
    for (std::size_t p = 0; p < panels(); ++p) {
      out = std::copy_n(row(p, r), width_of(p), out);
    }
  }
  void store(std::size_t r, const fp* in) noexcept {
    for (std::size_t p = 0; p < panels(); ++p, in += panel_width) {
      fp* const end = std::copy_n(in, width_of(p), row(p, r));
      std::fill_n(end, stride_of(p) - width_of(p), fp{});
    }
  }
  // After the storage's second half was filled.
  void double_height() noexcept { ++log_height_; }

 private:
  static constexpr std::size_t padded(std::size_t width) noexcept {
    const std::size_t rest = width % panel_width;
    return width - rest +
           (rest == 0 ? 0 : std::max(std::size_t{4}, std::bit_ceil(rest)));
  }

  // Between panels, whose sizes are powers of two: 16 rows of every panel would
  // otherwise lie in the same few sets of a cache.
  static constexpr std::size_t stagger = 16 * panel_width;

  std::size_t capacity_;
  host_array<fp> values_;
};

class host_codeword final : public codeword {
 public:
  explicit host_codeword(unsigned log_length)
      : codeword(log_length), values(std::size_t{1} << log_length) {}
  host_array<ext> values;
};

class host_layer final : public layer {
 public:
  explicit host_layer(unsigned log_length)
      : layer(log_length), hashes(std::size_t{1} << log_length) {}
  host_array<digest> hashes;
};

inline const host_matrix& own(const matrix& x) noexcept {
  return static_cast<const host_matrix&>(x);
}
inline const host_codeword& own(const codeword& x) noexcept {
  return static_cast<const host_codeword&>(x);
}
inline const host_layer& own(const layer& x) noexcept {
  return static_cast<const host_layer&>(x);
}

}  // namespace nexus::prover
