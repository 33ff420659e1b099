// Runs as asynchronous operations of a host that uses Asio. Only public headers
// of the library, as such a host has them.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <nexus/age.hpp>
#include <nexus/asio.hpp>
#include <optional>
#include <span>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace nexus {
namespace {

namespace asio = boost::asio;
using bytes = std::vector<std::byte>;

bytes sample(std::size_t size) {
  bytes data(size);
  for (std::size_t i = 0; i < size; ++i)
    data[i] = static_cast<std::byte>(i * 31 + i / 251);
  return data;
}

class AsioRun : public testing::Test {
 protected:
  void SetUp() override {
    auto made = age::identity::generate();
    ASSERT_TRUE(made.ok()) << made.error().message();
    identity_ = *std::move(made);
  }

  std::unique_ptr<operation> encryption() const {
    age::encrypt_options options;
    options.recipients.push_back(identity_->to_recipient());
    return age::make_encrypt(std::move(options));
  }
  std::unique_ptr<operation> decryption() const {
    age::decrypt_options options;
    options.identities.push_back(*identity_);
    return age::make_decrypt(std::move(options));
  }

  // Does not end by itself in the time that a stop takes. The first read runs
  // `begun` on the host's executor.
  source endless(std::function<void()> begun) {
    using clock = std::chrono::steady_clock;
    auto first = std::make_shared<bool>(true);
    const auto end = clock::now() + std::chrono::seconds(20);
    return source::from_callback(
        [this, first, begun,
         end](std::span<std::byte> to) -> result<std::size_t> {
          if (std::exchange(*first, false)) asio::post(host_, begun);
          return clock::now() < end ? to.size() : 0;
        });
  }

  // `blocks` blocks, none before `go` was set.
  static source gated(std::shared_ptr<std::atomic<bool>> go, int blocks) {
    auto left = std::make_shared<int>(blocks);
    return source::from_callback(
        [go, left](std::span<std::byte> to) -> result<std::size_t> {
          while (!*go)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          return (*left)-- > 0 ? to.size() : 0;
        });
  }

  std::optional<age::identity> identity_;
  asio::io_context host_{1};
  engine engine_;
};

// co_await of a run in both directions.
asio::awaitable<bytes> there_and_back(engine& on, operation& encrypt,
                                      operation& decrypt, const bytes& data,
                                      std::thread::id& resumed_on) {
  bytes sealed;
  bytes opened;
  run_options options;
  source plain = source::from_memory(data);
  sink to = sink::to_memory(sealed);
  const run_report first =
      co_await async_run(on, encrypt, std::move(plain), std::move(to), options,
                         asio::use_awaitable);
  resumed_on = std::this_thread::get_id();
  EXPECT_TRUE(first.outcome.ok()) << first.outcome.message();
  EXPECT_NE(sealed, data);
  source cipher = source::from_memory(sealed);
  sink back = sink::to_memory(opened);
  const run_report second =
      co_await async_run(on, decrypt, std::move(cipher), std::move(back),
                         options, asio::use_awaitable);
  EXPECT_TRUE(second.outcome.ok()) << second.outcome.message();
  co_return opened;
}

TEST_F(AsioRun, IsAwaitedAndResumesOnTheHostsThread) {
  const bytes data = sample(3 << 20);
  const auto encrypt = encryption();
  const auto decrypt = decryption();
  std::thread::id resumed_on;
  bytes opened;
  auto ended = [&](std::exception_ptr failure, bytes got) {
    EXPECT_FALSE(failure);
    opened = std::move(got);
  };
  asio::co_spawn(host_,
                 there_and_back(engine_, *encrypt, *decrypt, data, resumed_on),
                 ended);
  host_.run();  // returns once nothing is under way: the runs keep it busy
  EXPECT_EQ(opened, data);
  EXPECT_EQ(resumed_on, std::this_thread::get_id());
}

TEST_F(AsioRun, HandsFailuresOverAsTheOutcome) {
  const bytes data = sample(100);  // not an age file
  const auto decrypt = decryption();
  bytes out;
  auto report = async_run(engine_, *decrypt, source::from_memory(data),
                          sink::to_memory(out), {}, asio::use_future)
                    .get();
  EXPECT_EQ(report.outcome.code(), status_code::invalid_data);
  EXPECT_TRUE(out.empty());
}

asio::awaitable<run_report> one(engine& on, operation& work, source from) {
  source moved = std::move(from);
  sink to = sink::discard();
  run_options options;
  run_report report = co_await async_run(
      on, work, std::move(moved), std::move(to), options, asio::use_awaitable);
  co_return report;
}

TEST_F(AsioRun, ACancelledCoroutineStopsItsRun) {
  asio::cancellation_signal signal;
  const auto encrypt = encryption();
  std::optional<run_report> report;
  auto ended = [&](std::exception_ptr failure, run_report got) {
    EXPECT_FALSE(failure);
    report = std::move(got);
  };
  auto cancel = [&] { signal.emit(asio::cancellation_type::terminal); };
  asio::co_spawn(host_, one(engine_, *encrypt, endless(cancel)),
                 asio::bind_cancellation_slot(signal.slot(), ended));
  host_.run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->outcome.code(), status_code::cancelled);
}

