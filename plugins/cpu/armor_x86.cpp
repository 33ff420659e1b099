// The base64 loops for AVX2 and for AVX-512 with VBMI. The functions carry
// their instruction set as an attribute, so the file needs no special flags
// and nothing in it runs before armor_codec_*() has asked the processor.
//
// Sources of the arithmetic: the bit fields of RFC 4648, section 4; splitting
// them by multiplications and looking characters up by byte shuffles: W. Mula,
// D. Lemire, "Faster Base64 Encoding and Decoding Using AVX2 Instructions"
// (ACM TWEB 12(3), 2018) and "Base64 encoding and decoding at almost the speed
// of a memory copy" (SPE 50(2), 2020).
#include "armor.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#include <array>

// g++ 12 takes the undefined vectors inside its own intrinsics for ours.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define NEXUS_AVX2 __attribute__((target("avx2")))
#define NEXUS_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi")))

namespace nexus::cpu {
namespace {

bool ends_line(const std::uint8_t* at, std::size_t ending) noexcept {
  return ending == 1 ? at[0] == '\n' : (at[0] == '\r' && at[1] == '\n');
}

// ---- AVX2: half a line, 24 bytes <-> 32 characters, at a time -------------

// `in` to `in + 24` as two lanes; reads in[0..24) only. The second lane's
// twelve bytes begin at its byte 4, so that no load goes past the end.
NEXUS_AVX2 inline __m256i load_24(const std::uint8_t* in) noexcept {
  const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
  const __m128i high =
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + 8));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

NEXUS_AVX2 inline __m256i encode_half(__m256i bytes) noexcept {
  // Each group b0 b1 b2 becomes the words b0:b1 and b1:b2.
  const __m256i spread =
      _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10,  //
                       5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14, 13, 15, 14);
  const __m256i words = _mm256_shuffle_epi8(bytes, spread);
  // Fields 0 and 2: right by 10 and by 6, as the high half of a product.
  const __m256i even =
      _mm256_mulhi_epu16(_mm256_and_si256(words, _mm256_set1_epi32(0x0fc0fc00)),
                         _mm256_set1_epi32(0x04000040));
  // Fields 1 and 3: left by 4 and by 8, into the high byte.
  const __m256i odd =
      _mm256_mullo_epi16(_mm256_and_si256(words, _mm256_set1_epi32(0x003f03f0)),
                         _mm256_set1_epi32(0x01000010));
  const __m256i fields = _mm256_or_si256(even, odd);
  // What to add: 13 picks A-Z, 0 picks a-z, 1 to 10 digits, 11 '+', 12 '/'.
  const __m256i shift = _mm256_setr_epi8(
      71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0,  //
      71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0);
  const __m256i upper = _mm256_and_si256(
      _mm256_cmpgt_epi8(_mm256_set1_epi8(26), fields), _mm256_set1_epi8(13));
  const __m256i kind =
      _mm256_or_si256(_mm256_subs_epu8(fields, _mm256_set1_epi8(51)), upper);
  return _mm256_add_epi8(fields, _mm256_shuffle_epi8(shift, kind));
}

NEXUS_AVX2 void encode_avx2(const std::uint8_t* in, std::size_t lines,
                            std::uint8_t* out) {
  for (; lines > 0; --lines, in += 48, out += 65) {
    const __m256i first = encode_half(load_24(in));
    const __m256i second = encode_half(load_24(in + 24));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), first);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 32), second);
    out[64] = '\n';
  }
}

