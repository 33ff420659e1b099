#include "backend/plugin_operation.hpp"

#include <cstring>

#include "async/exception.hpp"
#include "base/bytes.hpp"

namespace nexus {
namespace {

constexpr std::uint32_t params_capacity = 4096;

status_code code_of(std::int32_t code) {
  switch (code) {
    case NEXUS_E_DATA:
      return status_code::invalid_data;
    case NEXUS_E_NO_MEMORY:
      return status_code::out_of_memory;
    case NEXUS_E_CANCELLED:
      return status_code::cancelled;
    case NEXUS_E_UNSUPPORTED:
      return status_code::unsupported;
    case NEXUS_E_ARGUMENT:
      return status_code::invalid_argument;
    case NEXUS_E_IO:
      return status_code::io_error;
    default:
      return status_code::device_failed;
  }
}

nexus_error blank_error() {
  nexus_error error{};
  error.size = sizeof error;
  return error;
}

status to_status(std::string_view operation, std::int32_t code,
                 nexus_error& error) {
  error.message[sizeof error.message - 1] = '\0';
  std::string text(operation);
  text += ": ";
  text += error.message[0] != '\0'
              ? std::string(error.message)
              : "the plugin reported error " + std::to_string(code);
  return {code_of(code), std::move(text)};
}

// The C view of a prologue. A failure is kept: the plugin can only hand a
// number back.
struct stream_adapter {
  prologue_io& io;
  status failure;
  nexus_stream table{};

  stream_adapter(prologue_io& stream, bool with_input) : io(stream) {
    table.size = sizeof table;
    table.context = this;
    table.write = &stream_adapter::write;
    if (!with_input) return;
    table.peek = &stream_adapter::peek;
    table.consume = &stream_adapter::consume;
  }
  static int32_t peek(void* context, uint64_t want, const uint8_t** data,
                      uint64_t* size) {
    auto* self = static_cast<stream_adapter*>(context);
    auto got = guarded([&] { return self->io.peek(want); });
    if (!got.ok()) {
      self->failure = got.error();
      return NEXUS_E_IO;
    }
    *data = u8(got->data());
    *size = got->size();
    return NEXUS_OK;
  }
  static void consume(void* context, uint64_t size) {
    static_cast<stream_adapter*>(context)->io.consume(size);
  }
  static int32_t write(void* context, const uint8_t* data, uint64_t size) {
    auto* self = static_cast<stream_adapter*>(context);
    status put = guarded([&] {
      return self->io.write({reinterpret_cast<const std::byte*>(data),
                             static_cast<size_t>(size)});
    });
    if (put.ok()) return NEXUS_OK;
    self->failure = put;
    return NEXUS_E_IO;
  }
};

class plugin_operation final : public operation {
 public:
  plugin_operation(std::shared_ptr<const loaded_plugin> plugin,
                   const nexus_operation& table, nexus_work* work)
      : plugin_(std::move(plugin)),
        table_(table),
        name_(table.name),
        work_(work) {}
  ~plugin_operation() override { table_.destroy(work_); }

  std::string_view name() const noexcept override { return name_; }

  status prologue(prologue_io& io) override {
    return table_.prologue == nullptr ? status{}
                                      : stream_step(table_.prologue, io, true);
  }
  status epilogue(prologue_io& io) override {
    return table_.epilogue == nullptr ? status{}
                                      : stream_step(table_.epilogue, io, false);
  }

  result<operation_plan> plan(const plan_request& request) override {
    nexus_plan plan{};
    plan.size = sizeof plan;
    plan.granule = plan.granule_output = 1;
    plan.segment_bytes = request.segment_bytes;
    plan.input_bytes = request.input_bytes.value_or(UINT64_MAX);
    nexus_error error = blank_error();
    if (const auto code = table_.plan(work_, &plan, &error); code != NEXUS_OK)
      return to_status(name_, code, error);
    plan.job[sizeof plan.job - 1] = '\0';
    if (plan.granule == 0 || plan.segment_bytes == 0 || plan.job[0] == '\0')
      return status(status_code::internal,
                    name_ + ": the plugin's plan is not complete");
    operation_plan made;
    made.segment_bytes = plan.segment_bytes;
    made.segment_bytes_fixed = plan.segment_bytes_fixed != 0;
    stage_plan stage;
    stage.granule = plan.granule;
    stage.granule_output = plan.granule_output;
    stage.extra_output = plan.extra_output;
    stage.job = plan.job;
    made.stages.push_back(std::move(stage));
    return made;
  }

