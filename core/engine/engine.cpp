#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <nexus/engine.hpp>
#include <optional>

#include "async/exception.hpp"
#include "backend/plugin_operation.hpp"
#include "engine/engine_core.hpp"
#include "engine/run.hpp"

namespace nexus {

const char* version() noexcept {
  return NEXUS_VERSION;
}

class engine::impl {
 public:
  explicit impl(engine_options options) {
    try {
      core_.emplace(std::move(options));
    } catch (...) {
      failure_ = status_of_current_exception();
    }
  }
  ~impl() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return running_ == 0; });
  }

  // Not ok: the system lacks what an engine needs, such as a thread.
  status ready() {
    if (!failure_.ok()) return failure_;
    try {
      core_->start_thread();
    } catch (...) {
      return status_of_current_exception();
    }
    return {};
  }
  void start(operation& work, source from, sink to, run_options options,
             std::function<void(run_report)> done) {
    status usable = ready();
    if (usable.ok())
      usable = launch(work, std::move(from), std::move(to), std::move(options),
                      done);
    if (usable.ok()) return;
    run_report report;
    report.outcome = std::move(usable);
    done(std::move(report));
  }
  engine_core& core() { return *core_; }

  // Runs a coroutine on the engine's thread and waits for it. Only if ready().
  template <class T>
  T wait_for(task<T> work) {
    return asio::co_spawn(core_->executor(), std::move(work), asio::use_future)
        .get();
  }

 private:
  // Not ok: the run did not begin, and nobody else will call done.
  status launch(operation& work, source from, sink to, run_options options,
                const std::function<void(run_report)>& done) {
    begin_one();
    try {
      auto finished = [this, done](run_report report) {
        try {
          done(std::move(report));
        } catch (...) {
          // There is nobody left to tell.
        }
        end_one();
      };
      auto started = std::make_shared<nexus::run>(
          *core_, work, std::move(from), std::move(to), std::move(options),
          std::move(finished));
      // Nothing is lost by not waiting here: the destructor does.
      asio::co_spawn(core_->executor(), hold(std::move(started)),
                     asio::detached);
      return {};
    } catch (...) {
      end_one();
      return status_of_current_exception();
    }
  }
  void begin_one() {
    const std::lock_guard lock(mutex_);
    ++running_;
  }
  void end_one() {
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) idle_.notify_all();
  }
  static task<void> hold(std::shared_ptr<nexus::run> started) {
    co_await started->main();
  }

  status failure_;
  std::optional<engine_core> core_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;
};

engine::engine(engine_options options)
    : impl_(std::make_shared<impl>(std::move(options))) {}

engine::~engine() = default;

run_report engine::run(operation& work, source from, sink to,
                       run_options options) {
  std::promise<run_report> promise;
  auto future = promise.get_future();
  start(
      work, std::move(from), std::move(to), std::move(options),
      [&promise](run_report report) { promise.set_value(std::move(report)); });
  return future.get();
}

void engine::start(operation& work, source from, sink to, run_options options,
                   std::function<void(run_report)> done) {
  impl_->start(work, std::move(from), std::move(to), std::move(options),
               std::move(done));
}

result<std::unique_ptr<operation>> engine::make_operation(
    const std::string& name,
    const std::vector<std::pair<std::string, std::string>>& options) {
  if (status usable = impl_->ready(); !usable.ok()) return usable;
  status found = impl_->core().loader.check_directories();
  if (!found.ok()) return found;
  impl_->wait_for(impl_->core().load_plugins());
  std::string known;
  for (const auto& candidate : impl_->core().loader.candidates()) {
    if (!candidate.plugin) continue;
    for (std::size_t i = 0; i < candidate.plugin->operations.size(); ++i) {
      const std::string has = candidate.plugin->operations[i].name;
      if (!candidate.brings(has)) continue;
      if (has == name)
        return make_plugin_operation(candidate.plugin, i, options);
      known += (known.empty() ? "" : ", ") + has;
    }
  }
  return status(status_code::unsupported,
                "no plugin brings an operation \"" + name + "\"",
                known.empty() ? "no plugin that was found brings any"
                              : "there is: " + known);
}

std::vector<telemetry> engine::snapshot() const {
  if (!impl_->ready().ok()) return {};
  return impl_->wait_for(impl_->core().snapshot());
}

std::vector<plugin_description> engine::plugins() {
  if (!impl_->ready().ok()) return {};
  return impl_->wait_for(impl_->core().describe_plugins());
}

result<parallelism_profile> engine::profile(std::uint64_t segment_bytes) {
  if (status usable = impl_->ready(); !usable.ok()) return usable;
  profile_request request;
  request.segment_working_set_bytes = 2 * segment_bytes;
  request.memory_bytes = impl_->core().options.memory_bytes;
  request.memory_fraction = impl_->core().options.memory_fraction;
  request.max_inflight = impl_->core().options.max_inflight;
  request.max_threads = impl_->core().options.max_threads;
  return make_profile(impl_->core().machine(), request);
}

hardware engine::machine() const {
  return impl_->core().whole_machine();
}

}  // namespace nexus
