#include "bench/figures.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "bench/chart.hpp"
#include "bench/html.hpp"

namespace nexus::tool::bench {
namespace {

struct unit {
  double size;
  const char* name;
};

unit unit_for(double most) {
  if (most >= 1e9) return {1e9, "GB/s"};
  if (most >= 1e6) return {1e6, "MB/s"};
  return {1e3, "kB/s"};
}

// A chart and its table.
std::string figure(const std::string& title, const std::string& svg,
                   const html_table& table) {
  return "<figure>\n<figcaption>" + element("h3", title) +
         "</figcaption>\n<div>" + svg + "</div>\n" + to_html(table) +
         "</figure>\n";
}

std::string section(const char* id, const char* title, const char* how,
                    const std::string& inside) {
  if (inside.empty()) return "";
  return std::string("<section aria-labelledby=\"") + id + "\">\n<h2 id=\"" +
         id + "\">" + escaped(title) + "</h2>\n" + paragraph("how", how) +
         inside + "</section>\n";
}

using run_list = std::vector<const run_point*>;

// Those of one operation that have something in common, by backend.
struct sweep {
  bench_op op;
  std::vector<std::pair<std::string, run_list>> by_backend;
};

std::vector<bench_op> ops_of(const results& from) {
  std::vector<bench_op> ops;
  for (const run_point& run : from.runs) {
    if (std::find(ops.begin(), ops.end(), run.op) == ops.end()) {
      ops.push_back(run.op);
    }
  }
  return ops;
}

sweep sweep_of(const results& from, bench_op op,
               const std::function<bool(const backend&, const run_point&)>& in,
               const std::function<double(const run_point&)>& place) {
  sweep made{op, {}};
  for (const backend& known : from.backends) {
    run_list runs;
    for (const run_point& run : from.runs) {
      if (run.op == op && run.backend == known.name && in(known, run)) {
        runs.push_back(&run);
      }
    }
    std::sort(runs.begin(), runs.end(), [&](const auto* a, const auto* b) {
      return place(*a) < place(*b);
    });
    if (!runs.empty()) made.by_backend.emplace_back(known.name, runs);
  }
  return made;
}

double fastest(const sweep& of) {
  double most = 0;
  for (const auto& [name, runs] : of.by_backend) {
    for (const run_point* run : runs) most = std::max(most, run->most());
  }
  return most;
}

std::vector<chart_series> series_of(
    const sweep& of, const unit& in,
    const std::function<double(const run_point&)>& place) {
  std::vector<chart_series> all;
  for (const auto& [name, runs] : of.by_backend) {
    chart_series made{name, {}};
    for (const run_point* run : runs) {
      made.points.push_back({place(*run), run->rate() / in.size,
                             run->least() / in.size, run->most() / in.size});
    }
    all.push_back(std::move(made));
  }
  return all;
}

std::string in_words(const sweep& of,
                     const std::function<std::string(const run_point&)>& name) {
  std::string text;
  for (const auto& [backend_name, runs] : of.by_backend) {
    text += backend_name + ": ";
    for (const run_point* run : runs) {
      text += name(*run) + " " + format_rate(run->rate()) +
              (run == runs.back() ? ". " : ", ");
    }
  }
  return text;
}

html_table table_of(const results& from, const sweep& of, std::string caption,
                    html_column first, const unit& in,
                    const std::function<std::string(const run_point&)>& name) {
  html_table table{std::move(caption) + ", " + in.name,
                   {{"Backend"},
                    std::move(first),
                    {"Median", true},
                    {"Least", true},
                    {"Most", true},
                    {"Share", true}},
                   {}};
  for (const auto& [backend_name, runs] : of.by_backend) {
    for (const run_point* run : runs) {
      const ceiling most = ceiling_of(from, *run);
      table.rows.push_back({backend_name, name(*run),
                            format_number(run->rate() / in.size),
                            format_number(run->least() / in.size),
                            format_number(run->most() / in.size),
                            format_share(run->rate(), most.bytes_per_second)});
    }
  }
  return table;
}

std::string segment_name(const run_point& run) {
  return run.rows ? std::to_string(*run.rows)
                  : format_segment(run.segment_bytes);
}

std::string worker_name(const run_point& run) {
  return std::to_string(run.workers);
}

double log2_of_segment(const run_point& run) {
  return std::log2(
      static_cast<double>(std::max<std::uint64_t>(run.segment_bytes, 1)));
}

std::vector<chart_mark> marks_of(
    const sweep& of, const std::function<double(const run_point&)>& place,
    const std::function<std::string(const run_point&)>& name) {
  std::set<std::pair<double, std::string>> found;
  for (const auto& [backend_name, runs] : of.by_backend) {
    for (const run_point* run : runs) found.emplace(place(*run), name(*run));
  }
  std::vector<chart_mark> marks;
  for (const auto& [at, text] : found) marks.push_back({at, text});
  return marks;
}

// The memory's speed, unless the runs would be flattened by it.
std::optional<chart_mark> level_for(const results& from, const sweep& of,
                                    const unit& in) {
  const run_point& run = *of.by_backend.front().second.back();
  const ceiling most = ceiling_of(from, run);
  if (most.bytes_per_second <= 0) return std::nullopt;
  if (most.bytes_per_second > 4 * fastest(of)) return std::nullopt;
  return chart_mark{most.bytes_per_second / in.size,
                    std::string("memory, ") + most.what};
}

std::string segment_figure(const results& from, bench_op op) {
  const auto all_workers = [](const backend&, const run_point& run) {
    return run.all_workers;
  };
  const sweep of = sweep_of(from, op, all_workers, log2_of_segment);
  if (of.by_backend.empty()) return "";
  const unit in = unit_for(fastest(of));
  const std::string name = name_of(op);
  line_chart chart;
  chart.id = "segments-" + name;
  chart.title = name + ": rate by segment size";
  chart.description = in_words(of, segment_name);
  const bool rows = of.by_backend.front().second.front()->rows.has_value();
  chart.x_label = rows ? "rows of a segment, 60 bytes each (log scale)"
                       : "bytes of a segment (log scale)";
  chart.y_label = std::string(in.name);
  chart.x_marks = marks_of(of, log2_of_segment, segment_name);
  chart.series = series_of(of, in, log2_of_segment);
  chart.level = level_for(from, of, in);
  return figure(name, draw(chart),
                table_of(from, of, name + " by segment size",
                         {rows ? "Rows" : "Segment", true}, in, segment_name));
}

std::string worker_figure(const results& from, bench_op op) {
  const auto place = [](const run_point& run) {
    return static_cast<double>(run.workers);
  };
  // The size of segments that was run with several numbers of workers.
  const auto in_sweep = [&from](const backend& on, const run_point& run) {
    return !on.gpu &&
           std::any_of(from.runs.begin(), from.runs.end(),
                       [&run](const run_point& other) {
                         return other.op == run.op &&
                                other.backend == run.backend &&
                                other.segment_bytes == run.segment_bytes &&
                                other.workers != run.workers;
                       });
  };
  const sweep of = sweep_of(from, op, in_sweep, place);
  if (of.by_backend.empty()) return "";
  const unit in = unit_for(fastest(of));
  const std::string name = name_of(op);
  line_chart chart;
  chart.id = "workers-" + name;
  chart.title = name + ": rate by number of workers";
  chart.description = in_words(of, [](const run_point& run) {
    return worker_name(run) + (run.workers == 1 ? " worker" : " workers");
  });
  chart.x_label = "workers";
  chart.y_label = std::string(in.name);
  chart.x_marks = marks_of(of, place, worker_name);
  chart.x_marks.insert(chart.x_marks.begin(), {0, "0"});
  chart.series = series_of(of, in, place);
  const run_point& one = *of.by_backend.front().second.front();
  chart.slope = one.rate() / in.size / one.workers;
  const std::string sized = format_segment(one.segment_bytes);
  return figure(name + ", segments of " + sized, draw(chart),
                table_of(from, of, name + " by workers", {"Workers", true}, in,
                         worker_name));
}

void add_row(dot_chart& chart, html_table& table, std::string name,
             const samples& of, std::string how) {
  if (of.empty()) return;
  chart.rows.push_back({name, of.median() / 1e9, of.least() / 1e9,
                        of.most() / 1e9, format_rate(of.median())});
  table.rows.push_back({std::move(name), format_rate(of.median()),
                        format_rate(of.least()), format_rate(of.most()),
                        std::move(how)});
}

std::string threads_text(std::uint32_t count) {
  return std::to_string(count) + (count == 1 ? " thread" : " threads");
}

void add_disk(const disk_result& disk, dot_chart& chart, html_table& table) {
  const std::string file = format_segment(disk.bytes) + " in " +
                           disk.directory + ", " + disk.file_system +
                           (disk.in_memory ? ", which is in memory" : "");
  add_row(chart, table, "disk, read", disk.read,
          file + "; still cached: " + format_share(disk.cached_share, 1));
  add_row(chart, table, "disk, write", disk.write, file + "; with fsync");
}

// All numbers of threads; the chart has the most alone.
void add_memory(const results& from, dot_chart& chart, html_table& table) {
  dot_chart no_chart;
  for (const memory_point& point : from.memory) {
    const bool all = &point == &from.memory.back();
    const std::string threads = threads_text(point.threads);
    add_row(all ? chart : no_chart, table, "memory, read", point.read, threads);
    add_row(all ? chart : no_chart, table, "memory, copy", point.copy, threads);
  }
}

}  // namespace

std::string segment_figures(const results& from) {
  std::string text;
  for (const bench_op op : ops_of(from)) text += segment_figure(from, op);
  return section("segments", "By segment size",
                 "With all workers. A vertical bar spans the slowest to the "
                 "fastest run. A dashed line is the memory's speed, where it "
                 "is near enough to be drawn; the share is of that speed.",
                 text);
}

std::string worker_figures(const results& from) {
  std::string text;
  for (const bench_op op : ops_of(from)) text += worker_figure(from, op);
  return section(
      "workers", "By number of workers",
      "The dashed line is where twice the workers would do twice the "
      "work. The share is of the memory's speed with as many "
      "threads.",
      text);
}

std::string speed_figure(const results& from) {
  dot_chart chart;
  chart.id = "speeds";
  chart.title = "Memory, disk and operations on one scale";
  chart.x_label = "GB/s (log scale)";
  html_table table{
      "Memory, disk and operations",
      {{"What"}, {"Median", true}, {"Least", true}, {"Most", true}, {"How"}},
      {}};
  add_memory(from, chart, table);
  for (const run_point& run : from.runs) {
    if (best_of(from, run.op, run.backend) != &run) continue;
    samples rates;
    for (const double seconds : run.seconds.values()) {
      rates.add(static_cast<double>(run.data_bytes) / seconds);
    }
    add_row(chart, table, std::string(name_of(run.op)) + ", " + run.backend,
            rates,
            "segments of " + format_segment(run.segment_bytes) +
                ", workers: " + worker_name(run));
  }
  add_disk(from.disk, chart, table);
  for (const dot_row& row : chart.rows) {
    chart.description += row.name + " " + row.text + ". ";
  }
  if (chart.rows.empty()) return "";
  return section("speeds", "Memory, disk and operations",
                 "The best of each on one scale; lines span the least to the "
                 "most. A stream from file to file is no faster than the "
                 "slowest part that it passes through.",
                 figure("All on one scale", draw(chart), table));
}

}  // namespace nexus::tool::bench
