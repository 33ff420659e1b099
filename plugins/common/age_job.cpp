#include "common/age_job.hpp"

#include <string.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>

#include "common/results.hpp"

namespace nexus::common {
namespace {

const nexus_age_params& params_of(const nexus_job& job) noexcept {
  return *static_cast<const nexus_age_params*>(job.params);
}

bool is_last(const nexus_job& job) noexcept {
  return (params_of(job).flags & NEXUS_AGE_LAST) != 0;
}

bool seals(const nexus_job& job) noexcept {
  return std::strcmp(job.operation, NEXUS_JOB_AGE_SEAL) == 0;
}

// Flags are known, and every chunk's number fits in 64 bits.
bool fits(const nexus_job& job, std::uint64_t chunks) noexcept {
  const nexus_age_params& params = params_of(job);
  constexpr std::uint32_t known = NEXUS_AGE_LAST;
  constexpr auto highest = std::numeric_limits<std::uint64_t>::max();
  return (params.flags & ~known) == 0 &&
         (chunks == 0 || chunks - 1 <= highest - params.first_chunk);
}

std::uint64_t chunks_to_seal(const nexus_job& job) noexcept {
  const std::uint64_t chunks = (job.input_bytes + age_chunk - 1) / age_chunk;
  return chunks == 0 && is_last(job) ? 1 : chunks;
}

std::int32_t check_seal(const nexus_job& job) noexcept {
  const std::uint64_t chunks = chunks_to_seal(job);
  const bool whole = job.input_bytes % age_chunk == 0;
  const bool empty_chunk = job.input_bytes == 0 && is_last(job);
  const bool good = fits(job, chunks) && (whole || is_last(job)) &&
                    (!empty_chunk || params_of(job).first_chunk == 0) &&
                    job.input_bytes + chunks * age_tag <= job.output_capacity;
  return good ? NEXUS_OK : NEXUS_E_ARGUMENT;
}

std::uint64_t plain_bytes_of_sealed(std::uint64_t sealed) noexcept {
  const std::uint64_t rest = sealed % age_sealed;
  return sealed / age_sealed * age_chunk +
         (rest > age_tag ? rest - age_tag : 0);
}

std::int32_t check_open(const nexus_job& job) noexcept {
  const std::uint64_t chunks = (job.input_bytes + age_sealed - 1) / age_sealed;
  const bool good =
      fits(job, chunks) &&
      plain_bytes_of_sealed(job.input_bytes) <= job.output_capacity;
  return good ? NEXUS_OK : NEXUS_E_ARGUMENT;
}

// Fields that an older host's job has not.
bool has_room_for_tags(const nexus_job& job, std::uint32_t chunks) noexcept {
  constexpr std::size_t known =
      offsetof(nexus_job, tags_capacity) + sizeof job.tags_capacity;
  return job.size >= known && job.tags != nullptr &&
         job.tags_capacity >= chunks * age_tag;
}

// In time that does not depend on where they differ.
bool same_tag(const std::uint8_t* a, const std::uint8_t* b) noexcept {
  std::uint32_t difference = 0;
  for (std::size_t i = 0; i < age_tag; ++i) {
    difference |= static_cast<std::uint32_t>(a[i] ^ b[i]);
  }
  return difference == 0;
}

// One job on one lane. Every step keeps the first status that is not NEXUS_OK
// and does nothing after it.
class work {
 public:
  work(age_lane& lane, const nexus_job& job, std::vector<std::uint8_t>& tags,
       const std::atomic<bool>& cancelled) noexcept
      : lane_(lane), job_(job), tags_(tags), cancelled_(cancelled) {
    launch_.seals = seals(job);
    launch_.first_number = params_of(job).first_chunk;
    launch_.final_chunk = no_chunk;
  }
  ~work() {
    if (!tags_.empty()) ::explicit_bzero(tags_.data(), tags_.size());
  }
  work(const work&) = delete;
  work& operator=(const work&) = delete;

  nexus_result run() { return launch_.seals ? seal() : open(); }

 private:
  nexus_result seal();
  nexus_result open();
  nexus_result open_uncompared(std::uint32_t chunks);
  // Of the chunks that are there as a whole or short, how many authenticate,
  // up to and with the final one.
  std::uint32_t count_good(std::uint32_t chunks, bool& is_final);
  bool authenticates(std::uint32_t chunk, bool& is_final);
  bool matches(std::uint32_t chunk) const;

  template <typename Step>
  void then(Step step) {
    if (status_ != NEXUS_OK) return;
    status_ =
        cancelled_.load(std::memory_order_relaxed) ? NEXUS_E_CANCELLED : step();
  }
  void begin(std::uint64_t output_bytes, std::uint32_t tag_count);
  void launch(std::uint32_t first, std::uint32_t count);
  void read_tags(std::uint32_t first, std::uint32_t count);
  void read_output(std::uint64_t bytes);
  void end();

