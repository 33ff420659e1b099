// Headers of age files: what is accepted has one form, and the same answer
// comes however the bytes arrive.
#include <algorithm>

#include "format/age_header.hpp"
#include "format/base64.hpp"
#include "fuzz_check.hpp"

namespace {

using namespace nexus;

// The header as it would be written, with the MAC that it bears.
bytes rewritten(const age_header& header) {
  bytes text = serialize_age_header(header.stanzas, file_key());
  FUZZ_CHECK(text.size() >= header.mac_size);
  text.resize(header.mac_size);
  append(text, as_bytes(" " + encode_base64(header.mac) + "\n"));
  return text;
}

void check_accepted(const age_header& header, byte_view head) {
  FUZZ_CHECK(!header.stanzas.empty());
  FUZZ_CHECK(header.mac_size < header.size && header.size <= head.size());
  FUZZ_CHECK(std::ranges::equal(rewritten(header), head.first(header.size)));
  // The MAC under a key of zeros is as good as never the right one.
  const status verified = verify_age_header(header, head, file_key());
  FUZZ_CHECK(verified.ok() || verified.code() == status_code::invalid_data);
}

// A part of the input gives no other verdict than the whole.
void check_part(byte_view part, const result<std::optional<age_header>>& all) {
  const auto some = parse_age_header(part, false);
  if (!all.ok()) {
    if (some.ok()) FUZZ_CHECK(!some->has_value());
    return;
  }
  FUZZ_CHECK(some.ok());
  if (!all->has_value() || part.size() < (*all)->size)
    FUZZ_CHECK(!some->has_value());
  else
    FUZZ_CHECK(some->has_value() && (*some)->size == (*all)->size);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_view head(reinterpret_cast<const std::byte*>(data), size);
  const auto whole = parse_age_header(head, true);
  if (whole.ok()) {
    FUZZ_CHECK(whole->has_value());
    check_accepted(**whole, head);
  } else {
    FUZZ_CHECK(whole.error().code() == status_code::invalid_data);
    FUZZ_CHECK(whole.error().message().find('\n') == std::string::npos);
  }
  const auto open = parse_age_header(head, false);
  for (std::size_t cut = 0; cut <= size; cut += 1 + size / 16)
    check_part(head.first(cut), open);
  return 0;
}