// Bytes of `wrong` become non-zero where a character is not of the alphabet.
NEXUS_AVX2 inline __m256i decode_half(__m256i chars, __m256i& wrong) noexcept {
  // A character is wrong if its two nibbles share a bit. By the high nibble:
  // 1: 2x, 2: 3x, 4: 4x and 6x, 8: 5x and 7x, 16: never in the alphabet.
  const __m256i by_high = _mm256_setr_epi8(
      16, 16, 1, 2, 4, 8, 4, 8, 16, 16, 16, 16, 16, 16, 16, 16,  //
      16, 16, 1, 2, 4, 8, 4, 8, 16, 16, 16, 16, 16, 16, 16, 16);
  const __m256i by_low = _mm256_setr_epi8(
      0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a,
      0x1b, 0x1b, 0x1b, 0x1a, 0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
      0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
  // What to add, by the high nibble; '/' uses the unused place 1.
  const __m256i shift = _mm256_setr_epi8(
      0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0,  //
      0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i nibble = _mm256_set1_epi8(15);
  const __m256i high = _mm256_and_si256(_mm256_srli_epi32(chars, 4), nibble);
  const __m256i low = _mm256_and_si256(chars, nibble);
  wrong = _mm256_or_si256(wrong,
                          _mm256_and_si256(_mm256_shuffle_epi8(by_high, high),
                                           _mm256_shuffle_epi8(by_low, low)));
  const __m256i slash = _mm256_cmpeq_epi8(chars, _mm256_set1_epi8('/'));
  const __m256i fields = _mm256_add_epi8(
      chars, _mm256_shuffle_epi8(shift, _mm256_add_epi8(high, slash)));
  // a * 64 + b, then (a:b) * 4096 + (c:d): a 24-bit number in each 32.
  const __m256i pairs =
      _mm256_maddubs_epi16(fields, _mm256_set1_epi32(0x01400140));
  const __m256i groups =
      _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
  const __m256i pack = _mm256_setr_epi8(
      2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1,  //
      2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
  return _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(groups, pack),
                                     _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
}

NEXUS_AVX2 std::size_t decode_avx2(const std::uint8_t* in, std::size_t lines,
                                   std::size_t ending, std::uint8_t* out) {
  for (std::size_t line = 0; line < lines; ++line) {
    __m256i wrong = _mm256_setzero_si256();
    const __m256i first = decode_half(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in)), wrong);
    const __m256i second = decode_half(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + 32)), wrong);
    if (_mm256_testz_si256(wrong, wrong) == 0 || !ends_line(in + 64, ending)) {
      return line;
    }
    // The eight bytes too many of the first store are the second half's.
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), first);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 24),
                     _mm256_castsi256_si128(second));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 40),
                     _mm256_extracti128_si256(second, 1));
    in += 64 + ending;
    out += 48;
  }
  return lines;
}

// ---- AVX-512 VBMI: a line at a time ---------------------------------------

using table_64 = std::array<std::uint8_t, 64>;
using table_128 = std::array<std::uint8_t, 128>;

constexpr __mmask64 low_48 = 0x0000ffffffffffff;

constexpr std::uint8_t character(std::size_t field) {
  if (field < 26) return static_cast<std::uint8_t>('A' + field);
  if (field < 52) return static_cast<std::uint8_t>('a' + field - 26);
  if (field < 62) return static_cast<std::uint8_t>('0' + field - 52);
  return field == 62 ? '+' : '/';
}

constexpr table_64 make_alphabet() {
  table_64 table{};
  for (std::size_t i = 0; i < 64; ++i) table[i] = character(i);
  return table;
}

// The value of a 7-bit character, or 0x80.
constexpr table_128 make_values() {
  table_128 table{};
  table.fill(0x80);
  for (std::uint8_t i = 0; i < 64; ++i) table[character(i)] = i;
  return table;
}

// 32 bits take a group of three bytes, the first as the highest.
constexpr table_64 make_spread() {
  table_64 table{};
  for (std::uint8_t i = 0; i < 64; ++i) {
    const int byte = i % 4 == 3 ? 0 : 2 - i % 4;
    table[i] = static_cast<std::uint8_t>(i / 4 * 3 + byte);
  }
  return table;
}

// And back: byte i of the output is in the group i / 3.
constexpr table_64 make_pack() {
  table_64 table{};
  for (std::uint8_t i = 0; i < 48; ++i) {
    table[i] = static_cast<std::uint8_t>(i / 3 * 4 + 2 - i % 3);
  }
  return table;
}

