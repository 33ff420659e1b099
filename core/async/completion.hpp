// The door between callbacks and coroutines: suspend() hands out a completion,
// and calling it, on any thread, resumes the coroutine on its own executor.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

namespace nexus {

namespace asio = boost::asio;

template <class T>
using task = asio::awaitable<T>;

// Move-only, to be called exactly once. Where one is dropped uncalled, the
// coroutine behind it is destroyed.
template <class T>
class completion {
  struct base {
    virtual ~base() = default;
    virtual void resume(T value) = 0;
  };
  template <class Handler>
  struct holder final : base {
    explicit holder(Handler h) : handler(std::move(h)) {}
    void resume(T value) override {
      const auto executor = asio::get_associated_executor(handler);
      asio::post(executor,
                 [h = std::move(handler), v = std::move(value)]() mutable {
                   std::move(h)(std::move(v));
                 });
    }
    Handler handler;
  };

 public:
  completion() = default;
  template <class Handler>
  static completion of(Handler handler) {
    completion made;
    made.impl_ = std::make_unique<holder<Handler>>(std::move(handler));
    return made;
  }
  explicit operator bool() const noexcept { return impl_ != nullptr; }
  void operator()(T value) {
    const auto impl = std::move(impl_);
    impl->resume(std::move(value));
  }

 private:
  std::unique_ptr<base> impl_;
};

// start(completion<T>) is called at once, on the caller's thread.
template <class T, class Start>
task<T> suspend(Start start) {
  auto initiation = [](auto handler, Start begin) {
    begin(completion<T>::of(std::move(handler)));
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>,
                                          void(T)>(
      std::move(initiation), asio::use_awaitable, std::move(start));
}

}  // namespace nexus
