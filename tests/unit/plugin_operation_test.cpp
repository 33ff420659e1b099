// An operation in C behind the engine's seam; each callback answers as the
// test wants.
#include "backend/plugin_operation.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <functional>
#include <new>
#include <vector>

#include "base/bytes.hpp"

namespace nexus::test {
namespace {

void say(nexus_error* error, const char* words) {
  EXPECT_EQ(error->size, sizeof *error);
  std::strncpy(error->message, words, sizeof error->message - 1);
}

struct script {
  std::function<std::int32_t(const nexus_option*, std::uint32_t, nexus_work**,
                             nexus_error*)>
      create;
  std::function<std::int32_t(nexus_plan*, nexus_error*)> plan;
  std::function<std::int32_t(const nexus_segment*, void*, std::uint32_t,
                             std::uint32_t*, nexus_error*)>
      job;
  std::function<std::int32_t(const nexus_stream*, nexus_error*)> stream;
  std::function<std::int32_t(const nexus_segment*, const nexus_result*,
                             nexus_error*)>
      check;
  int destroyed = 0;
};
script* now = nullptr;
int work_target = 0;

std::int32_t do_create(const nexus_option* options, std::uint32_t count,
                       nexus_work** work, nexus_error* error) {
  if (now->create) return now->create(options, count, work, error);
  *work = reinterpret_cast<nexus_work*>(&work_target);
  return NEXUS_OK;
}
void do_destroy(nexus_work* work) {
  EXPECT_EQ(work, reinterpret_cast<nexus_work*>(&work_target));
  ++now->destroyed;
}
std::int32_t do_plan(nexus_work*, nexus_plan* plan, nexus_error* error) {
  return now->plan(plan, error);
}
std::int32_t do_job(nexus_work*, const nexus_segment* segment, void* params,
                    std::uint32_t capacity, std::uint32_t* size,
                    nexus_error* error) {
  return now->job(segment, params, capacity, size, error);
}
std::int32_t do_stream(nexus_work*, const nexus_stream* stream,
                       nexus_error* error) {
  return now->stream(stream, error);
}
std::int32_t do_check(nexus_work*, const nexus_segment* segment,
                      const nexus_result* result, nexus_error* error) {
  return now->check(segment, result, error);
}

// A stream in memory that fails or throws on demand.
class fake_io final : public prologue_io {
 public:
  explicit fake_io(std::string_view text) : input_(as_bytes(text)) {}
  result<byte_view> peek(std::size_t size) override {
    if (throws) throw std::bad_alloc();
    if (!failure.ok()) return failure;
    return input_.first(std::min(size, input_.size()));
  }
  void consume(std::size_t size) override { input_ = input_.subspan(size); }
  status write(byte_view data) override {
    if (!failure.ok()) return failure;
    append(output, data);
    return {};
  }
  status failure;
  bool throws = false;
  bytes output;

 private:
  byte_view input_;
};

class PluginOperation : public testing::Test {
 public:
  PluginOperation() {
    now = &script_;
    nexus_operation table{};
    table.size = sizeof table;
    table.name = "c-op";
    table.create = do_create;
    table.destroy = do_destroy;
    table.plan = do_plan;
    table.job = do_job;
    table.prologue = do_stream;
    table.epilogue = do_stream;
    table.check = do_check;
    plugin_->operations = {table};
  }
  nexus_operation& table() { return plugin_->operations[0]; }
  std::unique_ptr<operation> make() {
    auto made = make_plugin_operation(plugin_, 0, {});
    EXPECT_TRUE(made.ok()) << made.error().message();
    return std::move(*made);
  }
  static std::string told(const status& s) {
    return std::string(name_of(s.code())) + " | " + s.message();
  }
  // What a plan that `change` spoils comes to.
  result<operation_plan> planned(
      const std::function<void(nexus_plan&)>& change) {
    script_.plan = [change](nexus_plan* plan, nexus_error*) {
      std::strcpy(plan->job, "some-job");
      change(*plan);
      return +NEXUS_OK;
    };
    plan_request request;
    request.segment_bytes = 4096;
    return make()->plan(request);
  }
  verdict checked(std::int32_t answer, bool data_error = false,
                  const char* words = nullptr) {
    script_.check = [answer, words](const nexus_segment*, const nexus_result*,
                                    nexus_error* error) {
      if (words != nullptr) say(error, words);
      return answer;
    };
    return make()->check(segment_, outcome(data_error));
  }
  static job_outcome outcome(bool data_error) {
    job_outcome made;
    made.output_bytes = 50;
    made.data_error = data_error;
    made.error_offset = data_error ? 7 : 0;
    made.flags = 9;
    return made;
  }

