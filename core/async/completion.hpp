// The door between callbacks and coroutines: suspend() hands out a completion,
// and calling it, on any thread, resumes the coroutine on its own executor.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/detail/scheduler_operation.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace nexus {

namespace asio = boost::asio;

template <class T>
using task = asio::awaitable<T>;

namespace detail {

// A coroutine that waits, and its place in the loop's queue. Made before it is
// suspended, since what fails after that has no coroutine to fail in. For the
// same reason it is an operation of Asio's scheduler, which takes it as it is,
// and not posted, which allocates: completions are called by destructors and on
// threads of plugins.
template <class T>
struct suspended final : asio::detail::scheduler_operation {
  using handler_type = asio::async_result<asio::use_awaitable_t<>,
                                          void(std::optional<T>)>::handler_type;

  suspended() : scheduler_operation(&suspended::resume) {}
  // On the loop's thread; or without an owner, as the loop goes away.
  static void resume(void* owner, scheduler_operation* base,
                     const boost::system::error_code&, std::size_t) {
    std::unique_ptr<suspended> self(static_cast<suspended*>(base));
    if (owner == nullptr) return;
    auto call = std::move(*self->handler);
    auto value = std::move(self->value);
    self.reset();
    std::move(call)(std::move(value));
  }

  std::optional<handler_type> handler;
  std::optional<T> value;
};

// The one that this thread is starting to wait for, and whether its completion
// was dropped meanwhile.
struct suspending {
  const void* which = nullptr;
  bool dropped = false;
  suspending* outer = nullptr;
};
inline thread_local suspending* innermost = nullptr;

}  // namespace detail

// Move-only, to be called exactly once. Where one is dropped uncalled, the
// coroutine behind it is destroyed.
template <class T>
class completion {
 public:
  completion() = default;
  explicit completion(std::unique_ptr<detail::suspended<T>> waiting) noexcept
      : waiting_(std::move(waiting)) {}
  completion(completion&&) noexcept = default;
  completion& operator=(completion&& other) noexcept {
    drop();
    waiting_ = std::move(other.waiting_);
    return *this;
  }
  ~completion() { drop(); }

  explicit operator bool() const noexcept { return waiting_ != nullptr; }
  void operator()(T value) {
    waiting_->value.emplace(std::move(value));
    const auto executor = asio::get_associated_executor(*waiting_->handler);
    asio::execution_context& loop =
        asio::query(executor, asio::execution::context);
    asio::use_service<asio::detail::io_context_impl>(loop)
        .post_immediate_completion(waiting_.release(), false);
  }

 private:
  void drop() noexcept {
    detail::suspending* const now = detail::innermost;
    if (waiting_ == nullptr || now == nullptr || now->which != waiting_.get()) {
      waiting_.reset();
      return;
    }
    // suspend() looks after it.
    now->dropped = true;
    (void)waiting_.release();
  }

  std::unique_ptr<detail::suspended<T>> waiting_;
};

namespace detail {

// Asio calls this from its loop, where nothing would catch what begin throws:
// it is thrown in the coroutine instead.
template <class T, class Start>
void begin_waiting(std::unique_ptr<suspended<T>> waiting, Start begin,
                   std::exception_ptr& thrown) {
  suspended<T>* const raw = waiting.get();
  suspending here{raw, false, innermost};
  innermost = &here;
  bool failed = false;
  try {
    begin(completion<T>(std::move(waiting)));
  } catch (...) {
    thrown = std::current_exception();
    failed = true;
  }
  innermost = here.outer;
  if (!here.dropped) return;
  waiting.reset(raw);
  // Nothing of the coroutine's may be touched from here on.
  if (failed) std::move (*waiting->handler)(std::optional<T>{});
}

}  // namespace detail

// start(completion<T>) is called at once, on the caller's thread. What it
// throws, suspend() throws.
template <class T, class Start>
task<T> suspend(Start start) {
  auto waiting = std::make_unique<detail::suspended<T>>();
  std::exception_ptr thrown;
  auto initiation = [&waiting, &thrown](auto handler, Start begin) {
    waiting->handler.emplace(std::move(handler));
    detail::begin_waiting<T>(std::move(waiting), std::move(begin), thrown);
  };
  std::optional<T> value =
      co_await asio::async_initiate<const asio::use_awaitable_t<>,
                                    void(std::optional<T>)>(
          std::move(initiation), asio::use_awaitable, std::move(start));
  if (!value) std::rethrow_exception(thrown);
  co_return std::move(*value);
}

}  // namespace nexus
