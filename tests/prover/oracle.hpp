// The arithmetic of segment proofs, naive and on plain integers: what the
// library is compared with. Nothing of the library is used here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace oracle {

using number = std::uint64_t;           // canonical, below p
using quartic = std::array<number, 4>;  // modulo X^4 - 3
using column = std::vector<number>;
using hash = std::vector<number>;  // eight

inline constexpr number p = 2130706433;

number power(number base, std::uint64_t exponent);
number inverse(number a);
// Of order 2^bits, by its definition: 3^((p - 1) / 2^bits).
number root(unsigned bits);
std::size_t reversed(std::size_t i, unsigned bits);

quartic add(const quartic& a, const quartic& b);
quartic multiply(const quartic& a, const quartic& b);
quartic power(quartic base, number exponent);

// Coefficients of the polynomial with these values at shift * w^i, in order.
// Quadratic time.
column interpolate(const column& values, number shift);
number evaluate(const column& coefficients, number x);
quartic evaluate(const std::vector<quartic>& coefficients, const quartic& x);
// From values on shift * H, in order, to those on 3 * K, |K| = 2 |H|, in
// bit-reversed order.
column extend(const column& values, number shift);

// Poseidon2 with the published constants and its matrices written out.
std::vector<number> permute(std::vector<number> state);
hash hash_row(const std::vector<number>& row);
hash compress(const hash& left, const hash& right);

// The numbers of the Grain LFSR of the Poseidon paper, appendix E, for a prime
// field of 31 bits with the S-box marked 0.
std::vector<number> grain(unsigned width, unsigned full_rounds,
                          unsigned partial_rounds, std::size_t count);

// A segment's digest, straight from the specification.
hash digest(const std::vector<unsigned char>& data, std::uint64_t index,
            bool last);

}  // namespace oracle
