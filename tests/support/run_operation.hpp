// Runs an operation in memory as the engine does, one job after the other on
// the naive device. Where the engine is free to choose, it takes the hardest
// case: every job of the first stage is made before any result is checked. Its
// device is not a trusted one.
#pragma once

#include <algorithm>
#include <functional>
#include <nexus/operation.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/naive_device.hpp"

namespace nexus::test {

struct run_settings {
  std::uint64_t segment_bytes = 65536;
  // Bytes that a peek yields beyond those asked for.
  std::size_t peek_ahead = 0;
  // The device compares no tags where the operation can.
  bool leaves_tags = false;
  // Spoils what the device said of a job. attempt: 0, then one more for each
  // resubmission.
  std::function<void(const segment_view&, int attempt, job_outcome&)> tamper;
};

struct run_result {
  status end;
  std::vector<std::byte> output;
  int resubmitted = 0;
  status found;  // by the last audit that refused a result
};

class operation_runner {
 public:
  operation_runner(operation& op, std::span<const std::byte> input,
                   run_settings settings)
      : op_(op),
        settings_(std::move(settings)),
        io_(input, result_.output, settings_.peek_ahead) {}

  run_result run() {
    result_.end = run_all();
    return std::move(result_);
  }

 private:
  class memory_io final : public prologue_io {
   public:
    memory_io(std::span<const std::byte> in, std::vector<std::byte>& out,
              std::size_t ahead)
        : in_(in), out_(out), ahead_(ahead) {}
    result<std::span<const std::byte>> peek(std::size_t size) override {
      // A view that the next call invalidates, and not a byte more.
      const auto head = in_.first(std::min(size + ahead_, in_.size()));
      view_.assign(head.begin(), head.end());
      view_.shrink_to_fit();
      return std::span<const std::byte>(view_);
    }
    void consume(std::size_t size) override { in_ = in_.subspan(size); }
    status write(std::span<const std::byte> data) override {
      out_.insert(out_.end(), data.begin(), data.end());
      return {};
    }
    std::span<const std::byte> rest() const { return in_; }

   private:
    std::span<const std::byte> in_;
    std::vector<std::byte>& out_;
    std::size_t ahead_;
    std::vector<std::byte> view_;
  };

  struct stage_state {
    std::vector<std::byte> carry;
    std::uint64_t index = 0;
    std::uint64_t offset = 0;
  };

  static status defect(const std::string& what) {
    return status(status_code::internal, "runner: " + what);
  }

  status run_all() {
    status begun = op_.prologue(io_);
    if (!begun.ok()) return begun;
    auto plan = op_.plan({io_.rest().size(), settings_.segment_bytes});
    if (!plan.ok()) return plan.error();
    plan_ = std::move(*plan);
    const std::uint64_t size = plan_.segment_bytes;
    if (size == 0 || size % plan_.stages.front().granule != 0) {
      return defect("the plan's segment is no multiple of its granule");
    }
    for (const stage_plan& stage : plan_.stages) {
      stages_.push_back({stage.lead, 0, 0});
    }
    status ran = run_segments(size);
    return ran.ok() ? op_.epilogue(io_) : ran;
  }

  status run_segments(std::uint64_t size) {
    const auto in = io_.rest();
    std::vector<segment_view> segments;
    std::uint64_t at = 0;
    do {
      const auto piece =
          in.subspan(at, std::min<std::uint64_t>(size, in.size() - at));
      segments.push_back({0, segments.size(), at, piece,
                          at + piece.size() == in.size(), false});
      at += piece.size();
    } while (at < in.size());
    for (const segment_view& segment : segments) {
      auto job = op_.make_job(segment);
      if (!job.ok()) return job.error();
      first_jobs_.push_back(std::move(*job));
    }
    for (const segment_view& segment : segments) {
      status ran = feed(0, segment.input, segment.last, false);
      if (!ran.ok()) return ran;
    }
    return {};
  }

