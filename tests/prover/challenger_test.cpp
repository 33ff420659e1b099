#include "prover/challenger.hpp"

#include <gtest/gtest.h>

#include "oracle.hpp"

namespace nexus::prover {
namespace {

// What the specification says, in its words.
class naive_challenger {
 public:
  void observe(oracle::number value) {
    outputs_.clear();
    inputs_.push_back(value);
    if (inputs_.size() == 16) {
      duplex();
    }
  }
  oracle::number sample() {
    if (!inputs_.empty() || outputs_.empty()) {
      duplex();
    }
    const auto out = outputs_.back();
    outputs_.pop_back();
    return out;
  }

 private:
  void duplex() {
    if (!inputs_.empty()) {
      for (std::size_t i = 0; i < 16; ++i) {
        state_[i] = i < inputs_.size() ? inputs_[i] : 0;
      }
      state_[16] = (state_[16] + inputs_.size()) % oracle::p;
      inputs_.clear();
    }
    state_ = oracle::permute(state_);
    outputs_.assign(state_.begin(), state_.begin() + 16);
  }
  std::vector<oracle::number> state_ = std::vector<oracle::number>(24, 0);
  std::vector<oracle::number> inputs_;
  std::vector<oracle::number> outputs_;
};

TEST(challenger, is_the_duplex_sponge) {
  challenger ours;
  naive_challenger naive;
  std::uint32_t value = 1;
  // Blocks shorter than, of and longer than the rate; then samples, some of
  // which leave outputs behind and some of which need more than there are.
  for (const int observed : {0, 1, 15, 16, 17, 0, 32, 3}) {
    for (int i = 0; i < observed; ++i) {
      ours.observe(fp::from(++value));
      naive.observe(value);
    }
    for (int i = 0; i < observed % 5 + 14; ++i) {
      ASSERT_EQ(ours.sample().canonical(), naive.sample()) << observed;
    }
  }
}

TEST(challenger, tells_a_short_block_from_one_with_zeros) {
  challenger a;
  challenger b;
  a.observe(one);
  b.observe(one);
  b.observe(fp{});
  EXPECT_NE(a.sample(), b.sample());
}

TEST(challenger, samples_extension_elements_from_the_constant_on) {
  challenger a;
  challenger b;
  const ext sampled = a.sample_ext();
  for (const fp x : sampled.c) {
    EXPECT_EQ(x, b.sample());
  }
}

TEST(challenger, bits_are_those_of_the_integer) {
  challenger a;
  challenger b;
  for (const unsigned bits : {0, 1, 9, 17, 30}) {
    EXPECT_EQ(a.sample_bits(bits), b.sample().canonical() & ((1U << bits) - 1));
  }
}

// After any number of pending inputs, the last place of the rate included.
TEST(grinding, is_what_the_challenger_would_sample) {
  for (int pending = 0; pending < 17; ++pending) {
    challenger before;
    for (int i = 0; i < pending; ++i) {
      before.observe(fp::from(static_cast<std::uint64_t>(i) + 9));
    }
    const auto state = before.grinding();
    for (std::uint32_t witness = 0; witness < 40; ++witness) {
      challenger after = before;
      EXPECT_EQ(after.check_witness(fp::from(witness), 3),
                earns(state, witness, 3))
          << pending;
    }
  }
}

TEST(grinding, without_work_only_zero_will_do) {
  challenger a;
  challenger untouched;
  EXPECT_FALSE(a.check_witness(one, 0));
  EXPECT_TRUE(a.check_witness(fp{}, 0));
  EXPECT_EQ(a.sample(), untouched.sample());
}

}  // namespace
}  // namespace nexus::prover
