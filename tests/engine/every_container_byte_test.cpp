// A whole stream of proofs with any one of its bytes changed, and cut short at
// each of them, as `verify` sees it. That takes eight minutes of a processor: of
// the bytes of the proof itself, which every_byte_test.cpp changes each, it is
// one in 29, and all with NEXUS_TEST_EVERY_BYTE=1.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <nexus/proof_stream.hpp>
#include <thread>
#include <vector>

#include "engine_fixture.hpp"

namespace nexus::test {
namespace {

status_code verdict(engine& machine, byte_view stream) {
  const auto work = proofs::make_verify({});
  return run_in_memory(machine, *work, stream).report.outcome.code();
}

bool is_looked_at(std::size_t place, std::size_t places) {
  constexpr std::size_t before_proof = 56 + 118;
  constexpr std::size_t after_proof = 56;
  static const bool all = std::getenv("NEXUS_TEST_EVERY_BYTE") != nullptr;
  return all || place < before_proof || places - place <= after_proof ||
         place % 29 == 0;
}

// The first place for which body(machine, place) says no; `places` where there
// is none. On all processors, each with an engine of its own.
template <class Body>
std::size_t first_failure(std::size_t places, Body body) {
  const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  std::atomic<std::size_t> failed{places};
  std::vector<std::thread> all;
  for (unsigned t = 0; t < threads; ++t) {
    all.emplace_back([&, t] {
      engine machine(cpu_options(1));
      for (std::size_t at = t; at < failed; at += threads) {
        if (!is_looked_at(at, places) || body(machine, at)) continue;
        std::size_t before = failed;
        while (at < before && !failed.compare_exchange_weak(before, at)) {
        }
      }
    });
  }
  for (std::thread& each : all) each.join();
  return failed;
}

TEST(EveryContainerByte, Counts) {
  const bytes data = sample(15);
  proofs::prove_options options;
  options.cut.rows = 256;
  options.proof.wire = proof_wire::p3_0_7;  // the shorter one
  engine prover(cpu_options());
  const auto proving = proofs::make_prove(options);
  const bytes stream = run_in_memory(prover, *proving, data).output;
  ASSERT_EQ(verdict(prover, stream), status_code::ok);

  const auto changed = [&stream](engine& machine, std::size_t at) {
    bytes other = stream;
    other[at] ^= std::byte{static_cast<unsigned char>(1u << at % 8)};
    return verdict(machine, other) == status_code::invalid_data;
  };
  EXPECT_EQ(first_failure(stream.size(), changed), stream.size());
  const auto cut = [&stream](engine& machine, std::size_t size) {
    return verdict(machine, byte_view(stream).first(size)) ==
           status_code::invalid_data;
  };
  EXPECT_EQ(first_failure(stream.size(), cut), stream.size());
}

}  // namespace
}  // namespace nexus::test
