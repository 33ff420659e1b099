// One operation from its source to its sink. docs/architecture.md draws it.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <nexus/engine.hpp>
#include <nexus/operation.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "async/scope.hpp"
#include "async/wait_list.hpp"
#include "backend/device.hpp"
#include "engine/buffer_pool.hpp"
#include "engine/engine_core.hpp"
#include "engine/layout.hpp"
#include "engine/prologue_bridge.hpp"
#include "io/sink_writer.hpp"
#include "io/source_reader.hpp"

namespace nexus {

// Engine thread only, but for request_stop().
class run : public std::enable_shared_from_this<run> {
 public:
  run(engine_core& core, operation& work, source from, sink to,
      run_options options, std::function<void(run_report)> done);

  // The whole run; calls done on a helper thread as its last act.
  task<void> main();
  // (any thread)
  void request_stop();
  // About every 100 ms: reports progress.
  void tick();
  [[nodiscard]] telemetry snapshot() const;
  // What the engine may use has changed.
  void adapt();
  // What running jobs take beside their buffers.
  [[nodiscard]] std::uint64_t job_bytes() const noexcept;
  [[nodiscard]] std::uint64_t most_job_bytes() const noexcept;  // of one
  // Without which it could not go on.
  [[nodiscard]] std::uint64_t least_bytes() const noexcept;

 private:
  struct segment;
  using segment_ptr = std::shared_ptr<segment>;

  task<void> drive();
  task<status> execute();
  task<status> begin();
  task<status> run_prologue();
  task<status> prepare();
  task<status> find_devices();
  status check_jobs();
  result<segment_layout> choose_layout();
  [[nodiscard]] bool reads_in_place() const;
  [[nodiscard]] bool devices_take(const segment_layout& layout) const;
  task<status> finish();

  // Reading.
  task<void> read_positional();
  task<void> read_sequential();
  task<void> read_records();
  task<source_reader::outcome> read_on(std::uint64_t position, byte_span room);
  task<segment_ptr> next_slot();
  struct filling {
    std::size_t filled = 0;
    bool ended = false;
    status failure;
  };
  task<filling> fill(const buffer& into, std::size_t filled);
  [[nodiscard]] std::size_t whole_part(std::size_t filled) const;
  void dispatch(segment_ptr ready);
  [[nodiscard]] bool reading() const noexcept;
  [[nodiscard]] bool far_ahead() const;
  [[nodiscard]] std::uint32_t most_slots() const;

  // Computing.
  task<void> process(segment_ptr mine);
  task<void> read_own_bytes(segment& mine);
  void take_input(segment& mine, source_reader::outcome got);
  static std::int32_t read_on_lane(void* context);
  [[nodiscard]] bool drains(const segment& mine, std::uint32_t stage) const;
  static void write_on_lane(void* context, std::uint64_t output_bytes,
                            std::uint32_t flags);
  nexus_job job_of(segment& mine, std::uint32_t stage);
  task<bool> run_stage(segment& mine, std::uint32_t stage);
  task<bool> run_job(segment& mine, std::uint32_t stage);
  [[nodiscard]] bool audits(std::uint32_t device, std::uint32_t stage) const;
  [[nodiscard]] bool audits_on_lane(std::uint32_t device,
                                    std::uint32_t stage) const;
  static void audit_on_lane(void* context, std::uint64_t output_bytes,
                            std::uint32_t flags);
  task<void> audit(segment& mine, std::uint32_t stage);
  bool heed_audit(segment& mine, std::uint32_t stage);
  [[nodiscard]] job_outcome outcome_of(const segment& mine) const;
  task<bool> well(segment& mine, const placement& where, std::uint32_t stage,
                  double placed);
  task<void> import_buffers(const segment& mine, std::uint32_t operation,
                            nexus_job& job);
  status no_device_for(std::uint64_t size) const;
  task<std::optional<placement>> next_lane(const segment& mine,
                                           std::uint32_t stage);
  void account(const placement& where, std::uint32_t stage, std::uint64_t size,
               double started, const segment& mine);
  [[nodiscard]] bool starved(const segment& mine) const;
  bool run_fewer(segment& mine, std::uint32_t stage);
  [[nodiscard]] bool may_run(std::uint32_t stage) const;
  bool note_failure(segment& mine, const placement& where,
                    const device_result& result);
  static void distrust(segment& mine, const nexus_job& job);
  void blame(std::uint32_t device, std::uint32_t stage);
  [[nodiscard]] bool convicted(segment& mine);
  bool make_job(segment& mine, std::uint32_t stage);
  task<verdict> judge(const segment& mine, std::uint32_t stage);
  task<bool> check(segment& mine, std::uint32_t stage);
  static void accept(segment& mine, std::uint64_t output_bytes);
  bool connect(segment& mine, std::uint32_t stage);
  [[nodiscard]] segment_view view_of(const segment& mine,
                                     std::uint32_t stage) const;

