// A whole stream of proofs with any one of its bytes changed, and cut short at
// each of them, as `verify` sees it.
#include <gtest/gtest.h>

#include <atomic>
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
        if (body(machine, at)) continue;
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
