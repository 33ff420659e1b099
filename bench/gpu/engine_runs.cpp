#include "engine_runs.hpp"

#include <algorithm>
#include <nexus/age.hpp>
#include <nexus/engine.hpp>
#include <nexus/proof_stream.hpp>
#include <utility>
#include <vector>

namespace nexus_bench {
namespace {

using namespace nexus;

class runs {
 public:
  runs(engine_options options, std::uint64_t bytes, std::string& why)
      : machine_(std::move(options)), why_(why), plain_(bytes) {
    std::uint64_t state = 88172645463325252u;
    for (std::byte& each : plain_) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      each = static_cast<std::byte>(state);
    }
    // Pages that are there: no run is to pay for the first touch.
    sealed_.resize(bytes + bytes / 4000 + 65536);
    opened_.resize(bytes + 65536);
  }

  bool encrypt(engine_figures& to, bool cold) {
    age::encrypt_options options;
    options.recipients.push_back(key_->to_recipient());
    const auto work = age::make_encrypt(std::move(options));
    sealed_.clear();
    double first = -1;
    run_options watched;
    watched.trace = [&first](const segment_event& event) {
      if (first < 0 && event.step == segment_step::written)
        first = event.end_seconds;
    };
    const auto took = run(*work, source::from_memory(plain_),
                          sink::to_memory(sealed_), std::move(watched));
    if (!took) return false;
    if (cold) to.first_segment_cold_seconds = first;
    if (cold) return true;
    least(to.first_segment_warm_seconds, first);
    least(to.encrypt_seconds, *took);
    to.segment_bytes = segment_bytes_;
    return true;
  }

  bool encrypt_to_nothing(engine_figures& to) {
    age::encrypt_options options;
    options.recipients.push_back(key_->to_recipient());
    const auto work = age::make_encrypt(std::move(options));
    const auto took = run(*work, source::from_memory(plain_), sink::discard());
    if (took) least(to.encrypt_discard_seconds, *took);
    return took.has_value();
  }

  bool decrypt(engine_figures& to) {
    age::decrypt_options options;
    auto mine = age::identity::parse(key_->to_string().view());
    options.identities.push_back(std::move(*mine));
    const auto work = age::make_decrypt(std::move(options));
    opened_.clear();
    const auto took =
        run(*work, source::from_memory(sealed_), sink::to_memory(opened_));
    if (!took) return false;
    least(to.decrypt_seconds, *took);
    if (opened_ != plain_) why_ = "the bytes that came back are others";
    return opened_ == plain_;
  }

  bool digest(engine_figures& to) {
    const auto work = proofs::make_digest({});
    const auto took = run(*work, source::from_memory(plain_), sink::discard());
    if (took) least(to.digest_seconds, *took);
    return took.has_value();
  }

 private:
  std::optional<double> run(operation& work, source from, sink to,
                            run_options options = {}) {
    const run_report report =
        machine_.run(work, std::move(from), std::move(to), std::move(options));
    segment_bytes_ = report.statistics.segment_bytes;
    if (!report.outcome.ok()) {
      why_ = report.outcome.message();
      return {};
    }
    std::uint64_t failed = 0;
    for (const auto& device : report.statistics.devices)
      failed += device.failed_jobs;
    if (failed != 0) why_ = std::to_string(failed) + " jobs failed";
    if (failed != 0) return {};
    return report.statistics.elapsed_seconds;
  }
  static void least(double& kept, double value) {
    kept = kept == 0 ? value : std::min(kept, value);
  }

  engine machine_;
  std::string& why_;
  result<age::identity> key_ = age::identity::generate();
  std::vector<std::byte> plain_, sealed_, opened_;
  std::uint64_t segment_bytes_ = 0;
};

}  // namespace

std::optional<engine_figures> run_engine(const std::string& plugin_directory,
                                         const std::string& backend,
                                         std::uint64_t bytes, unsigned rounds,
                                         std::string& why) {
  engine_options options;
  if (!plugin_directory.empty())
    options.plugin_directories = {plugin_directory};
  options.backend = backend;
  engine_figures made;
  made.bytes = bytes;
  runs all(std::move(options), bytes, why);
  if (!all.encrypt(made, true)) return {};
  for (unsigned i = 0; i < rounds; ++i) {
    if (!all.encrypt(made, false) || !all.encrypt_to_nothing(made) ||
        !all.decrypt(made) || !all.digest(made))
      return {};
  }
  return made;
}

}  // namespace nexus_bench
