// The KoalaBear field, p = 2^31 - 2^24 + 1, in Montgomery form with R = 2^32,
// and its extension of degree 4, F[X]/(X^4 - 3).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nexus::prover {

inline constexpr std::uint32_t modulus = 0x7f000001;
// p^-1 mod 2^32.
inline constexpr std::uint32_t modulus_inverse = 0x81000001;
// 2^64 mod p takes a canonical integer into Montgomery form.
inline constexpr std::uint32_t montgomery_square =
    static_cast<std::uint32_t>((~std::uint64_t{0} % modulus + 1) % modulus);
// The multiplicative group has an element of order 2^24 and none of 2^25.
inline constexpr unsigned two_adicity = 24;

// x / 2^32 mod p, below p. Precondition: x < p * 2^32.
constexpr std::uint32_t montgomery_reduce(std::uint64_t x) noexcept {
  const auto quotient = static_cast<std::uint32_t>(x) * modulus_inverse;
  const auto difference =
      static_cast<std::uint32_t>((x - std::uint64_t{quotient} * modulus) >> 32);
  // Between -p and p; the top bit is its sign.
  return difference + (modulus & (0 - (difference >> 31)));
}

// An element. The default constructor leaves it unset; fp{} is zero.
class fp {
 public:
  fp() = default;
  // value: any integer; it is reduced.
  static constexpr fp from(std::uint64_t value) noexcept {
    return from_canonical(static_cast<std::uint32_t>(value % modulus));
  }
  // value: below p.
  static constexpr fp from_canonical(std::uint32_t value) noexcept {
    return from_word(
        montgomery_reduce(std::uint64_t{value} * montgomery_square));
  }
  // word: value * 2^32 mod p, below p; what proofs carry.
  static constexpr fp from_word(std::uint32_t word) noexcept {
    fp out{};
    out.word_ = word;
    return out;
  }

  [[nodiscard]] constexpr std::uint32_t word() const noexcept { return word_; }
  // The integer in 0..p-1.
  [[nodiscard]] constexpr std::uint32_t canonical() const noexcept {
    return montgomery_reduce(word_);
  }

  friend constexpr fp operator+(fp a, fp b) noexcept {
    const std::uint32_t sum = a.word_ + b.word_;
    return from_word(sum >= modulus ? sum - modulus : sum);
  }
  friend constexpr fp operator-(fp a, fp b) noexcept {
    const std::uint32_t difference = a.word_ - b.word_;
    return from_word(a.word_ < b.word_ ? difference + modulus : difference);
  }
  friend constexpr fp operator*(fp a, fp b) noexcept {
    return from_word(montgomery_reduce(std::uint64_t{a.word_} * b.word_));
  }
  constexpr fp operator-() const noexcept { return fp{} - *this; }
  constexpr fp& operator+=(fp other) noexcept { return *this = *this + other; }
  constexpr fp& operator-=(fp other) noexcept { return *this = *this - other; }
  constexpr fp& operator*=(fp other) noexcept { return *this = *this * other; }
  friend constexpr bool operator==(fp, fp) noexcept = default;

 private:
  std::uint32_t word_;
};

inline constexpr fp one = fp::from(1);
inline constexpr fp half = fp::from((std::uint64_t{modulus} + 1) / 2);
// Generates the multiplicative group; shifts every evaluation domain off the
// subgroup that the trace lives on.
inline constexpr fp generator = fp::from(3);

constexpr fp power(fp base, std::uint64_t exponent) noexcept {
  fp out = one;
  for (; exponent != 0; exponent >>= 1, base *= base) {
    if ((exponent & 1) != 0) {
      out *= base;
    }
  }
  return out;
}

// 1 / a; zero for zero.
constexpr fp inverse(fp a) noexcept {
  return power(a, modulus - 2);
}

// The root of order 2^bits that every 2^bits-th domain is made of; bits up to
// two_adicity.
constexpr fp root_of_unity(unsigned bits) noexcept {
  return power(fp::from(0x6ac49f88), std::uint64_t{1} << (two_adicity - bits));
}

// c0 + c1 X + c2 X^2 + c3 X^3 with X^4 = 3.
struct ext {
  std::array<fp, 4> c;

  ext() = default;
  constexpr explicit ext(fp constant) noexcept
      : c{constant, fp{}, fp{}, fp{}} {}
  constexpr ext(fp c0, fp c1, fp c2, fp c3) noexcept : c{c0, c1, c2, c3} {}

  friend constexpr bool operator==(const ext&, const ext&) noexcept = default;
  constexpr ext& operator+=(const ext& b) noexcept {
    for (std::size_t i = 0; i < 4; ++i) {
      c[i] += b.c[i];
    }
    return *this;
  }
  constexpr ext& operator-=(const ext& b) noexcept {
    for (std::size_t i = 0; i < 4; ++i) {
      c[i] -= b.c[i];
    }
    return *this;
  }
  friend constexpr ext operator+(ext a, const ext& b) noexcept {
    return a += b;
  }
  friend constexpr ext operator-(ext a, const ext& b) noexcept {
    return a -= b;
  }
  friend constexpr ext operator+(ext a, fp b) noexcept {
    a.c[0] += b;
    return a;
  }
  friend constexpr ext operator-(ext a, fp b) noexcept {
    a.c[0] -= b;
    return a;
  }
  friend constexpr ext operator*(ext a, fp b) noexcept {
    for (auto& x : a.c) {
      x *= b;
    }
    return a;
  }
  friend ext operator*(const ext& a, const ext& b) noexcept;
  ext& operator*=(const ext& b) noexcept { return *this = *this * b; }
};

