// Proving, verifying and digesting whole streams through the engine.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <nexus/proof_stream.hpp>

#include "engine_fixture.hpp"

namespace nexus::test {
namespace {

constexpr std::uint64_t capacity = 15300;  // of 256 rows

proofs::prove_options small_segments() {
  proofs::prove_options options;
  options.cut.rows = 256;
  return options;
}

bytes some_data(std::size_t size) {
  bytes data(size);
  std::uint32_t x = 1;
  for (std::byte& b : data) {
    x = x * 1664525 + 1013904223;
    b = static_cast<std::byte>(x >> 24);
  }
  return data;
}

engine_result prove_with(engine& with, byte_view data,
                         const proofs::prove_options& options) {
  const auto work = proofs::make_prove(options);
  return run_in_memory(with, *work, data);
}

bytes prove(byte_view data,
            const proofs::prove_options& options = small_segments()) {
  engine with(cpu_options());
  auto done = prove_with(with, data, options);
  EXPECT_TRUE(done.report.outcome.ok()) << done.report.outcome.message();
  return std::move(done.output);
}

struct verified {
  status outcome;
  proofs::summary total;
};

verified verify_with(engine& with, byte_view stream,
                     proofs::verify_options options = {}) {
  const auto work = proofs::make_verify(std::move(options));
  auto done = run_in_memory(with, *work, stream);
  EXPECT_TRUE(done.output.empty());
  return {done.report.outcome, work->total()};
}

verified verify(byte_view stream, proofs::verify_options options = {}) {
  engine with(cpu_options());
  return verify_with(with, stream, std::move(options));
}

proofs::verify_options any_part() {
  proofs::verify_options options;
  options.allow_part = true;
  return options;
}

proofs::data_source in_memory(byte_view data) {
  return [data](std::uint64_t offset, byte_span into) -> result<std::size_t> {
    const std::size_t begin = std::min<std::size_t>(offset, data.size());
    const std::size_t n = std::min(into.size(), data.size() - begin);
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(begin), n,
                into.begin());
    return n;
  };
}

proofs::summary digest(byte_view data, const proofs::segmenting& cut) {
  engine with(cpu_options());
  const auto work = proofs::make_digest(cut);
  const auto done = run_in_memory(with, *work, data);
  EXPECT_TRUE(done.report.outcome.ok()) << done.report.outcome.message();
  return work->total();
}

class EngineProofSizes : public testing::TestWithParam<std::size_t> {};

TEST_P(EngineProofSizes, AreProvedAndVerified) {
  const bytes data = some_data(GetParam());
  const bytes stream = prove(data);
  proofs::verify_options expected;
  expected.data = in_memory(data);
  expected.bytes = data.size();
  const verified said = verify(stream, expected);
  ASSERT_TRUE(said.outcome.ok()) << said.outcome.message();
  EXPECT_EQ(said.total.bytes, data.size());
  EXPECT_EQ(
      said.total.segments,
      std::max<std::uint64_t>(1, (data.size() + capacity - 1) / capacity));
  EXPECT_EQ(said.total.root, digest(data, small_segments().cut).root);
}

INSTANTIATE_TEST_SUITE_P(All, EngineProofSizes,
                         testing::Values(0, 1, 14, 15, 16, 59, 60, 61, 15299,
                                         15300, 15301, 3 * 15300,
                                         3 * 15300 + 1234));

TEST(EngineProofs, AreTheSameForAnyWorkersAndSource) {
  const bytes data = some_data(7 * capacity + 77);
  const bytes expected = prove(data);
  for (const std::uint32_t workers : {1u, 2u, 7u}) {
    engine with(cpu_options(workers));
    EXPECT_EQ(prove_with(with, data, small_segments()).output, expected);
    const auto work = proofs::make_prove(small_segments());
    const fed_pipe pipe(data);
    bytes piped;
    const auto report = with.run(*work, source::from_descriptor(pipe.fd()),
                                 sink::to_memory(piped));
    ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
    EXPECT_EQ(piped, expected);
  }
}

TEST(EngineProofs, AreTheSameFromLateAndReorderedDevices) {
  stub control;
  control.set("cpus=3;reorder=3;jitter_us=3000;late=every:3;late_us=20000");
  const bytes data = some_data(9 * capacity + 5);
  engine with(stub_options());
  const auto done = prove_with(with, data, small_segments());
  ASSERT_TRUE(done.report.outcome.ok()) << done.report.outcome.message();
  EXPECT_EQ(done.output, prove(data));
}

TEST(EngineProofs, OfADeviceThatErrsAreMadeElsewhere) {
  stub control;
  control.set("cpus=2;cpu0.corrupt=all");
  const bytes data = some_data(5 * capacity + 5);
  engine with(stub_options());
  const auto done = prove_with(with, data, small_segments());
  ASSERT_TRUE(done.report.outcome.ok()) << done.report.outcome.message();
  EXPECT_EQ(done.output, prove(data));
  EXPECT_GE(done.report.statistics.retries, 1u);
  std::uint64_t failed = 0;
  for (const auto& device : done.report.statistics.devices) {
    failed += device.failed_jobs;
    if (device.failed_jobs != 0) EXPECT_EQ(device.id, "stub:0");
  }
  EXPECT_GE(failed, 1u);
}

TEST(EngineProofs, ThatNoDeviceMakesWellAreReported) {
  stub control;
  control.set("cpus=2;corrupt=all");
  engine with(stub_options());
  const auto done = prove_with(with, some_data(capacity), small_segments());
  EXPECT_EQ(done.report.outcome.code(), status_code::device_failed);
  EXPECT_NE(done.report.outcome.message().find("segment 0 failed 8 times"),
            std::string::npos)
      << done.report.outcome.message();
  EXPECT_NE(done.report.outcome.message().find("the proof is wrong"),
            std::string::npos)
      << done.report.outcome.message();
}

// What the check is for.
TEST(EngineProofs, GoOutWrongWithoutTheSelfCheck) {
  stub control;
  control.set("cpus=1;corrupt=all");
  engine with(stub_options());
  proofs::prove_options options = small_segments();
  options.self_check = false;
  const auto done = prove_with(with, some_data(capacity), options);
  EXPECT_TRUE(done.report.outcome.ok());
  EXPECT_FALSE(verify(done.output).outcome.ok());
}

TEST(EngineProofs, NeedMemoryForOneWorkerAndItsSegment) {
  engine_options options = cpu_options();
  options.memory_bytes = 64u << 20;
  engine with(options);
  const auto done = prove_with(with, some_data(3916800), {});
  EXPECT_EQ(done.report.outcome.code(), status_code::out_of_memory);
  EXPECT_NE(done.report.outcome.message().find("MiB"), std::string::npos)
      << done.report.outcome.message();
  // What is known to be short takes little, whatever its segments might be.
  EXPECT_TRUE(prove_with(with, some_data(10), {}).report.outcome.ok());
}

// However many jobs the lanes would take: on two processors, at most eight.
TEST(EngineProofs, RunAsManyAtOnceAsTheBudgetHolds) {
  const std::uint64_t segment =
      capacity + 4096 + 56 + proof_size_limit(capacity, {});
  for (const std::uint64_t workers : {1u, 2u}) {
    if (workers > std::thread::hardware_concurrency()) break;
    stub control;
    control.set("cpus=1;depth=4;delay_us=5000");
    engine_options options = stub_options();
    options.memory_bytes =
        workers * (prove_memory(capacity) + segment) + segment / 2;
    engine with(options);
    const auto done =
        prove_with(with, some_data(12 * capacity), small_segments());
    ASSERT_TRUE(done.report.outcome.ok()) << done.report.outcome.message();
    EXPECT_EQ(control.counters(0).accepted, 12u);
    EXPECT_EQ(control.counters(0).most_held, workers);
  }
}

TEST(EngineProofs, OfPartsJoinToTheWhole) {
  const bytes data = some_data(5 * capacity + 9);
  const byte_view all(data);
  proofs::prove_options options = small_segments();
  options.cut.partial = true;
  const bytes a = prove(all.first(2 * capacity), options);
  options.cut.first_index = 2;
  const bytes b = prove(all.subspan(2 * capacity, 3 * capacity), options);
  options.cut.first_index = 5;
  options.cut.partial = false;
  const bytes c = prove(all.subspan(5 * capacity), options);
  std::vector<proofs::part> parts;
  for (const bytes* each : {&a, &b, &c}) {
    auto at = std::make_shared<std::size_t>(0);
    parts.push_back({"part", [each, at](byte_span into) -> result<std::size_t> {
                       const std::size_t n =
                           std::min(into.size(), each->size() - *at);
                       std::copy_n(each->data() + *at, n, into.data());
                       *at += n;
                       return n;
                     }});
  }
  bytes joined;
  const auto total = proofs::join(parts, [&joined](byte_view piece) {
    append(joined, piece);
    return status{};
  });
  ASSERT_TRUE(total.ok()) << total.error().message();
  EXPECT_EQ(joined, prove(data));
  EXPECT_TRUE(verify(joined).outcome.ok());
  // A part alone is one only where that is said.
  EXPECT_EQ(verify(b).outcome.code(), status_code::invalid_data);
  EXPECT_EQ(verify(c).outcome.code(), status_code::invalid_data);
  proofs::verify_options part = any_part();
  part.data = in_memory(all.subspan(2 * capacity, 3 * capacity));
  EXPECT_TRUE(verify(b, part).outcome.ok());
}

TEST(EngineProofs, OfPartsNeedWholeSegments) {
  proofs::prove_options options = small_segments();
  options.cut.partial = true;
  const bytes data = some_data(2 * capacity + 1);
  engine with(cpu_options());
  for (const std::size_t size : {std::size_t{0}, data.size()}) {
    const auto direct = prove_with(with, byte_view(data).first(size), options);
    EXPECT_EQ(direct.report.outcome.code(), status_code::invalid_argument);
    const auto work = proofs::make_prove(options);
    const fed_pipe pipe(byte_view(data).first(size));
    bytes out;
    const auto piped = with.run(*work, source::from_descriptor(pipe.fd()),
                                sink::to_memory(out));
    EXPECT_EQ(piped.outcome.code(), status_code::invalid_argument);
    EXPECT_FALSE(verify(out, any_part()).outcome.ok());
  }
  options.cut = {256, 4, false};
  EXPECT_EQ(prove_with(with, {}, options).report.outcome.code(),
            status_code::invalid_argument);
}

TEST(EngineProofs, RefuseAnImpossibleCut) {
  engine with(cpu_options());
  for (const proofs::segmenting cut :
       {proofs::segmenting{128, 0, false},
        proofs::segmenting{1u << 21, 0, false},
        proofs::segmenting{300, 0, false},
        proofs::segmenting{256, std::uint64_t{1} << 60, false}}) {
    proofs::prove_options options;
    options.cut = cut;
    EXPECT_EQ(prove_with(with, {}, options).report.outcome.code(),
              status_code::invalid_argument);
    const auto work = proofs::make_digest(cut);
    EXPECT_EQ(run_in_memory(with, *work, {}).report.outcome.code(),
              status_code::invalid_argument);
  }
}

TEST(EngineProofs, AreComparedWithWhatIsExpected) {
  const bytes data = some_data(2 * capacity + 9);
  const bytes stream = prove(data);
  const auto refusal = [&stream](proofs::verify_options options) {
    const status outcome = verify(stream, std::move(options)).outcome;
    EXPECT_EQ(outcome.code(), status_code::invalid_data);
    return outcome.message();
  };
  proofs::verify_options options;
  options.root = verify(stream).total.root;
  EXPECT_TRUE(verify(stream, options).outcome.ok());
  (*options.root)[31] ^= std::byte{1};
  EXPECT_NE(refusal(options).find("was expected"), std::string::npos);
  options = {};
  options.bytes = data.size() + 1;
  EXPECT_EQ(refusal(options),
            "the stream is about 30609 bytes, and 30610 were "
            "expected");
  options = {};
  options.security = proof_security::proven;
  EXPECT_NE(refusal(options).find("proven was asked for"), std::string::npos);
  bytes other = data;
  other[capacity + 3] ^= std::byte{1};
  options = {};
  options.data = in_memory(other);
  EXPECT_EQ(refusal(options),
            "segment 1: the proof holds, but is about other data");
  other = data;
  other.push_back({});
  options.data = in_memory(other);
  EXPECT_EQ(refusal(options),
            "the data go on after the 30609 bytes that the stream is about");
  options.data = in_memory(byte_view(data).first(capacity + 1));
  EXPECT_EQ(refusal(options), "segment 1: the data end before it does");
}

TEST(EngineProofs, OfTheHigherProfilePassTheLowerFloor) {
  proofs::prove_options options = small_segments();
  options.proof.security = proof_security::proven;
  options.proof.wire = proof_wire::p3_0_7;
  const bytes stream = prove(some_data(100), options);
  EXPECT_TRUE(verify(stream).outcome.ok());
  proofs::verify_options higher;
  higher.security = proof_security::proven;
  EXPECT_TRUE(verify(stream, higher).outcome.ok());
}

TEST(EngineProofs, CutShortAreRefused) {
  const bytes stream = prove(some_data(capacity + 9));
  engine with(cpu_options());
  // Around every place where something begins or ends, and here and there.
  for (std::size_t n = 0; n < stream.size();
       n += n < 400 || stream.size() - n < 100 ? 1 : 997) {
    const auto said = verify_with(with, byte_view(stream).first(n));
    EXPECT_EQ(said.outcome.code(), status_code::invalid_data) << n;
  }
}

TEST(EngineProofs, FromAPipeAreVerifiedToo) {
  const bytes data = some_data(4 * capacity + 1);
  const bytes stream = prove(data);
  engine with(cpu_options());
  const auto work = proofs::make_verify({});
  const fed_pipe pipe(stream);
  bytes out;
  const auto report =
      with.run(*work, source::from_descriptor(pipe.fd()), sink::to_memory(out));
  ASSERT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_EQ(work->total().segments, 5u);
}

TEST(EngineProofs, NameTheFirstBadSegment) {
  const bytes stream = prove(some_data(4 * capacity));
  const std::string text(reinterpret_cast<const char*>(stream.data()),
                         stream.size());
  // Past the heads of segments 1 and 3.
  const std::size_t second = text.find("SEGM", text.find("SEGM") + 4);
  const std::size_t fourth = text.find("LAST");
  ASSERT_NE(fourth, std::string::npos);
  bytes broken = stream;
  broken[second + 56 + 10] ^= std::byte{1};
  broken[fourth + 56 + 10] ^= std::byte{1};
  for (const std::uint32_t workers : {1u, 4u}) {
    engine with(cpu_options(workers));
    const auto said = verify_with(with, broken);
    EXPECT_EQ(said.outcome.code(), status_code::invalid_data);
    EXPECT_EQ(said.outcome.message().rfind("segment 1: ", 0), 0u)
        << said.outcome.message();
  }
}

// All but the proofs themselves, whose own tests are in tests/prover.
TEST(EngineProofs, WithAnyOtherByteInTheContainerAreRefused) {
  const bytes stream = prove(some_data(15));
  engine with(cpu_options());
  const std::size_t proof_begins = 56 + 118;
  for (std::size_t i = 0; i < stream.size();
       i += i < proof_begins || stream.size() - i <= 56 ? 1 : 1009) {
    bytes other = stream;
    other[i] ^= std::byte{1};
    const auto said = verify_with(with, other);
    EXPECT_EQ(said.outcome.code(), status_code::invalid_data) << i;
  }
  bytes longer = stream;
  longer.push_back({});
  EXPECT_EQ(verify_with(with, longer).outcome.message(),
            "end: something follows it");
}

TEST(EngineProofs, StopSoonWhenAskedTo) {
  engine with(cpu_options());
  std::stop_source stop;
  run_options options;
  options.stop = stop.get_token();
  options.progress = [&stop](const telemetry&) { stop.request_stop(); };
  const bytes data = some_data(4000 * capacity);
  const auto work = proofs::make_prove(small_segments());
  const auto done = run_in_memory(with, *work, data, options);
  EXPECT_EQ(done.report.outcome.code(), status_code::cancelled);
  EXPECT_LT(done.report.statistics.segments, 4000u);
}

}  // namespace
}  // namespace nexus::test
