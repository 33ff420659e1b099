// The field on vectors of 32-bit lanes, one element each, as Montgomery words.
// Words are below p unless a function says otherwise.
#include "prover/field.hpp"

#if defined(NEXUS_PROVER_SIMD_FIELD_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEXUS_PROVER_SIMD_FIELD_INL
#undef NEXUS_PROVER_SIMD_FIELD_INL
#else
#define NEXUS_PROVER_SIMD_FIELD_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace nexus::prover::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using tag32 = hn::ScalableTag<std::uint32_t>;
using tag64 = hn::ScalableTag<std::uint64_t>;
using tag32s = hn::ScalableTag<std::int32_t>;
using tag64s = hn::ScalableTag<std::int64_t>;
using vec = hn::Vec<tag32>;
// Products of the even or of the odd lanes.
using wide = hn::Vec<tag64>;
using vec_s = hn::Vec<tag32s>;
using wide_s = hn::Vec<tag64s>;

inline constexpr std::size_t lanes = HWY_LANES(std::uint32_t);

// Loops over the elements of a state must be written out, or the state lies in
// memory.
#ifndef NEXUS_UNROLL
#ifdef __clang__
#define NEXUS_UNROLL _Pragma("clang loop unroll(full)")
#else
#define NEXUS_UNROLL _Pragma("GCC unroll 32")
#endif
#endif

// Of products whose low halves alone are used: keeps the compiler from making
// them multiplications of 64 bits, which cost three times as much.
template <class Wide>
HWY_INLINE Wide keep(Wide x) {
#if HWY_ARCH_X86
  __asm__("" : "+v"(x.raw));
#endif
  return x;
}

HWY_INLINE const std::uint32_t* words(const fp* values) {
  return reinterpret_cast<const std::uint32_t*>(values);
}
HWY_INLINE std::uint32_t* words(fp* values) {
  return reinterpret_cast<std::uint32_t*>(values);
}

HWY_INLINE vec fill(std::uint32_t word) {
  return hn::Set(tag32(), word);
}
HWY_INLINE vec fill(fp value) {
  return hn::Set(tag32(), value.word());
}
HWY_INLINE vec load(const std::uint32_t* from) {
  return hn::LoadU(tag32(), from);
}
HWY_INLINE void store(vec x, std::uint32_t* to) {
  hn::StoreU(x, tag32(), to);
}
HWY_INLINE vec load(const fp* from) {
  return load(words(from));
}
HWY_INLINE void store(vec x, fp* to) {
  store(x, words(to));
}

// Odd lanes where the even ones are.
HWY_INLINE vec odd(vec x) {
  return hn::DupOdd(x);
}

// The high halves of products of even and of odd lanes, each at its place.
HWY_INLINE vec high_halves(vec even, vec odds) {
#if HWY_TARGET == HWY_AVX3
  // One instruction, for which compilers take a slower one or two.
  __asm__("vmovshdup %1, %0%{%2%}"
          : "+v"(odds.raw)
          : "v"(even.raw), "Yk"(static_cast<__mmask16>(0x5555)));
  return odds;
#else
  return hn::OddEven(odds, hn::DupOdd(even));
#endif
}
HWY_INLINE vec high_halves(wide even, wide odds) {
  return high_halves(hn::BitCast(tag32(), even), hn::BitCast(tag32(), odds));
}

// Below 2p to below p.
HWY_INLINE vec reduce_once(vec x) {
  return hn::Min(x, hn::Sub(x, fill(modulus)));
}
// -p < x < p, in two's complement.
HWY_INLINE vec lift(vec x) {
  return hn::Min(x, hn::Add(x, fill(modulus)));
}

HWY_INLINE vec add(vec a, vec b) {
  return reduce_once(hn::Add(a, b));
}
HWY_INLINE vec sub(vec a, vec b) {
  return lift(hn::Sub(a, b));
}
HWY_INLINE vec twice(vec a) {
  return add(a, a);
}