inline constexpr ext ext_one{one};

// A sum of products that is reduced once, at its end.
class fp_sum {
 public:
  constexpr void add(fp a, fp b) noexcept {
    // Both terms are below p * 2^32, and p^2 + p * 2^32 < 2^64.
    const std::uint64_t sum = total_ + std::uint64_t{a.word()} * b.word();
    total_ = sum >= limit ? sum - limit : sum;
  }
  [[nodiscard]] constexpr fp value() const noexcept {
    return fp::from_word(montgomery_reduce(total_));
  }

 private:
  static constexpr std::uint64_t limit = std::uint64_t{modulus} << 32;
  std::uint64_t total_ = 0;
};

// The same for products of a base and an extension element.
class ext_sum {
 public:
  constexpr void add(fp a, const ext& b) noexcept {
    for (std::size_t i = 0; i < 4; ++i) {
      sums_[i].add(a, b.c[i]);
    }
  }
  // For code that folds values of either field.
  void add(const ext& a, const ext& b) noexcept { rest_ += a * b; }
  [[nodiscard]] constexpr ext value() const noexcept {
    return ext(sums_[0].value(), sums_[1].value(), sums_[2].value(),
               sums_[3].value()) +
           rest_;
  }

 private:
  std::array<fp_sum, 4> sums_{};
  ext rest_{fp{}};
};

inline ext operator*(const ext& a, const ext& b) noexcept {
  constexpr fp w = fp::from(3);
  const std::array<fp, 3> high = {b.c[1] * w, b.c[2] * w, b.c[3] * w};
  ext out;
  for (std::size_t k = 0; k < 4; ++k) {
    fp_sum sum;
    for (std::size_t i = 0; i < 4; ++i) {
      sum.add(a.c[i], i <= k ? b.c[k - i] : high[k + 3 - i]);
    }
    out.c[k] = sum.value();
  }
  return out;
}

inline ext power(ext base, std::uint64_t exponent) noexcept {
  ext out = ext_one;
  for (; exponent != 0; exponent >>= 1, base *= base) {
    if ((exponent & 1) != 0) {
      out *= base;
    }
  }
  return out;
}

// 1 / a; zero for zero. With s(a) = a(-X), a * s(a) = u + v X^2 has no odd
// part, and (u + v X^2)(u - v X^2) = u^2 - 3 v^2 lies in the base field.
inline ext inverse(const ext& a) noexcept {
  const ext mirrored(a.c[0], -a.c[1], a.c[2], -a.c[3]);
  const ext square = a * mirrored;
  const fp u = square.c[0];
  const fp v = square.c[2];
  const fp norm = inverse(u * u - fp::from(3) * v * v);
  return mirrored * ext(u * norm, fp{}, -v * norm, fp{});
}

// Inverts every element with one inversion (Montgomery's trick). None may be
// zero. scratch: as many elements as values.
template <class T>
void invert_all(std::span<T> values, std::span<T> scratch) {
  if (values.empty()) {
    return;
  }
  T product = values[0];
  for (std::size_t i = 1; i < values.size(); ++i) {
    scratch[i] = product;
    product *= values[i];
  }
  T rest = inverse(product);
  for (std::size_t i = values.size() - 1; i > 0; --i) {
    const T value = values[i];
    values[i] = rest * scratch[i];
    rest *= value;
  }
  values[0] = rest;
}

// first, first * base, first * base^2, ...
inline std::vector<ext> powers(const ext& base, std::size_t count,
                               ext first = ext_one) {
  std::vector<ext> out(count);
  for (auto& x : out) {
    x = first;
    first *= base;
  }
  return out;
}

// The polynomial with these coefficients, lowest first, at x.
template <class C>
ext evaluate(std::span<const C> coefficients, const ext& x) noexcept {
  ext out{fp{}};
  for (std::size_t i = coefficients.size(); i-- > 0;) {
    out = out * x + coefficients[i];
  }
  return out;
}

// The lowest `bits` bits of i (0..32) in reverse order.
constexpr std::uint32_t reverse_bits(std::uint32_t i, unsigned bits) noexcept {
  if (bits == 0) {
    return 0;
  }
  i = (i >> 16) | (i << 16);
  i = ((i >> 8) & 0x00ff00ff) | ((i & 0x00ff00ff) << 8);
  i = ((i >> 4) & 0x0f0f0f0f) | ((i & 0x0f0f0f0f) << 4);
  i = ((i >> 2) & 0x33333333) | ((i & 0x33333333) << 2);
  i = ((i >> 1) & 0x55555555) | ((i & 0x55555555) << 1);
  return i >> (32 - bits);
}

// Of a power of two.
constexpr unsigned log2_exact(std::uint64_t n) noexcept {
  return static_cast<unsigned>(std::countr_zero(n));
}

}  // namespace nexus::prover
