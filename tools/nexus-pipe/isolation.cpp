#include "isolation.hpp"

#include <algorithm>
#include <charconv>
#include <string>

namespace nexus::tool {
namespace {

constexpr std::array<std::pair<std::string_view, isolate_mode>, 3> modes{
    {{"none", isolate_mode::none},
     {"gpu", isolate_mode::gpu},
     {"all", isolate_mode::all}}};
// As ioprio_set(2) counts them.
constexpr std::array<std::pair<std::string_view, std::int32_t>, 3> io_classes{
    {{"realtime", 1}, {"best-effort", 2}, {"idle", 3}}};
constexpr std::uint32_t most_processors = 1024;

std::optional<std::uint32_t> processor_in(std::string_view text) {
  std::uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number >= most_processors)
    return std::nullopt;
  return number;
}

// "0-3,8": as taskset takes them.
void read_processors(const word& given, word_reader& reader,
                     std::vector<std::uint32_t>& into) {
  if (!given) return;
  std::string_view rest = *given;
  do {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const std::size_t dash = part.find('-');
    const auto first = processor_in(part.substr(0, dash));
    const auto last =
        dash == part.npos ? first : processor_in(part.substr(dash + 1));
    if (!first || !last || *first > *last)
      return reader.fail("--affinity: \"" + *given +
                             "\" is not a list of processors below 1024",
                         "lists look like 0-3,8");
    for (std::uint32_t p = *first; p <= *last; ++p) into.push_back(p);
  } while (!rest.empty());
}

// "idle", or "best-effort:7".
void read_io_priority(const word& given, word_reader& reader,
                      isolation_options& into) {
  if (!given) return;
  const std::size_t colon = given->find(':');
  const word name = given->substr(0, colon);
  reader.choice(name, "--ionice", io_classes, into.io_class);
  constexpr std::int32_t usual_level = 4;
  into.io_level = into.io_class == 3 ? 0 : usual_level;
  if (colon == given->npos) return;
  if (into.io_class == 3)
    return reader.fail("--ionice: the class idle has no levels");
  const word level = given->substr(colon + 1);
  reader.number(level, "--ionice", 0, 7, into.io_level);
}

}  // namespace

void add_isolation(option_set& options, isolation_words& into) {
  options.group("Isolation");
  options.value("--isolate", into.mode, "WHICH",
                "Devices in processes of their own: none, gpu, all");
  options.value("--worker-memory", into.memory, "SIZE",
                "At most so much memory for each such process");
  options.value("--affinity", into.affinity, "LIST",
                "Processors that they may use, such as 0-3,8");
  options.value("--nice", into.nice, "N", "Their niceness, -20 to 19");
  options.value("--ionice", into.io_priority, "CLASS",
                "Their I/O: idle, best-effort:N or realtime:N");
}

isolation_options read_isolation(const isolation_words& from,
                                 word_reader& reader) {
  isolation_options into;
  const bool limits =
      from.memory || from.affinity || from.nice || from.io_priority;
  // Limits that are asked for have to hold for something.
  into.mode = limits ? isolate_mode::all : isolate_mode::gpu;
  into.required = limits || from.mode.has_value();
  reader.choice(from.mode, "--isolate", modes, into.mode);
  reader.size(from.memory, "--worker-memory", 1ull << 50, "1024T",
              into.memory_bytes);
  read_processors(from.affinity, reader, into.processors);
  reader.number(from.nice, "--nice", -20, 19, into.nice);
  read_io_priority(from.io_priority, reader, into);
  std::uint32_t patience = 0;
  reader.number(from.hang_seconds, "--hang-seconds", 1u, 86400u, patience);
  if (patience != 0) into.hang_seconds = patience;
  if (limits && into.mode == isolate_mode::none)
    reader.fail("there are no processes to limit with --isolate=none");
  return into;
}

}  // namespace nexus::tool
