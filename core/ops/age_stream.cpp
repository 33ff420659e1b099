#include "ops/age_stream.hpp"

#include <nexus/plugin.h>

#include <cstring>
#include <string>
#include <utility>

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
  stage.job = NEXUS_JOB_AGE_OPEN;
  return stage;
}

job_request age_opener::make_job(const segment_view& segment,
                                 const payload_key& key) const {
  if (segment.input.empty()) return {{}, false};
  return {age_params(segment.offset / age_sealed_chunk,
                     segment.last && !segment.broken, key),
          true};
}

verdict age_opener::check(const segment_view& segment,
                          const job_outcome& outcome) {
  const std::uint64_t size = segment.input.size();
  if (size == 0) return check_empty(segment);
  if (ended_) return data_after_final(segment, 0);
  // Nothing was authenticated: never let it pass.
  if ((outcome.flags & NEXUS_RESULT_TAGS) != 0) return resubmit();
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
