// Segments in: proofs, or digests alone, out.
#include <algorithm>
#include <cstring>
#include <utility>

#include "format/proof_stream.hpp"
#include "ops/proof_jobs.hpp"

namespace nexus::proofs {
namespace {

// What cutting a stream asks of prove and digest alike.
class segment_operation : public stream_operation {
 public:
  explicit segment_operation(const stream_header& header)
      : header_(header), sum_(header) {}

  const summary& total() const noexcept override { return sum_.total(); }

 protected:
  [[nodiscard]] operation_plan cut_by(stage_plan stage) const {
    operation_plan plan;
    stage.granule = static_cast<std::uint32_t>(header_.capacity());
    plan.segment_bytes = header_.capacity();
    plan.segment_bytes_fixed = true;
    plan.stages.push_back(std::move(stage));
    return plan;
  }

  // That whole segments come, where they must.
  [[nodiscard]] status check_length(std::uint64_t bytes) const {
    if (!header_.cut.partial && (bytes != 0 || header_.cut.first_index == 0)) {
      return {};
    }
    if (bytes == 0) {
      return {status_code::invalid_argument,
              "the input is empty: a part of a stream holds a segment or more"};
    }
    const std::uint64_t capacity = header_.capacity();
    if (bytes % capacity == 0) return {};
    return {status_code::invalid_argument,
            "the input of a partial stream must be whole segments of " +
                std::to_string(capacity) + " bytes, and " +
                std::to_string(bytes % capacity) + " are left over",
            "cut the stream at a multiple, or leave --partial out for its last "
            "part"};
  }
  [[nodiscard]] status check_length(const plan_request& request) const {
    return request.input_bytes ? check_length(*request.input_bytes) : status{};
  }
  [[nodiscard]] status check_length(const segment_view& segment) const {
    return segment.last ? check_length(segment.offset + segment.input.size())
                        : status{};
  }

  [[nodiscard]] status check_index(const segment_position& position) const {
    if (position.index >> 60 == 0) return {};
    return {status_code::invalid_argument,
            "segment " + std::to_string(position.index) +
                ": numbers of segments stay below 2^60"};
  }

  [[nodiscard]] segment_position position_of(
      const segment_view& segment) const noexcept {
    return {header_.cut.first_index + segment.index,
            segment.last && !header_.cut.partial};
  }

  // The digest at the front of a job's output.
  static stream_root digest_in(const job_outcome& outcome) noexcept {
    stream_root digest;
    std::memcpy(digest.data(), outcome.output.data(), digest.size());
    return digest;
  }

  // Computes the segment's digest from the input that the host holds. Another
  // one at the front of the output: device_failed, in these words.
  [[nodiscard]] status compare_digest(const segment_view& segment,
                                      const job_outcome& outcome,
                                      std::string_view words) const {
    const auto digest = digest_segment(segment.input, position_of(segment));
    if (!digest.ok()) return digest.error();
    if (*digest == to_digest(digest_in(outcome))) return {};
    return {status_code::device_failed, std::string(words)};
  }

  stream_header header_;
  stream_sum sum_;
};

class digest_operation final : public segment_operation {
 public:
  digest_operation(const stream_header& header, bool self_check)
      : segment_operation(header), self_check_(self_check) {}

  std::string_view name() const noexcept override { return "digest"; }
  status prologue(prologue_io&) override { return proofs::check(header_.cut); }
  result<operation_plan> plan(const plan_request& request) override {
    if (status bad = check_length(request); !bad.ok()) return bad;
    stage_plan stage;
    stage.extra_output = sizeof(stream_root);
    stage.job = NEXUS_JOB_DIGEST;
    if (self_check_) stage.audits = audit_scope::all;
    return cut_by(std::move(stage));
  }
  result<job_request> make_job(const segment_view& segment) override {
    const segment_position position = position_of(segment);
    if (status bad = check_index(position); !bad.ok()) return bad;
    nexus_digest_params params{};
    params.flags = flags_of(position);
    params.index = position.index;
    return job_request{as_params(params)};
  }
  status audit(const segment_view& segment,
               const job_outcome& outcome) override {
    if (outcome.output_bytes != sizeof(stream_root)) {
      return {status_code::device_failed, "the digest is not one"};
    }
    return compare_digest(segment, outcome, "the digest is wrong");
  }
  verdict check(const segment_view& segment,
                const job_outcome& outcome) override {
    if (outcome.data_error || outcome.output_bytes != sizeof(stream_root)) {
      return {verdict_kind::resubmit, 0, {}};
    }
    if (status bad = check_length(segment); !bad.ok()) {
      return {verdict_kind::finish, 0, std::move(bad)};
    }
    sum_.add(segment.input.size(), to_digest(digest_in(outcome)));
    return {};
  }
  status epilogue(prologue_io&) override {
    sum_.finish();
    return {};
  }

