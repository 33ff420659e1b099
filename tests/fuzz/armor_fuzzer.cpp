// Armor: the same bytes however the text is cut, and one text for the bytes but
// for white space around it and the ends of its lines.
#include <algorithm>
#include <string>

#include "format/armor.hpp"
#include "format/base64.hpp"
#include "fuzz_check.hpp"

namespace {

using namespace nexus;

struct decoded {
  bool ok = false;
  std::string message;
  bytes out;
};

decoded decode(byte_view text, std::size_t piece) {
  armor_decoder decoder;
  decoded result;
  status fed;
  while (fed.ok() && !text.empty()) {
    const std::size_t n = std::min(piece, text.size());
    fed = decoder.feed(text.first(n), result.out);
    text = text.subspan(n);
  }
  if (fed.ok()) fed = decoder.finish();
  result.ok = fed.ok();
  result.message = fed.message();
  return result;
}

std::string armored(byte_view data) {
  std::string text = std::string(armor_begin) + "\n";
  for (std::size_t at = 0; at < data.size(); at += armor_line_bytes) {
    const std::size_t n =
        std::min<std::size_t>(armor_line_bytes, data.size() - at);
    text += encode_padded_base64(data.subspan(at, n)) + "\n";
  }
  return text + std::string(armor_end) + "\n";
}

// Without what a text may have that its bytes do not need.
std::string canonical(std::string_view text) {
  constexpr std::string_view space = " \t\n\v\f\r";
  text.remove_prefix(std::min(text.find_first_not_of(space), text.size()));
  text = text.substr(0, text.find_last_not_of(space) + 1);
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text.substr(i, 2) != "\r\n") plain += text[i];
  return plain + "\n";
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = 1 + data[0] % 80;
  const byte_view text(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const decoded whole = decode(text, text.size() + 1);
  const decoded parts = decode(text, piece);
  FUZZ_CHECK(whole.ok == parts.ok);
  FUZZ_CHECK(whole.message == parts.message);
  FUZZ_CHECK(whole.out == parts.out);
  FUZZ_CHECK(whole.ok || whole.message.rfind("armor: line ", 0) == 0);
  FUZZ_CHECK(whole.message.find('\n') == std::string::npos);
  if (whole.ok) {
    FUZZ_CHECK(guess_armor(text, true) == armor_guess::armored);
    FUZZ_CHECK(canonical(as_text(text)) == armored(whole.out));
  }
  // What it writes it reads.
  const std::string again = armored(text);
  const decoded back = decode(as_bytes(again), piece);
  FUZZ_CHECK(back.ok && std::ranges::equal(back.out, text));
  // A guess that was made stands.
  const auto guess = guess_armor(text, false);
  const auto early = guess_armor(text.first(text.size() / 2), false);
  FUZZ_CHECK(early == armor_guess::unsure || early == guess);
  return 0;
}
