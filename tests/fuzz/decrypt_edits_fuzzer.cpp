// Decryption of files that open, after edits that the input spells: so that
// what is behind the header's MAC is reached as well.
//
// Byte 0: which file. Byte 1: segment size and how far a peek looks ahead. Then
// edits of seven bytes: what, where (3, of the file's length), how much (2),
// and a byte to put there.
#include <array>
#include <optional>

#include "decrypt_check.hpp"

namespace {

using namespace nexus;
using namespace nexus::test;

struct original {
  std::size_t text_size;
  bool armor;
  bytes file;
};

const original& file_of(std::size_t number) {
  constexpr std::size_t sizes[] = {
      0,         1,     47,           65536,
      65536 + 1, 65535, 3 * 65536,    3 * 65536 + 7,
      200000,    48,    2 * 65536 - 1};
  static std::array<std::optional<original>, 2 * std::size(sizes)> made;
  auto& slot = made[number % made.size()];
  if (!slot) {
    const std::size_t n = sizes[number % made.size() / 2];
    const bool armor = number % 2 == 1;
    slot = original{n, armor, encrypted(n, armor)};
  }
  return *slot;
}

// Where edits have an effect that random places would hardly find.
std::size_t place(const bytes& file, std::uint32_t raw) {
  if (file.empty()) return 0;
  const std::size_t any = raw % (file.size() + 1);
  // Binary: what is ahead of the first chunk.
  static const std::size_t ahead = file_of(0).file.size() - 16;
  const std::size_t header = std::min(file.size(), ahead);
  switch (raw >> 22) {
    case 0:
      return raw % (header + 1);
    case 1:  // about a chunk's end
      return std::min(file.size(), header + any / 65552 * 65552 + raw % 64);
    case 2:  // about the end of the file
      return file.size() - std::min<std::size_t>(file.size(), raw % 100);
    default:
      return any;
  }
}

void edit(bytes& file, const std::uint8_t* words) {
  const std::uint32_t raw =
      words[1] | words[2] << 8 | static_cast<std::uint32_t>(words[3]) << 16;
  const std::size_t at = place(file, raw);
  const std::size_t left = file.size() - at;
  const std::size_t wish = words[4] | words[5] << 8;
  const std::size_t size = std::min(left, wish);
  const auto begin = file.begin() + static_cast<std::ptrdiff_t>(at);
  const auto end = begin + static_cast<std::ptrdiff_t>(size);
  const auto value = static_cast<std::byte>(words[6]);
  switch (words[0] % 8) {
    case 0:  // another byte
      if (left != 0) *begin ^= value;
      break;
    case 1:  // bytes go
      file.erase(begin, end);
      break;
    case 2:  // the end goes
      file.erase(begin, file.end());
      break;
    case 3:  // bytes come
      file.insert(begin, wish % 2000, value);
      break;
    case 4: {  // bytes again
      const bytes copy(begin, end);
      file.insert(begin, copy.begin(), copy.end());
      break;
    }
    case 5:  // pieces change places
      std::rotate(begin, begin + (end - begin) / 2, end);
      break;
    case 6:  // a whole chunk again, or one less
      if (left >= 65552 && value > std::byte{127}) {
        file.erase(begin, begin + 65552);
      } else if (left >= 65552 && file.size() < 500000) {
        const bytes copy(begin, begin + 65552);
        file.insert(begin, copy.begin(), copy.end());
      }
      break;
    case 7:  // over what is there
      std::fill(begin, end, value);
      break;
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const original& from = file_of(data[0]);
  bytes file = from.file;
  for (std::size_t at = 2; at + 7 <= size && at < 2 + 7 * 8; at += 7)
    edit(file, data + at);
  constexpr std::uint64_t sizes[] = {1, 65536, 131072, 300000};
  constexpr std::size_t aheads[] = {0, 1, 64, 70000};
  const auto opened = check_decryption(
      file, in_segments(sizes[data[1] % 4], aheads[data[1] / 4 % 4]));
  // What opens to its end is all of it; binary, it is the very file.
  if (opened) {
    FUZZ_CHECK(*opened == from.text_size);
    FUZZ_CHECK(from.armor || file == from.file);
  } else {
    FUZZ_CHECK(file != from.file);
  }
  return 0;
}