 private:
  const bool self_check_;
};

class prove_operation final : public segment_operation {
 public:
  explicit prove_operation(const prove_options& options)
      : segment_operation({options.cut, options.proof}),
        self_check_(options.self_check) {}

  std::string_view name() const noexcept override { return "prove"; }
  status prologue(prologue_io& io) override;
  result<operation_plan> plan(const plan_request& request) override;
  result<job_request> make_job(const segment_view& segment) override;
  status audit(const segment_view& segment,
               const job_outcome& outcome) override;
  verdict check(const segment_view& segment,
                const job_outcome& outcome) override;
  status epilogue(prologue_io& io) override;

 private:
  const bool self_check_;
};

status prove_operation::prologue(prologue_io& io) {
  if (status bad = proofs::check(header_.cut); !bad.ok()) return bad;
  return io.write(as_bytes(serialize(header_)));
}

result<operation_plan> prove_operation::plan(const plan_request& request) {
  if (status bad = check_length(request); !bad.ok()) return bad;
  const std::uint64_t capacity = header_.capacity();
  stage_plan stage;
  stage.extra_output = static_cast<std::uint32_t>(
      record_head_bytes + proof_size_limit(capacity, header_.options));
  stage.job = NEXUS_JOB_PROVE;
  // A short input's only segment takes less.
  stage.worker_bytes =
      prove_memory(std::min(capacity, request.input_bytes.value_or(capacity)));
  if (self_check_) stage.audits = audit_scope::all;
  return cut_by(std::move(stage));
}

result<job_request> prove_operation::make_job(const segment_view& segment) {
  const segment_position position = position_of(segment);
  if (status bad = check_index(position); !bad.ok()) return bad;
  nexus_prove_params params{};
  params.flags = flags_of(position);
  params.index = position.index;
  set_profile(params, header_.options);
  return job_request{as_params(params)};
}

// A proof of other bytes than those of the input would verify as well, so that
// the digest is computed anew.
status prove_operation::audit(const segment_view& segment,
                              const job_outcome& outcome) {
  const auto wrong = [](const std::string& why) {
    return status(status_code::device_failed, "the proof is wrong: " + why);
  };
  if (outcome.output_bytes <= sizeof(stream_root)) return wrong("it is empty");
  status same = compare_digest(
      segment, outcome,
      "the proof is wrong: it is about other bytes than the input's");
  if (!same.ok()) return same;
  const byte_view proof =
      outcome.output.first(outcome.output_bytes).subspan(sizeof(stream_root));
  status verified =
      verify_segment(proof, segment.input.size(), position_of(segment),
                     to_digest(digest_in(outcome)), header_.options);
  return verified.kind() == error_kind::data ? wrong(verified.message())
                                             : verified;
}

verdict prove_operation::check(const segment_view& segment,
                               const job_outcome& outcome) {
  constexpr std::size_t digest_bytes = sizeof(stream_root);
  const std::uint64_t most = outcome.output.size() - record_head_bytes;
  const std::uint64_t proof_bytes = outcome.output_bytes - digest_bytes;
  if (outcome.data_error || outcome.output_bytes <= digest_bytes ||
      proof_bytes > most) {
    return {verdict_kind::resubmit, 0, {}};
  }
  if (status bad = check_length(segment); !bad.ok()) {
    return {verdict_kind::finish, 0, std::move(bad)};
  }
  record_head head;
  const segment_position position = position_of(segment);
  head.kind = position.last ? record_kind::last_segment : record_kind::segment;
  head.proof_bytes = static_cast<std::uint32_t>(proof_bytes);
  head.index = position.index;
  head.bytes = segment.input.size();
  head.digest = digest_in(outcome);
  std::byte* out = outcome.output.data();
  std::memmove(out + record_head_bytes, out + digest_bytes, proof_bytes);
  store(head, out);
  sum_.add(head.bytes, to_digest(head.digest));
  return {verdict_kind::accept, record_head_bytes + proof_bytes, {}};
}

status prove_operation::epilogue(prologue_io& io) {
  sum_.finish();
  std::array<std::byte, record_head_bytes> end;
  store(sum_.end(), end.data());
  return io.write(end);
}

}  // namespace

std::unique_ptr<stream_operation> make_prove(prove_options options) {
  return std::make_unique<prove_operation>(options);
}

std::unique_ptr<stream_operation> make_digest(segmenting cut, bool self_check) {
  return std::make_unique<digest_operation>(stream_header{cut, {}}, self_check);
}

}  // namespace nexus::proofs