  script script_;
  std::shared_ptr<loaded_plugin> plugin_ = std::make_shared<loaded_plugin>();
  bytes input_ = bytes(100, std::byte{1});
  segment_view segment_{0, 3, 1000, input_, true, false};
};

TEST_F(PluginOperation, ARefusalOfItsOptionsCarriesThePluginsWords) {
  script_.create = [](const nexus_option*, std::uint32_t, nexus_work**,
                      nexus_error* error) {
    say(error, "level must be 1 to 9");
    return +NEXUS_E_ARGUMENT;
  };
  const auto made = make_plugin_operation(plugin_, 0, {{"level", "10"}});
  EXPECT_EQ(told(made.error()),
            "invalid_argument | c-op: level must be 1 to 9");
  EXPECT_EQ(script_.destroyed, 0);
}

TEST_F(PluginOperation, CodesKeepTheirMeaning) {
  for (const auto& [code, expected] :
       {std::pair{+NEXUS_E_DATA, status_code::invalid_data},
        std::pair{+NEXUS_E_NO_MEMORY, status_code::out_of_memory},
        std::pair{+NEXUS_E_CANCELLED, status_code::cancelled},
        std::pair{+NEXUS_E_UNSUPPORTED, status_code::unsupported},
        std::pair{+NEXUS_E_ARGUMENT, status_code::invalid_argument},
        std::pair{+NEXUS_E_IO, status_code::io_error},
        std::pair{+NEXUS_E_DEVICE, status_code::device_failed},
        std::pair{-1, status_code::device_failed}}) {
    script_.create = [answer = code](const nexus_option*, std::uint32_t,
                                     nexus_work**,
                                     nexus_error*) { return answer; };
    const auto made = make_plugin_operation(plugin_, 0, {});
    EXPECT_EQ(made.error().code(), expected) << code;
    EXPECT_EQ(made.error().message(),
              "c-op: the plugin reported error " + std::to_string(code));
  }
}

TEST_F(PluginOperation, CreateThatGivesNothingIsAFailure) {
  script_.create = [](const nexus_option*, std::uint32_t, nexus_work**,
                      nexus_error*) { return +NEXUS_OK; };
  const auto made = make_plugin_operation(plugin_, 0, {});
  EXPECT_FALSE(made.ok());
  EXPECT_FALSE(made.error().ok());
  EXPECT_EQ(script_.destroyed, 0);
}

TEST_F(PluginOperation, WordsThatAreNotEndedAreCut) {
  script_.create = [](const nexus_option*, std::uint32_t, nexus_work**,
                      nexus_error* error) {
    std::memset(error->message, 'w', sizeof error->message);
    return +NEXUS_E_DATA;
  };
  const auto made = make_plugin_operation(plugin_, 0, {});
  EXPECT_EQ(made.error().message(), "c-op: " + std::string(247, 'w'));
}

TEST_F(PluginOperation, OptionsArriveAndTheWorkIsDestroyedOnce) {
  script_.create = [](const nexus_option* options, std::uint32_t count,
                      nexus_work** work, nexus_error*) {
    EXPECT_EQ(count, 2u);
    EXPECT_STREQ(options[0].key, "a");
    EXPECT_STREQ(options[0].value, "1");
    EXPECT_STREQ(options[1].key, "b");
    EXPECT_STREQ(options[1].value, "");
    *work = reinterpret_cast<nexus_work*>(&work_target);
    return +NEXUS_OK;
  };
  auto made = make_plugin_operation(plugin_, 0, {{"a", "1"}, {"b", ""}});
  ASSERT_TRUE(made.ok());
  EXPECT_EQ((*made)->name(), "c-op");
  EXPECT_EQ(script_.destroyed, 0);
  made->reset();
  EXPECT_EQ(script_.destroyed, 1);
}

TEST_F(PluginOperation, APlanThatFailsSaysWhy) {
  script_.plan = [](nexus_plan*, nexus_error* error) {
    say(error, "input is too large");
    return +NEXUS_E_UNSUPPORTED;
  };
  const auto plan = make()->plan({});
  EXPECT_EQ(told(plan.error()), "unsupported | c-op: input is too large");
}

TEST_F(PluginOperation, AnIncompletePlanIsRefused) {
  const std::string expected =
      "internal | c-op: the plugin's plan is not complete";
  EXPECT_EQ(told(planned([](nexus_plan& p) { p.granule = 0; }).error()),
            expected);
  EXPECT_EQ(told(planned([](nexus_plan& p) { p.segment_bytes = 0; }).error()),
            expected);
  EXPECT_EQ(told(planned([](nexus_plan& p) { p.job[0] = '\0'; }).error()),
            expected);
}

TEST_F(PluginOperation, APlanBecomesOneStage) {
  const auto plan = planned([](nexus_plan& p) {
    EXPECT_EQ(p.size, sizeof p);
    EXPECT_EQ(p.segment_bytes, 4096u);
    EXPECT_EQ(p.input_bytes, UINT64_MAX) << "unknown";
    p.granule = 16;
    p.granule_output = 20;
    p.extra_output = 3;
    p.segment_bytes = 8192;
    p.segment_bytes_fixed = 1;
    std::memset(p.job, 'j', sizeof p.job);  // not ended
  });
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->segment_bytes, 8192u);
  EXPECT_TRUE(plan->segment_bytes_fixed);
  ASSERT_EQ(plan->stages.size(), 1u);
  EXPECT_EQ(plan->stages[0].granule, 16u);
  EXPECT_EQ(plan->stages[0].granule_output, 20u);
  EXPECT_EQ(plan->stages[0].extra_output, 3u);
  EXPECT_EQ(plan->stages[0].job, std::string(47, 'j'));
}

TEST_F(PluginOperation, ParametersThatAreTooLargeAreRefused) {
  script_.job = [](const nexus_segment*, void*, std::uint32_t capacity,
                   std::uint32_t* size, nexus_error*) {
    EXPECT_GE(capacity, 256u);
    *size = capacity + 1;
    return +NEXUS_OK;
  };
  EXPECT_EQ(told(make()->make_job(segment_).error()),
            "internal | c-op: the plugin's parameter block is too large");
}

TEST_F(PluginOperation, AJobThatFailsSaysWhy) {
  script_.job = [](const nexus_segment*, void*, std::uint32_t, std::uint32_t*,
                   nexus_error* error) {
    say(error, "cannot");
    return +NEXUS_E_NO_MEMORY;
  };
  EXPECT_EQ(told(make()->make_job(segment_).error()),
            "out_of_memory | c-op: cannot");
}

TEST_F(PluginOperation, AJobSeesItsSegmentAndFillsTheParameters) {
  script_.job = [this](const nexus_segment* segment, void* params,
                       std::uint32_t capacity, std::uint32_t* size,
                       nexus_error*) {
    EXPECT_EQ(segment->size, sizeof *segment);
    EXPECT_EQ(segment->last, 1u);
    EXPECT_EQ(segment->index, 3u);
    EXPECT_EQ(segment->offset, 1000u);
    EXPECT_EQ(segment->input, u8(input_.data()));
    EXPECT_EQ(segment->input_bytes, 100u);
    std::memset(params, 0x5a, capacity);
    *size = capacity;
    return +NEXUS_OK;
  };
  const auto job = make()->make_job(segment_);
  ASSERT_TRUE(job.ok());
  EXPECT_GE(job->params.size(), 256u);
  EXPECT_TRUE(std::all_of(job->params.begin(), job->params.end(),
                          [](std::byte b) { return b == std::byte{0x5a}; }));
}

TEST_F(PluginOperation, AStreamThatFailsKeepsItsOwnReason) {
  fake_io io("abc");
  io.failure = {status_code::io_error, "disk on fire", "buy water", EIO};
  script_.stream = [](const nexus_stream* stream, nexus_error* error) {
    const std::uint8_t* data = nullptr;
    std::uint64_t size = 0;
    const auto code = stream->peek(stream->context, 1, &data, &size);
    EXPECT_EQ(code, NEXUS_E_IO);
    say(error, "could not read the head");
    return code;
  };
  const status failed = make()->prologue(io);
  EXPECT_EQ(told(failed), "io_error | disk on fire");
  EXPECT_EQ(failed.hint(), "buy water");
  EXPECT_EQ(failed.system_error(), EIO);
}

TEST_F(PluginOperation, AWriteThatFailsKeepsItsOwnReason) {
  fake_io io("");
  io.failure = {status_code::out_of_memory, "full"};
  script_.stream = [](const nexus_stream* stream, nexus_error*) {
    const std::uint8_t byte = 1;
    EXPECT_EQ(stream->write(stream->context, &byte, 1), NEXUS_E_IO);
    return +NEXUS_OK;  // not even reported
  };
  EXPECT_EQ(told(make()->prologue(io)), "out_of_memory | full");
  EXPECT_EQ(told(make()->epilogue(io)), "out_of_memory | full");
}

// Through C frames nothing may be thrown.
TEST_F(PluginOperation, AnExceptionDoesNotCrossThePlugin) {
  fake_io io("abc");
  io.throws = true;
  bool answered = false;
  script_.stream = [&answered](const nexus_stream* stream, nexus_error*) {
    const std::uint8_t* data = nullptr;
    std::uint64_t size = 0;
    const auto code = stream->peek(stream->context, 1, &data, &size);
    answered = true;
    return code;
  };
  const auto work = make();
  status failed;
  EXPECT_NO_THROW(failed = work->prologue(io));
  EXPECT_TRUE(answered);
  EXPECT_EQ(failed.code(), status_code::out_of_memory);
}

TEST_F(PluginOperation, AFailingPrologueSaysWhy) {
  fake_io io("");
  script_.stream = [](const nexus_stream*, nexus_error* error) {
    say(error, "bad magic");
    return +NEXUS_E_DATA;
  };
  EXPECT_EQ(told(make()->prologue(io)), "invalid_data | c-op: bad magic");
  EXPECT_EQ(told(make()->epilogue(io)), "invalid_data | c-op: bad magic");
}

TEST_F(PluginOperation, APrologueReadsTakesAndWrites) {
  fake_io io("head and rest");
  script_.stream = [](const nexus_stream* stream, nexus_error*) {
    EXPECT_EQ(stream->size, sizeof *stream);
    const std::uint8_t* data = nullptr;
    std::uint64_t size = 0;
    EXPECT_EQ(stream->peek(stream->context, 4, &data, &size), NEXUS_OK);
    EXPECT_EQ(size, 4u);
    EXPECT_EQ(std::memcmp(data, "head", 4), 0);
    stream->consume(stream->context, 4);
    EXPECT_EQ(stream->peek(stream->context, 4, &data, &size), NEXUS_OK);
    EXPECT_EQ(std::memcmp(data, " and", 4), 0);
    return stream->write(stream->context, data, 4);
  };
  EXPECT_TRUE(make()->prologue(io).ok());
  EXPECT_EQ(as_text(io.output), " and");
}

TEST_F(PluginOperation, AnEpilogueHasNoInput) {
  fake_io io("");
  script_.stream = [](const nexus_stream* stream, nexus_error*) {
    EXPECT_EQ(stream->peek, nullptr);
    EXPECT_EQ(stream->consume, nullptr);
    return stream->write(stream->context,
                         reinterpret_cast<const std::uint8_t*>("end"), 3);
  };
  EXPECT_TRUE(make()->epilogue(io).ok());
  EXPECT_EQ(as_text(io.output), "end");
}

TEST_F(PluginOperation, WhatItDoesNotHaveIsSkipped) {
  table().prologue = table().epilogue = nullptr;
  table().check = nullptr;
  fake_io io("");
  const auto work = make();
  EXPECT_TRUE(work->prologue(io).ok());
  EXPECT_TRUE(work->epilogue(io).ok());
  const verdict said = work->check(segment_, outcome(false));
  EXPECT_EQ(said.kind, verdict_kind::accept);
  EXPECT_EQ(said.output_bytes, 50u);
}

TEST_F(PluginOperation, BadDataEndsTheRunWhetherTheCheckKnowsOrNot) {
  const std::string expected = "invalid_data | c-op: bad data at byte 1007";
  const verdict said = checked(NEXUS_VERDICT_ACCEPT, true);
  EXPECT_EQ(said.kind, verdict_kind::finish);
  EXPECT_EQ(said.output_bytes, 50u) << "the good prefix";
  EXPECT_EQ(told(said.failure), expected);
  table().check = nullptr;
  const verdict alone = make()->check(segment_, outcome(true));
  EXPECT_EQ(alone.kind, verdict_kind::finish);
  EXPECT_EQ(told(alone.failure), expected);
}

TEST_F(PluginOperation, ACheckSeesTheResult) {
  for (const bool data_error : {false, true}) {
    script_.check = [data_error](const nexus_segment* segment,
                                 const nexus_result* result, nexus_error*) {
      EXPECT_EQ(segment->index, 3u);
      EXPECT_EQ(result->size, sizeof *result);
      EXPECT_EQ(result->status, data_error ? NEXUS_E_DATA : NEXUS_OK);
      EXPECT_EQ(result->output_bytes, 50u);
      EXPECT_EQ(result->error_offset, data_error ? 7u : 0u);
      EXPECT_EQ(result->flags, 9u);
      return +NEXUS_VERDICT_ACCEPT;
    };
    make()->check(segment_, outcome(data_error));
  }
}

TEST_F(PluginOperation, ACheckAcceptsResubmitsOrEnds) {
  EXPECT_EQ(checked(NEXUS_VERDICT_ACCEPT).kind, verdict_kind::accept);
  EXPECT_EQ(checked(NEXUS_VERDICT_RESUBMIT).kind, verdict_kind::resubmit);
  const verdict said = checked(-NEXUS_E_DATA, false, "checksum");
  EXPECT_EQ(said.kind, verdict_kind::finish);
  EXPECT_EQ(told(said.failure), "invalid_data | c-op: checksum");
}

// A code without its sign, for one, is no consent.
TEST_F(PluginOperation, AVerdictThatIsNoneEndsTheRun) {
  for (const std::int32_t answer : {2, +NEXUS_E_LOST, 1000, INT_MAX, INT_MIN}) {
    const verdict said = checked(answer);
    EXPECT_EQ(said.kind, verdict_kind::finish) << answer;
    EXPECT_FALSE(said.failure.ok()) << answer;
  }
}

}  // namespace
}  // namespace nexus::test
