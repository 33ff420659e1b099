// A proof of a named profile with any one of its bytes changed, and cut short
// at each of them.
#include <gtest/gtest.h>

#include <atomic>
#include <nexus/prover.hpp>
#include <thread>
#include <vector>

#include "golden.hpp"

namespace nexus {
namespace {

constexpr segment_position position{0, true};

// Runs body(proof, at) for every byte of a copy of the proof on all processors,
// and returns the first place where it says no; the size where it never does.
template <class Body>
std::size_t first_failure(const std::vector<std::byte>& proof, Body body) {
  const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  std::atomic<std::size_t> failed{proof.size()};
  std::vector<std::thread> all;
  for (unsigned t = 0; t < threads; ++t) {
    all.emplace_back([&, t] {
      std::vector<std::byte> mine = proof;
      for (std::size_t at = t; at < proof.size(); at += threads) {
        if (body(mine, at)) continue;
        std::size_t before = failed;
        while (at < before && !failed.compare_exchange_weak(before, at)) {
        }
      }
    });
  }
  for (std::thread& each : all) each.join();
  return failed;
}

class EveryByte : public testing::TestWithParam<proof_wire> {};

TEST_P(EveryByte, OfAProofCounts) {
  const bytes data = make_input(100, 6);
  proof_options options;
  options.wire = GetParam();
  const auto made = prove_segment(data, position, options);
  ASSERT_TRUE(made.ok());
  const auto verify = [&](std::span<const std::byte> proof) {
    return verify_segment(proof, data.size(), position, made->digest, options)
        .code();
  };
  ASSERT_EQ(verify(made->bytes), status_code::ok);
  const auto refused = [&](std::vector<std::byte>& proof, std::size_t at) {
    const std::byte change =
        at % 3 == 0 ? std::byte{0x80}
                    : std::byte{static_cast<unsigned char>(1 + at % 7)};
    proof[at] ^= change;
    const status_code code = verify(proof);
    proof[at] ^= change;
    return code == status_code::invalid_data;
  };
  EXPECT_EQ(first_failure(made->bytes, refused), made->bytes.size());
  const auto refused_short = [&](std::vector<std::byte>& proof,
                                 std::size_t at) {
    return verify(std::span(proof).first(at)) == status_code::invalid_data;
  };
  EXPECT_EQ(first_failure(made->bytes, refused_short), made->bytes.size());
}

INSTANTIATE_TEST_SUITE_P(wires, EveryByte,
                         testing::Values(proof_wire::p3_0_6,
                                         proof_wire::p3_0_7));

}  // namespace
}  // namespace nexus
