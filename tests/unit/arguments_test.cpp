#include "arguments.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

namespace nexus::tool {
namespace {

using words = std::initializer_list<const char*>;

result<command> parse(words arguments) {
  const std::vector<const char*> list(arguments);
  return parse_arguments(list);
}

template <class T>
T parse_as(words arguments) {
  result<command> parsed = parse(arguments);
  EXPECT_TRUE(parsed.ok()) << parsed.error().message();
  if (!parsed.ok() || !std::holds_alternative<T>(*parsed)) {
    ADD_FAILURE() << "not the command that was expected";
    return {};
  }
  return std::get<T>(*std::move(parsed));
}

// The message, after checking that it is a usage error in the house form.
std::string refusal(words arguments) {
  const result<command> parsed = parse(arguments);
  if (parsed.ok()) return "(accepted)";
  const status why = parsed.error();
  EXPECT_EQ(why.code(), status_code::invalid_argument);
  EXPECT_EQ(why.message().find('\n'), std::string::npos) << why.message();
  EXPECT_FALSE(why.message().ends_with('.')) << why.message();
  return why.message();
}

std::string help_of(words arguments) {
  return parse_as<text_request>(arguments).text;
}

TEST(Arguments, RefuseAMissingOrUnknownCommand) {
  EXPECT_EQ(refusal({}), "a command is missing");
  EXPECT_EQ(refusal({"decript"}), "unknown command \"decript\"");
  EXPECT_EQ(refusal({""}), "unknown command \"\"");
  EXPECT_EQ(refusal({"help", "decript"}), "unknown command \"decript\"");
  EXPECT_EQ(refusal({"-o", "x", "encrypt"}),
            "a command is missing ahead of -o");
}

TEST(Arguments, PointToTheHelpOfTheCommand) {
  EXPECT_EQ(parse({"encrypt", "--nope"}).error().hint(),
            "see nexus-pipe encrypt --help");
  EXPECT_EQ(parse({}).error().hint(), "see nexus-pipe --help");
}

TEST(Arguments, RefuseWhatNoOptionTakes) {
  EXPECT_EQ(refusal({"encrypt", "--nope"}), "unknown option --nope");
  EXPECT_EQ(refusal({"encrypt", "-z"}), "unknown option -z");
  EXPECT_EQ(refusal({"encrypt", "a", "b"}), "unexpected argument \"b\"");
  EXPECT_EQ(refusal({"devices", "a"}), "unexpected argument \"a\"");
  EXPECT_EQ(refusal({"decrypt", "-p"}), "unknown option -p");
  EXPECT_EQ(refusal({"decrypt", "-a"}), "unknown option -a");
}

TEST(Arguments, RefuseOptionsInTheWrongNumber) {
  EXPECT_EQ(refusal({"encrypt", "-o"}), "--output needs a value");
  EXPECT_EQ(refusal({"encrypt", "-r"}), "--recipient needs a value");
  EXPECT_EQ(refusal({"encrypt", "-o", "x", "-o", "y"}),
            "--output is given more than once");
  EXPECT_EQ(refusal({"encrypt", "--armor=yes"}), "--armor takes no value");
}

TEST(Arguments, RefuseEmptyFileNames) {
  EXPECT_EQ(refusal({"encrypt", "-o", ""}), "a file name is empty");
  EXPECT_EQ(refusal({"encrypt", ""}), "a file name is empty");
  EXPECT_EQ(refusal({"inspect", ""}), "a file name is empty");
  EXPECT_EQ(refusal({"keygen", "-o", ""}), "a file name is empty");
  EXPECT_EQ(refusal({"decrypt", "--passphrase-file", ""}),
            "a file name is empty");
}

TEST(Arguments, RefuseNumbersOutOfRange) {
  for (const char* number : {"0", "-1", "65537", "x", "", "1x", " 1", "1.5"}) {
    EXPECT_TRUE(
        refusal({"encrypt", "--max-threads", number})
            .starts_with("--max-threads: \"" + std::string(number) + "\""))
        << number;
    EXPECT_NE(refusal({"encrypt", "--max-inflight", number}), "(accepted)");
  }
  for (const char* fraction : {"0", "-0.5", "1.01", "nan", "inf", "", "half"}) {
    EXPECT_NE(refusal({"encrypt", "--memory-fraction", fraction}), "(accepted)")
        << fraction;
  }
  for (const char* size : {"0", "x", "", "-1"}) {
    EXPECT_NE(refusal({"encrypt", "--memory", size}), "(accepted)") << size;
    EXPECT_NE(refusal({"encrypt", "--segment-size", size}), "(accepted)");
    EXPECT_NE(refusal({"encrypt", "--gpu-threshold", size}), "(accepted)");
  }
  for (const char* size :
       {"1073741825", "9223372036854775808", "18446744073709551615"}) {
    EXPECT_EQ(refusal({"encrypt", "--segment-size", size}),
              "--segment-size: \"" + std::string(size) + "\" is more than 1G");
  }
  for (const char* size :
       {"1125899906842625", "9223372036854775808", "18446744073709551615"}) {
    EXPECT_EQ(refusal({"devices", "--memory", size}),
              "--memory: \"" + std::string(size) + "\" is more than 1024T");
  }
  EXPECT_NE(refusal({"decrypt", "--passphrase-fd", "-1"}), "(accepted)");
}

TEST(Arguments, RefuseUnknownChoicesNamingTheKnownOnes) {
  EXPECT_EQ(refusal({"encrypt", "--policy", "random"}),
            "--policy: \"random\" is none of lect, threshold, round-robin");
  EXPECT_EQ(refusal({"encrypt", "--io", "mmap"}),
            "--io: \"mmap\" is none of auto, uring, threads");
  EXPECT_EQ(refusal({"encrypt", "--progress", "yes"}),
            "--progress: \"yes\" is none of auto, always, never");
}

TEST(Arguments, RefuseWhatExcludesEachOther) {
  const std::string keys =
      "a passphrase and keys (-r, -R, -i) exclude each other";
  EXPECT_EQ(refusal({"encrypt", "-p", "-r", "age1x"}), keys);
  EXPECT_EQ(refusal({"encrypt", "-p", "-R", "f"}), keys);
  EXPECT_EQ(refusal({"encrypt", "-p", "-i", "f"}), keys);
  EXPECT_EQ(refusal({"encrypt", "--passphrase-file", "f", "-r", "age1x"}),
            keys);
  EXPECT_EQ(refusal({"encrypt", "--passphrase-fd", "3", "-i", "f"}), keys);
  EXPECT_EQ(
      refusal({"decrypt", "--passphrase-fd", "3", "--passphrase-file", "f"}),
      "--passphrase-file and --passphrase-fd exclude each other");
  EXPECT_EQ(refusal({"encrypt", "-q", "-v"}), "-q and -v exclude each other");
  EXPECT_EQ(refusal({"encrypt", "--memory", "1G", "--memory-fraction", "0.2"}),
            "--memory and --memory-fraction exclude each other");
}

TEST(Arguments, GiveStandardInputToOneReaderOnly) {
  const std::string twice = "standard input is asked for more than once";
  EXPECT_EQ(refusal({"encrypt", "-R", "-"}), twice);
  EXPECT_EQ(refusal({"encrypt", "-R", "-", "-"}), twice);
  EXPECT_EQ(refusal({"encrypt", "-R", "-", "-i", "-", "in"}), twice);
  EXPECT_EQ(refusal({"decrypt", "-i", "-"}), twice);
  EXPECT_EQ(refusal({"decrypt", "--passphrase-fd", "0"}), twice);
  EXPECT_EQ(refusal({"decrypt", "--passphrase-file", "-"}), twice);
  parse_as<encrypt_arguments>({"encrypt", "-R", "-", "in"});
  parse_as<decrypt_arguments>({"decrypt", "-i", "-", "in"});
  parse_as<decrypt_arguments>({"decrypt", "--passphrase-fd", "0", "in"});
  parse_as<decrypt_arguments>({"decrypt", "--passphrase-fd", "3"});
}

TEST(Arguments, ReadStandardInputByDefaultAndKnowNoOutput) {
  const auto given = parse_as<encrypt_arguments>({"encrypt"});
  EXPECT_EQ(given.stream.input, "-");
  EXPECT_FALSE(given.stream.output);
  EXPECT_TRUE(given.stream.sync);
  EXPECT_FALSE(given.passphrase);
  EXPECT_FALSE(given.armor);
  EXPECT_FALSE(given.stream.engine.memory_bytes);
  EXPECT_FALSE(given.stream.engine.max_threads);
  EXPECT_FALSE(given.stream.engine.segment_bytes);
  EXPECT_EQ(given.stream.engine.gpu_threshold_bytes,
            engine_options{}.gpu_threshold_bytes);
}

TEST(Arguments, CollectRepeatedOptionsOneValueEach) {
  const auto given = parse_as<encrypt_arguments>(
      {"encrypt", "-r", "a", "-r", "b", "-R", "f", "-R", "g", "-i", "k", "in"});
  EXPECT_EQ(given.recipients, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(given.recipient_files, (std::vector<std::string>{"f", "g"}));
  EXPECT_EQ(given.identity_files, (std::vector<std::string>{"k"}));
  EXPECT_EQ(given.stream.input, "in");
}

TEST(Arguments, TakeOptionsInAnyOrderAndJoined) {
  const auto given = parse_as<encrypt_arguments>(
      {"encrypt", "in", "-aqo", "out", "--no-sync", "--recipient=a"});
  EXPECT_TRUE(given.armor);
  EXPECT_TRUE(given.stream.quiet);
  EXPECT_FALSE(given.stream.sync);
  EXPECT_EQ(given.stream.output, "out");
  EXPECT_EQ(given.recipients, std::vector<std::string>{"a"});
}

TEST(Arguments, LetAFileBeCalledLikeACommandOrAnOption) {
  EXPECT_EQ(parse_as<encrypt_arguments>({"encrypt", "decrypt"}).stream.input,
            "decrypt");
  EXPECT_EQ(parse_as<encrypt_arguments>({"encrypt", "--", "-a"}).stream.input,
            "-a");
  EXPECT_EQ(parse_as<encrypt_arguments>({"encrypt", "-o", "-"}).stream.output,
            "-");
}

TEST(Arguments, TakeAPassphraseSourceForARequestToUseOne) {
  EXPECT_TRUE(parse_as<encrypt_arguments>({"encrypt", "-p"}).passphrase);
  const auto file =
      parse_as<encrypt_arguments>({"encrypt", "--passphrase-file", "f"});
  EXPECT_TRUE(file.passphrase);
  EXPECT_EQ(file.secret.file, "f");
  const auto fd =
      parse_as<encrypt_arguments>({"encrypt", "--passphrase-fd", "7"});
  EXPECT_TRUE(fd.passphrase);
  EXPECT_EQ(fd.secret.descriptor, 7);
}

TEST(Arguments, HandEngineOptionsOn) {
  const auto given =
      parse_as<decrypt_arguments>({"decrypt",     "--max-threads",
                                   "3",           "--memory",
                                   "512M",        "--max-inflight",
                                   "8",           "--io",
                                   "threads",     "--policy",
                                   "round-robin", "--backend",
                                   "cpu",         "--segment-size",
                                   "1M",          "--gpu-threshold",
                                   "8M",          "-v",
                                   "--no-adapt",  "--telemetry",
                                   "t.json",      "--progress",
                                   "never"});
  const engine_options& engine = given.stream.engine;
  EXPECT_EQ(engine.max_threads, 3u);
  EXPECT_EQ(engine.memory_bytes, 512u << 20);
  EXPECT_EQ(engine.max_inflight, 8u);
  EXPECT_EQ(engine.io, io_mode::threads);
  EXPECT_EQ(engine.policy, schedule_policy::round_robin);
  EXPECT_EQ(engine.backend, "cpu");
  EXPECT_EQ(engine.segment_bytes, 1u << 20);
  EXPECT_EQ(engine.gpu_threshold_bytes, 8u << 20);
  EXPECT_FALSE(engine.adapt);
  EXPECT_TRUE(given.stream.verbose);
  EXPECT_EQ(given.stream.telemetry_file, "t.json");
  EXPECT_EQ(given.stream.progress, progress_mode::never);
  EXPECT_DOUBLE_EQ(
      parse_as<devices_arguments>({"devices", "--memory-fraction", "0.25"})
          .engine.memory_fraction,
      0.25);
}

TEST(Arguments, MakePluginDirectoriesAbsolute) {
  std::array<char, 4096> here{};
  ASSERT_NE(::getcwd(here.data(), here.size()), nullptr);
  const auto given = parse_as<plugins_arguments>(
      {"plugins", "--plugin-dir", "/a", "--plugin-dir", "b"});
  EXPECT_EQ(given.engine.plugin_directories,
            (std::vector<std::string>{"/a", std::string(here.data()) + "/b"}));
  EXPECT_NE(refusal({"plugins", "--plugin-dir", ""}), "(accepted)");
}

TEST(Arguments, SplitOperationSettingsAtTheFirstEqualsSign) {
  const auto given = parse_as<operation_arguments>(
      {"run", "rot", "--set", "a=1", "--set", "b=c=d", "--set", "e=", "in"});
  EXPECT_EQ(given.name, "rot");
  EXPECT_EQ(given.stream.input, "in");
  const std::vector<std::pair<std::string, std::string>> expected{
      {"a", "1"}, {"b", "c=d"}, {"e", ""}};
  EXPECT_EQ(given.settings, expected);
}

TEST(Arguments, RefuseOperationsWithoutANameAndSettingsWithoutAKey) {
  EXPECT_EQ(refusal({"run"}), "the name of an operation is missing");
  EXPECT_EQ(refusal({"run", "rot", "--set", "a"}),
            "--set: \"a\" is not KEY=VALUE");
  EXPECT_EQ(refusal({"run", "rot", "--set", "=a"}),
            "--set: \"=a\" is not KEY=VALUE");
}

TEST(Arguments, ReadAnInputInKeygenOnlyToConvertIt) {
  EXPECT_EQ(refusal({"keygen", "in"}), "keygen reads an input with -y alone");
  const auto convert = parse_as<keygen_arguments>({"keygen", "-y", "in"});
  EXPECT_TRUE(convert.convert);
  EXPECT_EQ(convert.input, "in");
  const auto make = parse_as<keygen_arguments>({"keygen", "-o", "out"});
  EXPECT_FALSE(make.convert);
  EXPECT_EQ(make.output, "out");
  EXPECT_FALSE(make.input);
}

TEST(Arguments, KnowTheListsInBothForms) {
  EXPECT_FALSE(parse_as<devices_arguments>({"devices"}).json);
  EXPECT_TRUE(parse_as<devices_arguments>({"devices", "--json"}).json);
  EXPECT_TRUE(parse_as<plugins_arguments>({"plugins", "--why"}).why);
  EXPECT_TRUE(parse_as<inspect_arguments>({"inspect", "--json", "f"}).json);
  EXPECT_EQ(parse_as<inspect_arguments>({"inspect"}).input, "-");
}

TEST(Help, ListsEveryCommandAndEachExplainsItself) {
  const std::string overview = help_of({"--help"});
  EXPECT_EQ(overview, help_of({"-h"}));
  EXPECT_EQ(overview, help_of({"help"}));
  for (const char* name : {"keygen", "encrypt", "decrypt", "inspect", "devices",
                           "plugins", "run"}) {
    EXPECT_NE(overview.find("\n  " + std::string(name) + " "),
              std::string::npos)
        << name;
    const std::string help = help_of({name, "--help"});
    EXPECT_TRUE(help.starts_with("Usage: nexus-pipe " + std::string(name)));
    EXPECT_NE(help.find("\nExamples:\n"), std::string::npos) << name;
    EXPECT_EQ(help, help_of({"help", name}));
  }
}

TEST(Help, FitsEightyColumnsAndHidesWhatIsForTests) {
  for (const char* name : {"keygen", "encrypt", "decrypt", "inspect", "devices",
                           "plugins", "run"}) {
    const std::string help = help_of({name, "--help"});
    EXPECT_EQ(help.find("--telemetry"), std::string::npos) << name;
    EXPECT_EQ(help.find("--hang-seconds"), std::string::npos) << name;
    for (std::size_t start = 0; start < help.size();) {
      const std::size_t end = std::min(help.find('\n', start), help.size());
      EXPECT_LE(end - start, 80u) << help.substr(start, end - start);
      start = end + 1;
    }
  }
}

// What the help promises has to be what the parser takes.
TEST(Help, GivesExamplesThatParse) {
  int examples = 0;
  for (const char* name : {"", "keygen", "encrypt", "decrypt", "inspect",
                           "devices", "plugins", "run"}) {
    const std::string help =
        *name == '\0' ? help_of({"--help"}) : help_of({name, "--help"});
    std::size_t at = help.find("\nExamples:\n");
    ASSERT_NE(at, std::string::npos) << name;
    while ((at = help.find("nexus-pipe ", at)) != std::string::npos) {
      std::string line = help.substr(at, help.find('\n', at) - at);
      at += line.size();
      line.resize(std::min({line.find('#'), line.find('<'), line.find('|'),
                            line.find(" >"), line.size()}));
      std::vector<std::string> parts;
      for (char* part = std::strtok(line.data(), " "); part != nullptr;
           part = std::strtok(nullptr, " ")) {
        parts.emplace_back(part);
      }
      std::vector<const char*> list;
      for (const std::string& part : parts) list.push_back(part.c_str());
      const auto parsed = parse_arguments(std::span(list).subspan(1));
      EXPECT_TRUE(parsed.ok()) << line << ": " << parsed.error().message();
      ++examples;
    }
  }
  EXPECT_GE(examples, 15);
}

TEST(Bench, MeasuresThreeOperationsUnlessOthersAreNamed) {
  const auto plain = parse_as<bench_arguments>({"bench"});
  EXPECT_EQ(plain.ops, (std::vector{bench_op::encrypt, bench_op::decrypt,
                                    bench_op::digest}));
  EXPECT_FALSE(plain.repeats || plain.size || plain.report || plain.directory);
  const auto named = parse_as<bench_arguments>(
      {"bench", "--op", "verify", "--op=prove", "--op", "verify"});
  EXPECT_EQ(named.ops, (std::vector{bench_op::verify, bench_op::prove}));
}

TEST(Bench, RepeatsItsCommandLineAsAShellTakesIt) {
  const auto given = parse_as<bench_arguments>(
      {"bench", "--report", "it's here.html", "--dir", "/tmp", "--quick"});
  EXPECT_EQ(given.words,
            "nexus-pipe bench --report 'it'\\''s here.html' --dir /tmp "
            "--quick");
  EXPECT_EQ(given.report, "it's here.html");
}

TEST(Version, NamesTheProgramAndTheRelease) {
  EXPECT_EQ(help_of({"--version"}),
            "nexus-pipe " + std::string(version()) + "\n");
}

}  // namespace
}  // namespace nexus::tool
