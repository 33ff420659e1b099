// Measures segment proofs: whole, by phase, and their parts, beside the rate of
// ChaCha20-Poly1305 on the same core in the same run.
//
//   nexus-bench-prove [--rows=65536] [--isa=avx512] [--threads=1] [--runs=9]
//                     [--json]
//
// Times are medians. Rates are of input bytes, in 10^6 a second.
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "prover/prove.hpp"
#include "prover/simd/simd_backend.hpp"
#include "prover/verify.hpp"
#include "prover/wire.hpp"

namespace {

using namespace nexus;
using namespace nexus::prover;
using steady = std::chrono::steady_clock;

struct settings {
  std::uint64_t rows = 65536;
  prover_isa isa = isa_in_use();
  unsigned threads = 1;
  unsigned runs = 9;
  bool json = false;
};

constexpr std::array phase_names = {
    "witness", "extend trace", "commit trace", "quotient", "commit quotient",
    "open",    "reduce",       "fold",         "grind",    "answer"};

constexpr proof_parameters conjectured{100, 16};

double seconds(steady::time_point from) {
  return std::chrono::duration<double>(steady::now() - from).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// The median time of `runs` calls, after one that is not counted.
double time_of(unsigned runs, const std::function<void()>& what) {
  what();
  std::vector<double> times;
  for (unsigned i = 0; i < runs; ++i) {
    const auto start = steady::now();
    what();
    times.push_back(seconds(start));
  }
  return median(times);
}

bytes make_data(std::size_t length) {
  bytes out(length);
  std::uint64_t x = 88172645463325252U;
  for (auto& byte : out) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    byte = static_cast<std::byte>(x);
  }
  return out;
}

// Prints what was measured, as lines or as one JSON object; beside each figure
// the rate of the cipher on one core, measured just before it.
class report {
 public:
  explicit report(bool json) : json_(json) {}
  ~report() {
    if (json_) {
      std::printf("{%s}\n", text_.c_str());
    }
  }
  report(const report&) = delete;
  report& operator=(const report&) = delete;

  void add(const std::string& name, double value, const char* unit) {
    if (json_) {
      put(name + " (" + unit + ")", value);
      if (cipher_ > 0) put(name + ", beside ChaCha20-Poly1305 (MB/s)", cipher_);
      return;
    }
    std::printf("%-34s %10.2f %-4s", name.c_str(), value, unit);
    if (cipher_ > 0) std::printf("  beside %5.0f MB/s", cipher_);
    std::printf("\n");
  }
  // MB/s, of the figures that follow.
  void beside(double cipher) { cipher_ = cipher; }

 private:
  void put(const std::string& name, double value) {
    std::array<char, 64> number;
    std::snprintf(number.data(), number.size(), "%.4g", value);
    text_ += (text_.empty() ? "\"" : ", \"") + name + "\": " + number.data();
  }

  double cipher_ = 0;
  bool json_;
  std::string text_;
};

std::uint64_t status_field(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) {
      return std::stoull(line.substr(name.size() + 1)) * 1024;
    }
  }
  return 0;
}

// By how much resident memory rises at most while `what` runs.
double peak_of(const std::function<void()>& what) {
  std::ofstream("/proc/self/clear_refs") << "5";
  const std::uint64_t before = status_field("VmRSS");
  what();
  return static_cast<double>(status_field("VmHWM") - before);
}

class bench {
 public:
  explicit bench(const settings& of)
      : of_(of),
        data_(make_data(segment_capacity(of.rows))),
        megabytes_(static_cast<double>(data_.size()) / 1e6),
        out_(of.json) {}

  void run() {
    out_.add("input", megabytes_, "MB");
    // The first proof of the process: later ones find memory that is kept.
    out_.add("prove, peak memory", peak_of([this] { prove(); }) / 1e6, "MB");
    out_.add("prove_memory()",
             static_cast<double>(host_memory_of(of_.rows, of_.threads)) / 1e6,
             "MB");
    out_.beside(cipher());
    permutations();
    out_.beside(cipher());
    whole();
    out_.beside(cipher());
    workers();
    others();
  }

 private:
  [[nodiscard]] segment_statement statement() const {
    return {data_.size(), {0, true}};
  }

  proved_segment prove(const prove_hooks& hooks = {}) const {
    const auto team = make_thread_team(of_.threads);
    // As prove_segment() does it.
    const auto stopped = [&hooks] { return hooks.stopped(); };
    stopping_team polling(*team, stopped);
    const auto device = make_backend(of_.isa, polling);
    auto proved = prove_stark(*device, data_, statement(), conjectured,
                              proof_wire::p3_0_6, hooks);
    if (!proved.ok()) {
      std::fprintf(stderr, "prove: %s\n", proved.error().message().c_str());
      std::exit(1);
    }
    return std::move(proved).value();
  }