// Starts a run of `from` whose handler has the signal's slot, and waits.
run_report run_with_slot(asio::io_context& host, engine& on, operation& work,
                         source from, asio::cancellation_signal& signal,
                         std::stop_token stop = {}) {
  std::optional<run_report> report;
  auto ended = [&](run_report got) { report = std::move(got); };
  run_options options;
  options.stop = std::move(stop);
  async_run(on, work, std::move(from), sink::discard(), options,
            asio::bind_cancellation_slot(signal.slot(),
                                         asio::bind_executor(host, ended)));
  host.run();
  return report ? *report : run_report{};
}

TEST_F(AsioRun, PartialCancellationStopsTheRun) {
  asio::cancellation_signal signal;
  const auto encrypt = encryption();
  auto cancel = [&] { signal.emit(asio::cancellation_type::partial); };
  const run_report report =
      run_with_slot(host_, engine_, *encrypt, endless(cancel), signal);
  EXPECT_EQ(report.outcome.code(), status_code::cancelled);
}

TEST_F(AsioRun, TotalCancellationIsIgnored) {
  asio::cancellation_signal signal;
  const auto encrypt = encryption();
  auto go = std::make_shared<std::atomic<bool>>(false);
  asio::post(host_, [&signal, go] {
    signal.emit(asio::cancellation_type::total);
    *go = true;
  });
  const run_report report =
      run_with_slot(host_, engine_, *encrypt, gated(go, 3), signal);
  EXPECT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_GT(report.statistics.input_bytes, 0u);
}

TEST_F(AsioRun, TheCallersStopTokenCountsBesideTheSlot) {
  asio::cancellation_signal signal;
  std::stop_source stop;
  const auto encrypt = encryption();
  auto cancel = [&] { stop.request_stop(); };
  const run_report report = run_with_slot(
      host_, engine_, *encrypt, endless(cancel), signal, stop.get_token());
  EXPECT_EQ(report.outcome.code(), status_code::cancelled);
}

TEST_F(AsioRun, TheCallersStopTokenCountsWithoutASlot) {
  std::stop_source stop;
  stop.request_stop();
  const auto encrypt = encryption();
  run_options options;
  options.stop = stop.get_token();
  const auto report = async_run(engine_, *encrypt, endless([] {}),
                                sink::discard(), options, asio::use_future)
                          .get();
  EXPECT_EQ(report.outcome.code(), status_code::cancelled);
}

TEST_F(AsioRun, TheSlotIsEmptyOnceTheRunHasEnded) {
  asio::cancellation_signal signal;
  const auto encrypt = encryption();
  const bytes data = sample(1000);
  const run_report report = run_with_slot(host_, engine_, *encrypt,
                                          source::from_memory(data), signal);
  EXPECT_TRUE(report.outcome.ok()) << report.outcome.message();
  EXPECT_FALSE(signal.slot().has_handler());
}

TEST_F(AsioRun, AMoveOnlyHandlerWithoutAnExecutorIsCalledOnce) {
  const auto encrypt = encryption();
  const bytes data = sample(1000);
  std::promise<status> promise;
  auto future = promise.get_future();
  // A promise throws when it is set twice.
  async_run(engine_, *encrypt, source::from_memory(data), sink::discard(), {},
            [promise = std::move(promise)](run_report report) mutable {
              promise.set_value(std::move(report.outcome));
            });
  EXPECT_TRUE(future.get().ok());
}

}  // namespace
}  // namespace nexus
