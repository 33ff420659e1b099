#include "bench/results.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "bench/runs.hpp"

namespace nexus::tool::bench {
namespace {

samples of(std::initializer_list<double> values) {
  samples made;
  for (const double value : values) made.add(value);
  return made;
}

run_point run_of(bench_op op, std::uint32_t workers, double rate,
                 double processors, double others = 0) {
  run_point run;
  run.op = op;
  run.backend = "cpu";
  run.workers = workers;
  run.data_bytes = 1'000'000'000;
  run.seconds = of({1e9 / rate});
  run.processors = of({processors});
  run.others = of({others});
  return run;
}

// One thread copies 10 GB/s and reads 20; four do 30 and 50.
results machine(bool gpu = false) {
  results made;
  made.memory.push_back({1, of({10e9}), of({20e9})});
  made.memory.push_back({4, of({30e9}), of({50e9})});
  made.backends.push_back({"cpu", gpu, 4, {}});
  return made;
}

TEST(Samples, AMedianIsTheMiddleOneOrTheMeanOfTwo) {
  EXPECT_EQ(samples().median(), 0);
  EXPECT_EQ(samples().least(), 0);
  EXPECT_EQ(samples().most(), 0);
  EXPECT_EQ(of({7}).median(), 7);
  EXPECT_EQ(of({9, 1, 5}).median(), 5);
  EXPECT_EQ(of({9, 1, 5, 6}).median(), 5.5);
  EXPECT_EQ(of({9, 1, 5}).least(), 1);
  EXPECT_EQ(of({9, 1, 5}).most(), 9);
}

TEST(Samples, KeepTheirOrder) {
  EXPECT_EQ(of({9, 1, 5}).values(), (std::vector<double>{9, 1, 5}));
}

TEST(RunPoint, TheSlowestRunIsTheLeastRate) {
  run_point run;
  run.data_bytes = 100;
  EXPECT_EQ(run.rate(), 0);
  run.seconds = of({1, 2, 5});
  EXPECT_EQ(run.rate(), 50);
  EXPECT_EQ(run.least(), 20);
  EXPECT_EQ(run.most(), 100);
}

TEST(Ceiling, IsOfAsManyThreadsAndOfWhatTheOperationDoes) {
  const results all = machine();
  const ceiling one = ceiling_of(all, run_of(bench_op::encrypt, 1, 1e9, 1));
  EXPECT_STREQ(one.what, "copy");
  EXPECT_EQ(one.threads, 1u);
  EXPECT_EQ(one.bytes_per_second, 10e9);
  const ceiling four = ceiling_of(all, run_of(bench_op::digest, 4, 1e9, 4));
  EXPECT_STREQ(four.what, "read");
  EXPECT_EQ(four.threads, 4u);
  EXPECT_EQ(four.bytes_per_second, 50e9);
  for (const bench_op op : {bench_op::prove, bench_op::verify}) {
    EXPECT_STREQ(ceiling_of(all, run_of(op, 1, 1e9, 1)).what, "read");
  }
  EXPECT_STREQ(ceiling_of(all, run_of(bench_op::decrypt, 1, 1e9, 1)).what,
               "copy");
}

TEST(Ceiling, OfACardIsThatOfAllThreads) {
  const run_point run = run_of(bench_op::encrypt, 2, 1e9, 0.1);
  EXPECT_EQ(ceiling_of(machine(true), run).threads, 4u);
  EXPECT_EQ(ceiling_of(results(), run).bytes_per_second, 0);
}

TEST(Bound, IsToldFromTheShareAndTheProcessors) {
  const results all = machine();
  const auto kind = [&all](double rate, double processors, double others = 0) {
    return bound_of(all,
                    run_of(bench_op::encrypt, 4, rate, processors, others));
  };
  EXPECT_EQ(kind(21e9, 4), bound::memory);
  EXPECT_EQ(kind(20e9, 4), bound::processors);
  EXPECT_EQ(kind(10e9, 3.4), bound::processors);
  EXPECT_EQ(kind(10e9, 3.3), bound::unknown);
  EXPECT_EQ(kind(10e9, 2, 1), bound::others);
  EXPECT_EQ(kind(10e9, 2, 0.9), bound::unknown);
  const run_point card = run_of(bench_op::encrypt, 4, 10e9, 0.1);
  EXPECT_EQ(bound_of(machine(true), card), bound::card);
  const run_point fast_card = run_of(bench_op::encrypt, 4, 22e9, 0.1);
  EXPECT_EQ(bound_of(machine(true), fast_card), bound::memory);
}

TEST(Bound, WithoutMemoryFiguresIsNotMemory) {
  EXPECT_EQ(bound_of(results(), run_of(bench_op::encrypt, 1, 1e9, 1)),
            bound::processors);
}

TEST(BestOf, IsTheFastestOfOneOperationAndBackend) {
  results all = machine();
  all.runs.push_back(run_of(bench_op::encrypt, 1, 3e9, 1));
  all.runs.push_back(run_of(bench_op::encrypt, 2, 5e9, 1));
  all.runs.push_back(run_of(bench_op::decrypt, 2, 9e9, 1));
  EXPECT_EQ(best_of(all, bench_op::encrypt, "cpu"), &all.runs[1]);
  EXPECT_EQ(best_of(all, bench_op::encrypt, "cuda"), nullptr);
  EXPECT_EQ(best_of(all, bench_op::prove, "cpu"), nullptr);
}

TEST(Formats, HaveThreeDigitsAndAUnit) {
  EXPECT_EQ(format_rate(0), "0.00 B/s");
  EXPECT_EQ(format_rate(999), "999 B/s");
  EXPECT_EQ(format_rate(999.6), "1.00 kB/s");
  EXPECT_EQ(format_rate(26.34e6), "26.3 MB/s");
  EXPECT_EQ(format_rate(6.72e9), "6.72 GB/s");
  EXPECT_EQ(format_rate(4.2e15), "4200 TB/s");
  EXPECT_EQ(format_seconds(1.42e-3), "1.42 ms");
  EXPECT_EQ(format_seconds(230e-6), "230 us");
  EXPECT_EQ(format_seconds(2.5), "2.50 s");
  EXPECT_EQ(format_segment(262144), "256 KiB");
  EXPECT_EQ(format_segment(64 << 20), "64 MiB");
  EXPECT_EQ(format_segment(3'916'800), "3.74 MiB");
  EXPECT_EQ(format_segment(1), "1 B");
}

TEST(Formats, SharesSayAsMuchAsTheyCan) {
  EXPECT_EQ(format_share(27, 100), "27 %");
  EXPECT_EQ(format_share(1.5, 100), "1.5 %");
  EXPECT_EQ(format_share(0.23, 100), "0.23 %");
  EXPECT_EQ(format_share(0.013, 100), "0.013 %");
  EXPECT_EQ(format_share(0, 100), "0 %");
  EXPECT_EQ(format_share(1, 0), "unknown");
}

// ---- what is run ----------------------------------------------------------

TEST(Shapes, AreAllSizesWithAllWorkersAndOneSizeWithFewer) {
  const backend cpu{"cpu", false, 8, {}};
  const auto shapes = shapes_of(bench_op::encrypt, cpu, false, 1ull << 30);
  ASSERT_EQ(shapes.size(), 6u);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(shapes[i].workers, 8u);
    EXPECT_EQ(shapes[i].segment_bytes, 256ull << (10 + 2 * i));
    EXPECT_EQ(shapes[i].rows, 0u);
  }
  EXPECT_EQ(shapes[4].workers, 4u);
  EXPECT_EQ(shapes[5].workers, 1u);
  EXPECT_EQ(shapes[4].segment_bytes, 1u << 20);
  EXPECT_EQ(shapes[5].segment_bytes, 1u << 20);
}

TEST(Shapes, NameNoNumberOfWorkersTwice) {
  for (const std::uint32_t workers : {1u, 2u, 3u}) {
    const backend cpu{"cpu", false, workers, {}};
    const auto shapes = shapes_of(bench_op::encrypt, cpu, false, 1ull << 30);
    EXPECT_EQ(shapes.size(), workers == 1 ? 4u : 5u);
  }
}

TEST(Shapes, LeaveOutSegmentsThatTheDataDoNotHold) {
  const backend cpu{"cpu", false, 2, {}};
  const auto some = shapes_of(bench_op::encrypt, cpu, false, 8u << 20);
  for (const shape& how : some) EXPECT_LE(how.segment_bytes, 4u << 20);
  const auto none = shapes_of(bench_op::digest, cpu, false, 1);
  ASSERT_EQ(none.size(), 1u);
  EXPECT_EQ(none.front().rows, 4096u);
}

TEST(Shapes, OfProofsHaveRowsAndAreFewerWhereItIsQuick) {
  const backend cpu{"cpu", false, 1, {}};
  const auto whole = shapes_of(bench_op::prove, cpu, false, 1ull << 30);
  const auto quick = shapes_of(bench_op::prove, cpu, true, 1ull << 30);
  ASSERT_EQ(whole.size(), 4u);
  ASSERT_EQ(quick.size(), 3u);
  EXPECT_EQ(whole.back().rows, 65536u);
  EXPECT_EQ(whole.back().segment_bytes, 3'916'800u);
}

TEST(Shapes, OfCardsAreLargerAndAlwaysOnAllLanes) {
  const backend cuda{"cuda", true, 2, {}};
  const auto shapes = shapes_of(bench_op::encrypt, cuda, false, 1ull << 30);
  ASSERT_FALSE(shapes.empty());
  EXPECT_EQ(shapes.back().segment_bytes, 64u << 20);
  EXPECT_TRUE(std::all_of(shapes.begin(), shapes.end(),
                          [](const shape& how) { return how.workers == 2; }));
}

}  // namespace
}  // namespace nexus::tool::bench
