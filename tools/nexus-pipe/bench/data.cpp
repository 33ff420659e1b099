#include "bench/data.hpp"

#include <algorithm>
#include <nexus/proof_stream.hpp>
#include <utility>

namespace nexus::tool::bench {

test_data::test_data(pages plain, age::identity key, engine_options options,
                     std::stop_token stop)
    : plain_(std::move(plain)),
      key_(std::move(key)),
      worker_(std::make_unique<engine>(std::move(options))),
      stop_(std::move(stop)) {}

result<test_data> test_data::create(std::uint64_t most, engine_options options,
                                    std::stop_token stop) {
  result<pages> plain = pages::reserve(most);
  if (!plain) return plain.error();
  result<age::identity> key = age::identity::generate();
  if (!key) return key.error();
  options.backend.clear();
  options.gpu_min_input_bytes = most + 1;
  return test_data(*std::move(plain), *std::move(key), std::move(options),
                   std::move(stop));
}

std::span<const std::byte> test_data::plain(std::uint64_t size) {
  constexpr std::uint64_t piece = 1u << 20;  // filled at once, from its number
  while (filled_ < size) {
    const std::uint64_t count = std::min(piece, most() - filled_);
    fill(plain_.bytes().subspan(filled_, count), filled_);
    filled_ += count;
  }
  return plain_.bytes().first(size);
}

result<std::span<const std::byte>> test_data::input(bench_op op,
                                                    std::uint64_t size,
                                                    std::uint64_t rows) {
  const auto data = plain(size);
  if (op != bench_op::decrypt && op != bench_op::verify) return data;
  const recipe wanted{op, size, op == bench_op::verify ? rows : 0};
  if (made_of_ != wanted) {
    made_of_.reset();
    made_.clear();
    // What encrypting adds is a fraction of this.
    if (op == bench_op::decrypt) made_.reserve(size + size / 1024 + 4096);
    const bench_op maker =
        op == bench_op::decrypt ? bench_op::encrypt : bench_op::prove;
    const auto work = make(maker, rows);
    const run_report report = worker_->run(
        *work, source::from_memory(data), sink::to_memory(made_),
        {.stop = stop_, .progress = {}, .planned = {}, .trace = {}});
    if (!report.outcome.ok()) return report.outcome;
    made_of_ = wanted;
  }
  return std::span<const std::byte>(made_);
}

std::unique_ptr<operation> test_data::make(bench_op op,
                                           std::uint64_t rows) const {
  const proofs::segmenting cut{.rows = rows};
  switch (op) {
    case bench_op::encrypt: {
      age::encrypt_options options;
      options.recipients.push_back(key_.to_recipient());
      return age::make_encrypt(std::move(options));
    }
    case bench_op::decrypt: {
      age::decrypt_options options;
      options.identities.push_back(key_);
      return age::make_decrypt(std::move(options));
    }
    case bench_op::prove: {
      proofs::prove_options options;
      options.cut = cut;
      return proofs::make_prove(options);
    }
    case bench_op::verify:
      return proofs::make_verify({});
    case bench_op::digest:
      break;
  }
  return proofs::make_digest(cut);
}

}  // namespace nexus::tool::bench