// x / 2^32 of both products, between -p and p for x < p * 2^32.
HWY_INLINE vec reduce_products(wide even, wide odds) {
  const vec quotient = fill(modulus_inverse);
  const vec p = fill(modulus);
  const wide q_even = keep(hn::MulEven(hn::BitCast(tag32(), even), quotient));
  const wide q_odd = keep(hn::MulEven(hn::BitCast(tag32(), odds), quotient));
  const wide t_even = hn::MulEven(hn::BitCast(tag32(), q_even), p);
  const wide t_odd = hn::MulEven(hn::BitCast(tag32(), q_odd), p);
  return high_halves(hn::Sub(even, t_even), hn::Sub(odds, t_odd));
}

// a * b < p * 2^32.
HWY_INLINE vec multiply(vec a, vec b) {
  return lift(reduce_products(hn::MulEven(a, b), hn::MulEven(odd(a), odd(b))));
}

// By one number in all lanes. quotient: factor / p mod 2^32. x: any word.
HWY_INLINE vec multiply(vec x, vec factor, vec quotient) {
  const vec p = fill(modulus);
  const vec q = hn::Mul(x, quotient);
  const vec high =
      high_halves(hn::MulEven(x, factor), hn::MulEven(odd(x), factor));
  const vec multiple = high_halves(hn::MulEven(q, p), hn::MulEven(odd(q), p));
  return lift(hn::Sub(high, multiple));
}

HWY_INLINE vec multiply(vec x, fp factor) {
  return multiply(x, fill(factor), fill(factor.word() * modulus_inverse));
}

// x / 2^K mod p, between -p and 2^(32 - K), for any word x: with l the lowest K
// bits of x, (x - l p) / 2^K, and p = 127 * 2^24 + 1.
template <int K>
HWY_INLINE vec shifted_high(vec x) {
  return hn::ShiftRight<K>(x);
}
template <int K>
HWY_INLINE vec shifted_low(vec x) {
  const vec low = hn::And(x, fill((std::uint32_t{1} << K) - 1));
  return hn::Mul(low, fill(std::uint32_t{127} << (24 - K)));
}

// x / 2^bits mod p; bits: 1..24.
HWY_INLINE vec divide_by_power(vec x, unsigned bits) {
  const vec low = hn::And(x, fill((std::uint32_t{1} << bits) - 1));
  const vec multiple = hn::Mul(low, fill(std::uint32_t{127} << (24 - bits)));
  return lift(hn::Sub(hn::ShiftRightSame(x, static_cast<int>(bits)), multiple));
}

HWY_INLINE vec power(vec base, std::uint32_t exponent) {
  vec out = fill(one);
  for (; exponent != 0; exponent >>= 1, base = multiply(base, base)) {
    if ((exponent & 1) != 0) {
      out = multiply(out, base);
    }
  }
  return out;
}

// Sums of products of signed 32-bit numbers, one of even and one of odd lanes.
struct product_sum {
  wide_s even;
  wide_s odds;
};

HWY_INLINE product_sum no_products() {
  const wide_s zero = hn::Zero(tag64s());
  return {zero, zero};
}

HWY_INLINE void add_product(product_sum& sum, vec_s x, vec_s x_odd, vec_s y,
                            vec_s y_odd) {
  sum.even = hn::Add(sum.even, hn::MulEven(x, y));
  sum.odds = hn::Add(sum.odds, hn::MulEven(x_odd, y_odd));
}

// To at most 2^56 + 2^32 in magnitude, the same mod p.
HWY_INLINE wide_s shrink(wide_s x) {
  const vec_s factor = hn::Set(
      tag32s(), static_cast<std::int32_t>((std::uint64_t{1} << 32) % modulus));
  const wide_s low = hn::And(x, hn::Set(tag64s(), std::int64_t{0xffffffff}));
  const vec_s high = hn::BitCast(tag32s(), hn::DupOdd(hn::BitCast(tag32(), x)));
  return hn::Add(low, hn::MulEven(high, factor));
}

HWY_INLINE void shrink(product_sum& sum) {
  sum.even = shrink(sum.even);
  sum.odds = shrink(sum.odds);
}

