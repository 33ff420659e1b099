// Measures the devices of a GPU backend, beside what bounds them in the same
// run: copies of pinned memory both ways at once, and memory of the device.
//
//   nexus-bench-gpu [--quick] [--plugins DIR] [--out FILE] cuda|opencl
//
// One JSON object. Rates are bytes a second; those of the engine are of the
// fastest of several runs. Exit status 77: the backend has no device here.
#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "card.hpp"
#include "engine_runs.hpp"

namespace {

using json = nlohmann::ordered_json;
using namespace nexus_bench;

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

struct settings {
  bool quick = false;
  std::string plugins;  // empty: where the library looks
  std::string out;      // empty: standard output
  std::string backend;
};

// Sizes for a card, and for a processor that stands in for one.
struct amounts {
  std::uint64_t copy_bytes = 64 * mebibyte;
  unsigned copy_rounds = 64;
  std::uint64_t kernel_bytes = 64 * mebibyte;
  unsigned kernel_rounds = 32;
  std::uint64_t run_bytes = 4096 * mebibyte;
  unsigned run_rounds = 5;
};

amounts amounts_for(bool gpu, bool quick) {
  if (gpu && !quick) return {};
  if (gpu) return {64 * mebibyte, 8, 64 * mebibyte, 4, 256 * mebibyte, 2};
  if (!quick) return {16 * mebibyte, 8, 16 * mebibyte, 4, 256 * mebibyte, 2};
  return {4 * mebibyte, 2, 4 * mebibyte, 1, 16 * mebibyte, 1};
}

json rate(std::uint64_t bytes, unsigned rounds, std::optional<double> seconds) {
  if (!seconds || *seconds <= 0) return nullptr;
  return static_cast<double>(bytes) * rounds / *seconds;
}

json percent(const json& of, const json& bound) {
  if (!of.is_number() || !bound.is_number()) return nullptr;
  return 100 * of.get<double>() / bound.get<double>();
}

json measure_card(card& which, const amounts& much) {
  const auto copies = [&](ways how) {
    return rate(much.copy_bytes, much.copy_rounds,
                which.copy(how, much.copy_bytes, much.copy_rounds));
  };
  json made = {{"id", which.id()}, {"name", which.name()}};
  made["copy_to_device"] = copies({true, false});
  made["copy_to_host"] = copies({false, true});
  made["copy_bound"] = copies({true, true});  // each way, both at once
  made["memory"] = rate(2 * much.copy_bytes, much.copy_rounds,
                        which.copy_inside(much.copy_bytes, much.copy_rounds));
  made["seal_kernel"] = rate(much.kernel_bytes, much.kernel_rounds,
                             which.seal(much.kernel_bytes, much.kernel_rounds));
  // It reads and writes every byte once.
  const json& seal = made["seal_kernel"];
  made["seal_kernel_percent_of_memory"] =
      percent(seal.is_number() ? json(2 * seal.get<double>()) : json(nullptr),
              made["memory"]);
  made["digest_kernel"] =
      rate(much.kernel_bytes, much.kernel_rounds,
           which.digest(much.kernel_bytes, much.kernel_rounds));
  made["digest_kernel_percent_of_memory"] =
      percent(made["digest_kernel"], made["memory"]);
  return made;
}

json measure_engine(const settings& chosen, const amounts& much,
                    const json& bound) {
  std::string why;
  const auto figures = run_engine(chosen.plugins, chosen.backend,
                                  much.run_bytes, much.run_rounds, why);
  if (!figures) return {{"failed", why}};
  const auto of = [&](double seconds) {
    return rate(figures->bytes, 1, seconds);
  };
  json made = {
      {"bytes", figures->bytes},
      {"segment_bytes", figures->segment_bytes},
      {"encrypt_memory_to_memory", of(figures->encrypt_seconds)},
      {"encrypt_memory_to_nothing", of(figures->encrypt_discard_seconds)},
      {"decrypt_memory_to_memory", of(figures->decrypt_seconds)},
      {"digest", of(figures->digest_seconds)},
      {"first_segment_cold_seconds", figures->first_segment_cold_seconds},
      {"first_segment_warm_seconds", figures->first_segment_warm_seconds}};
  for (const char* what :
       {"encrypt_memory_to_memory", "encrypt_memory_to_nothing",
        "decrypt_memory_to_memory", "digest"})
    made[std::string(what) + "_percent_of_copy_bound"] =
        percent(made[what], bound);
  return made;
}

bool parse(int count, char** words, settings& to) {
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--quick") {
      to.quick = true;
    } else if (word == "--plugins" && i + 1 < count) {
      to.plugins = words[++i];
    } else if (word == "--out" && i + 1 < count) {
      to.out = words[++i];
    } else if (word == "cuda" || word == "opencl") {
      to.backend = word;
    } else {
      return false;
    }
  }
  return !to.backend.empty();
}

}  // namespace

int main(int argc, char** argv) {
  settings chosen;
  if (!parse(argc, argv, chosen)) {
    std::fputs(
        "usage: nexus-bench-gpu [--quick] [--plugins DIR] [--out FILE] "
        "cuda|opencl\n",
        stderr);
    return 2;
  }
  const auto cards = chosen.backend == "cuda" ? cuda_cards() : opencl_cards();
  if (cards.empty()) {
    std::fprintf(stderr, "no device of %s\n", chosen.backend.c_str());
    return 77;
  }
  json made = {{"backend", chosen.backend}, {"devices", json::array()}};
  // The engine uses all devices of the backend at once: so do the bounds add.
  double bound = 0;
  bool gpu = true, good = true;
  for (const auto& each : cards) {
    gpu = gpu && each->gpu();
    made["devices"].push_back(
        measure_card(*each, amounts_for(each->gpu(), chosen.quick)));
    const json& figures = made["devices"].back();
    for (const auto& [name, value] : figures.items())
      good = good && !value.is_null();
    if (figures["copy_bound"].is_number())
      bound += figures["copy_bound"].get<double>();
  }
  made["engine"] =
      measure_engine(chosen, amounts_for(gpu, chosen.quick), bound);
  good = good && !made["engine"].contains("failed");
  const std::string text = made.dump(2) + "\n";
  if (chosen.out.empty()) {
    std::fputs(text.c_str(), stdout);
  } else {
    std::ofstream file(chosen.out);
    file << text;
    file.close();
    good = good && !file.fail();
  }
  return good ? 0 : 1;
}
