#include "prover/ntt.hpp"

#include <array>
#include <mutex>
#include <type_traits>

namespace nexus::prover {
namespace {

// Blocks of at most this many values are transformed layer by layer, larger
// ones depth first: 128 KiB.
constexpr std::size_t cached_values = std::size_t{1} << 15;

// One block of the transform's tree. Width: a number, or a constant of its
// type. Splits polynomials modulo x^rows - s^2 into those modulo x^(rows / 2)
// - s and + s, where s = twiddle.
template <class Width>
void split(fp* values, std::size_t rows, Width width, fp twiddle) noexcept {
  const std::size_t count = rows / 2 * width;
  fp* low = values;
  fp* high = values + count;
  for (std::size_t i = 0; i < count; ++i) {
    const fp odd = high[i] * twiddle;
    high[i] = low[i] - odd;
    low[i] += odd;
  }
}

// Twice what split() began with, which has the inverse twiddle.
template <class Width>
void join(fp* values, std::size_t rows, Width width, fp twiddle) noexcept {
  const std::size_t count = rows / 2 * width;
  fp* low = values;
  fp* high = values + count;
  for (std::size_t i = 0; i < count; ++i) {
    const fp difference = low[i] - high[i];
    low[i] += high[i];
    high[i] = difference * twiddle;
  }
}

// shift_powers[k] = shift^(2^k). block: the place of this one among those of
// its size.
template <class Width>
void split_all(fp* values, unsigned log_rows, std::size_t block, Width width,
               const fp* shift_powers, const twiddle_table& table) noexcept {
  const std::size_t rows = std::size_t{1} << log_rows;
  if (log_rows > 1 && rows * width > cached_values) {
    split(values, rows, width,
          table.forward[block] * shift_powers[log_rows - 1]);
    split_all(values, log_rows - 1, 2 * block, width, shift_powers, table);
    split_all(values + rows / 2 * width, log_rows - 1, 2 * block + 1, width,
              shift_powers, table);
    return;
  }
  for (unsigned log_size = log_rows; log_size > 0; --log_size) {
    const std::size_t size = std::size_t{1} << log_size;
    const std::size_t blocks = rows / size;
    for (std::size_t b = 0; b < blocks; ++b) {
      split(values + b * size * width, size, width,
            table.forward[block * blocks + b] * shift_powers[log_size - 1]);
    }
  }
}

template <class Width>
void join_all(fp* values, unsigned log_rows, std::size_t block, Width width,
              const twiddle_table& table) noexcept {
  const std::size_t rows = std::size_t{1} << log_rows;
  if (log_rows > 1 && rows * width > cached_values) {
    join_all(values, log_rows - 1, 2 * block, width, table);
    join_all(values + rows / 2 * width, log_rows - 1, 2 * block + 1, width,
             table);
    join(values, rows, width, table.backward[block]);
    return;
  }
  for (unsigned log_size = 1; log_size <= log_rows; ++log_size) {
    const std::size_t size = std::size_t{1} << log_size;
    const std::size_t blocks = rows / size;
    for (std::size_t b = 0; b < blocks; ++b) {
      join(values + b * size * width, size, width,
           table.backward[block * blocks + b]);
    }
  }
}

// Calls body with the width as a constant where it is a common one.
template <class Body>
void with_width(std::size_t width, Body&& body) {
  if (width == 16) {
    body(std::integral_constant<std::size_t, 16>{});
  } else if (width == 4) {
    body(std::integral_constant<std::size_t, 4>{});
  } else {
    body(width);
  }
}

std::unique_ptr<fp[]> reversed_powers(fp root, unsigned bits) {
  auto out = std::make_unique_for_overwrite<fp[]>(std::size_t{1} << bits);
  out[0] = one;
  // The highest bit of an index is the lowest one of its exponent's bits.
  for (unsigned k = 0; k < bits; ++k) {
    const fp factor = power(root, std::uint64_t{1} << (bits - 1 - k));
    const std::size_t half_size = std::size_t{1} << k;
    for (std::size_t i = 0; i < half_size; ++i) {
      out[half_size + i] = out[i] * factor;
    }
  }
  return out;
}

}  // namespace

const twiddle_table& twiddles(unsigned log_size) {
  static std::array<std::once_flag, two_adicity + 1> flags;
  static std::array<twiddle_table*, two_adicity + 1> tables;
  std::call_once(flags[log_size], [log_size] {
    const fp root = root_of_unity(log_size);
    auto table = std::make_unique<twiddle_table>();
    table->log_size = log_size;
    table->forward = reversed_powers(root, log_size - 1);
    table->backward = reversed_powers(inverse(root), log_size - 1);
    tables[log_size] = table.release();
  });
  return *tables[log_size];
}

void transform(fp* values, unsigned log_rows, std::size_t width, fp shift,
               const twiddle_table& table) noexcept {
  std::array<fp, two_adicity + 1> shift_powers;
  for (auto& x : shift_powers) {
    x = shift;
    shift *= shift;
  }
  with_width(width, [&](auto columns) {
    split_all(values, log_rows, 0, columns, shift_powers.data(), table);
  });
}

void transform_back(fp* values, unsigned log_rows, std::size_t width,
                    const twiddle_table& table) noexcept {
  with_width(width, [&](auto columns) {
    join_all(values, log_rows, 0, columns, table);
  });
}

}  // namespace nexus::prover
