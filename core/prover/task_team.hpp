// Work on one segment by several threads: a backend cuts each of its steps into
// independent tasks and hands them to a team. What a team computes does not
// depend on who runs which task.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace nexus::prover {

// Refers to something that takes a task's number; it must outlive the call that
// it is given to, and must not throw.
class task_ref {
 public:
  template <class Body>
    requires(!std::is_same_v<std::remove_cvref_t<Body>, task_ref>)
  // NOLINTNEXTLINE(google-explicit-constructor): a view of its argument
  task_ref(Body&& body) noexcept
      : body_(const_cast<void*>(static_cast<const void*>(&body))),
        call_([](void* what, std::size_t task) {
          (*static_cast<std::remove_reference_t<Body>*>(what))(task);
        }) {}

  void operator()(std::size_t task) const { call_(body_, task); }

 private:
  void* body_;
  void (*call_)(void*, std::size_t);
};

// Alone: every task on the calling thread.
class task_team {
 public:
  task_team() = default;
  virtual ~task_team() = default;
  task_team(const task_team&) = delete;
  task_team& operator=(const task_team&) = delete;

  // Calls body once with each number below count, in any order and on any
  // threads, and returns when all calls have. One call at a time.
  virtual void run(std::size_t count, task_ref body) {
    for (std::size_t task = 0; task < count; ++task) {
      body(task);
    }
  }
};

// The calling thread and threads of its own, `threads` (at least 1) in all. A
// system that gives no more threads makes the team smaller.
std::unique_ptr<task_team> make_thread_team(unsigned threads);

}  // namespace nexus::prover
