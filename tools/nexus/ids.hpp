// Names of jobs: short, typed by people, never used twice.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace nexus::queue {

// Bitcoin's base58: no 0, O, I and l, which look alike.
inline constexpr std::string_view id_alphabet =
    "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

// Whether text can be an id: base58, three or more, at least one letter, so
// that a word of digits always means a GPU.
[[nodiscard]] bool is_id(std::string_view text) noexcept;
[[nodiscard]] bool is_gpu_index(std::string_view text) noexcept;

// How long a new id is where `used` ids exist: at most a sixteenth of all that
// long are taken.
[[nodiscard]] std::size_t id_length(std::size_t used) noexcept;

// Random letters of the alphabet.
[[nodiscard]] std::string random_letters(std::size_t count);

// A random id for which taken() is false.
[[nodiscard]] std::string make_id(
    std::size_t used, const std::function<bool(const std::string&)>& taken);

}  // namespace nexus::queue
