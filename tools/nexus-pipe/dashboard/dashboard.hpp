// A run on a full screen, drawn by a thread of its own that nobody waits for.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <nexus/engine.hpp>
#include <nexus/status.hpp>
#include <stop_token>
#include <thread>
#include <variant>

#include "background_queue.hpp"
#include "dashboard/model.hpp"
#include "dashboard/screen.hpp"
#include "log.hpp"
#include "stop_event.hpp"
#include "terminal.hpp"

namespace nexus::tool {

class dashboard {
 public:
  // Ahead of other threads. invalid_argument: there is no terminal that it
  // could be drawn on.
  [[nodiscard]] static result<std::unique_ptr<dashboard>> open(terminal& out);
  ~dashboard() { close(); }
  dashboard(const dashboard&) = delete;
  dashboard& operator=(const dashboard&) = delete;

  // From here on the screen is taken as soon as begin_drawing() was called.
  // stop: what a typed q asks for.
  void start(std::function<void()> stop);
  // (any thread) Once nothing is asked any more.
  void begin_drawing() noexcept { drawing_ = true; }
  // (any thread) None of these waits for the screen.
  void add(const segment_event& event);
  void add(const log_line& line);
  // Not on the engine's own thread: reads files of /proc.
  void add(const telemetry& now);
  // Gives the terminal back. Lines that were held back are written then.
  void close();

 private:
  using news = std::variant<segment_event, log_line>;
  dashboard(terminal& out, std::unique_ptr<screen> on);
  void work();
  void turn();
  void obey(const std::string& keys);
  void take_screen();
  void leave_screen();

  terminal& out_;
  const std::unique_ptr<screen> screen_;
  std::function<void()> stop_;
  std::atomic<bool> drawing_{false};
  std::atomic<bool> known_{false};  // there is something to draw
  bool refused_ = false;

  std::mutex mutex_;
  dashboard_model model_;
  background_queue<news> news_;  // its thread uses what is above

  std::stop_source over_;
  stop_event wake_;
  std::promise<void> left_;
  std::thread thread_;
};

}  // namespace nexus::tool
