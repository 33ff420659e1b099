#include "ops/age_stream.hpp"

#include <nexus/plugin.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "crypto/primitives.hpp"

namespace nexus {
namespace {

verdict accept(std::uint64_t output) {
  return {verdict_kind::accept, output, {}};
}

verdict resubmit() {
  return {verdict_kind::resubmit, 0, {}};
}

verdict fail(std::uint64_t output, std::string message, std::string hint = {}) {
  return {verdict_kind::finish, output,
          status(status_code::invalid_data, "payload: " + std::move(message),
                 std::move(hint))};
}

verdict truncated(std::uint64_t output) {
  return fail(output, "the input ends before the final chunk: truncated",
              "part of the file is missing; what was written is authentic");
}

std::string chunk_at(const segment_view& segment, std::uint64_t offset) {
  return "chunk " +
         std::to_string((segment.offset + offset) / age_sealed_chunk);
}

// Plaintext of the chunks ahead of this multiple of the sealed chunk.
std::uint64_t plaintext_before(std::uint64_t offset) {
  return offset / age_sealed_chunk * age_chunk;
}

// Chunks of a device's input that have a tag which it opens them by, and so
// the tags that it hands to the host: see plugin.h.
std::uint64_t tagged_chunks(const segment_view& segment) {
  const std::uint64_t size = segment.input.size();
  const std::uint64_t rest = size % age_sealed_chunk;
  const bool first = segment.offset + size == age_tag;
  const bool last_counts = rest > age_tag || (rest == age_tag && first);
  return size / age_sealed_chunk + (last_counts ? 1 : 0);
}

// Does what a device left to us, and makes of its result one that compared.
class tag_comparison {
 public:
  tag_comparison(const segment_view& segment, const job_outcome& outcome,
                 const payload_key& key)
      : segment_(segment), outcome_(outcome), key_(key) {}

  // Empty: the device did not compute what it should have.
  std::optional<job_outcome> run();

 private:
  enum class finding { good, bad, device_is_wrong };
  byte_view chunk(std::uint64_t i) const {
    const std::uint64_t at = i * age_sealed_chunk;
    return segment_.input.subspan(
        at,
        std::min<std::uint64_t>(segment_.input.size() - at, age_sealed_chunk));
  }
  bool tried_as_final(std::uint64_t i) const;
  bool opens(std::uint64_t i, bool is_final);
  finding look_closer(std::uint64_t i, bool& is_final);
  job_outcome failed_at(std::uint64_t i) const;

