// For hosts that use Boost.Asio (1.81 or later) themselves: a run as an
// asynchronous operation of theirs. Header-only, and the one header of the
// library that needs Boost; no other includes it.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <functional>
#include <memory>
#include <nexus/engine.hpp>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace nexus {

namespace detail {

// A run whose end a handler waits for. The engine's thread only ever passes it
// on: the handler and all that belongs to it live and die on its executor.
template <class Handler>
class waiting_run : public std::enable_shared_from_this<waiting_run<Handler>> {
 public:
  explicit waiting_run(Handler handler)
      : handler_(std::move(handler)),
        guard_(boost::asio::make_work_guard(*handler_)) {}

  // The token of the run: stopped by the handler's slot and by `also`.
  std::stop_token connect(std::stop_token also) {
    auto slot = boost::asio::get_associated_cancellation_slot(*handler_);
    if (!slot.is_connected()) return also;
    std::stop_source source;
    slot.assign([source](boost::asio::cancellation_type type) mutable {
      using kind = boost::asio::cancellation_type;
      if ((type & (kind::terminal | kind::partial)) != kind::none)
        source.request_stop();
    });
    if (also.stop_possible()) also_.emplace(std::move(also), forward{source});
    return source.get_token();
  }

  // (any thread)
  void finish(run_report report) {
    auto complete = [self = this->shared_from_this(),
                     report = std::move(report)]() mutable {
      self->complete(std::move(report));
    };
    boost::asio::dispatch(guard_.get_executor(), std::move(complete));
  }

 private:
  struct forward {
    std::stop_source to;
    void operator()() { to.request_stop(); }
  };

  void complete(run_report report) {
    auto slot = boost::asio::get_associated_cancellation_slot(*handler_);
    if (slot.is_connected()) slot.clear();
    also_.reset();
    Handler handler = std::move(*handler_);
    handler_.reset();
    guard_.reset();
    std::move(handler)(std::move(report));
  }

  using executor = boost::asio::associated_executor_t<Handler>;

  std::optional<Handler> handler_;
  boost::asio::executor_work_guard<executor> guard_;
  std::optional<std::stop_callback<forward>> also_;
};

struct start_waiting_run {
  engine* on;

  template <class Handler>
  void operator()(Handler&& handler, operation* work, source from, sink to,
                  run_options options) const {
    using state = waiting_run<std::decay_t<Handler>>;
    auto waiting = std::make_shared<state>(std::forward<Handler>(handler));
    options.stop = waiting->connect(std::move(options.stop));
    auto done = [waiting](run_report report) {
      waiting->finish(std::move(report));
    };
    on->start(*work, std::move(from), std::move(to), std::move(options),
              std::move(done));
  }
};

}  // namespace detail

// engine::start() with a completion token, such as use_awaitable, use_future
// or a callback, of the signature void(run_report). Completes on the executor
// that is associated with it, which must live until then; without one, on a
// helper thread of the engine's. The operation must live until then as well.
//
// A cancellation of type terminal or partial stops the run, as options.stop
// does: it still completes, with the outcome `cancelled`. One of type total is
// ignored, since output may have been written.
template <class CompletionToken>
auto async_run(engine& on, operation& work, source from, sink to,
               run_options options, CompletionToken&& token) {
  return boost::asio::async_initiate<CompletionToken, void(run_report)>(
      detail::start_waiting_run{&on}, token, &work, std::move(from),
      std::move(to), std::move(options));
}

}  // namespace nexus
