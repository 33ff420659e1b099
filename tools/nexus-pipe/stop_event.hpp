// Waiting that a stop request ends.
#pragma once

#include <functional>
#include <nexus/status.hpp>
#include <optional>
#include <stop_token>

#include "files.hpp"

namespace nexus::tool {

class stop_event {
 public:
  // Without a token nothing ends a wait early: for where signals end the
  // process.
  explicit stop_event(std::stop_token stop = {});
  stop_event(const stop_event&) = delete;
  stop_event& operator=(const stop_event&) = delete;

  // Until the descriptor has one of the events (of poll) or an error, at most
  // so long (-1: for ever), which says false. -1 as the descriptor: just the
  // time. cancelled: a stop was requested. From any thread.
  [[nodiscard]] result<bool> wait(int fd, short events,
                                  int milliseconds = -1) const;

 private:
  std::stop_token stop_;
  descriptor wake_;  // readable from the stop on
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace nexus::tool
