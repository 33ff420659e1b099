// Proofs in, nothing out but the verdict.
#include <algorithm>
#include <utility>

#include "format/proof_stream.hpp"
#include "ops/proof_jobs.hpp"

namespace nexus::proofs {
namespace {

status invalid(std::string message, std::string hint = {}) {
  return {status_code::invalid_data, std::move(message), std::move(hint)};
}

// Of a verifier at work, beside its input: some times the proof.
constexpr std::uint64_t verify_memory = std::uint64_t{8} << 20;

class verify_operation final : public stream_operation {
 public:
  explicit verify_operation(verify_options options)
      : options_(std::move(options)) {}

  std::string_view name() const noexcept override { return "verify"; }
  const summary& total() const noexcept override { return sum_.total(); }
  status prologue(prologue_io& io) override;
  result<operation_plan> plan(const plan_request& request) override;
  result<record_size> measure(std::span<const std::byte> head) override;
  result<job_request> make_job(const segment_view& segment) override;
  status audit(const segment_view& segment,
               const job_outcome& outcome) override;
  verdict check(const segment_view& segment,
                const job_outcome& outcome) override;
  // It reads the data once more at the end.
  bool check_takes_long(const segment_view& segment,
                        const job_outcome&) const override {
    return options_.data && segment.last;
  }
  status epilogue(prologue_io&) override { return {}; }

 private:
  status read_header(prologue_io& io);
  [[nodiscard]] status check_header() const;
  status check_end(byte_view record);
  [[nodiscard]] status compare_with_data(const record_head& head) const;
  [[nodiscard]] status check_end_of_data(std::uint64_t bytes) const;

