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

// Another team, which does no more once `stopped` says so: tasks that have not
// begun are then left out. What they should have made is missing, so that
// whoever hands them out has to look as well, and drop all of it.
template <class Stopped>
class stopping_team final : public task_team {
 public:
  // stopped: called on the team's threads ahead of each task. Once it has said
  // true it must not say false again. Both must outlive this team.
  stopping_team(task_team& team, const Stopped& stopped) noexcept
      : team_(team), stopped_(stopped) {}

  void run(std::size_t count, task_ref body) override {
    team_.run(count, [&](std::size_t task) {
      if (!stopped_()) {
        body(task);
      }
    });
  }

 private:
  task_team& team_;
  const Stopped& stopped_;
};

// The calling thread and threads of its own, `threads` (at least 1) in all. A
// system that gives no more threads makes the team smaller.
std::unique_ptr<task_team> make_thread_team(unsigned threads);

}  // namespace nexus::prover
