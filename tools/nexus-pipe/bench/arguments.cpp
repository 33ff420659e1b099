#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parse.hpp"

namespace nexus::tool {
namespace {

// As a shell would take it again.
std::string quoted(std::string_view word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,:+";
  if (!word.empty() && word.find_first_not_of(plain) == word.npos) {
    return std::string(word);
  }
  std::string text = "'";
  for (const char c : word) {
    c == '\'' ? text.append("'\\''") : text.append(1, c);
  }
  return text + "'";
}

void read_ops(const std::vector<std::string>& given, word_reader& reader,
              std::vector<bench_op>& into) {
  constexpr std::array<std::pair<std::string_view, bench_op>, 5> ops{
      {{"encrypt", bench_op::encrypt},
       {"decrypt", bench_op::decrypt},
       {"prove", bench_op::prove},
       {"verify", bench_op::verify},
       {"digest", bench_op::digest}}};
  for (const std::string& name : given) {
    bench_op op{};
    reader.choice(name, "--op", ops, op);
    if (std::find(into.begin(), into.end(), op) == into.end()) {
      into.push_back(op);
    }
  }
  if (given.empty()) {
    into = {bench_op::encrypt, bench_op::decrypt, bench_op::digest};
  }
}

}  // namespace

result<command> parse_bench(const command_help& help, argument_list given) {
  option_set options(help);
  bench_arguments into;
  engine_words engine;
  word size, repeats;
  std::vector<std::string> ops;
  options.group("What is measured");
  options.list("--op", ops, "OP", "This operation (repeatable)");
  options.value("--backend", engine.backend, "NAME",
                "Only the devices of this plugin");
  options.value("--max-threads", engine.max_threads, "N", "At most N workers");
  add_plugin_directories(options, engine);
  options.value("--dir", into.directory, "DIR",
                "The disk that holds DIR (that of temporary files)");
  options.group("How");
  options.flag("--quick", into.quick, "Fewer and shorter runs");
  options.value("--size", size, "SIZE", "Bytes of one run, at most 1T");
  options.value("--repeat", repeats, "N", "Runs that a median is of (5)");
  options.group("Output");
  options.value("--report", into.report, "FILE",
                "Write an HTML page with charts");
  options.flag("--json", into.json, "Print one JSON object");
  options.flag("-q,--quiet", into.quiet, "Nothing but results and errors");
  return parsed(options, given, into, [&](word_reader& reader) {
    read_ops(ops, reader, into.ops);
    into.engine = read_engine(engine, reader);
    reader.size(size, "--size", 1ull << 40, "1T", into.size);
    std::uint32_t count = 0;
    reader.number(repeats, "--repeat", 1u, 1000u, count);
    if (repeats) into.repeats = count;
    reader.file_name(into.report);
    reader.file_name(into.directory);
    if (into.report == "-") reader.fail("--report takes the name of a file");
    into.words = "nexus-pipe bench";
    for (const char* each : given) into.words += " " + quoted(each);
  });
}

}  // namespace nexus::tool
