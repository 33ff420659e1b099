#include "jobs_file.hpp"

#include <fmt/format.h>

#include <charconv>

#include "ids.hpp"

namespace nexus::queue {
namespace {

constexpr std::string_view newline_sign = "\u2424";
constexpr std::string_view id_mark = "# id: ";
constexpr std::string_view number_mark = "# jobs up to number ";
// What the kernel takes as one argument of a program, without its zero.
constexpr std::size_t longest = 131071;

std::string_view trim(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

void replace_all(std::string& text, std::string_view from,
                 std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// The bytes of the character that begins the text; 0: no UTF-8.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const unsigned first = byte(0);
  const std::size_t size = first < 0x80                    ? 1
                           : first >= 0xc2 && first < 0xe0 ? 2
                           : first >= 0xe0 && first < 0xf0 ? 3
                           : first >= 0xf0 && first < 0xf5 ? 4
                                                           : 0;
  if (size == 0 || size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return size;
}

}  // namespace

std::string wrong_with_command(std::string_view command) {
  if (trim(command).empty() ||
      command.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return "the command is empty";
  }
  if (command.size() > longest) {
    return fmt::format("the command has {} bytes, more than {}", command.size(),
                       longest);
  }
  for (std::string_view rest = command; !rest.empty();) {
    const std::size_t size = character(rest);
    if (size == 0) return "the command is not UTF-8";
    const auto c = static_cast<unsigned char>(rest[0]);
    if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
      return "the command holds a control character";
    }
    rest.remove_prefix(size);
  }
  return {};
}

std::string show_command(std::string_view command) {
  std::string text(command);
  replace_all(text, "\n", newline_sign);
  return text;
}

std::string read_command(std::string_view shown) {
  std::string text(shown);
  replace_all(text, newline_sign, "\n");
  return text;
}

parsed_jobs parse_jobs(std::string_view text) {
  parsed_jobs parsed;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const std::string_view whole = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    std::string_view line = trim(whole);
    if (line.starts_with(number_mark)) {
      const auto digits = line.substr(number_mark.size());
      std::from_chars(digits.data(), digits.data() + digits.size(),
                      parsed.last_number);
    }
    if (line.empty() || line.front() == '#') continue;
    jobs_line one;
    const auto mark = line.rfind(id_mark);
    if (mark != std::string_view::npos &&
        is_id(line.substr(mark + id_mark.size()))) {
      one.id = line.substr(mark + id_mark.size());
      line = trim(line.substr(0, mark));
    }
    one.command = read_command(line);
    const std::string wrong = wrong_with_command(one.command);
    if (wrong.empty()) {
      parsed.lines.push_back(std::move(one));
      continue;
    }
    parsed.problems.push_back(fmt::format("line {}: {}", number, wrong));
    parsed.rejected.emplace_back(whole);
    // It still tells that the job is wanted.
    if (!one.id.empty()) parsed.lines.push_back({{}, std::move(one.id)});
  }
  return parsed;
}

std::string render_jobs(const std::vector<job>& queue,
                        std::int64_t last_number) {
  std::string text = fmt::format(
      "# Each line represents one job\n"
      "# Format: <command>\n"
      "# A line without an id is a new job; a line taken out removes its job.\n"
      "{}{}\n",
      number_mark, last_number);
  for (const job& which : queue) {
    text += fmt::format("{}  {}{}\n", show_command(which.asked.command),
                        id_mark, which.id);
  }
  return text;
}

}  // namespace nexus::queue
