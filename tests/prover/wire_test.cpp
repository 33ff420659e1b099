#include "prover/wire.hpp"

#include <gtest/gtest.h>

#include "golden.hpp"

namespace nexus::prover {
namespace {

const proof_shape shape_0_6{8, {5, 3}, proof_wire::p3_0_6};
const proof_shape shape_0_7{8, {5, 3}, proof_wire::p3_0_7};

// Byte 1 starts the first element of the trace's commitment.
bytes with_first_element(std::initializer_list<int> encoding) {
  bytes proof = golden("mini_0").proof(proof_wire::p3_0_6);
  std::size_t length = 1;
  while ((proof[length] & std::byte{128}) != std::byte{}) {
    ++length;
  }
  proof.erase(proof.begin() + 1, proof.begin() + static_cast<long>(length) + 1);
  bytes value;
  for (const int x : encoding) {
    value.push_back(static_cast<std::byte>(x));
  }
  proof.insert(proof.begin() + 1, value.begin(), value.end());
  return proof;
}

std::string error_of(byte_view proof, const proof_shape& shape = shape_0_6) {
  return decode(proof, shape).error().message();
}

TEST(wire, elements_are_words_below_the_modulus) {
  // p - 1 = 0x7f000000, p = 0x7f000001, 2^32 - 1.
  EXPECT_EQ(error_of(with_first_element({0x80, 0x80, 0x80, 0xf8, 0x07})), "");
  constexpr auto refused = "segment proof: byte 1 is no field element";
  EXPECT_EQ(error_of(with_first_element({0x81, 0x80, 0x80, 0xf8, 0x07})),
            refused);
  EXPECT_EQ(error_of(with_first_element({0xff, 0xff, 0xff, 0xff, 0x0f})),
            refused);
  EXPECT_EQ(error_of(with_first_element({0xff, 0xff, 0xff, 0xff, 0x7f})),
            refused);
}

TEST(wire, numbers_have_one_encoding) {
  EXPECT_EQ(error_of(with_first_element({0})), "");
  EXPECT_EQ(error_of(with_first_element({5})), "");
  constexpr auto padded =
      "segment proof: byte 1 starts a number that is longer than it need be";
  EXPECT_EQ(error_of(with_first_element({0x80, 0})), padded);
  EXPECT_EQ(error_of(with_first_element({0x85, 0x80, 0})), padded);
  EXPECT_EQ(error_of(with_first_element({0x85, 0x80, 0x80, 0x80, 0})), padded);
  EXPECT_EQ(error_of(with_first_element({0x85, 0x80, 0x80, 0x80, 0x80, 0})),
            "segment proof: byte 1 starts a number that does not end");
}

TEST(wire, lengths_have_one_encoding) {
  bytes proof = golden("mini_0").proof(proof_wire::p3_0_6);
  ASSERT_EQ(proof[0], std::byte{1});  // of the commitment's cap
  proof[0] = std::byte{0x81};
  proof.insert(proof.begin() + 1, std::byte{0});
  EXPECT_EQ(
      error_of(proof),
      "segment proof: byte 0 starts a number that is longer than it need be");
  // 2^64 + 1 in ten bytes.
  proof.insert(proof.begin() + 1, 8, std::byte{0x80});
  proof[9] = std::byte{2};
  EXPECT_EQ(error_of(proof),
            "segment proof: byte 0 starts a number that does not end");
}

TEST(wire, decoding_undoes_encoding) {
  for (const auto& shape : {shape_0_6, shape_0_7}) {
    const bytes proof = golden("mini_0").proof(shape.wire);
    const auto decoded = decode(proof, shape);
    ASSERT_TRUE(decoded.ok()) << decoded.error().message();
    EXPECT_EQ(encode(*decoded, shape), proof);
  }
}

TEST(wire, an_empty_proof_is_cut_short) {
  EXPECT_EQ(error_of({}), "segment proof: cut short");
  EXPECT_EQ(decode({}, shape_0_7).error().code(), status_code::invalid_data);
}

// A pruned list's length is the file's own word: a huge one must not be
// believed.
TEST(wire, more_siblings_than_there_can_be_are_refused) {
  const auto decoded =
      decode(golden("mini_0").proof(proof_wire::p3_0_7), shape_0_7);
  ASSERT_TRUE(decoded.ok());
  segment_stark many = *decoded;
  many.trace.proof.resize(5 * 9);
  EXPECT_EQ(error_of(encode(many, shape_0_7), shape_0_7), "");
  many.trace.proof.resize(5 * 9 + 1);
  EXPECT_TRUE(error_of(encode(many, shape_0_7), shape_0_7)
                  .ends_with("is no number of siblings"));
}

TEST(wire, the_limit_holds_for_the_longest_words) {
  for (const unsigned log_rows : {8U, 9U, 16U, 20U}) {
    for (const auto wire : wires) {
      const proof_shape shape{log_rows, {200, 16}, wire};
      // Every path whole, which is more than either wire holds.
      segment_stark proof = make_stark({log_rows, {200, 16}, wires[0]});
      const auto fill = [](auto& values) {
        for (auto& each : values) {
          if constexpr (requires { each.c; }) {
            each.c.fill(fp::from_word(modulus - 1));
          } else if constexpr (requires { each.fill(fp{}); }) {
            each.fill(fp::from_word(modulus - 1));
          } else {
            each = fp::from_word(modulus - 1);
          }
        }
      };
      fill(proof.trace_local);
      fill(proof.trace_next);
      fill(proof.trace.values);
      fill(proof.trace.proof);
      fill(proof.quotient.values);
      fill(proof.quotient.proof);
      fill(proof.final_polynomial);
      for (auto& chunk : proof.chunks) {
        fill(chunk);
      }
      for (auto& round : proof.rounds) {
        fill(round.opened.values);
        fill(round.opened.proof);
      }
      const auto length = encode(proof, shape).size();
      EXPECT_LE(length, encoded_limit(shape));
      EXPECT_GE(length, encoded_limit(shape) * 9 / 10);
    }
  }
}

}  // namespace
}  // namespace nexus::prover
