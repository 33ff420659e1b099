#include "ids.hpp"

#include <algorithm>
#include <random>

namespace nexus::queue {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

bool is_gpu_index(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 4 &&
         std::ranges::all_of(text, is_digit);
}

bool is_id(std::string_view text) noexcept {
  return text.size() >= 3 && text.size() <= 12 &&
         text.find_first_not_of(id_alphabet) == std::string_view::npos &&
         !std::ranges::all_of(text, is_digit);
}

std::size_t id_length(std::size_t used) noexcept {
  std::size_t length = 3;
  std::size_t room =
      id_alphabet.size() * id_alphabet.size() * id_alphabet.size() / 16;
  while (used >= room && length < 8) {
    room *= id_alphabet.size();
    ++length;
  }
  return length;
}

std::string random_letters(std::size_t count) {
  std::random_device random;
  std::uniform_int_distribution<std::size_t> letter(0, id_alphabet.size() - 1);
  std::string text(count, '\0');
  for (char& c : text) c = id_alphabet[letter(random)];
  return text;
}

std::string make_id(std::size_t used,
                    const std::function<bool(const std::string&)>& taken) {
  std::string id;
  do {
    id = random_letters(id_length(used));
  } while (!is_id(id) || taken(id));
  return id;
}

}  // namespace nexus::queue
