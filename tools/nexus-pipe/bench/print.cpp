#include "bench/print.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "describe.hpp"
#include "progress.hpp"
#include "table.hpp"

namespace nexus::tool::bench {
namespace {

using json = nlohmann::ordered_json;
using tool::to_json;

json to_json(const samples& from) {
  return {{"median", from.median()},
          {"least", from.least()},
          {"most", from.most()},
          {"samples", from.values()}};
}

json to_json(const backend& from) {
  json devices = json::array();
  for (const device_description& device : from.devices) {
    devices.push_back(to_json(device));
  }
  return {{"name", from.name},
          {"gpu", from.gpu},
          {"workers", from.workers},
          {"devices", std::move(devices)}};
}

json to_json(const disk_result& from) {
  return {
      {"directory", from.directory},
      {"file_system", from.file_system},
      {"in_memory", from.in_memory},
      {"file_bytes", from.bytes},
      {"write_bytes_per_second", to_json(from.write)},
      {"read_bytes_per_second", to_json(from.read)},
      {"cached_share", from.cached_share},
      {"failure", from.failure.empty() ? json(nullptr) : json(from.failure)}};
}

json to_json(const results& all, const run_point& from) {
  const ceiling most = ceiling_of(all, from);
  return {{"operation", name_of(from.op)},
          {"backend", from.backend},
          {"workers", from.workers},
          {"segment_bytes", from.segment_bytes},
          {"segment_rows", from.rows ? json(*from.rows) : json(nullptr)},
          {"data_bytes", from.data_bytes},
          {"seconds", to_json(from.seconds)},
          {"processors_busy", to_json(from.processors)},
          {"processors_busy_by_others", to_json(from.others)},
          {"bytes_per_second", from.rate()},
          {"compared_with", most.what},
          {"compared_threads", most.threads},
          {"share", most.bytes_per_second > 0
                        ? json(from.rate() / most.bytes_per_second)
                        : json(nullptr)},
          {"bound", name_of(bound_of(all, from))}};
}

std::string spread_text(double least, double most) {
  return format_rate(least) + " to " + format_rate(most);
}

std::string machine_text(const results& from) {
  table rows;
  const hardware& machine = from.machine;
  rows.add({"processor", from.processor.empty() ? "unknown" : from.processor});
  rows.add({"processors", std::to_string(machine.allowed_processors) +
                              " allowed of " +
                              std::to_string(machine.logical_processors)});
  rows.add({"kernel", from.kernel});
  rows.add({"nexus-pipe", from.version + ", " + from.date});
  return "Machine\n" + rows.text("  ");
}

std::string memory_text(const results& from) {
  table rows;
  rows.add({"THREADS", "COPY", "SPREAD", "READ", "SPREAD"});
  for (const memory_point& point : from.memory) {
    rows.add({std::to_string(point.threads), format_rate(point.copy.median()),
              spread_text(point.copy.least(), point.copy.most()),
              format_rate(point.read.median()),
              spread_text(point.read.least(), point.read.most())});
  }
  return "\nMemory, two buffers of " + format_bytes(from.memory_bytes) + "\n" +
         rows.text("  ");
}

std::string disk_text(const results& from) {
  const disk_result& disk = from.disk;
  if (disk.write.empty() || disk.read.empty()) return "";
  table rows;
  rows.add({"write and sync", format_rate(disk.write.median()),
            spread_text(disk.write.least(), disk.write.most())});
  rows.add({"read", format_rate(disk.read.median()),
            spread_text(disk.read.least(), disk.read.most())});
  return "\nDisk, " + format_bytes(disk.bytes) + " in " +
         printable(disk.directory) + " (" + printable(disk.file_system) +
         (disk.in_memory ? ", in memory" : "") + ")\n" + rows.text("  ");
}

std::string runs_text(const results& from) {
  table rows;
  rows.add({"OPERATION", "BACKEND", "WORKERS", "SEGMENT", "RATE", "SPREAD",
            "OF MEMORY'S", "BOUND BY"});
  for (const run_point& run : from.runs) {
    const ceiling most = ceiling_of(from, run);
    rows.add({name_of(run.op), run.backend, std::to_string(run.workers),
              format_segment(run.segment_bytes), format_rate(run.rate()),
              spread_text(run.least(), run.most()),
              format_share(run.rate(), most.bytes_per_second) + " " + most.what,
              name_of(bound_of(from, run))});
  }
  return "\nRuns, medians of " + std::to_string(from.repeats) + "\n" +
         rows.text("  ");
}

std::string latency_text(const results& from) {
  table rows;
  rows.add({"OPERATION", "BACKEND", "ONE BYTE", "FIRST BYTES OF MANY"});
  for (const latency_point& point : from.latencies) {
    rows.add({name_of(point.op), point.backend,
              format_seconds(point.one_byte.median()),
              point.first_byte.empty()
                  ? "-"
                  : format_seconds(point.first_byte.median())});
  }
  return "\nLatency\n" + rows.text("  ");
}

}  // namespace

std::string as_table(const results& from) {
  std::string text = machine_text(from) + memory_text(from) + disk_text(from) +
                     runs_text(from) + latency_text(from);
  for (std::size_t i = 0; i < from.notes.size(); ++i) {
    text += (i == 0 ? "\n" : "") + printable(from.notes[i]) + "\n";
  }
  return text;
}

std::string as_json(const results& from) {
  json backends = json::array();
  for (const backend& one : from.backends) backends.push_back(to_json(one));
  json memory = json::array();
  for (const memory_point& point : from.memory) {
    memory.push_back({{"threads", point.threads},
                      {"copy_bytes_per_second", to_json(point.copy)},
                      {"read_bytes_per_second", to_json(point.read)}});
  }
  json runs = json::array();
  for (const run_point& run : from.runs) runs.push_back(to_json(from, run));
  json latencies = json::array();
  for (const latency_point& point : from.latencies) {
    latencies.push_back(
        {{"operation", name_of(point.op)},
         {"backend", point.backend},
         {"one_byte_seconds", to_json(point.one_byte)},
         {"first_byte_seconds", point.first_byte.empty()
                                    ? json(nullptr)
                                    : to_json(point.first_byte)}});
  }
  return printed({{"version", from.version},
                  {"date", from.date},
                  {"command", from.command},
                  {"processor", from.processor},
                  {"kernel", from.kernel},
                  {"load_before", from.load_before},
                  {"machine", to_json(from.machine)},
                  {"quick", from.quick},
                  {"repeats", from.repeats},
                  {"backends", std::move(backends)},
                  {"memory_buffer_bytes", from.memory_bytes},
                  {"memory", std::move(memory)},
                  {"disk", to_json(from.disk)},
                  {"runs", std::move(runs)},
                  {"latencies", std::move(latencies)},
                  {"notes", from.notes},
                  {"elapsed_seconds", from.elapsed_seconds}});
}

}  // namespace nexus::tool::bench
