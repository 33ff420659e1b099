#include "words.hpp"

#include <unistd.h>

#include <cstdlib>
#include <limits>
#include <nexus/hardware.hpp>

#include "isolation.hpp"

namespace nexus::tool {
namespace {

template <class T, std::size_t N>
using names_of = std::array<std::pair<std::string_view, T>, N>;

constexpr names_of<schedule_policy, 3> policies{
    {{"lect", schedule_policy::lect},
     {"threshold", schedule_policy::threshold},
     {"round-robin", schedule_policy::round_robin}}};
constexpr names_of<io_mode, 3> io_modes{{{"auto", io_mode::automatic},
                                         {"uring", io_mode::uring},
                                         {"threads", io_mode::threads}}};
constexpr names_of<proof_security, 2> securities{
    {{"conjectured", proof_security::conjectured},
     {"proven", proof_security::proven}}};
constexpr names_of<proof_wire, 2> wires{
    {{"p3-0.6", proof_wire::p3_0_6}, {"p3-0.7", proof_wire::p3_0_7}}};
constexpr names_of<progress_mode, 3> progress_modes{
    {{"auto", progress_mode::automatic},
     {"always", progress_mode::always},
     {"never", progress_mode::never}}};

constexpr names_of<log_format, 2> log_formats{
    {{"text", log_format::text}, {"json", log_format::json}}};

// The library takes absolute directories alone.
std::string absolute(const std::string& path, word_reader& reader) {
  if (path.empty()) reader.fail("--plugin-dir: a directory is missing");
  if (!reader.ok() || path.front() == '/') return path;
  char* here = ::getcwd(nullptr, 0);  // glibc allocates what it takes
  if (here == nullptr) {
    reader.fail("--plugin-dir: the working directory is unknown",
                "give an absolute path");
    return path;
  }
  std::string whole = std::string(here) + "/" + path;
  std::free(here);
  return whole;
}

}  // namespace

void word_reader::fail(std::string message, std::string hint) {
  if (!ok()) return;
  failure_ = status(status_code::invalid_argument, std::move(message),
                    std::move(hint));
}

void word_reader::size(const word& given, std::string_view option,
                       std::uint64_t most, std::string_view most_text,
                       std::optional<std::uint64_t>& into) {
  if (!ok() || !given) return;
  const std::string what = std::string(option) + ": \"" + *given + "\" is ";
  const result<std::uint64_t> parsed = parse_size(*given);
  if (!parsed) {
    fail(what + "not a size", "sizes look like 65536, 512K, 128M or 4G");
  } else if (*parsed > most) {
    fail(what + "more than " + std::string(most_text));
  } else {
    into = *parsed;
  }
}

void word_reader::fraction(const word& given, std::string_view option,
                           double& into) {
  if (!ok() || !given) return;
  const char* end = given->data() + given->size();
  double value = 0;
  const auto [stop, error] = std::from_chars(given->data(), end, value);
  if (error == std::errc{} && stop == end && value > 0 && value <= 1) {
    into = value;
  } else {
    fail(std::string(option) + ": \"" + *given +
         "\" is not a number above 0 and at most 1");
  }
}

void word_reader::file_name(const word& given) {
  if (given && given->empty()) fail("a file name is empty");
}

void add_plugin_directories(option_set& options, engine_words& into) {
  options.list("--plugin-dir", into.plugin_dirs, "DIR",
               "Look for plugins here alone (repeatable)");
}

void add_resources(option_set& options, engine_words& into, stream_kind kind) {
  options.group("Resources");
  options.value("--max-threads", into.max_threads, "N", "At most N workers");
  options.value("--memory", into.memory, "SIZE",
                "Memory budget, such as 512M or 4G");
  options.value("--memory-fraction", into.memory_fraction, "F",
                "Or this part of the free memory (0.5)");
  options.value("--max-inflight", into.max_inflight, "N",
                "At most N segments at once (64)");
  if (kind == stream_kind::bytes) {
    options.value("--segment-size", into.segment_size, "SIZE",
                  "Bytes of a segment, at most 1G");
  }
  options.value("--backend", into.backend, "NAME",
                "Only the devices of this plugin");
  add_plugin_directories(options, into);
}

void add_stream(option_set& options, stream_words& into, stream_kind kind) {
  options.group("Input and output");
  if (kind != stream_kind::verdict) {
    options.value("-o,--output", into.output, "FILE",
                  "Write to FILE; - forces standard output");
    options.flag("--no-sync", into.no_sync,
                 "Do not wait until FILE is safe on the disk");
  }
  options.value("IN", into.input, "", "The input; - or none: standard input");
  add_resources(options, into.engine, kind);
  options.flag("--no-adapt", into.engine.no_adapt,
               "Do not shrink and grow with the machine's load");
  options.value("--policy", into.engine.policy, "NAME",
                "Choice of device: lect, threshold or round-robin");
  options.value("--gpu-threshold", into.engine.gpu_threshold, "SIZE",
                "Segments from this size on are large (8M)");
  options.value("--io", into.engine.io, "MODE", "auto, uring or threads");
  add_isolation(options, into.engine.isolation);
  add_watch(options, into.watch);
  options.group("Other");
  options.value("--progress", into.progress, "WHEN", "auto, always or never");
  options.flag("-q,--quiet", into.quiet, "Nothing but errors");
  options.flag("-v,--verbose", into.verbose, "Say what was done, and how");
  options.group("");
  options.value("--telemetry", into.telemetry, "FILE", "");
  options.value("--hang-seconds", into.engine.isolation.hang_seconds, "N", "");
}

void add_watch(option_set& options, watch_words& into) {
  options.group("Watching");
  options.flag("--headless", into.headless,
               "Draw and ask nothing; say what is done in lines");
  options.flag("--dashboard", into.dashboard,
               "Show the run on the whole terminal; q stops it");
  options.value("--log-format", into.log_format, "FORMAT", "text or json");
  options.value("--log-file", into.log_file, "FILE",
                "Append the log to FILE instead");
  options.optional_value("--stats", into.stats, "SECONDS", "1",
                         "A line of JSON as often (--stats=1)");
  options.value("--metrics", into.metrics, "WHERE",
                "For Prometheus: ADDR:PORT to ask at, or a file");
  options.value("--trace", into.trace, "FILE",
                "What was done when, for ui.perfetto.dev");
}

void add_segments(option_set& options, segment_words& into) {
  options.group("Segments");
  options.value("--segment-rows", into.rows, "N",
                "Rows of a segment, a power of two (65536)");
  options.value("--first-index", into.first_index, "N",
                "Number of its first segment, in a part (0)");
  options.flag("--partial", into.partial,
               "A part that others follow: whole segments");
}

void add_passphrase(option_set& options, passphrase_words& into) {
  options.value("--passphrase-file", into.file, "FILE",
                "The passphrase is the first line of FILE");
  options.value("--passphrase-fd", into.descriptor, "N",
                "The same from an open file descriptor");
}

engine_options read_engine(const engine_words& from, word_reader& reader) {
  constexpr std::uint32_t many = 65536;
  engine_options into;
  std::uint32_t threads = 0;
  reader.number(from.max_threads, "--max-threads", 1u, many, threads);
  if (from.max_threads) into.max_threads = threads;
  reader.number(from.max_inflight, "--max-inflight", 1u, many,
                into.max_inflight);
  if (from.memory && from.memory_fraction) {
    reader.fail("--memory and --memory-fraction exclude each other");
  }
  reader.size(from.memory, "--memory", 1ull << 50, "1024T", into.memory_bytes);
  reader.fraction(from.memory_fraction, "--memory-fraction",
                  into.memory_fraction);
  reader.size(from.segment_size, "--segment-size", 1ull << 30, "1G",
              into.segment_bytes);
  std::optional<std::uint64_t> threshold;
  // However large: then no segment is.
  reader.size(from.gpu_threshold, "--gpu-threshold",
              std::numeric_limits<std::uint64_t>::max(), "", threshold);
  if (threshold) into.gpu_threshold_bytes = *threshold;
  reader.choice(from.policy, "--policy", policies, into.policy);
  reader.choice(from.io, "--io", io_modes, into.io);
  into.backend = from.backend.value_or("");
  into.isolation = read_isolation(from.isolation, reader);
  into.adapt = !from.no_adapt;
  for (const std::string& directory : from.plugin_dirs) {
    into.plugin_directories.push_back(absolute(directory, reader));
  }
  return into;
}

watch_arguments read_watch(const watch_words& from, word_reader& reader) {
  watch_arguments into;
  into.headless = from.headless;
  into.dashboard = from.dashboard;
  if (from.dashboard && from.headless)
    reader.fail("--dashboard and --headless exclude each other");
  reader.choice(from.log_format, "--log-format", log_formats, into.format);
  for (const word& name : {from.log_file, from.trace, from.metrics}) {
    reader.file_name(name);
    if (name == "-")
      reader.fail("a file that tells of a run has to have a name");
  }
  into.log_file = from.log_file.value_or("");
  into.trace_file = from.trace.value_or("");
  if (from.metrics && reader.ok()) {
    if (!looks_like_address(*from.metrics)) {
      into.metrics_file = *from.metrics;
    } else if (const auto at = parse_listen_address(*from.metrics); at.ok()) {
      into.metrics_address = *at;
    } else {
      const status why = at.error();
      reader.fail("--metrics: " + why.message(),
                  why.hint() + "; a file's name may begin with ./");
    }
  }
  std::uint32_t seconds = 0;
  reader.number(from.stats, "--stats", 1u, 86400u, seconds);
  if (from.stats) into.stats_seconds = seconds;
  return into;
}

stream_arguments read_stream(const stream_words& from, word_reader& reader) {
  stream_arguments into;
  into.engine = read_engine(from.engine, reader);
  into.watch = read_watch(from.watch, reader);
  reader.choice(from.progress, "--progress", progress_modes, into.progress);
  if (from.quiet && from.verbose) reader.fail("-q and -v exclude each other");
  if (into.watch.dashboard && from.quiet)
    reader.fail("--dashboard and -q exclude each other");
  if (into.watch.dashboard && into.progress == progress_mode::always)
    reader.fail("--dashboard and --progress=always exclude each other",
                "the dashboard shows the progress");
  reader.file_name(from.input);
  reader.file_name(from.output);
  into.quiet = from.quiet;
  into.verbose = from.verbose;
  into.sync = !from.no_sync;
  into.telemetry_file = from.telemetry.value_or("");
  into.input = from.input.value_or("-");
  into.output = from.output;
  return into;
}

proofs::segmenting read_segments(const segment_words& from,
                                 word_reader& reader) {
  proofs::segmenting into;
  reader.number(from.rows, "--segment-rows", segment_leaf_rows,
                max_segment_rows, into.rows);
  if ((into.rows & (into.rows - 1)) != 0) {
    reader.fail("--segment-rows: " + *from.rows + " is not a power of two");
  }
  read_first_index(from.first_index, reader, into.first_index);
  into.partial = from.partial;
  return into;
}

void read_first_index(const word& given, word_reader& reader,
                      std::uint64_t& into) {
  reader.number(given, "--first-index", std::uint64_t{0},
                (std::uint64_t{1} << 60) - 1, into);
}

void read_security(const word& given, word_reader& reader,
                   proof_security& into) {
  reader.choice(given, "--security", securities, into);
}

void read_wire(const word& given, word_reader& reader, proof_wire& into) {
  reader.choice(given, "--wire", wires, into);
}

passphrase_source read_passphrase(const passphrase_words& from,
                                  word_reader& reader) {
  passphrase_source into;
  if (from.file && from.descriptor) {
    reader.fail("--passphrase-file and --passphrase-fd exclude each other");
  }
  reader.file_name(from.file);
  into.file = from.file.value_or("");
  int descriptor = -1;
  reader.number(from.descriptor, "--passphrase-fd", 0,
                std::numeric_limits<int>::max(), descriptor);
  if (from.descriptor) into.descriptor = descriptor;
  return into;
}

void check_standard_input(
    const std::string& input, const passphrase_source& secret,
    std::initializer_list<const std::vector<std::string>*> files,
    word_reader& reader) {
  int uses = (input == "-") + (secret.file == "-") + (secret.descriptor == 0);
  for (const auto* list : files) {
    for (const std::string& name : *list) uses += name == "-";
  }
  if (uses <= 1) return;
  reader.fail("standard input is asked for more than once",
              "name the input, or read the keys or the passphrase from a file");
}

}  // namespace nexus::tool