  result<job_request> make_job(const segment_view& segment) override {
    const nexus_segment view = to_c(segment);
    job_request job;
    job.params.resize(params_capacity);
    std::uint32_t size = 0;
    nexus_error error = blank_error();
    const auto code = table_.job(work_, &view, job.params.data(),
                                 params_capacity, &size, &error);
    if (code != NEXUS_OK) return to_status(name_, code, error);
    if (size > params_capacity)
      return status(status_code::internal,
                    name_ + ": the plugin's parameter block is too large");
    job.params.resize(size);
    return job;
  }

  verdict check(const segment_view& segment,
                const job_outcome& outcome) override {
    verdict said;
    said.output_bytes = outcome.output_bytes;
    nexus_error error = blank_error();
    if (outcome.data_error) {
      said.kind = verdict_kind::finish;
      said.failure = {
          status_code::invalid_data,
          name_ + ": bad data at byte " +
              std::to_string(segment.offset + outcome.error_offset)};
    }
    if (table_.check == nullptr) return said;
    const nexus_segment view = to_c(segment);
    nexus_result result{};
    result.size = sizeof result;
    result.status = outcome.data_error ? NEXUS_E_DATA : NEXUS_OK;
    result.output_bytes = outcome.output_bytes;
    result.error_offset = outcome.error_offset;
    result.flags = outcome.flags;
    const auto code = table_.check(work_, &view, &result, &error);
    if (code == NEXUS_VERDICT_ACCEPT) return said;
    if (code == NEXUS_VERDICT_RESUBMIT) {
      said.kind = verdict_kind::resubmit;
      return said;
    }
    said.kind = verdict_kind::finish;
    said.output_bytes = 0;  // what a check refuses is not handed on
    // INT32_MIN has no positive counterpart.
    said.failure = code < 0 && code >= -NEXUS_E_IO
                       ? to_status(name_, -code, error)
                       : status(status_code::internal,
                                name_ + ": the plugin gave verdict " +
                                    std::to_string(code));
    return said;
  }

 private:
  using stream_fn = int32_t (*)(nexus_work*, const nexus_stream*, nexus_error*);
  status stream_step(stream_fn step, prologue_io& io, bool with_input) {
    stream_adapter stream(io, with_input);
    nexus_error error = blank_error();
    const auto code = step(work_, &stream.table, &error);
    if (!stream.failure.ok()) return stream.failure;
    return code == NEXUS_OK ? status{} : to_status(name_, code, error);
  }
  static nexus_segment to_c(const segment_view& segment) {
    nexus_segment view{};
    view.size = sizeof view;
    view.last = segment.last ? 1 : 0;
    view.index = segment.index;
    view.offset = segment.offset;
    view.input = u8(segment.input.data());
    view.input_bytes = segment.input.size();
    return view;
  }

  const std::shared_ptr<const loaded_plugin> plugin_;
  const nexus_operation& table_;
  const std::string name_;
  nexus_work* const work_;
};

}  // namespace

result<std::unique_ptr<operation>> make_plugin_operation(
    std::shared_ptr<const loaded_plugin> plugin, std::size_t index,
    const std::vector<std::pair<std::string, std::string>>& options) {
  const nexus_operation& table = plugin->operations[index];
  std::vector<nexus_option> list;
  for (const auto& [key, value] : options)
    list.push_back({key.c_str(), value.c_str()});
  nexus_error error = blank_error();
  nexus_work* work = nullptr;
  const auto code = table.create(
      list.data(), static_cast<std::uint32_t>(list.size()), &work, &error);
  if (code != NEXUS_OK || work == nullptr)
    return to_status(table.name, code, error);
  return std::unique_ptr<operation>(
      std::make_unique<plugin_operation>(std::move(plugin), table, work));
}

}  // namespace nexus