  void permutations() {
    const kernel_set* const kernels = kernels_of(of_.isa);
    constexpr std::size_t times = 4000;
    std::vector<fp> states(24 * 16, one);
    const auto add = [&](const char* name, auto&& permute_all,
                         std::size_t lanes) {
      const double time = time_of(of_.runs, permute_all);
      out_.add(name, time * 1e9 / static_cast<double>(times * lanes), "ns");
    };
    if (kernels == nullptr) {
      poseidon2_state<24> wide{};
      poseidon2_state<16> narrow{};
      const auto repeat = [](auto& state) {
        for (std::size_t i = 0; i < times; ++i) {
          permute(state);
        }
      };
      add("permutation of width 24", [&] { repeat(wide); }, 1);
      add("permutation of width 16", [&] { repeat(narrow); }, 1);
      return;
    }
    const auto& hash = kernels->hash;
    const std::size_t lanes = kernels->target.lanes;
    add(
        "permutation of width 24",
        [&] { hash.permute_24(states.data(), times); }, lanes);
    add(
        "permutation of width 16",
        [&] { hash.permute_16(states.data(), times); }, lanes);
  }

  void whole() {
    std::vector<double> times;
    std::array<std::vector<double>, phase_names.size()> phases;
    prove();
    for (unsigned i = 0; i < of_.runs; ++i) {
      std::vector<steady::time_point> marks;
      const prove_hooks hooks{{},
                              [&](phase) { marks.push_back(steady::now()); }};
      const auto start = steady::now();
      {
        const auto proved = prove(hooks);
        marks.push_back(steady::now());
      }
      times.push_back(seconds(start));
      for (std::size_t k = 0; k < phases.size(); ++k) {
        phases[k].push_back(
            std::chrono::duration<double>(marks[k + 1] - marks[k]).count());
      }
    }
    const double time = median(times);
    for (std::size_t k = 0; k < phases.size(); ++k) {
      out_.add(std::string("phase: ") + phase_names[k], median(phases[k]) * 1e3,
               "ms");
    }
    out_.add("prove", time * 1e3, "ms");
    out_.add("prove", megabytes_ / time, "MB/s");
  }

  // Each proves segments of its own.
  void workers() {
    constexpr unsigned count = 2;
    const double time = time_of(of_.runs, [this] {
      std::vector<std::jthread> threads;
      for (unsigned i = 0; i < count; ++i) {
        threads.emplace_back([this] { prove(); });
      }
    });
    out_.add("two workers at once", count * megabytes_ / time, "MB/s");
  }

  void others() {
    out_.beside(cipher());
    const double digesting =
        time_of(of_.runs, [this] { digest_with(of_.isa, data_, statement()); });
    out_.add("digest", megabytes_ / digesting, "MB/s");
    out_.beside(cipher());
    const auto proved = prove();
    const bytes proof = encode(proved.proof, proved.shape);
    const double verifying = time_of(of_.runs, [&] {
      const status verdict =
          verify_stark(proof, statement(), proved.root, conjectured,
                       proof_wire::p3_0_6, of_.isa);
      if (!verdict.ok()) {
        std::fprintf(stderr, "verify: %s\n", verdict.message().c_str());
        std::exit(1);
      }
    });
    out_.add("verify", verifying * 1e3, "ms");
  }

  // What sealing takes, in blocks of 16 KiB: the measure of this core's speed.
  // MB/s.
  double cipher() const {
    constexpr int block = 16384;
    constexpr int blocks = 2000;
    const std::array<unsigned char, 32> key{};
    const std::array<unsigned char, 12> nonce{};
    std::vector<unsigned char> text(block + 64);
    EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
    const double time = time_of(of_.runs, [&] {
      for (int i = 0; i < blocks; ++i) {
        int length = 0;
        EVP_EncryptInit_ex(context, EVP_chacha20_poly1305(), nullptr,
                           key.data(), nonce.data());
        EVP_EncryptUpdate(context, text.data(), &length, text.data(), block);
        EVP_EncryptFinal_ex(context, text.data() + length, &length);
      }
    });
    EVP_CIPHER_CTX_free(context);
    return blocks * (block / 1e6) / time;
  }

  settings of_;
  bytes data_;
  double megabytes_;
  report out_;
};

bool take_number(std::string_view text, auto& to) {
  const auto end = text.data() + text.size();
  return std::from_chars(text.data(), end, to).ptr == end && to != 0;
}

bool parse(std::string_view argument, settings& to) {
  const auto value = [&](std::string_view name) {
    return argument.starts_with(name) ? argument.substr(name.size())
                                      : std::string_view();
  };
  if (argument == "--json") {
    to.json = true;
    return true;
  }
  if (const auto rows = value("--rows="); !rows.empty()) {
    return take_number(rows, to.rows) && std::has_single_bit(to.rows) &&
           to.rows >= segment_leaf_rows && to.rows <= max_segment_rows;
  }
  if (const auto isa = value("--isa="); !isa.empty()) {
    to.isa = choose_isa(std::string(isa).c_str());
    return name_of(to.isa) == isa;
  }
  if (const auto threads = value("--threads="); !threads.empty()) {
    return take_number(threads, to.threads) && to.threads <= max_prove_threads;
  }
  const auto runs = value("--runs=");
  return take_number(runs, to.runs);
}

}  // namespace

int main(int argc, char** argv) {
  settings chosen;
  for (int i = 1; i < argc; ++i) {
    if (!parse(argv[i], chosen)) {
      std::fprintf(stderr, "nexus-bench-prove: cannot use '%s'\n", argv[i]);
      return 2;
    }
  }
  if (!chosen.json) {
    std::printf("%s, %u thread%s, %llu rows\n",
                std::string(name_of(chosen.isa)).c_str(), chosen.threads,
                chosen.threads == 1 ? "" : "s",
                static_cast<unsigned long long>(chosen.rows));
  }
  bench(chosen).run();
}