  // The next bytes of a stage's input.
  status feed(std::size_t stage, std::span<const std::byte> data, bool last,
              bool broken) {
    stage_state& state = stages_[stage];
    std::vector<std::byte> input = std::exchange(state.carry, {});
    input.insert(input.end(), data.begin(), data.end());
    std::size_t cut = input.size();
    if (!last && !broken) cut -= cut % plan_.stages[stage].granule;
    state.carry.assign(input.begin() + static_cast<std::ptrdiff_t>(cut),
                       input.end());
    input.resize(cut);
    if (cut == 0 && !last && !broken) return {};
    const segment_view segment{static_cast<std::uint32_t>(stage),
                               state.index++,
                               state.offset,
                               input,
                               last,
                               broken};
    state.offset += cut;
    std::vector<std::byte> output;
    auto said = decide(segment, output);
    if (!said.ok()) return said.error();
    status down = hand_on(stage, output, last, broken || !said->failure.ok());
    return down.ok() ? said->failure : down;
  }

  status hand_on(std::size_t stage, const std::vector<std::byte>& output,
                 bool last, bool broken) {
    if (stage + 1 == plan_.stages.size()) return io_.write(output);
    return feed(stage + 1, output, last && !broken, broken);
  }

  // Runs the job until check() has a verdict other than resubmit.
  result<verdict> decide(const segment_view& segment,
                         std::vector<std::byte>& output) {
    auto job =
        segment.stage == 0 ? first_jobs_[segment.index] : op_.make_job(segment);
    if (!job.ok()) return job.error();
    const stage_plan& stage = plan_.stages[segment.stage];
    const std::size_t capacity = (segment.input.size() + stage.granule - 1) /
                                     stage.granule * stage.granule_output +
                                 stage.extra_output;
    for (int attempt = 0; attempt < 4; ++attempt) {
      naive_result done;
      if (job->needed) {
        done = naive_job(stage.job, job->params, segment.input);
      }
      if (settings_.leaves_tags && job->tags_bytes != 0) {
        nexus_age_params p{};
        std::memcpy(&p, job->params.data(), sizeof p);
        done = naive_open_tags(p, segment.input);
        if (done.tags.size() > job->tags_bytes)
          return defect("no room for the tags");
      }
      job_outcome outcome;
      outcome.output_bytes = done.output.size();
      outcome.data_error = done.data_error;
      outcome.error_offset = done.error_offset;
      outcome.flags = done.flags;
      outcome.tags = done.tags;
      if (done.output.size() > capacity) return defect("output too small");
      output = std::move(done.output);
      if (job->needed) output.resize(capacity, std::byte{0xee});
      output.shrink_to_fit();
      outcome.output = output;
      if (settings_.tamper) settings_.tamper(segment, attempt, outcome);
      const bool audited = stage.audits != audit_scope::none;
      if (audited && !outcome.data_error) {
        status found = op_.audit(segment, outcome);
        if (found.code() == status_code::device_failed) {
          result_.found = std::move(found);
          ++result_.resubmitted;
          continue;
        }
        if (!found.ok()) return found;
      }
      verdict said = op_.check(segment, outcome);
      if (said.kind == verdict_kind::resubmit) {
        ++result_.resubmitted;
        continue;
      }
      if (said.output_bytes > output.size()) return defect("too much output");
      if (said.kind == verdict_kind::finish && said.failure.ok() &&
          !segment.last) {
        return defect("finished before the end");
      }
      output.resize(said.output_bytes);
      return said;
    }
    return status(status_code::device_failed, "runner: resubmitted too often");
  }

  operation& op_;
  run_settings settings_;
  run_result result_;
  memory_io io_;
  operation_plan plan_;
  std::vector<stage_state> stages_;
  std::vector<result<job_request>> first_jobs_;
};

inline run_result run_operation(operation& op, std::span<const std::byte> input,
                                run_settings settings = {}) {
  return operation_runner(op, input, std::move(settings)).run();
}

}  // namespace nexus::test
