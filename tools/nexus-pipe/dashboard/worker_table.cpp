#include "dashboard/worker_table.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace nexus::tool {
namespace {

struct column {
  const char* head;
  std::size_t width;  // with the space that follows
};

// The work is the widest, and takes what is left.
constexpr std::array<column, 4> right_columns{
    {{"rate", 12}, {"jobs", 8}, {"failed", 7}, {"restarts", 9}}};
constexpr std::size_t name_columns = 6;
constexpr std::size_t device_columns = 9;
constexpr std::size_t state_columns = 12;
constexpr std::size_t least_work_columns = 18;

std::pair<const char*, text_style> words_of(device_state state) {
  switch (state) {
    case device_state::ready:
      return {"ready", text_style::good};
    case device_state::backing_off:
      return {"backing off", text_style::warning};
    case device_state::quarantined:
      return {"quarantined", text_style::bad};
    case device_state::dead:
      return {"dead", text_style::bad};
  }
  return {"unknown", text_style::bad};
}

std::string work_of(const worker_view& worker) {
  if (worker.jobs_now.empty()) return "idle";
  const job_view& job = worker.jobs_now.front();
  std::string text = job.job + " " + std::to_string(job.segment);
  if (job.step > 0)
    text += " " + std::to_string(job.step) + "/" + std::to_string(job.steps) +
            " " + job.step_name;
  if (worker.jobs_now.size() > 1)
    text += " +" + std::to_string(worker.jobs_now.size() - 1);
  return text;
}

class table {
 public:
  explicit table(const screen_shape& shape) : shape_(shape) {
    std::size_t used = name_columns + state_columns + least_work_columns;
    for (const column& each : right_columns) {
      if (used + each.width > shape.columns) break;
      used += each.width;
      ++numbers_;
      right_ += each.width;
    }
    with_device_ = used + device_columns <= shape.columns;
  }

  line_writer head() const {
    line_writer into(shape_.columns, shape_.unicode);
    put_left(into, "worker", with_device_ ? "device" : "", "state",
             text_style::heading, "job, segment", text_style::heading);
    put_right(into, {"rate", "jobs", "failed", "restarts"},
              text_style::heading);
    return into;
  }

  line_writer row(const worker_view& worker) const {
    line_writer into(shape_.columns, shape_.unicode);
    const auto [state, style] = words_of(worker.state);
    put_left(into, worker.name, worker.device, state, style, work_of(worker),
             worker.jobs_now.empty() ? text_style::faint : text_style::plain);
    const double rate = worker.rate.bytes_per_second().value_or(0);
    put_right(into,
              {format_bytes(static_cast<std::uint64_t>(rate)) + "/s",
               std::to_string(worker.jobs), std::to_string(worker.failures),
               std::to_string(worker.restarts)},
              text_style::plain);
    return into;
  }

 private:
  void put_left(line_writer& into, const std::string& name,
                const std::string& device, const char* state,
                text_style state_style, const std::string& work,
                text_style work_style) const {
    const bool head = work_style == text_style::heading;
    into.add(fitted(name, name_columns),
             head ? text_style::heading : text_style::plain);
    std::size_t at = name_columns + 1;
    into.pad_to(at);
    if (with_device_) {
      into.add(fitted(device, device_columns - 1),
               head ? text_style::heading : text_style::faint);
      into.pad_to(at += device_columns);
    }
    into.add(state, state_style);
    into.pad_to(at += state_columns);
    const std::size_t end = shape_.columns - std::min(right_, shape_.columns);
    const std::size_t room = end > at + 1 ? end - at - 1 : 0;
    into.add(fitted(work, room), work_style);
    into.pad_to(end);
  }

  void put_right(line_writer& into, const std::array<std::string, 4>& words,
                 text_style style) const {
    for (std::size_t i = 0; i < numbers_; ++i) {
      const std::size_t width = right_columns[i].width;
      const std::size_t own = std::min(words[i].size(), width);
      into.pad_to(into.used() + width - own);
      const bool alarm = i >= 2 && words[i] != "0";
      into.add(words[i], alarm && style == text_style::plain
                             ? text_style::warning
                             : style);
    }
  }

  const screen_shape shape_;
  std::size_t numbers_ = 0;
  std::size_t right_ = 0;
  bool with_device_ = false;
};

}  // namespace

std::vector<line_writer> worker_table(const std::vector<worker_view>& workers,
                                      std::size_t rows,
                                      const screen_shape& shape) {
  const table columns(shape);
  std::vector<line_writer> lines{columns.head()};
  std::vector<const worker_view*> order;
  for (const worker_view& each : workers) order.push_back(&each);
  if (order.size() <= rows) {
    for (const worker_view* each : order) lines.push_back(columns.row(*each));
    return lines;
  }
  const auto is_first = [](const worker_view* a, const worker_view* b) {
    return a->state != b->state ? a->state > b->state : a < b;
  };
  std::sort(order.begin(), order.end(), is_first);
  const std::size_t shown = rows > 0 ? rows - 1 : 0;
  for (std::size_t i = 0; i < shown; ++i)
    lines.push_back(columns.row(*order[i]));
  line_writer rest(shape.columns, shape.unicode);
  rest.add("and " + std::to_string(order.size() - shown) + " more",
           text_style::faint);
  lines.push_back(std::move(rest));
  return lines;
}

}  // namespace nexus::tool
