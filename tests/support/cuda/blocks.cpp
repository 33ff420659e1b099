// The threads of a block: contexts of one thread of the host, each of which
// runs until it meets the others.
#include <ucontext.h>

#include <memory>
#include <vector>

#include "stand_in.hpp"

namespace stand_in {
namespace {

constexpr std::size_t stack_bytes = std::size_t{64} << 10;

struct fiber {
  ucontext_t context{};
  std::unique_ptr<char[]> stack{new char[stack_bytes]};
  bool ended = false;
};

struct block_state {
  std::vector<std::unique_ptr<fiber>> fibers;
  ucontext_t host{};
  unsigned running = 0;
  bool backwards = false;
  const std::function<void()>* body = nullptr;
};

block_state& mine() {
  static thread_local block_state state;
  return state;
}

void begin() {
  (*mine().body)();
  block_state& state = mine();
  fiber& own = *state.fibers[state.running];
  own.ended = true;
  ::setcontext(&state.host);
}

}  // namespace

place& here() {
  static thread_local place now;
  return now;
}

void meet() {
  block_state& state = mine();
  const unsigned own = state.running;
  ::swapcontext(&state.fibers[own]->context, &state.host);
}

// Now in one order, now in the other, so that what relies on it is found.
void run_block(unsigned threads, const std::function<void()>& body) {
  block_state& state = mine();
  while (state.fibers.size() < threads)
    state.fibers.push_back(std::make_unique<fiber>());
  state.body = &body;
  state.backwards = !state.backwards;
  for (unsigned i = 0; i < threads; ++i) {
    fiber& each = *state.fibers[i];
    each.ended = false;
    ::getcontext(&each.context);
    each.context.uc_stack.ss_sp = each.stack.get();
    each.context.uc_stack.ss_size = stack_bytes;
    ::makecontext(&each.context, begin, 0);
  }
  for (unsigned left = threads; left > 0;) {
    for (unsigned turn = 0; turn < threads; ++turn) {
      const unsigned i = state.backwards ? threads - 1 - turn : turn;
      fiber& each = *state.fibers[i];
      if (each.ended) continue;
      state.running = i;
      here().thread.x = i;
      ::swapcontext(&state.host, &each.context);
      if (each.ended) --left;
    }
  }
}

}  // namespace stand_in
