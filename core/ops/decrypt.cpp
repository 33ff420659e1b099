#include <nexus/plugin.h>

#include <algorithm>
#include <cstring>
#include <nexus/age.hpp>
#include <string>
#include <utility>

#include "crypto/primitives.hpp"
#include "format/age_header.hpp"
#include "format/armor.hpp"
#include "ops/age_intro.hpp"
#include "ops/age_keys.hpp"
#include "ops/age_stream.hpp"

namespace nexus::age {
namespace {

// Bytes asked for at once. More than the longest run that a line may have.
constexpr std::size_t armor_peek = 4096;
constexpr std::size_t header_peek = 512;  // grows
// Text that is decoded line by line in well under a millisecond.
constexpr std::uint64_t quick_text = 64u << 10;

status short_nonce() {
  return status(status_code::invalid_data,
                "header: the input ends before the nonce: truncated",
                "part of the file is missing");
}

// Through the line feed; empty where there is none.
byte_view first_line(byte_view text) {
  const std::size_t lf = as_text(text).find('\n');
  return lf == std::string_view::npos ? byte_view{} : text.first(lf + 1);
}

class decrypt_operation final : public operation {
 public:
  explicit decrypt_operation(decrypt_options options)
      : options_(std::move(options)) {}

  std::string_view name() const noexcept override { return "decrypt"; }
  status prologue(prologue_io& io) override;
  result<operation_plan> plan(const plan_request& request) override;
  result<job_request> make_job(const segment_view& segment) override;
  verdict check(const segment_view& segment,
                const job_outcome& outcome) override;
  bool check_takes_long(const segment_view& segment,
                        const job_outcome& outcome) const override;
  status epilogue(prologue_io&) override { return {}; }

 private:
  status detect_armor(prologue_io& io);
  status read_binary(prologue_io& io);
  status read_armored(prologue_io& io);
  // Empty: more lines are needed. Else the size of header and nonce.
  result<std::optional<std::size_t>> try_header(byte_view head, bool at_end);
  status take_lines(byte_view text, bool at_end, std::size_t enough,
                    bytes& decoded, std::size_t& taken);
  status open_header(const age_header& header, byte_view head);

  std::uint32_t armor_granule() const {
    return armor_columns + (crlf_ ? 2u : 1u);
  }
  bool is_armor_stage(const segment_view& segment) const {
    return armored_ && segment.stage == 0;
  }
  verdict check_armor(const segment_view& segment, const job_outcome& outcome);
  verdict decode_rest(const segment_view& segment, const job_outcome& outcome,
                      std::uint64_t from, std::uint64_t produced);

  decrypt_options options_;
  payload_key key_;
  age_opener opener_;

