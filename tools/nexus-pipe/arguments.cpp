#include "arguments.hpp"

#include <array>
#include <limits>

#include "help.hpp"
#include "options.hpp"
#include "parse.hpp"
#include "words.hpp"

namespace nexus::tool {
namespace {

constexpr std::array<std::pair<std::string_view, age::output_check>, 3>
    output_checks{{{"sample", age::output_check::sample},
                   {"all", age::output_check::all},
                   {"none", age::output_check::none}}};
// No part of a digest can be checked without the rest.
constexpr std::array<std::pair<std::string_view, bool>, 2> digest_checks{
    {{"all", true}, {"none", false}}};

result<command> parse_keygen(const command_help& help, argument_list given) {
  option_set options(help);
  keygen_arguments into;
  options.value("-o,--output", into.output, "FILE",
                "Write to a new FILE; - is standard output");
  options.flag("-y,--public", into.convert,
               "Print the public keys of an identity file");
  options.value("IN", into.input, "",
                "With -y: the identity file; - is standard input");
  return parsed(options, given, into, [&](word_reader& reader) {
    if (into.input && !into.convert) {
      reader.fail("keygen reads an input with -y alone",
                  "see nexus-pipe keygen --help");
    }
    reader.file_name(into.input);
    reader.file_name(into.output);
  });
}

void check_key_kinds(const encrypt_arguments& from, word_reader& reader) {
  const bool keys = !from.recipients.empty() || !from.recipient_files.empty() ||
                    !from.identity_files.empty();
  if (keys && from.passphrase) {
    reader.fail("a passphrase and keys (-r, -R, -i) exclude each other",
                "encrypt either with a passphrase or to keys");
  }
}

result<command> parse_encrypt(const command_help& help, argument_list given) {
  option_set options(help);
  encrypt_arguments into;
  stream_words stream;
  passphrase_words secret;
  word verify;
  options.group("Keys");
  options.list("-r,--recipient", into.recipients, "RECIPIENT",
               "Encrypt to this public key, age1... (repeatable)");
  options.list("-R,--recipients-file", into.recipient_files, "FILE",
               "Encrypt to the public keys in FILE (repeatable)");
  options.list("-i,--identity", into.identity_files, "FILE",
               "To the owner of the key in FILE (repeatable)");
  options.flag("-p,--passphrase", into.passphrase,
               "Encrypt with a passphrase, which is asked for");
  add_passphrase(options, secret);
  options.group("Input and output");
  options.flag("-a,--armor", into.armor, "Write PEM text instead of binary");
  options.value("--verify-output", verify, "WHICH",
                "Check results: sample, all or none (sample)");
  add_stream(options, stream);
  return parsed(options, given, into, [&](word_reader& reader) {
    into.stream = read_stream(stream, reader);
    into.secret = read_passphrase(secret, reader);
    into.passphrase = into.passphrase || into.secret.given();
    reader.choice(verify, "--verify-output", output_checks, into.verify_output);
    check_key_kinds(into, reader);
    check_standard_input(into.stream.input, into.secret,
                         {&into.recipient_files, &into.identity_files}, reader);
  });
}

result<command> parse_decrypt(const command_help& help, argument_list given) {
  option_set options(help);
  decrypt_arguments into;
  stream_words stream;
  passphrase_words secret;
  options.group("Keys");
  options.list("-i,--identity", into.identity_files, "FILE",
               "Use the secret keys in FILE (repeatable)");
  add_passphrase(options, secret);
  add_stream(options, stream);
  return parsed(options, given, into, [&](word_reader& reader) {
    into.stream = read_stream(stream, reader);
    into.secret = read_passphrase(secret, reader);
    check_standard_input(into.stream.input, into.secret, {&into.identity_files},
                         reader);
  });
}

void read_settings(const std::vector<std::string>& from,
                   operation_arguments& into, word_reader& reader) {
  for (const std::string& setting : from) {
    const auto equals = setting.find('=');
    if (equals == 0 || equals == std::string::npos) {
      reader.fail("--set: \"" + setting + "\" is not KEY=VALUE");
      return;
    }
    into.settings.emplace_back(setting.substr(0, equals),
                               setting.substr(equals + 1));
  }
}

result<command> parse_run(const command_help& help, argument_list given) {
  option_set options(help);
  operation_arguments into;
  stream_words stream;
  word name;
  std::vector<std::string> settings;
  options.group("Operation");
  options.value("OPERATION", name, "", "Its name, as the plugin calls it");
  options.list("--set", settings, "KEY=VALUE",
               "An option of the operation (repeatable)");
  add_stream(options, stream);
  return parsed(options, given, into, [&](word_reader& reader) {
    into.name = name.value_or("");
    if (into.name.empty()) {
      reader.fail("the name of an operation is missing",
                  "nexus-pipe plugins lists them");
    }
    read_settings(settings, into, reader);
    into.stream = read_stream(stream, reader);
  });
}

result<command> parse_prove(const command_help& help, argument_list given) {
  option_set options(help);
  prove_arguments into;
  stream_words stream;
  segment_words segments;
  word security, wire;
  bool trust = false;
  options.group("Proofs");
  options.value("--security", security, "PROFILE",
                "conjectured or proven (conjectured)");
  options.value("--wire", wire, "FORMAT",
                "Plonky3's layout: p3-0.6 or p3-0.7 (p3-0.6)");
  options.flag("--no-self-check", trust,
               "Do not verify each proof before it is written");
  add_segments(options, segments);
  add_stream(options, stream, stream_kind::segments);
  return parsed(options, given, into, [&](word_reader& reader) {
    into.stream = read_stream(stream, reader);
    into.options.cut = read_segments(segments, reader);
    into.options.self_check = !trust;
    read_security(security, reader, into.options.proof.security);
    read_wire(wire, reader, into.options.proof.wire);
  });
}

void read_root(const word& given, word_reader& reader,
               proofs::verify_options& into) {
  if (!given) return;
  const result<proofs::stream_root> root = proofs::parse_root(*given);
  if (root) {
    into.root = *root;
  } else {
    reader.fail("--root: " + root.error().message());
  }
}

result<command> parse_verify(const command_help& help, argument_list given) {
  option_set options(help);
  verify_arguments into;
  stream_words stream;
  word security, root, length, data, first;
  options.group("What is expected");
  options.value("--data", data, "FILE", "The proofs are about this file");
  options.value("--root", root, "HEX", "The stream has this root");
  options.value("--length", length, "N", "It is about so many bytes");
  options.value("--security", security, "PROFILE",
                "At least: conjectured or proven (conjectured)");
  options.flag("--part", into.options.allow_part,
               "Accept a part of a stream, too");
  options.value("--first-index", first, "N",
                "With --part: it begins with segment N");
  options.group("Output");
  options.flag("--json", into.json, "Print one JSON object");
  add_stream(options, stream, stream_kind::verdict);
  return parsed(options, given, into, [&](word_reader& reader) {
    into.stream = read_stream(stream, reader);
    reader.file_name(data);
    into.data = data.value_or("");
    read_root(root, reader, into.options);
    std::uint64_t bytes = 0;
    reader.number(length, "--length", std::uint64_t{0},
                  std::numeric_limits<std::uint64_t>::max(), bytes);
    if (length) into.options.bytes = bytes;
    std::uint64_t index = 0;
    read_first_index(first, reader, index);
    if (first) into.options.first_index = index;
    if (first && !into.options.allow_part) {
      reader.fail("--first-index goes with --part",
                  "a whole stream begins with segment 0");
    }
    read_security(security, reader, into.options.security);
  });
}

result<command> parse_digest(const command_help& help, argument_list given) {
  option_set options(help);
  digest_arguments into;
  stream_words stream;
  segment_words segments;
  word verify;
  options.group("Output");
  options.flag("--json", into.json, "Print one JSON object");
  options.value("--verify-output", verify, "WHICH",
                "all: compute each digest twice; or none (none)");
  add_segments(options, segments);
  add_stream(options, stream, stream_kind::verdict);
  return parsed(options, given, into, [&](word_reader& reader) {
    into.stream = read_stream(stream, reader);
    into.cut = read_segments(segments, reader);
    reader.choice(verify, "--verify-output", digest_checks, into.self_check);
  });
}

result<command> parse_join(const command_help& help, argument_list given) {
  option_set options(help);
  join_arguments into;
  bool no_sync = false;
  options.value("-o,--output", into.output, "FILE",
                "Write to FILE; - or none: standard output");
  options.flag("--no-sync", no_sync,
               "Do not wait until FILE is safe on the disk");
  options.list("PART", into.parts, "", "The parts, in their order");
  return parsed(options, given, into, [&](word_reader& reader) {
    into.sync = !no_sync;
    if (into.parts.empty()) {
      reader.fail("the parts are missing", "see nexus-pipe join --help");
    }
    for (const std::string& part : into.parts) reader.file_name(part);
    reader.file_name(into.output);
    check_standard_input("", {}, {&into.parts}, reader);
  });
}

void read_number(const word& given, std::string_view option,
                 word_reader& reader, std::optional<std::uint64_t>& into) {
  if (!given) return;
  into.emplace();
  reader.number(given, option, std::uint64_t{0},
                std::numeric_limits<std::uint64_t>::max(), *into);
}

result<command> parse_inspect(const command_help& help, argument_list given) {
  option_set options(help);
  inspect_arguments into;
  word input, proof, values;
  options.flag("--json", into.json, "Print one JSON object");
  options.value("IN", input, "", "The input; - or none: standard input");
  options.group("Of a proof stream");
  options.value("--extract-proof", proof, "I",
                "Write the proof of segment I, as Plonky3 reads it");
  options.value("--extract-public-values", values, "I",
                "Print what it proves: 16 public values, as JSON");
  options.value("-o,--output", into.output, "FILE",
                "Write what is extracted to FILE");
  return parsed(options, given, into, [&](word_reader& reader) {
    reader.file_name(input);
    reader.file_name(into.output);
    into.input = input.value_or("-");
    read_number(proof, "--extract-proof", reader, into.extract_proof);
    read_number(values, "--extract-public-values", reader,
                into.extract_public_values);
    if (proof && values) {
      reader.fail(
          "--extract-proof and --extract-public-values exclude each "
          "other");
    }
    if (into.output && !proof && !values) {
      reader.fail("-o goes with --extract-proof or --extract-public-values");
    }
  });
}

result<command> parse_devices(const command_help& help, argument_list given) {
  option_set options(help);
  devices_arguments into;
  engine_words engine;
  options.flag("--json", into.json, "Print one JSON object");
  add_resources(options, engine);
  return parsed(options, given, into, [&](word_reader& reader) {
    into.engine = read_engine(engine, reader);
  });
}

result<command> parse_plugins(const command_help& help, argument_list given) {
  option_set options(help);
  plugins_arguments into;
  engine_words engine;
  options.flag("--why", into.why, "Also those that were not loaded, and why");
  options.flag("--json", into.json, "Print one JSON object");
  add_plugin_directories(options, engine);
  return parsed(options, given, into, [&](word_reader& reader) {
    into.engine = read_engine(engine, reader);
  });
}

result<command> parse_command(std::string_view name, argument_list given) {
  struct entry {
    std::string_view name;
    result<command> (*parse)(const command_help&, argument_list);
  };
  constexpr std::array<entry, 12> parsers{{{"keygen", parse_keygen},
                                           {"bench", parse_bench},
                                           {"prove", parse_prove},
                                           {"verify", parse_verify},
                                           {"digest", parse_digest},
                                           {"join", parse_join},
                                           {"encrypt", parse_encrypt},
                                           {"decrypt", parse_decrypt},
                                           {"inspect", parse_inspect},
                                           {"devices", parse_devices},
                                           {"plugins", parse_plugins},
                                           {"run", parse_run}}};
  const command_help* help = find_command(name);
  for (const entry& known : parsers) {
    if (known.name == name && help != nullptr) return known.parse(*help, given);
  }
  return usage_error("unknown command \"" + std::string(name) + "\"");
}

}  // namespace

// Only the options of the command that was named are built: it keeps the start
// cheap, and lets a file be called like a command.
result<command> parse_arguments(argument_list arguments) {
  if (arguments.empty()) return usage_error("a command is missing");
  const std::string_view name = arguments.front();
  const argument_list rest = arguments.subspan(1);
  if (name == "--help" || name == "-h" || (name == "help" && rest.empty())) {
    return command(text_request{overview()});
  }
  if (name == "help") {
    constexpr std::array<const char*, 1> ask{"--help"};
    return parse_command(rest.front(), ask);
  }
  const bool of_command = find_command(name) != nullptr && rest.size() == 1 &&
                          rest.front() == std::string_view("--version");
  if (name == "--version" || of_command) {
    return command(text_request{std::string("nexus-pipe ") + version() + "\n"});
  }
  if (name.starts_with('-')) {
    return usage_error("a command is missing ahead of " + std::string(name));
  }
  return parse_command(name, rest);
}

}  // namespace nexus::tool
