#include <nexus/plugin.h>

#include <cstring>
#include <nexus/age.hpp>
#include <string>
#include <utility>

#include "crypto/primitives.hpp"
#include "format/age_header.hpp"
#include "format/armor.hpp"
#include "format/base64.hpp"
#include "ops/age_keys.hpp"
#include "ops/age_stream.hpp"

namespace nexus::age {
namespace {

constexpr std::uint32_t seal_stage = 0;
constexpr std::uint32_t armored_line = armor_columns + 1;  // with its LF

// Text that n bytes take.
std::uint64_t armored_size(std::uint64_t n) {
  const std::uint64_t rest = n % armor_line_bytes;
  return n / armor_line_bytes * armored_line +
         (rest == 0 ? 0 : padded_base64_size(rest) + 1);
}

std::vector<std::byte> armor_params() {
  nexus_armor_params params{};
  params.size = sizeof params;
  std::vector<std::byte> out(sizeof params);
  std::memcpy(out.data(), &params, sizeof params);
  return out;
}

class encrypt_operation final : public operation {
 public:
  explicit encrypt_operation(encrypt_options options)
      : options_(std::move(options)) {}

  std::string_view name() const noexcept override { return "encrypt"; }
  status prologue(prologue_io& io) override;
  result<operation_plan> plan(const plan_request& request) override;
  result<job_request> make_job(const segment_view& segment) override;
  verdict check(const segment_view& segment,
                const job_outcome& outcome) override;
  status epilogue(prologue_io& io) override;

 private:
  status make_secrets(file_key& key, std::array<std::byte, age_nonce>& nonce);

  encrypt_options options_;
  payload_key key_;
  bytes lead_;  // armor: header and nonce
};

status encrypt_operation::make_secrets(
    file_key& key, std::array<std::byte, age_nonce>& nonce) {
  if (options_.fixed) {
    std::memcpy(key.data(), options_.fixed->file_key.data(), key.size());
    nonce = options_.fixed->nonce;
    return {};
  }
  status filled = fill_random(key.span());
  return filled.ok() ? fill_random(nonce) : filled;
}

status encrypt_operation::prologue(prologue_io& io) {
  file_key key;
  std::array<std::byte, age_nonce> nonce{};
  status made = make_secrets(key, nonce);
  if (!made.ok()) return made;
  auto stanzas = wrap_file_key(options_, key);
  if (!stanzas.ok()) return stanzas.error();
  bytes head = serialize_age_header(*stanzas, key);
  append(head, nonce);
  key_ = derive_payload_key(key, nonce);
  if (!options_.armor) return io.write(head);
  lead_ = std::move(head);
  return io.write(as_bytes(std::string(armor_begin) + "\n"));
}

result<operation_plan> encrypt_operation::plan(const plan_request& request) {
  operation_plan plan;
  plan.segment_bytes = whole_granules(request.segment_bytes, age_chunk);
  stage_plan seal;
  seal.granule = age_chunk;
  seal.granule_output = age_sealed_chunk;
  seal.extra_output = age_tag;  // of an empty input
  seal.exact = true;
  seal.job = NEXUS_JOB_AGE_SEAL;
  plan.stages.push_back(std::move(seal));
  if (options_.armor) {
    stage_plan encode;
    encode.granule = armor_line_bytes;
    encode.granule_output = armored_line;
    encode.lead = std::move(lead_);
    encode.exact = true;
    encode.job = NEXUS_JOB_ARMOR_ENCODE;
    plan.stages.push_back(std::move(encode));
  }
  return plan;
}

result<job_request> encrypt_operation::make_job(const segment_view& segment) {
  if (segment.stage != seal_stage) {
    if (segment.input.empty()) return job_request{{}, false};
    return job_request{armor_params()};
  }
  // Two chunks under one number would give the key away.
  if (segment.offset % age_chunk != 0 ||
      (!segment.last && segment.input.size() % age_chunk != 0) ||
      (segment.input.empty() && segment.offset != 0)) {
    return status(status_code::internal,
                  "encrypt: a segment does not begin and end with a chunk");
  }
  return job_request{
      age_params(segment.offset / age_chunk, segment.last, key_)};
}

verdict encrypt_operation::check(const segment_view& segment,
                                 const job_outcome& outcome) {
  const std::uint64_t n = segment.input.size();
  const std::uint64_t expected =
      segment.stage == seal_stage ? age_sealed_size(n) : armored_size(n);
  if (outcome.data_error || outcome.output_bytes != expected) {
    return {verdict_kind::resubmit, 0, {}};
  }
  return {verdict_kind::accept, expected, {}};
}

status encrypt_operation::epilogue(prologue_io& io) {
  if (!options_.armor) return {};
  return io.write(as_bytes(std::string(armor_end) + "\n"));
}

}  // namespace

std::unique_ptr<operation> make_encrypt(encrypt_options options) {
  prepare_crypto();
  return std::make_unique<encrypt_operation>(std::move(options));
}

}  // namespace nexus::age