  const segment_view& segment_;
  const job_outcome& outcome_;
  const payload_key& key_;
};

bool tag_comparison::tried_as_final(std::uint64_t i) const {
  const byte_view sealed = chunk(i);
  if (sealed.size() < age_sealed_chunk) return true;
  const bool ends = (i + 1) * age_sealed_chunk == segment_.input.size();
  return ends && segment_.last && !segment_.broken;
}

// Opens one chunk into the output.
bool tag_comparison::opens(std::uint64_t i, bool is_final) {
  const std::uint64_t number = segment_.offset / age_sealed_chunk + i;
  const byte_view sealed = chunk(i);
  return open_chacha20_poly1305(
      key_.view(), chunk_nonce(number, is_final), sealed,
      outcome_.output.subspan(i * age_chunk, sealed.size() - age_tag));
}

// The tag of this chunk is not the one that was computed.
tag_comparison::finding tag_comparison::look_closer(std::uint64_t i,
                                                    bool& is_final) {
  if (opens(i, is_final)) return finding::device_is_wrong;
  if (chunk(i).size() < age_sealed_chunk) return finding::bad;
  is_final = !is_final;
  return opens(i, is_final) ? finding::good : finding::bad;
}

job_outcome tag_comparison::failed_at(std::uint64_t i) const {
  job_outcome made;
  made.output = outcome_.output;
  made.data_error = true;
  made.error_offset = i * age_sealed_chunk;
  made.output_bytes = i * age_chunk;
  return made;
}

std::optional<job_outcome> tag_comparison::run() {
  const std::uint64_t chunks = tagged_chunks(segment_);
  const std::uint64_t size = segment_.input.size();
  const std::uint64_t plain =
      std::min(chunks * age_chunk, size - std::min(size, chunks * age_tag));
  if (outcome_.data_error || outcome_.tags.size() != chunks * age_tag ||
      outcome_.output_bytes != plain || plain > outcome_.output.size())
    return {};
  job_outcome made;
  made.output = outcome_.output;
  for (std::uint64_t i = 0; i < chunks; ++i) {
    bool is_final = tried_as_final(i);
    const byte_view computed = outcome_.tags.subspan(i * age_tag, age_tag);
    if (!equal_in_constant_time(computed, chunk(i).last(age_tag))) {
      const finding found = look_closer(i, is_final);
      if (found == finding::device_is_wrong) return {};
      if (found == finding::bad) return failed_at(i);
    }
    made.output_bytes += chunk(i).size() - age_tag;
    if (is_final) {
      made.flags = NEXUS_RESULT_FINAL_CHUNK;
      return made;
    }
  }
  // A rest that is too short for a chunk, or an empty one, is never good.
  return chunks * age_sealed_chunk < size ? failed_at(chunks) : made;
}

// The final chunk ends what `output` bytes of plaintext came from. 16 bytes
// more may as well be an empty final chunk, after one that is not final.
verdict data_after_final(const segment_view& segment, std::uint64_t output) {
  const std::uint64_t end = output / age_chunk * age_sealed_chunk;
  if (segment.last && segment.input.size() - end == age_tag) {
    return fail(output, "the final chunk is empty, or has 16 bytes after it");
  }
  return fail(output, "data after the final chunk, from " +
                          chunk_at(segment, end) + " on");
}

}  // namespace

std::array<std::byte, 12> chunk_nonce(std::uint64_t number,
                                      bool is_final) noexcept {
  std::array<std::byte, 12> nonce{};
  for (std::size_t k = 0; k < 8; ++k)
    nonce[10 - k] = static_cast<std::byte>(number >> (8 * k));
  nonce[11] = static_cast<std::byte>(is_final ? 1 : 0);
  return nonce;
}

std::vector<std::byte> age_params(std::uint64_t first_chunk, bool last,
                                  const payload_key& key) {
  nexus_age_params params{};
  params.size = sizeof params;
  if (last) params.flags = NEXUS_AGE_LAST;
  params.first_chunk = first_chunk;
  std::memcpy(params.key, key.data(), key.size());
  std::vector<std::byte> out(sizeof params);
  std::memcpy(out.data(), &params, sizeof params);
  wipe(&params, sizeof params);
  return out;
}

stage_plan age_opener::plan() const {
  stage_plan stage;
  stage.granule = age_sealed_chunk;
  stage.granule_output = age_chunk;
  stage.exact = true;
  stage.job = NEXUS_JOB_AGE_OPEN;
  return stage;
}

job_request age_opener::make_job(const segment_view& segment,
                                 const payload_key& key) const {
  if (segment.input.empty()) return {{}, false};
  job_request job;
  job.params = age_params(segment.offset / age_sealed_chunk,
                          segment.last && !segment.broken, key);
  job.tags_bytes = tagged_chunks(segment) * age_tag;
  return job;
}

verdict age_opener::check(const segment_view& segment,
                          const job_outcome& outcome, const payload_key& key) {
  if (segment.input.empty()) return check_empty(segment);
  if (ended_) return data_after_final(segment, 0);
  if ((outcome.flags & NEXUS_RESULT_TAGS) == 0)
    return check_compared(segment, outcome);
  const auto compared = tag_comparison(segment, outcome, key).run();
  return compared ? check_compared(segment, *compared) : resubmit();
}

// The tags of what the outcome calls good were right.
verdict age_opener::check_compared(const segment_view& segment,
                                   const job_outcome& outcome) {
  const std::uint64_t size = segment.input.size();
  if (outcome.data_error) return check_failed(segment, outcome);
  if ((outcome.flags & NEXUS_RESULT_FINAL_CHUNK) != 0) {
    return check_final(segment, outcome.output_bytes);
  }
  if (size % age_sealed_chunk != 0 ||
      outcome.output_bytes != plaintext_before(size)) {
    return resubmit();
  }
  if (segment.last) return truncated(outcome.output_bytes);
  return accept(outcome.output_bytes);
}

verdict age_opener::check_empty(const segment_view& segment) const {
  if (segment.last && !segment.broken && !ended_) return truncated(0);
  return accept(0);
}

// A final chunk was opened; `output` bytes end with its plaintext.
verdict age_opener::check_final(const segment_view& segment,
                                std::uint64_t output) {
  const std::uint64_t size = segment.input.size();
  const std::uint64_t whole = size / age_sealed_chunk;
  const std::uint64_t rest = size % age_sealed_chunk;

  // The short chunk at the end of the input.
  if (rest >= age_tag && output == whole * age_chunk + rest - age_tag) {
    if (segment.broken) return accept(whole * age_chunk);
    if (!segment.last) return resubmit();
    if (rest == age_tag && segment.offset + size != age_tag) {
      return data_after_final(segment, whole * age_chunk);
    }
    ended_ = true;
    return accept(output);
  }
  if (output == 0 || output % age_chunk != 0 || output > whole * age_chunk) {
    return resubmit();
  }
  ended_ = true;
  const std::uint64_t end = output / age_chunk * age_sealed_chunk;
  if (end == size) return accept(output);
  return data_after_final(segment, output);
}

verdict age_opener::check_failed(const segment_view& segment,
                                 const job_outcome& outcome) const {
  const std::uint64_t at = outcome.error_offset;
  const std::uint64_t size = segment.input.size();
  if (at >= size || at % age_sealed_chunk != 0 ||
      outcome.output_bytes != plaintext_before(at)) {
    return resubmit();
  }
  const bool short_chunk = size - at < age_sealed_chunk;
  // Cut off by what broke the input, which is what the run reports.
  if (short_chunk && segment.broken) return accept(outcome.output_bytes);
  if (short_chunk && !segment.last) return resubmit();
  if (short_chunk && size - at < age_tag) {
    return truncated(outcome.output_bytes);
  }
  std::string message =
      chunk_at(segment, at) + " does not authenticate: " +
      (short_chunk ? "truncated or corrupt" : "the file is corrupt");
  return fail(outcome.output_bytes, std::move(message),
              "what was written before it is authentic");
}

}  // namespace nexus
