#include "bench/page.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "bench/chart.hpp"
#include "bench/figures.hpp"
#include "bench/html.hpp"
#include "bench/page_style.hpp"
#include "progress.hpp"

namespace nexus::tool::bench {
namespace {

// Processors that others had; less is what any machine does by itself.
constexpr double worth_telling = 0.2;

std::string fixed(double value, int decimals) {
  std::array<char, 32> text;
  const int size =
      std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string microseconds(std::string text) {
  const std::size_t at = text.find(" us");
  return at == text.npos ? text : text.replace(at, 3, " \u00b5s");
}

std::string time_text(double seconds) {
  return microseconds(format_seconds(seconds));
}

// Whether the figures are those of a machine that had other work, too.
std::string load_warning(const results& from) {
  double most = 0;
  for (const run_point& run : from.runs) {
    if (!on_card(from, run)) most = std::max(most, run.others.median());
  }
  if (most < worth_telling) return "";
  return paragraph(
      "lead", "Other programs, or the hypervisor, had up to " +
                  format_number(most) + " of the " +
                  std::to_string(from.machine.allowed_processors) +
                  " processors while it measured: without them the figures "
                  "would be higher.");
}

std::string head(const results& from) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
         "<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
         "'none'; style-src 'unsafe-inline'; img-src data:\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, "
         "initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n" +
         element("title", "nexus-pipe bench: " + from.processor) + "<style>" +
         std::string(page_style) + "</style>\n</head>\n<body>\n";
}

std::string machine_section(const results& from) {
  const hardware& machine = from.machine;
  std::string text =
      "<section aria-labelledby=\"machine\">\n"
      "<h2 id=\"machine\">Machine</h2>\n<dl>\n";
  text +=
      entry("Processor", from.processor.empty() ? "unknown" : from.processor);
  text += entry("Processors",
                std::to_string(machine.allowed_processors) + " allowed, of " +
                    std::to_string(machine.logical_processors) + " on " +
                    std::to_string(machine.physical_cores) + " cores");
  if (machine.cpu_quota) {
    text += entry("Processor quota", fixed(*machine.cpu_quota, 2) + ", by " +
                                         machine.cpu_quota_origin);
  }
  text += entry("Memory", format_bytes(machine.memory_total_bytes) + ", " +
                              format_bytes(machine.memory_available_bytes) +
                              " available at the start");
  text +=
      entry("Caches", "L2 " + format_bytes(machine.l2_bytes) + " a core, L3 " +
                          format_bytes(machine.l3_bytes) + " a package");
  for (const backend& known : from.backends) {
    for (const device_description& device : known.devices) {
      text +=
          entry("Device " + device.id,
                device.name +
                    (device.driver.empty() ? "" : ", driver " + device.driver));
    }
  }
  text += entry("Kernel", from.kernel);
  text += entry("Load before", fixed(from.load_before, 2) +
                                   " over the minute before (getloadavg)");
  text += entry("nexus-pipe", from.version);
  text += entry("Date", from.date + ", " + fixed(from.elapsed_seconds, 0) +
                            " s of measuring");
  return text + "<dt>Command</dt><dd><code>" + escaped(from.command) +
         "</code></dd>\n</dl>\n</section>\n";
}

std::string headline(const results& from, const run_point& run) {
  const ceiling most = ceiling_of(from, run);
  const double share =
      most.bytes_per_second > 0 ? run.rate() / most.bytes_per_second : 0;
  std::string text = "<div class=\"figure\">\n";
  text += element("h3", std::string(name_of(run.op)) + " on " + run.backend);
  text += element("strong", format_rate(run.rate()));
  text += "<span class=\"share\" aria-hidden=\"true\"><span style=\"width:" +
          coordinate(std::clamp(share, 0.0, 1.0) * 100) +
          "%\"></span></span>\n";
  text += element("p", format_share(run.rate(), most.bytes_per_second) +
                           " of the " + format_rate(most.bytes_per_second) +
                           " at which " + std::to_string(most.threads) +
                           (most.threads == 1 ? " thread " : " threads ") +
                           most.what + " memory. Segments of " +
                           format_segment(run.segment_bytes) +
                           ", workers: " + std::to_string(run.workers) + ".");
  return text + element("p", describe(from, run)) + "</div>\n";
}

std::string headlines(const results& from) {
  std::string text =
      "<section aria-labelledby=\"best\">\n"
      "<h2 id=\"best\">How much of the memory's speed</h2>\n";
  text += paragraph(
      "how",
      "Encrypting and decrypting are compared with a copy, which reads and "
      "writes every byte once and does nothing else; digests, proofs and "
      "their verification with reading. Each figure is that of the fastest "
      "segment size and number of workers.");
  text += "<div class=\"figures\">\n";
  for (const run_point& run : from.runs) {
    if (best_of(from, run.op, run.backend) == &run) {
      text += headline(from, run);
    }
  }
  return text + "</div>\n</section>\n";
}

std::string latency_section(const results& from) {
  html_table table{"Latency, medians with least and most",
                   {{"Operation"},
                    {"Backend"},
                    {"One byte", true},
                    {"Least to most", true},
                    {"First bytes of many", true},
                    {"Least to most", true}},
                   {}};
  const auto spread = [](const samples& of) {
    return of.empty() ? ""
                      : time_text(of.least()) + " to " + time_text(of.most());
  };
  for (const latency_point& point : from.latencies) {
    const bool writes = !point.first_byte.empty();
    table.rows.push_back(
        {name_of(point.op), point.backend, time_text(point.one_byte.median()),
         spread(point.one_byte),
         writes ? time_text(point.first_byte.median()) : "no output",
         spread(point.first_byte)});
  }
  return "<section aria-labelledby=\"latency\">\n"
         "<h2 id=\"latency\">Latency</h2>\n" +
         paragraph("how",
                   "From the start of a run in an engine that has run before: "
                   "to its end where the data is one byte, and to the first "
                   "bytes that a long run hands out. The start of the process "
                   "is not in it.") +
         to_html(table) + "</section>\n";
}

std::string all_runs(const results& from) {
  html_table table{"Every run that a median is of",
                   {{"Operation"},
                    {"Backend"},
                    {"Workers", true},
                    {"Segment", true},
                    {"Rows", true},
                    {"Data of a run", true},
                    {"Median", true},
                    {"Processors", true},
                    {"Others", true},
                    {"Seconds of each run"}},
                   {}};
  for (const run_point& run : from.runs) {
    std::string seconds;
    for (const double value : run.seconds.values()) {
      seconds += (seconds.empty() ? "" : ", ") + fixed(value, 4);
    }
    table.rows.push_back({name_of(run.op), run.backend,
                          std::to_string(run.workers),
                          format_segment(run.segment_bytes),
                          run.rows ? std::to_string(*run.rows) : "-",
                          format_bytes(run.data_bytes), format_rate(run.rate()),
                          fixed(run.processors.median(), 2),
                          fixed(run.others.median(), 2), seconds});
  }
  return "<section aria-labelledby=\"runs\">\n<h2 id=\"runs\">All runs</h2>\n" +
         to_html(table) + "</section>\n";
}

std::string method(const results& from) {
  std::string text =
      "<section aria-labelledby=\"method\">\n"
      "<h2 id=\"method\">Method</h2>\n<ul>\n";
  text += element(
      "li", "GB is 10^9 bytes, MiB is 2^20. A figure is the median of " +
                std::to_string(from.repeats) +
                " runs in a row after one that warms up; a spread is from the "
                "slowest to the fastest of them.");
  text += element(
      "li",
      "A run goes from memory to a sink that counts and drops, through the "
      "public library, with an engine of its own for each number of workers "
      "and segment size. Time is the monotonic clock's, from the call to its "
      "return. Rates are of plaintext, or of the data that is proved, "
      "verified or digested.");
  text += element(
      "li",
      "Processors: processor time of the process (getrusage) over time. "
      "Others: that of all other processes, and what a hypervisor withheld "
      "(/proc/stat, which counts hundredths of a second), over time. Cards are "
      "driven by a helper process, as in any run, which counts with the "
      "others. Memory is said to bound a run from 70 % of its speed on; else "
      "computing, where "
      "the workers had 85 % of their processors; else what others had, where "
      "that is half of what is missing.");
  text += element(
      "li",
      "Memory: two buffers of " + format_bytes(from.memory_bytes) +
          ", one slice a thread, all threads at once; copy is memcpy, and a "
          "copied byte counts once; read adds all 64-bit words up. Sampled "
          "before the runs and after each operation, so that its spread shows "
          "how steady the machine was.");
  text +=
      element("li",
              "Disk: a temporary file without a name, written in requests of 4 "
              "MiB up to the end of fsync; then posix_fadvise(DONTNEED), and "
              "read in order. A hypervisor may still have it in memory.");
  for (const std::string& note : from.notes) text += element("li", note + ".");
  return text + "</ul>\n</section>\n";
}

}  // namespace

std::string as_page(const results& from) {
  std::string text =
      head(from) + "<header>\n<h1>nexus-pipe on this machine</h1>\n";
  text += paragraph(
      "lead",
      "Measured by nexus-pipe bench on " + from.date.substr(0, 10) + ": " +
          (from.processor.empty() ? "unknown processor" : from.processor) +
          ", " + std::to_string(from.machine.allowed_processors) +
          " processors" +
          (from.quick ? ". A quick measurement: its "
                        "runs are short and few."
                      : "."));
  text += load_warning(from) + "</header>\n<main>\n";
  text += headlines(from) + segment_figures(from) + worker_figures(from) +
          speed_figure(from) + latency_section(from) + all_runs(from) +
          machine_section(from) + method(from);
  return text + "</main>\n</body>\n</html>\n";
}

}  // namespace nexus::tool::bench