  age_lane& lane_;
  const nexus_job& job_;
  std::vector<std::uint8_t>& tags_;
  const std::atomic<bool>& cancelled_;
  age_launch launch_{};
  bool shows_ = true;  // the host may see output that nobody has compared
  std::int32_t status_ = NEXUS_OK;
};

void work::begin(std::uint64_t output_bytes, std::uint32_t tag_count) {
  job_memory memory = memory_of(job_, output_bytes);
  if (!shows_) memory.output_import = nullptr;
  then([&] { return lane_.begin(params_of(job_).key, memory, tag_count); });
}

void work::launch(std::uint32_t first, std::uint32_t count) {
  launch_.first_chunk = first;
  launch_.chunk_count = count;
  then([&] { return lane_.launch(launch_); });
}

void work::read_tags(std::uint32_t first, std::uint32_t count) {
  then([&] {
    return lane_.read_tags(first, count, tags_.data() + first * age_tag);
  });
  then([&] { return lane_.wait(); });
}

void work::read_output(std::uint64_t bytes) {
  if (bytes == 0) return;
  then([&] { return lane_.read_output(bytes, job_.output); });
}

// Even where a step failed: the key is to go.
void work::end() {
  const std::int32_t ended = lane_.end();
  if (status_ == NEXUS_OK) status_ = ended;
}

nexus_result work::seal() {
  const auto chunks = static_cast<std::uint32_t>(chunks_to_seal(job_));
  if (chunks == 0) return succeeded(0);
  const std::uint64_t sealed = job_.input_bytes + chunks * age_tag;
  launch_.plain_bytes = job_.input_bytes;
  if (is_last(job_)) launch_.final_chunk = chunks - 1;
  begin(sealed, 0);
  launch(0, chunks);
  read_output(sealed);
  end();
  return status_ == NEXUS_OK ? succeeded(sealed)
                             : failed(status_, words_for(status_));
}

bool work::matches(std::uint32_t chunk) const {
  const std::uint64_t at = std::uint64_t{chunk} * age_sealed;
  const std::uint64_t size =
      std::min<std::uint64_t>(job_.input_bytes - at, age_sealed);
  return same_tag(tags_.data() + chunk * age_tag,
                  job_.input + at + size - age_tag);
}

// A full chunk that does not match is run once more, its final flag turned.
bool work::authenticates(std::uint32_t chunk, bool& is_final) {
  is_final = chunk == launch_.final_chunk;
  if (matches(chunk)) return true;
  const std::uint64_t at = std::uint64_t{chunk} * age_sealed;
  if (job_.input_bytes - at < age_sealed) return false;
  is_final = !is_final;
  launch_.final_chunk = is_final ? chunk : no_chunk;
  launch(chunk, 1);
  read_tags(chunk, 1);
  return status_ == NEXUS_OK && matches(chunk);
}

std::uint32_t work::count_good(std::uint32_t chunks, bool& is_final) {
  // Runs of single chunks change it; the guesses of the others stay as made.
  const std::uint32_t guessed = launch_.final_chunk;
  for (std::uint32_t i = 0; i < chunks; ++i) {
    launch_.final_chunk = guessed;
    if (!authenticates(i, is_final)) {
      is_final = false;
      return i;
    }
    if (is_final) return i + 1;
  }
  return chunks;
}

// The engine compares. Everything is queued before anything is waited for.
nexus_result work::open_uncompared(std::uint32_t chunks) {
  begin(launch_.plain_bytes, chunks);
  launch(0, chunks);
  then([&] { return lane_.read_tags(0, chunks, job_.tags); });
  read_output(launch_.plain_bytes);
  end();
  if (status_ != NEXUS_OK) return failed(status_, words_for(status_));
  nexus_result result = succeeded(launch_.plain_bytes, NEXUS_RESULT_TAGS);
  result.tags_bytes = chunks * age_tag;
  return result;
}

nexus_result work::open() {
  const auto full = static_cast<std::uint32_t>(job_.input_bytes / age_sealed);
  const std::uint64_t rest = job_.input_bytes % age_sealed;
  const bool cut_short = rest > 0 && rest < age_tag;
  const bool empty = rest == age_tag && launch_.first_number + full != 0;
  const bool has_short = rest != 0 && !cut_short && !empty;
  const std::uint32_t chunks = full + (has_short ? 1 : 0);
  std::uint32_t good = 0;
  bool is_final = false;
  launch_.plain_bytes = plain_bytes_of_sealed(job_.input_bytes);
  if (chunks > 0) {
    if (has_short || (is_last(job_) && rest == 0)) {
      launch_.final_chunk = chunks - 1;
    }
    if (has_room_for_tags(job_, chunks)) return open_uncompared(chunks);
    shows_ = false;
    tags_.resize(std::max<std::size_t>(tags_.size(), chunks * age_tag));
    begin(launch_.plain_bytes, chunks);
    launch(0, chunks);
    read_tags(0, chunks);
    if (status_ == NEXUS_OK) good = count_good(chunks, is_final);
  }
  const std::uint64_t plain = std::min<std::uint64_t>(
      std::uint64_t{good} * age_chunk, launch_.plain_bytes);
  if (chunks > 0) {
    read_output(plain);
    end();
  }
  if (status_ != NEXUS_OK) return failed(status_, words_for(status_));
  if (is_final) return succeeded(plain, NEXUS_RESULT_FINAL_CHUNK);
  const std::uint64_t at = std::uint64_t{good} * age_sealed;
  if (good < chunks) {
    return bad_data(plain, at, "the chunk does not authenticate");
  }
  if (cut_short) return bad_data(plain, at, "the chunk is cut short");
  if (empty) return bad_data(plain, at, "the final chunk is empty");
  return succeeded(plain);
}

}  // namespace

bool is_age(const char* operation) noexcept {
  return std::strcmp(operation, NEXUS_JOB_AGE_SEAL) == 0 ||
         std::strcmp(operation, NEXUS_JOB_AGE_OPEN) == 0;
}

std::int32_t check_age(const nexus_job& job, std::uint64_t max_bytes) noexcept {
  const bool formed = job.params_bytes >= sizeof(nexus_age_params) &&
                      params_of(job).size >= sizeof(nexus_age_params) &&
                      job.input_bytes <= max_bytes;
  if (!formed) return NEXUS_E_ARGUMENT;
  return seals(job) ? check_seal(job) : check_open(job);
}

nexus_result run_age(age_lane& lane, const nexus_job& job,
                     std::vector<std::uint8_t>& tags,
                     const std::atomic<bool>& cancelled) {
  return work(lane, job, tags, cancelled).run();
}

}  // namespace nexus::common
