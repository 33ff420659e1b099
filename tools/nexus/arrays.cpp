#include "arrays.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <set>

namespace nexus::queue {
namespace {

constexpr std::string_view gap = "{}";
constexpr std::int64_t largest_number = 1'000'000'000;

struct range {
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t step = 1;
};

// Takes a number off the front.
std::optional<std::int64_t> take_number(std::string_view& text) {
  if (text.empty() || text.front() == '-') return {};
  std::int64_t value = 0;
  const auto [stop, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value > largest_number) {
    return {};
  }
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return value;
}

bool take_mark(std::string_view& text, char mark) {
  if (text.empty() || text.front() != mark) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<range> parse_range(std::string_view text) {
  const auto from = take_number(text);
  if (!from) return {};
  range parsed{*from, *from, 1};
  if (take_mark(text, '-')) {
    const auto to = take_number(text);
    if (!to || *to < *from) return {};
    parsed.to = *to;
    if (take_mark(text, ':')) {
      const auto step = take_number(text);
      if (!step || *step == 0) return {};
      parsed.step = *step;
    }
  }
  if (!text.empty()) return {};
  return parsed;
}

status wrong(std::string message) {
  return {status_code::invalid_argument, std::move(message),
          "such as 0-9, 1,3,5-7 or 0-100:10"};
}

}  // namespace

result<std::vector<std::int64_t>> parse_array(std::string_view text) {
  std::vector<std::int64_t> numbers;
  std::set<std::int64_t> seen;
  for (bool more = true; more;) {
    const auto comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
    const auto parsed = parse_range(part);
    if (!parsed) return wrong(fmt::format("\"{}\" is no range", part));
    if ((parsed->to - parsed->from) / parsed->step >=
        static_cast<std::int64_t>(most_in_array - numbers.size())) {
      return wrong(fmt::format("an array has {} jobs at most", most_in_array));
    }
    for (auto n = parsed->from; n <= parsed->to; n += parsed->step) {
      if (!seen.insert(n).second) {
        return wrong(fmt::format("{} is twice in the array", n));
      }
      numbers.push_back(n);
    }
  }
  return numbers;
}

std::string fill_in(std::string_view text, std::int64_t index) {
  std::string filled;
  for (;;) {
    const auto at = text.find(gap);
    filled += text.substr(0, at);
    if (at == std::string_view::npos) return filled;
    filled += std::to_string(index);
    text.remove_prefix(at + gap.size());
  }
}

bool has_gap(std::string_view text) noexcept {
  return text.find(gap) != std::string_view::npos;
}

result<std::int64_t> parse_memory(std::string_view text) {
  const std::string_view whole = text;
  const auto number = take_number(text);
  std::int64_t scale = 0;
  if (take_mark(text, 'M')) {
    scale = 1;
  } else if (take_mark(text, 'G')) {
    scale = 1024;
  } else if (take_mark(text, 'T')) {
    scale = 1024 * 1024;
  }
  constexpr std::int64_t most = std::int64_t{1} << 30;
  const bool ended = text.empty() || text == "B" || text == "iB";
  if (!number || scale == 0 || !ended || *number == 0 ||
      *number > most / scale) {
    return status(status_code::invalid_argument,
                  fmt::format("\"{}\" is no size of memory", whole),
                  "such as 10G or 800M");
  }
  return *number * scale;
}

}  // namespace nexus::queue
