// The command line as plain structs. Pure: reads the environment's working
// directory at most, prints nothing, keeps nothing.
#pragma once

#include <cstdint>
#include <nexus/age.hpp>
#include <nexus/engine.hpp>
#include <nexus/proof_stream.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "listen_address.hpp"

namespace nexus::tool {

enum class progress_mode { automatic, always, never };

enum class log_format { text, json };

// How a run can be watched from outside.
struct watch_arguments {
  bool headless = false;
  bool dashboard = false;
  log_format format = log_format::text;
  std::string log_file;  // empty: the log goes to standard error
  std::string trace_file;
  std::string metrics_file;                       // at most one of the two
  std::optional<listen_address> metrics_address;  //
  std::optional<std::uint32_t> stats_seconds;
};

// Common to the commands that turn one stream into another.
struct stream_arguments {
  engine_options engine;
  progress_mode progress = progress_mode::automatic;
  bool quiet = false;
  bool verbose = false;
  bool sync = true;
  watch_arguments watch;
  std::string telemetry_file;         // "-": standard error; empty: none
  std::string input = "-";            // "-": standard input
  std::optional<std::string> output;  // "-": standard output, terminal or not
};

// A passphrase that is not asked for. At most one of the two.
struct passphrase_source {
  std::string file;  // "-": standard input
  std::optional<int> descriptor;

  [[nodiscard]] bool given() const noexcept {
    return !file.empty() || descriptor.has_value();
  }
};

struct encrypt_arguments {
  stream_arguments stream;
  std::vector<std::string> recipients;
  std::vector<std::string> recipient_files;
  std::vector<std::string> identity_files;
  bool passphrase = false;  // also set by a passphrase source
  passphrase_source secret;
  bool armor = false;
  age::output_check verify_output = age::output_check::sample;
};

struct decrypt_arguments {
  stream_arguments stream;
  std::vector<std::string> identity_files;
  passphrase_source secret;
};

struct operation_arguments {
  stream_arguments stream;
  std::string name;
  std::vector<std::pair<std::string, std::string>> settings;
};

struct prove_arguments {
  stream_arguments stream;
  proofs::prove_options options;
};

struct verify_arguments {
  stream_arguments stream;  // without an output
  proofs::verify_options options;
  std::string data;  // a file; empty: none
  bool json = false;
};

struct digest_arguments {
  stream_arguments stream;  // without an output
  proofs::segmenting cut;
  bool self_check = false;
  bool json = false;
};

struct join_arguments {
  std::vector<std::string> parts;
  std::optional<std::string> output;
  bool sync = true;
};

struct keygen_arguments {
  std::optional<std::string> output;
  bool convert = false;
  std::optional<std::string> input;  // with convert alone
};

struct inspect_arguments {
  bool json = false;
  std::string input = "-";
  // Of a proof stream, by number; at most one of the two.
  std::optional<std::uint64_t> extract_proof;
  std::optional<std::uint64_t> extract_public_values;
  std::optional<std::string> output;  // of what is extracted
};

struct devices_arguments {
  bool json = false;
  engine_options engine;
};

struct plugins_arguments {
  bool json = false;
  bool why = false;
  engine_options engine;
};

enum class bench_op { encrypt, decrypt, prove, verify, digest };

struct bench_arguments {
  engine_options engine;
  std::vector<bench_op> ops;          // in the order given, each once
  std::optional<std::string> report;  // a file; - is none
  std::optional<std::uint64_t> size;  // bytes of one run
  std::optional<std::string> directory;
  std::optional<std::uint32_t> repeats;
  bool quick = false;
  bool json = false;
  bool quiet = false;
  std::string words;  // the command line again, for the report
};

// --help or --version: the text for standard output.
struct text_request {
  std::string text;
};

using command =
    std::variant<text_request, keygen_arguments, encrypt_arguments,
                 decrypt_arguments, inspect_arguments, devices_arguments,
                 plugins_arguments, operation_arguments, prove_arguments,
                 verify_arguments, digest_arguments, join_arguments,
                 bench_arguments>;

// arguments: without the program's name. invalid_argument with a hint for
// anything that does not fit, including standard input asked for twice.
[[nodiscard]] result<command> parse_arguments(
    std::span<const char* const> arguments);

}  // namespace nexus::tool
