#include <nexus/plugin.h>

#include <cstring>
#include <nexus/age.hpp>
#include <string>
#include <utility>

#include "crypto/primitives.hpp"
#include "format/age_header.hpp"
#include "format/armor.hpp"
#include "ops/age_audit.hpp"
#include "ops/age_keys.hpp"
#include "ops/age_stream.hpp"

namespace nexus::age {
namespace {

constexpr std::uint32_t seal_stage = 0;

std::vector<std::byte> armor_params() {
  nexus_armor_params params{};
  params.size = sizeof params;
  std::vector<std::byte> out(sizeof params);
  std::memcpy(out.data(), &params, sizeof params);
  return out;
}

audit_scope audits_for(output_check how) noexcept {
  switch (how) {
    case output_check::none:
      return audit_scope::none;
    case output_check::sample:
      return audit_scope::untrusted;
    case output_check::all:
      break;
  }
  return audit_scope::all;
}

class encrypt_operation final : public operation {
 public:
  explicit encrypt_operation(encrypt_options options)
      : options_(std::move(options)) {}

  std::string_view name() const noexcept override { return "encrypt"; }
  status prologue(prologue_io& io) override;
  result<operation_plan> plan(const plan_request& request) override;
  result<job_request> make_job(const segment_view& segment) override;
  status audit(const segment_view& segment,
               const job_outcome& outcome) override;
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
  seal.audits = audits_for(options_.verify_output);
  plan.stages.push_back(std::move(seal));
  if (options_.armor) {
    stage_plan encode;
    encode.granule = armor_line_bytes;
    encode.granule_output = armored_line;
    encode.lead = std::move(lead_);
    encode.exact = true;
    encode.job = NEXUS_JOB_ARMOR_ENCODE;
    encode.audits = audits_for(options_.verify_output);
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

status encrypt_operation::audit(const segment_view& segment,
                                const job_outcome& outcome) {
  const auto which = options_.verify_output == output_check::all
                         ? audited_parts::all
                         : audited_parts::sample;
  return segment.stage == seal_stage
             ? audit_sealed(segment, outcome, key_, which)
             : audit_armored(segment, outcome, which);
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
