#include "hwinfo/text.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>

namespace nexus::hwinfo {
namespace {

constexpr std::size_t most_bytes = std::size_t{4} << 20;
constexpr std::string_view blanks = " \t\r\n";

}  // namespace

std::optional<std::string> read_text(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string text;
  std::array<char, 4096> part;
  while (text.size() < most_bytes) {
    const ssize_t n = ::read(fd, part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      ::close(fd);
      return std::nullopt;
    }
    if (n == 0) break;
    text.append(part.data(), static_cast<std::size_t>(n));
  }
  ::close(fd);
  return text;
}

std::optional<std::uint64_t> parse_u64(std::string_view text) {
  const std::string_view word = take_word(text);
  if (text.find_first_not_of(blanks) != text.npos) return std::nullopt;
  std::uint64_t value = 0;
  const char* end = word.data() + word.size();
  const auto parsed = std::from_chars(word.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return value;
}

std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at == rest.npos ? rest.size() : at + 1);
  return taken;
}

std::string_view take_word(std::string_view& rest) {
  const std::size_t first = rest.find_first_not_of(blanks);
  if (first == rest.npos) {
    rest = {};
    return {};
  }
  rest.remove_prefix(first);
  const std::string_view word = rest.substr(0, rest.find_first_of(blanks));
  rest.remove_prefix(word.size());
  return word;
}

std::optional<std::uint64_t> field(std::string_view text,
                                   std::string_view key) {
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    // The key may be a prefix of a longer one.
    if (!key.ends_with(':') && !line.starts_with(' ')) continue;
    return parse_u64(take_word(line));
  }
  return std::nullopt;
}

}  // namespace nexus::hwinfo
