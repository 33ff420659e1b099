// Options that several commands share: how they are typed, and what they
// become.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <nexus/engine.hpp>
#include <nexus/status.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "options.hpp"

namespace nexus::tool {

using word = std::optional<std::string>;

// Turns words into values. After the first that does not fit it does nothing
// more, and failure() says what was wrong.
class word_reader {
 public:
  [[nodiscard]] const status& failure() const noexcept { return failure_; }
  [[nodiscard]] bool ok() const noexcept { return failure_.ok(); }

  void fail(std::string message, std::string hint = {});

  // from <= value <= to; `into` is left alone where no word was given.
  template <class T>
  void number(const word& given, std::string_view option, T from, T to,
              T& into) {
    if (!ok() || !given) return;
    const char* end = given->data() + given->size();
    T value{};
    const auto [stop, error] = std::from_chars(given->data(), end, value);
    if (error == std::errc{} && stop == end && value >= from && value <= to) {
      into = value;
    } else {
      fail(std::string(option) + ": \"" + *given +
           "\" is not a whole number from " + std::to_string(from) + " to " +
           std::to_string(to));
    }
  }

  template <class T, std::size_t N>
  void choice(const word& given, std::string_view option,
              const std::array<std::pair<std::string_view, T>, N>& choices,
              T& into) {
    if (!ok() || !given) return;
    std::string names;
    for (const auto& [name, value] : choices) {
      if (*given == name) {
        into = value;
        return;
      }
      names.append(names.empty() ? "" : ", ").append(name);
    }
    fail(std::string(option) + ": \"" + *given + "\" is none of " + names);
  }

  // At most `most`, which stands in messages as `most_text`.
  void size(const word& given, std::string_view option, std::uint64_t most,
            std::string_view most_text, std::optional<std::uint64_t>& into);
  // Above 0, at most 1.
  void fraction(const word& given, std::string_view option, double& into);
  // Where given, there has to be something.
  void file_name(const word& given);

 private:
  status failure_;
};

struct isolation_words {
  word mode, memory, affinity, nice, io_priority;
  word hang_seconds;  // for tests: not in the help
};

struct engine_words {
  word max_threads, memory, memory_fraction, max_inflight, segment_size;
  word backend, policy, gpu_threshold, io;
  std::vector<std::string> plugin_dirs;
  isolation_words isolation;
  bool no_adapt = false;
};

struct watch_words {
  word log_format, log_file, trace, metrics, stats;
  bool headless = false;
  bool dashboard = false;
};

struct stream_words {
  engine_words engine;
  watch_words watch;
  word progress, telemetry, input, output;
  bool quiet = false;
  bool verbose = false;
  bool no_sync = false;
};

struct segment_words {
  word rows, first_index;
  bool partial = false;
};

struct passphrase_words {
  word file, descriptor;
};

// What a stream becomes, and whether its segments may have any size.
enum class stream_kind { bytes, segments, verdict };

void add_plugin_directories(option_set& options, engine_words& into);
// What decides how much runs at once, in a group of its own.
void add_resources(option_set& options, engine_words& into,
                   stream_kind kind = stream_kind::bytes);
// All that a running command has, IN included; no output where there is none.
void add_stream(option_set& options, stream_words& into,
                stream_kind kind = stream_kind::bytes);
// How it can be watched, in a group of its own.
void add_watch(option_set& options, watch_words& into);
void add_segments(option_set& options, segment_words& into);
void add_passphrase(option_set& options, passphrase_words& into);

[[nodiscard]] engine_options read_engine(const engine_words& from,
                                         word_reader& reader);
[[nodiscard]] watch_arguments read_watch(const watch_words& from,
                                         word_reader& reader);
[[nodiscard]] stream_arguments read_stream(const stream_words& from,
                                           word_reader& reader);
[[nodiscard]] proofs::segmenting read_segments(const segment_words& from,
                                               word_reader& reader);
void read_first_index(const word& given, word_reader& reader,
                      std::uint64_t& into);
void read_security(const word& given, word_reader& reader,
                   proof_security& into);
void read_wire(const word& given, word_reader& reader, proof_wire& into);
[[nodiscard]] passphrase_source read_passphrase(const passphrase_words& from,
                                                word_reader& reader);

// Standard input can be read once.
void check_standard_input(
    const std::string& input, const passphrase_source& secret,
    std::initializer_list<const std::vector<std::string>*> files,
    word_reader& reader);

}  // namespace nexus::tool