  bool armored_ = false;
  bool crlf_ = false;    // of the lines that the devices decode
  bool serial_ = false;  // the rest of the text is decoded here
  armor_decoder armor_;
  bytes lead_;  // payload bytes that the prologue decoded
};

status decrypt_operation::prologue(prologue_io& io) {
  status detected = detect_armor(io);
  if (!detected.ok()) return detected;
  return armored_ ? read_armored(io) : read_binary(io);
}

status decrypt_operation::detect_armor(prologue_io& io) {
  for (std::size_t want = armor_begin.size();; want *= 2) {
    auto head = io.peek(want);
    if (!head.ok()) return head.error();
    const armor_guess guess = guess_armor(*head, head->size() < want);
    if (guess == armor_guess::unsure) continue;
    armored_ = guess == armor_guess::armored;
    return {};
  }
}

status decrypt_operation::read_binary(prologue_io& io) {
  std::size_t want = header_peek;
  for (;;) {
    auto head = io.peek(want);
    if (!head.ok()) return head.error();
    const bool at_end = head->size() < want;
    auto size = try_header(*head, at_end);
    if (!size.ok()) return size.error();
    if (size->has_value()) {
      io.consume(**size);
      return {};
    }
    want = std::max(want, head->size()) * 2;
  }
}

status decrypt_operation::read_armored(prologue_io& io) {
  bytes decoded;
  std::size_t enough = header_peek;
  for (;;) {
    auto text = io.peek(armor_peek);
    if (!text.ok()) return text.error();
    std::size_t taken = 0;
    status fed =
        take_lines(*text, text->size() < armor_peek, enough, decoded, taken);
    // A wrong header stands ahead of the line that is wrong.
    const bool ended = armor_.ended();
    if (decoded.size() >= enough || ended || !fed.ok()) {
      auto size = try_header(decoded, ended);
      if (!size.ok()) return size.error();
      if (!fed.ok()) return fed;
      if (size->has_value()) {
        io.consume(taken);
        crlf_ = armor_.crlf();
        serial_ = !armor_.at_full_line();
        lead_.assign(decoded.begin() + static_cast<std::ptrdiff_t>(**size),
                     decoded.end());
        return {};
      }
      enough = decoded.size() * 2;
    }
    io.consume(taken);
  }
}

// Decodes whole lines until `decoded` is as long as `enough`.
status decrypt_operation::take_lines(byte_view text, bool at_end,
                                     std::size_t enough, bytes& decoded,
                                     std::size_t& taken) {
  while (decoded.size() < enough && !armor_.ended()) {
    const byte_view line = first_line(text.subspan(taken));
    if (line.empty()) break;
    taken += line.size();
    status fed = armor_.feed(line, decoded);
    if (!fed.ok()) return fed;
  }
  if (taken != 0) return {};
  // No line ends in it: too long, or the last one.
  taken = text.size();
  status fed = armor_.feed(text, decoded);
  return fed.ok() && at_end ? armor_.finish() : fed;
}

result<std::optional<std::size_t>> decrypt_operation::try_header(byte_view head,
                                                                 bool at_end) {
  auto header = read_age_header(head, at_end, armored_);
  if (!header.ok()) return header.error();
  if (!header->has_value()) return std::optional<std::size_t>{};
  const std::size_t size = (*header)->size + age_nonce;
  if (head.size() < size) {
    if (at_end) return short_nonce();
    return std::optional<std::size_t>{};
  }
  status opened = open_header(**header, head);
  if (!opened.ok()) return opened;
  return std::optional<std::size_t>(size);
}

status decrypt_operation::open_header(const age_header& header,
                                      byte_view head) {
  auto key = unwrap_file_key(header, head, options_);
  if (!key.ok()) return in_header(key.error());
  key_ = derive_payload_key(*key, head.subspan(header.size).first<age_nonce>());
  return {};
}

result<operation_plan> decrypt_operation::plan(const plan_request& request) {
  operation_plan plan;
  plan.empty_end = true;
  stage_plan open = opener_.plan();
  if (armored_) {
    stage_plan decode;
    decode.granule = armor_granule();
    // Lines that end in LF alone may follow after all: 65 bytes give 48. What
    // is left of the segment before may end two lines more.
    decode.granule_output = armor_line_bytes + (crlf_ ? 1u : 0u);
    decode.extra_output = 2 * armor_line_bytes;
    decode.job = NEXUS_JOB_ARMOR_DECODE;
    plan.stages.push_back(std::move(decode));
    open.lead = std::move(lead_);
  }
  plan.stages.push_back(std::move(open));
  plan.segment_bytes =
      whole_granules(request.segment_bytes, plan.stages.front().granule);
  return plan;
}

result<job_request> decrypt_operation::make_job(const segment_view& segment) {
  if (!is_armor_stage(segment)) return opener_.make_job(segment, key_);
  if (segment.input.empty()) return job_request{{}, false};
  nexus_armor_params params{};
  params.size = sizeof params;
  if (crlf_) params.flags = NEXUS_ARMOR_CRLF;
  job_request job;
  job.params.resize(sizeof params);
  std::memcpy(job.params.data(), &params, sizeof params);
  return job;
}

verdict decrypt_operation::check(const segment_view& segment,
                                 const job_outcome& outcome) {
  return is_armor_stage(segment) ? check_armor(segment, outcome)
                                 : opener_.check(segment, outcome, key_);
}

bool decrypt_operation::check_takes_long(const segment_view& segment,
                                         const job_outcome& outcome) const {
  if (!is_armor_stage(segment)) return false;
  const std::uint64_t size = segment.input.size();
  const std::uint64_t good = outcome.data_error ? outcome.error_offset : size;
  const std::uint64_t rest = serial_ ? size : size - std::min(size, good);
  return rest > quick_text;
}

verdict decrypt_operation::check_armor(const segment_view& segment,
                                       const job_outcome& outcome) {
  const std::uint64_t size = segment.input.size();
  if (serial_ || size == 0) return decode_rest(segment, outcome, 0, 0);
  const std::uint64_t granule = armor_granule();
  const std::uint64_t stop = outcome.data_error ? outcome.error_offset : size;
  const std::uint64_t lines = stop / granule;
  if (stop > size || stop % granule != 0 ||
      outcome.output_bytes != lines * armor_line_bytes ||
      outcome.output_bytes > outcome.output.size()) {
    return {verdict_kind::resubmit, 0, {}};
  }
  armor_.skip_lines(lines);
  if (stop == size && !segment.last) {
    return {verdict_kind::accept, outcome.output_bytes, {}};
  }
  // Lines do not begin at multiples of the granule any more.
  serial_ = true;
  return decode_rest(segment, outcome, stop, outcome.output_bytes);
}

// From `from` on, behind the `produced` bytes that are in the output already.
verdict decrypt_operation::decode_rest(const segment_view& segment,
                                       const job_outcome& outcome,
                                       std::uint64_t from,
                                       std::uint64_t produced) {
  bytes decoded;
  status fed = armor_.feed(segment.input.subspan(from), decoded);
  if (fed.ok() && segment.last) fed = armor_.finish();
  if (decoded.size() > outcome.output.size() - produced) {
    return {verdict_kind::finish, 0,
            status(status_code::internal, "armor: no room for the output")};
  }
  if (!decoded.empty()) {
    std::memcpy(outcome.output.data() + produced, decoded.data(),
                decoded.size());
  }
  produced += decoded.size();
  if (fed.ok()) return {verdict_kind::accept, produced, {}};
  return {verdict_kind::finish, produced, std::move(fed)};
}

}  // namespace

std::unique_ptr<operation> make_decrypt(decrypt_options options) {
  prepare_crypto();
  return std::make_unique<decrypt_operation>(std::move(options));
}

}  // namespace nexus::age