  // Writing.
  task<void> write_in_order();
  void deliver(segment_ptr mine);
  [[nodiscard]] bool is_written(const segment& mine) const;
  std::vector<segment_ptr> take_finished();

  void fail(status why);
  void stop_reading();
  // Fills in the rest and hands it on. Only where options_.trace is set.
  void tell(segment_event event) const;
  void tell(segment_event event, double end) const;
  void tell_read(const segment& mine, double begin) const;
  void tell_job(segment_step step, const segment& mine, std::uint32_t stage,
                const placement& where, double begin) const;
  void tell_setup() const;
  void watch_steps(segment& mine, std::uint32_t stage, const placement& where,
                   nexus_job& job);
  static void on_step(void* context, std::uint32_t step, std::uint32_t steps,
                      const char* name);
  task<void> report_progress();
  template <class Child>
  void spawn(Child child);

  engine_core& core_;
  operation& work_;
  run_options options_;
  std::function<void(run_report)> done_;
  const std::uint64_t owner_;  // of device jobs; also the source's I/O tag
  io_service* io_ = nullptr;
  std::optional<source> from_;
  std::optional<sink> to_;
  std::optional<source_reader> reader_;
  std::optional<sink_writer> writer_;
  std::uint64_t prologue_bytes_ = 0;  // of the source, taken
  bytes prologue_output_;
  bytes unread_;  // read during the prologue, not taken; sequential only
  bool source_ended_ = false;
  bool grown_ = false;  // a stream of unknown size is now worth a GPU

  operation_plan plan_;
  segment_layout layout_;
  scope children_;

  // Slots of the window.
  std::uint32_t slots_ = 0;
  std::uint32_t peak_slots_ = 0;
  std::uint32_t ahead_ = 0;  // have a slot but no device yet
  wait_list slot_freed_;
  std::set<std::pair<std::uint64_t, std::uint32_t>>
      lane_queue_;  // index, stage

  class job_slot;
  struct job_limit {
    std::uint32_t most = UINT32_MAX;  // that may run at once, for their memory
    std::uint32_t running = 0;
  };
  std::vector<job_limit> limits_;  // by stage
  std::uint64_t held_bytes_ = 0;   // of the budget, for what jobs take
  // Jobs of all stages, and for how many there turned out to be memory.
  std::uint32_t running_ = 0;
  std::uint32_t bearable_ = UINT32_MAX;

  std::vector<std::uint32_t> operation_ids_;       // by stage
  std::vector<std::unique_ptr<turnstile>> turns_;  // by stage
  std::vector<bytes> carry_;                       // by stage
  std::vector<std::uint64_t> offset_;              // by stage: next input
  std::map<std::uint64_t, segment_ptr> finished_;
  std::uint64_t next_write_ = 0;
  wait_list delivered_;
  // Where in the file the last stage's output begins, once lanes may write.
  std::optional<std::uint64_t> output_begin_;

  bool reading_stopped_ = false;
  bool stop_requested_ = false;
  bool progress_busy_ = false;
  status outcome_;                 // what will be reported
  std::optional<status> failure_;  // of the run as a whole
  status stream_end_;              // what the last segment ended with

  double started_ = 0;
  std::uint64_t input_bytes_ = 0;
  std::uint64_t segments_ = 0;
  std::uint64_t retries_ = 0;
  std::uint64_t lane_reads_ = 0;
  std::uint64_t used_ = 0;  // of the source: up to what was written
  telemetry before_;        // what the engine had counted when we began
  stall_telemetry stalls_;
};

}  // namespace nexus