  const verify_options options_;
  stream_header header_;
  record_order order_;  // of what was read
  stream_sum sum_;      // of what was verified
};

status verify_operation::read_header(prologue_io& io) {
  auto head = io.peek(max_header_bytes);
  if (!head.ok()) return head.error();
  auto parsed = parse_header(*head, head->size() < max_header_bytes);
  if (!parsed.ok()) return parsed.error();
  header_ = (*parsed)->header;
  io.consume((*parsed)->size);
  return {};
}

status verify_operation::check_header() const {
  const auto& profile = profile_of(header_.options.security);
  if (options_.security == proof_security::proven &&
      header_.options.security != proof_security::proven) {
    return invalid("header: the proofs are of profile " +
                       std::string(profile.name) + ", and proven was asked for",
                   "prove with --security proven");
  }
  const segmenting& cut = header_.cut;
  if (options_.first_index && *options_.first_index != cut.first_index) {
    return invalid("header: the first segment is number " +
                   std::to_string(cut.first_index) + ", and " +
                   std::to_string(*options_.first_index) + " was expected");
  }
  if (options_.allow_part || (!cut.partial && cut.first_index == 0)) return {};
  return invalid(
      cut.partial
          ? "header: this is a part of a stream, and not its end"
          : "header: this is a part of a stream, beginning with segment " +
                std::to_string(cut.first_index),
      "--part verifies parts; `nexus-pipe join` puts them together");
}

status verify_operation::prologue(prologue_io& io) {
  if (status bad = read_header(io); !bad.ok()) return bad;
  order_ = record_order(header_);
  sum_ = stream_sum(header_);
  return check_header();
}

result<operation_plan> verify_operation::plan(const plan_request&) {
  operation_plan plan;
  plan.record_head = record_head_bytes;
  plan.segment_bytes =
      record_head_bytes + proof_size_limit(header_.capacity(), header_.options);
  plan.segment_bytes_fixed = true;
  stage_plan stage;
  stage.granule = static_cast<std::uint32_t>(plan.segment_bytes);
  stage.job = NEXUS_JOB_VERIFY;
  stage.worker_bytes = verify_memory;
  if (options_.data) {
    stage.audits = audit_scope::all;
    stage.worker_bytes += header_.capacity();
  }
  plan.stages.push_back(std::move(stage));
  return plan;
}

result<record_size> verify_operation::measure(std::span<const std::byte> head) {
  if (head.size() < record_head_bytes) return order_.cut_short(head.size());
  auto parsed = parse_record_head(head);
  if (!parsed.ok()) return order_.unknown();
  if (status bad = order_.take(*parsed); !bad.ok()) return bad;
  if (parsed->kind != record_kind::end) {
    return record_size{record_head_bytes + parsed->proof_bytes};
  }
  // One byte more, which must not be there.
  return record_size{record_head_bytes + 1, true};
}

// What measure() let pass, of a record that may be cut short.
result<job_request> verify_operation::make_job(const segment_view& segment) {
  const auto head = parse_record_head(segment.input);
  if (!head.ok()) return head.error();
  if (head->kind == record_kind::end ||
      segment.input.size() < record_head_bytes + head->proof_bytes) {
    return job_request{{}, false};
  }
  nexus_verify_params params{};
  const segment_position position{head->index,
                                  head->kind == record_kind::last_segment};
  params.flags = flags_of(position);
  params.index = head->index;
  params.length = head->bytes;
  const segment_digest digest = to_digest(head->digest);
  std::copy(digest.begin(), digest.end(), params.digest);
  set_profile(params, header_.options);
  params.proof_offset = record_head_bytes;
  return job_request{as_params(params)};
}

status verify_operation::compare_with_data(const record_head& head) const {
  std::vector<std::byte> data(head.bytes);
  const std::uint64_t offset =
      (head.index - header_.cut.first_index) * header_.capacity();
  const std::string where = "segment " + std::to_string(head.index) + ": ";
  const auto got = options_.data(offset, data);
  if (!got.ok()) return got.error();
  if (*got < data.size()) {
    return invalid(where + "the data end before it does");
  }
  const auto digest = digest_segment(
      data, {head.index, head.kind == record_kind::last_segment});
  if (!digest.ok()) return digest.error();
  if (*digest == to_digest(head.digest)) return {};
  return invalid(where + "the proof holds, but is about other data");
}

// Their size is no sign of it: some files have none, others grow.
status verify_operation::check_end_of_data(std::uint64_t bytes) const {
  std::byte more{};
  const auto got = options_.data(bytes, {&more, 1});
  if (!got.ok()) return got.error();
  if (*got == 0) return {};
  return invalid("the data go on after the " + std::to_string(bytes) +
                 " bytes that the stream is about");
}

status verify_operation::audit(const segment_view& segment,
                               const job_outcome&) {
  const auto head = parse_record_head(segment.input);
  return head.ok() ? compare_with_data(*head) : head.error();
}

status verify_operation::check_end(byte_view record) {
  if (record.size() > record_head_bytes) {
    return invalid("end: something follows it");
  }
  const auto head = parse_record_head(record);
  if (!head.ok()) return head.error();
  if (status bad = sum_.check_end(*head); !bad.ok()) return bad;
  const summary& total = sum_.total();
  if (options_.bytes && *options_.bytes != total.bytes) {
    return invalid("the stream is about " + std::to_string(total.bytes) +
                   " bytes, and " + std::to_string(*options_.bytes) +
                   " were expected");
  }
  if (options_.data) {
    if (status bad = check_end_of_data(total.bytes); !bad.ok()) return bad;
  }
  if (options_.root && *options_.root != total.root) {
    return invalid("the root is " + to_text(total.root) + ", and " +
                   to_text(*options_.root) + " was expected");
  }
  return {};
}

verdict verify_operation::check(const segment_view& segment,
                                const job_outcome& outcome) {
  const auto finish = [](status failure) {
    return verdict{verdict_kind::finish, 0, std::move(failure)};
  };
  const auto head = parse_record_head(segment.input);
  if (!head.ok()) return finish(head.error());
  if (head->kind == record_kind::end) return finish(check_end(segment.input));
  if (segment.input.size() < record_head_bytes + head->proof_bytes) {
    return finish(invalid("segment " + std::to_string(head->index) +
                          ": the stream is cut short within its proof"));
  }
  if (outcome.data_error) {
    const std::string_view why =
        outcome.message.empty() ? "the proof does not hold" : outcome.message;
    return finish(invalid("segment " + std::to_string(head->index) + ": " +
                          std::string(why)));
  }
  sum_.add(head->bytes, to_digest(head->digest));
  if (options_.bytes && sum_.total().bytes > *options_.bytes) {
    return finish(invalid("the stream is about more than the " +
                          std::to_string(*options_.bytes) +
                          " bytes that were expected"));
  }
  return {};
}

}  // namespace

std::unique_ptr<stream_operation> make_verify(verify_options options) {
  return std::make_unique<verify_operation>(std::move(options));
}

}  // namespace nexus::proofs
