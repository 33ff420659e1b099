// How much of its budget and how many workers an engine may use, by what the
// machine has left. Pure: no thread, no clock and no file of its own.
//
// Memory. What is left under each limit is compared with a reserve. Below it,
// or where tasks have to wait for memory, or a limit is hit, while less than a
// quarter of it is left, the budget becomes half of what is in use, at once,
// and half of that again as long as it helps. After some quiet seconds it
// grows in equal steps, one a second, to where it was; then all of the budget
// is allowed again. If the pressure comes back soon, the next wait is twice as
// long.
//
// Processors. The workers follow the affinity mask and the quota, as they did
// when the engine began, within the lanes that it has; and, while the budget is
// cut, they are cut by as much.
#pragma once

#include <cstdint>
#include <nexus/hardware.hpp>
#include <optional>
#include <string>
#include <vector>

#include "hwinfo/pressure.hpp"

namespace nexus {

// What the engine began with; neither is ever exceeded.
struct load_start {
  std::uint64_t budget_bytes = 0;
  std::uint32_t workers = 1;
  std::optional<std::uint32_t> max_threads;  // as asked for
  std::uint64_t headroom_bytes = 0;          // the least that any limit left
};

struct load_use {
  std::uint64_t memory_bytes = 0;  // that the budget counts, in use now
  std::uint64_t least_bytes = 0;   // without which nothing would go on
  // The most that one job takes beside its buffers: it comes and goes with the
  // job, so that one look may find that much more than there is to the next.
  std::uint64_t job_bytes = 0;
};

struct load_allowance {
  std::uint64_t budget_bytes = 0;
  std::uint32_t workers = 1;
  std::string reason;   // of the last change
  bool shrunk = false;  // by the update just made
  bool grown = false;   // likewise
};

class load_control {
 public:
  explicit load_control(const load_start& start);

  // now: seconds on any steady clock, never backwards.
  const load_allowance& update(const hwinfo::pressure_reading& reading,
                               const load_use& use, double now);
  // A run begins after there was none: what was cut long ago counts no more.
  const load_allowance& resume(double now);
  [[nodiscard]] const load_allowance& allowed() const noexcept {
    return allowed_;
  }

 private:
  enum class mood { pressed, uneasy, quiet };
  struct finding {
    mood is = mood::quiet;
    std::uint64_t spare = UINT64_MAX;    // beyond twice the reserve
    std::uint64_t reserve = UINT64_MAX;  // the smallest
    std::string why;
  };

  [[nodiscard]] std::uint64_t reserve_of(std::uint64_t limit,
                                         const load_use& use) const noexcept;
  [[nodiscard]] finding look(const hwinfo::pressure_reading& reading,
                             const load_use& use, double now) const;
  void judge_limits(const hwinfo::pressure_reading& reading,
                    const load_use& use, finding& f) const;
  void judge_stalls(const hwinfo::pressure_reading& reading, double now,
                    finding& f) const;
  void shrink(const finding& f, const load_use& use, double now);
  void grow(const finding& f, double now);
  void restore();
  void set_workers(const hwinfo::pressure_reading& reading);

  const load_start start_;
  load_allowance allowed_;
  std::uint64_t budget_;
  std::uint64_t most_used_ = 0;
  std::uint64_t before_ = 0;  // in use when it was first cut; 0: it is not
  std::uint32_t processors_;  // workers by the processors alone
  double uneasy_at_;          // the last time that it was not quiet
  double grown_at_;           // the last step
  double wait_;               // quiet seconds before the first step
  bool judged_ = false;       // there was a reading before, as follows
  double judged_at_ = 0;
  hwinfo::pressure_reading last_;
};

}  // namespace nexus