// Bit numbers, in 64 bits, where the eight fields of two groups begin.
constexpr table_64 make_fields() {
  constexpr std::uint8_t begin[8] = {18, 12, 6, 0, 50, 44, 38, 32};
  table_64 table{};
  for (std::size_t i = 0; i < 64; ++i) table[i] = begin[i % 8];
  return table;
}

alignas(64) constexpr table_64 alphabet_table = make_alphabet();
alignas(64) constexpr table_128 value_table = make_values();
alignas(64) constexpr table_64 spread_table = make_spread();
alignas(64) constexpr table_64 pack_table = make_pack();
alignas(64) constexpr table_64 field_table = make_fields();

NEXUS_AVX512 void encode_avx512(const std::uint8_t* in, std::size_t lines,
                                std::uint8_t* out) {
  const __m512i alphabet = _mm512_load_si512(alphabet_table.data());
  const __m512i spread = _mm512_load_si512(spread_table.data());
  const __m512i begin = _mm512_load_si512(field_table.data());
  for (; lines > 0; --lines, in += 48, out += 65) {
    const __m512i bytes = _mm512_maskz_loadu_epi8(low_48, in);
    const __m512i groups = _mm512_permutexvar_epi8(spread, bytes);
    // The two bits above each field are rubbish; the look-up ignores them.
    const __m512i fields = _mm512_multishift_epi64_epi8(begin, groups);
    _mm512_storeu_si512(out, _mm512_permutexvar_epi8(fields, alphabet));
    out[64] = '\n';
  }
}

struct avx512_tables {
  __m512i values_low, values_high, pack;
};

// Writes 48 bytes; answers one bit per character that is not base64.
NEXUS_AVX512 inline __mmask64 decode_line(const std::uint8_t* in,
                                          const avx512_tables& t,
                                          std::uint8_t* out) noexcept {
  const __m512i chars = _mm512_loadu_si512(in);
  const __m512i fields =
      _mm512_permutex2var_epi8(t.values_low, chars, t.values_high);
  const __m512i pairs =
      _mm512_maddubs_epi16(fields, _mm512_set1_epi32(0x01400140));
  const __m512i groups =
      _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00011000));
  _mm512_mask_storeu_epi8(out, low_48, _mm512_permutexvar_epi8(t.pack, groups));
  return _mm512_movepi8_mask(_mm512_or_si512(chars, fields));
}

NEXUS_AVX512 std::size_t decode_avx512(const std::uint8_t* in,
                                       std::size_t lines, std::size_t ending,
                                       std::uint8_t* out) {
  const avx512_tables tables{_mm512_load_si512(value_table.data()),
                             _mm512_load_si512(value_table.data() + 64),
                             _mm512_load_si512(pack_table.data())};
  for (std::size_t line = 0; line < lines; ++line) {
    if (decode_line(in, tables, out) != 0 || !ends_line(in + 64, ending)) {
      return line;
    }
    in += 64 + ending;
    out += 48;
  }
  return lines;
}

}  // namespace

const armor_codec* armor_codec_avx512() noexcept {
  static constexpr armor_codec codec{"avx512", encode_avx512, decode_avx512};
  const bool runs = __builtin_cpu_supports("avx512f") != 0 &&
                    __builtin_cpu_supports("avx512bw") != 0 &&
                    __builtin_cpu_supports("avx512vl") != 0 &&
                    __builtin_cpu_supports("avx512vbmi") != 0;
  return runs ? &codec : nullptr;
}

const armor_codec* armor_codec_avx2() noexcept {
  static constexpr armor_codec codec{"avx2", encode_avx2, decode_avx2};
  return __builtin_cpu_supports("avx2") != 0 ? &codec : nullptr;
}

}  // namespace nexus::cpu

#else  // not x86-64: the plain loops serve

namespace nexus::cpu {

const armor_codec* armor_codec_avx512() noexcept {
  return nullptr;
}
const armor_codec* armor_codec_avx2() noexcept {
  return nullptr;
}

}  // namespace nexus::cpu

#endif