// sum / 2^32 mod p.
HWY_INLINE vec reduce(product_sum sum) {
  shrink(sum);
  const vec_s quotient =
      hn::Set(tag32s(), static_cast<std::int32_t>(modulus_inverse));
  const vec_s p = hn::Set(tag32s(), static_cast<std::int32_t>(modulus));
  const wide_s q_even =
      keep(hn::MulEven(hn::BitCast(tag32s(), sum.even), quotient));
  const wide_s q_odd =
      keep(hn::MulEven(hn::BitCast(tag32s(), sum.odds), quotient));
  const wide_s even =
      hn::Sub(sum.even, hn::MulEven(hn::BitCast(tag32s(), q_even), p));
  const wide_s odds =
      hn::Sub(sum.odds, hn::MulEven(hn::BitCast(tag32s(), q_odd), p));
  return lift(
      high_halves(hn::BitCast(tag64(), even), hn::BitCast(tag64(), odds)));
}

// Factors of such sums are centred: words less (p - 1) / 2 on one side, and
// words above that less p on the other one. Both are then within (p - 1) / 2,
// and eight products fit beside a shrunk sum: 8 (p / 2)^2 < 2^63 - 2^57.
inline constexpr std::size_t products_between_shrinks = 8;

HWY_INLINE vec_s centre(vec x) {
  return hn::BitCast(tag32s(), hn::Sub(x, fill(centring)));
}

HWY_INLINE vec_s odd(vec_s x) {
  return hn::BitCast(tag32s(), odd(hn::BitCast(tag32(), x)));
}

// The same element, within (p - 1) / 2.
HWY_INLINE vec_s centred(vec x) {
  const vec_s y = hn::BitCast(tag32s(), x);
  const vec_s below = hn::BitCast(tag32s(), hn::Sub(x, fill(modulus)));
  return hn::IfThenElse(
      hn::Gt(y, hn::Set(tag32s(), static_cast<std::int32_t>(centring))), below,
      y);
}

// Inverts each; none may be zero. scratch: as many.
HWY_INLINE void invert_all(vec* values, vec* scratch, std::size_t count) {
  vec product = values[0];
  for (std::size_t i = 1; i < count; ++i) {
    scratch[i] = product;
    product = multiply(product, values[i]);
  }
  vec rest = power(product, modulus - 2);
  for (std::size_t i = count - 1; i > 0; --i) {
    const vec value = values[i];
    values[i] = multiply(rest, scratch[i]);
    rest = multiply(rest, value);
  }
  values[0] = rest;
}

// The extension field, one element a lane.
struct vec_ext {
  vec c[4];

  // Written out: what compilers add themselves lacks the instruction set.
  HWY_INLINE vec_ext() {}
  HWY_INLINE vec_ext(vec c0, vec c1, vec c2, vec c3) : c{c0, c1, c2, c3} {}
};

HWY_INLINE vec_ext fill(const ext& x) {
  return {fill(x.c[0]), fill(x.c[1]), fill(x.c[2]), fill(x.c[3])};
}
HWY_INLINE vec_ext add(const vec_ext& a, const vec_ext& b) {
  return {add(a.c[0], b.c[0]), add(a.c[1], b.c[1]), add(a.c[2], b.c[2]),
          add(a.c[3], b.c[3])};
}
HWY_INLINE vec_ext sub(const vec_ext& a, const vec_ext& b) {
  return {sub(a.c[0], b.c[0]), sub(a.c[1], b.c[1]), sub(a.c[2], b.c[2]),
          sub(a.c[3], b.c[3])};
}
HWY_INLINE vec_ext multiply(const vec_ext& a, vec b) {
  return {multiply(a.c[0], b), multiply(a.c[1], b), multiply(a.c[2], b),
          multiply(a.c[3], b)};
}
HWY_INLINE vec_ext multiply(const vec_ext& a, const vec_ext& b) {
  vec_ext out;
  for (std::size_t k = 0; k < 4; ++k) {
    // X^4 = 3, so what overflows comes back threefold.
    vec low = multiply(a.c[0], b.c[k]);
    for (std::size_t i = 1; i <= k; ++i) {
      low = add(low, multiply(a.c[i], b.c[k - i]));
    }
    for (std::size_t i = k + 1; i < 4; ++i) {
      const vec high = multiply(a.c[i], b.c[k + 4 - i]);
      low = add(low, add(high, twice(high)));
    }
    out.c[k] = low;
  }
  return out;
}
HWY_INLINE void store(const vec_ext& x, ext* to) {
  hn::StoreInterleaved4(x.c[0], x.c[1], x.c[2], x.c[3], tag32(),
                        words(to->c.data()));
}

}  // namespace nexus::prover::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
