// Files of keys: every key that is read is written back the same, and no
// message holds anything of a line.
#include <algorithm>
#include <nexus/age.hpp>
#include <string>

#include "fuzz_check.hpp"

namespace {

using namespace nexus;

// Words that messages and hints have of their own.
std::string own_words() {
  return "identities begin with AGE-SECRET-KEY-1 use an X25519 identity "
         "(AGE-SECRET-KEY-1...) use an X25519 recipient (age1...) recipients "
         "begin with age1 AGE-SECRET-KEY-1";
}

// Whether a run of the text that could be part of a secret is in the message.
bool repeats(const std::string& message, std::string_view text) {
  constexpr std::size_t telling = 24;
  for (std::size_t at = 0; at + telling <= text.size(); ++at) {
    const std::string_view part = text.substr(at, telling);
    if (!std::ranges::all_of(part, [](char c) { return c >= '0' && c <= 'z'; }))
      continue;
    if (message.find(part) != std::string::npos &&
        own_words().find(part) == std::string::npos)
      return true;
  }
  return false;
}

void check_failure(const status& failed, std::string_view text) {
  const std::string said = failed.message() + failed.hint();
  FUZZ_CHECK(failed.message().rfind("NAME: ", 0) == 0);
  FUZZ_CHECK(
      std::ranges::all_of(said, [](char c) { return c >= 0x20 && c <= 0x7e; }));
  FUZZ_CHECK(failed.code() == status_code::invalid_data ||
             failed.code() == status_code::unsupported);
  FUZZ_CHECK(!repeats(said, text));
}

// The keys, one a line, as the library writes them.
template <class Keys>
std::string written(const Keys& keys) {
  std::string text;
  for (const auto& key : keys) {
    text += key.to_string();
    text += '\n';
  }
  return text;
}
std::string written(const std::vector<age::identity>& keys) {
  std::string text;
  for (const auto& key : keys) {
    text += key.to_string().view();
    text += '\n';
  }
  return text;
}

// Lines that are to hold a key.
std::size_t key_lines(std::string_view text) {
  std::size_t count = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.empty() && line != "\r" && line.front() != '#') ++count;
  }
  return count;
}

template <class Parse>
void check(Parse parse, std::string_view text) {
  const auto keys = parse(text, "NAME");
  if (!keys.ok()) return check_failure(keys.error(), text);
  FUZZ_CHECK(!keys->empty() && keys->size() == key_lines(text));
  const std::string plain = written(*keys);
  const auto again = parse(plain, "NAME");
  FUZZ_CHECK(again.ok() && again->size() == keys->size());
  FUZZ_CHECK(written(*again) == plain);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(age::parse_recipients, text);
  check(age::parse_identities, text);
  return 0;
}
