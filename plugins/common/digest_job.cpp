#include "common/digest_job.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nexus/prover.hpp>
#include <span>

#include "common/results.hpp"
#include "prover/segment.hpp"

namespace nexus::common {
namespace {

using prover::fp;

static_assert(std::endian::native == std::endian::little,
              "digests cross the ABI as little-endian words");
static_assert(leaf_bytes == (prover::leaf_rows - 1) * prover::row_bytes);

constexpr std::uint64_t digest_bytes = sizeof(segment_digest);

nexus_digest_params params_of(const nexus_job& job) noexcept {
  nexus_digest_params params;
  std::memcpy(&params, job.params, sizeof params);
  return params;
}

prover::digest digest_of_empty_leaf() noexcept {
  prover::poseidon2_state<24> state{};
  std::copy(prover::leaf_capacity.begin(), prover::leaf_capacity.end(),
            state.begin() + 16);
  for (std::size_t row = 0; row < prover::leaf_rows - 1; ++row) {
    std::fill_n(state.begin(), 16, fp{});
    prover::permute(state);
  }
  return prover::first_eight(state);
}

const prover::digest& empty_leaf() noexcept {
  static const prover::digest made = digest_of_empty_leaf();
  return made;
}

// The root sponge. `leaves`: digests of those that hold data.
segment_digest root_over(std::span<const std::uint32_t> leaves,
                         const prover::segment_statement& statement) noexcept {
  const std::uint64_t count = statement.rows() / prover::leaf_rows;
  prover::capacity top = statement.top();
  prover::poseidon2_state<24> state;
  for (std::uint64_t leaf = 0; leaf < count; ++leaf) {
    state.fill(fp{});
    if (leaf * leaf_words < leaves.size()) {
      const auto words = leaves.subspan(leaf * leaf_words, leaf_words);
      std::transform(words.begin(), words.end(), state.begin(), fp::from_word);
    } else {
      std::copy(empty_leaf().begin(), empty_leaf().end(), state.begin());
    }
    std::copy(top.begin(), top.end(), state.begin() + 16);
    prover::permute(state);
    std::copy(state.begin() + 16, state.end(), top.begin());
  }
  return prover::to_integers(prover::first_eight(state));
}

// The words are field elements, or what is combined of them is none.
bool are_elements(std::span<const std::uint32_t> words) noexcept {
  return std::all_of(words.begin(), words.end(),
                     [](std::uint32_t word) { return word < prover::modulus; });
}

// Every step keeps the first status that is not NEXUS_OK and does nothing
// after it, but for the last wait: the device may still be reading the input.
std::int32_t hash_leaves(digest_lane& lane, const nexus_job& job,
                         std::span<std::uint32_t> to,
                         const std::atomic<bool>& cancelled) {
  const auto count = static_cast<std::uint32_t>(to.size() / leaf_words);
  const std::uint32_t step = lane.leaves_at_once();
  std::int32_t status = NEXUS_OK;
  const auto then = [&](auto&& run) {
    if (status != NEXUS_OK) return;
    status =
        cancelled.load(std::memory_order_relaxed) ? +NEXUS_E_CANCELLED : run();
  };
  then([&] { return lane.begin(memory_of(job, 0), count); });
  for (std::uint32_t first = 0; first < count && status == NEXUS_OK;) {
    const std::uint32_t some = std::min(step, count - first);
    if (first != 0) then([&] { return lane.wait(); });
    then([&] { return lane.launch(first, some); });
    first += some;
  }
  then([&] { return lane.read_leaves(count, to.data()); });
  const std::int32_t waited = lane.wait();
  return status == NEXUS_OK ? waited : status;
}

}  // namespace

std::int32_t check_digest(const nexus_job& job,
                          std::uint64_t max_bytes) noexcept {
  if (job.params_bytes < sizeof(nexus_digest_params)) return NEXUS_E_ARGUMENT;
  const nexus_digest_params params = params_of(job);
  constexpr std::uint32_t known = NEXUS_SEGMENT_LAST;
  const bool good = params.size >= sizeof params &&
                    (params.flags & ~known) == 0 && params.index >> 60 == 0 &&
                    job.output_capacity >= digest_bytes &&
                    job.input_bytes <= segment_capacity(max_segment_rows) &&
                    job.input_bytes <= max_bytes;
  return good ? NEXUS_OK : NEXUS_E_ARGUMENT;
}

nexus_result run_digest(digest_lane& lane, const nexus_job& job,
                        std::vector<std::uint32_t>& leaves,
                        const std::atomic<bool>& cancelled) {
  const nexus_digest_params params = params_of(job);
  const prover::segment_statement statement{
      job.input_bytes,
      {params.index, (params.flags & NEXUS_SEGMENT_LAST) != 0}};
  const std::uint64_t count = (job.input_bytes + leaf_bytes - 1) / leaf_bytes;
  leaves.resize(count * leaf_words);
  if (count > 0) {
    const std::int32_t status = hash_leaves(lane, job, leaves, cancelled);
    if (status != NEXUS_OK) return failed(status, words_for(status));
  }
  if (!are_elements(leaves)) {
    return failed(NEXUS_E_DEVICE, "the device made a digest that is none");
  }
  const segment_digest digest = root_over(leaves, statement);
  std::memcpy(job.output, digest.data(), digest_bytes);
  return succeeded(digest_bytes);
}

}  // namespace nexus::common
