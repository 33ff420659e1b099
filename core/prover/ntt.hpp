// Number-theoretic transforms of many columns at once, in place: natural order
// of coefficients, bit-reversed order of values.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "prover/field.hpp"

namespace nexus::prover {

// With w of order 2^log_size: entry k of `forward` is w^reverse_bits(k,
// log_size - 1), entry k of `backward` its inverse. Since the bits come
// reversed, a table begins with the table of every smaller size.
struct twiddle_table {
  unsigned log_size;
  std::unique_ptr<fp[]> forward;   // 2^(log_size - 1)
  std::unique_ptr<fp[]> backward;  // 2^(log_size - 1)
};

// Made once per process and size, 1..two_adicity; never freed. Any thread.
const twiddle_table& twiddles(unsigned log_size);

// The point of index r of the coset shift * <w>, |<w>| = 2^log_size, in
// bit-reversed order.
inline fp coset_point(const twiddle_table& table, fp shift,
                      std::size_t r) noexcept {
  const fp x = shift * table.forward[r / 2];
  return (r & 1) != 0 ? -x : x;
}

// Rows of `width` values, one after the other; each column is transformed for
// itself. rows: 2^log_rows, at most the table's size. The columns' values at
// the points shift * w^reverse_bits(r, log_rows) take their coefficients'
// place.
void transform(fp* values, unsigned log_rows, std::size_t width, fp shift,
               const twiddle_table& table) noexcept;

// The other way round on the subgroup (shift 1), but for a factor: yields 2^log
// rows times the coefficients.
void transform_back(fp* values, unsigned log_rows, std::size_t width,
                    const twiddle_table& table) noexcept;

}  // namespace nexus::prover
