#include "ops/age_intro.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "format/armor.hpp"

namespace nexus {
namespace {

// How far in a misplaced BEGIN line is looked for. Bytes.
constexpr std::size_t search_bytes = 4096;

constexpr std::string_view intro = "age-encryption.org/v1\n";

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

status not_armor(std::string message, std::string hint) {
  return status(status_code::invalid_data, "armor: " + std::move(message),
                std::move(hint));
}

// A message of the header's parser without its own mention of the header.
std::string_view bare(std::string_view message) {
  for (const std::string_view own :
       {"age header, ", "age header: ", "header "}) {
    if (starts_with(message, own)) return message.substr(own.size());
  }
  return message;
}

status not_age(std::string message, std::string hint) {
  return status(status_code::invalid_data, "header: " + std::move(message),
                std::move(hint));
}

status explain_armor(std::string_view text, std::string_view start) {
  if (starts_with(start, "-----")) {
    if (starts_with(start, "-----BEGIN PGP")) {
      return not_armor("an OpenPGP message, not an age file",
                       "it needs an OpenPGP program");
    }
    return not_armor("the first line is not '" + std::string(armor_begin) + "'",
                     "it must read exactly so, with nothing else on the line");
  }
  if (text.substr(0, search_bytes).find(armor_begin) !=
      std::string_view::npos) {
    return not_armor(
        "text ahead of the BEGIN line",
        "remove everything before '" + std::string(armor_begin) + "'");
  }
  return {};
}

// What the parser of the header cannot know. Ok where nothing is.
status explain(byte_view head) {
  const std::string_view text = as_text(head);
  if (starts_with(text, "\xef\xbb\xbf")) {
    return not_age("begins with a byte order mark, not as an age file",
                   "something treated the file as text and changed it");
  }
  const std::string_view start =
      text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  status armor = explain_armor(text, start);
  if (!armor.ok()) return armor;
  if (starts_with(start, "AGE-SECRET-KEY-") ||
      starts_with(start, "# created:") || starts_with(start, "age1")) {
    return not_age("a file of age keys, not an age file",
                   "the input is what was encrypted; keys are given apart");
  }
  return {};
}

}  // namespace

status in_header(const status& failure) {
  if (failure.code() != status_code::invalid_data &&
      failure.code() != status_code::unsupported) {
    return failure;
  }
  return status(failure.code(),
                "header: " + std::string(bare(failure.message())),
                failure.hint(), failure.system_error());
}

result<std::optional<age_header>> read_age_header(byte_view head, bool at_end,
                                                  bool decoded) {
  result<std::optional<age_header>> parsed = parse_age_header(head, at_end);
  if (parsed.ok()) {
    if (at_end && !parsed->has_value()) return not_age("truncated", {});
    return parsed;
  }
  if (!decoded && !starts_with(as_text(head), intro)) {
    status known = explain(head);
    if (!known.ok()) return known;
  }
  return in_header(parsed.error());
}

}  // namespace nexus
