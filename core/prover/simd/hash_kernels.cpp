// Everything that permutes: leaves of a segment, rows, pairs, proof of work.
#include <atomic>

#include "prover/segment.hpp"
#include "prover/simd/kernels.hpp"
#include "prover/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "prover/simd/hash_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR

#include "prover/simd/poseidon2-inl.hpp"
#include "prover/simd/transpose-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nexus::prover::HWY_NAMESPACE {
namespace {

std::atomic<std::uint64_t> run_count;

std::uint64_t runs() {
  return run_count.load(std::memory_order_relaxed);
}

void count_run() {
  run_count.fetch_add(1, std::memory_order_relaxed);
}

// Unpacked rows of the leaves of a group, of which there may be fewer than
// lanes: the others absorb zeros.
class leaf_rows_reader {
 public:
  leaf_rows_reader(byte_view data, std::size_t first, std::size_t count)
      : data_(data), first_(first), count_(count) {}

  // Row `row` of each leaf, as elements.
  HWY_INLINE void read(std::size_t row, vec* out) {
    for (std::size_t i = 0; i < count_; ++i) {
      const std::size_t at =
          (first_ + i) * segment_leaf_bytes + row * row_bytes;
      unpack_row(data_.subspan(std::min(at, data_.size())), buffer_ + 16 * i);
    }
    load_columns(rows_at{buffer_, 16}, out);
    for (std::size_t i = 0; i < 16; ++i) {
      out[i] = multiply(out[i], fp::from_word(montgomery_square));
    }
  }

 private:
  byte_view data_;
  std::size_t first_;
  std::size_t count_;
  alignas(64) std::uint32_t buffer_[16 * lanes] = {};
};

// Where a row of the trace that is made lies, by lane.
struct trace_rows {
  host_matrix* trace;
  std::size_t panel;
  const std::uint32_t* places;
  HWY_INLINE std::uint32_t* operator()(std::size_t i) const {
    return words(trace->row(panel, places[i]));
  }
};

constexpr std::size_t record_panels = 15;

// columns: 16 vectors a panel. Lanes past count are not written.
void store_rows(host_matrix& trace, const std::uint32_t* columns,
                std::size_t first_leaf, std::size_t row, std::size_t count) {
  const unsigned log_rows = trace.log_height();
  std::uint32_t places[lanes];
  for (std::size_t i = 0; i < lanes; ++i) {
    const std::size_t leaf = first_leaf + (i < count ? i : 0);
    places[i] = reverse_bits(static_cast<std::uint32_t>(leaf * leaf_rows + row),
                             log_rows);
  }
  alignas(64) std::uint32_t unwanted[16];
  for (std::size_t p = 0; p < record_panels; ++p) {
    vec x[16];
    for (std::size_t c = 0; c < 16; ++c) {
      x[c] = load(columns + (16 * p + c) * lanes);
    }
    const trace_rows to{&trace, p, places};
    const auto row_of = [&](std::size_t i)
                            HWY_ATTR { return i < count ? to(i) : unwanted; };
    store_columns(x, row_of);
  }
}

void absorb_leaves(byte_view data, std::size_t first, std::size_t count,
                   digest* out, host_matrix* trace) {
  count_run();
  leaf_rows_reader reader(data, first, count);
  alignas(64) std::uint32_t columns[16 * record_panels * lanes] = {};
  vec state[24];
  for (std::size_t i = 0; i < 24; ++i) {
    state[i] = fill(i < 16 ? fp{} : leaf_capacity[i - 16]);
  }
  for (std::size_t row = 0; row < leaf_rows - 1; ++row) {
    reader.read(row, state);
    if (trace == nullptr) {
      permute_24(state);
      continue;
    }
    for (std::size_t i = 0; i < 24; ++i) {
      store(state[i], columns + i * lanes);
    }
    permute_24(state, columns + 24 * lanes);
    store_rows(*trace, columns, first, row, count);
  }
  digest all[lanes];
  store_digests(state, all);
  std::copy_n(all, count, out);
}

void hash_rows(std::span<const row_piece> pieces, std::size_t first,
               std::size_t count, digest* out) {
  count_run();
  for (std::size_t r = first; r < first + count; r += lanes) {
    vec state[24];
    for (auto& x : state) {
      x = fill(0);
    }
    std::size_t filled = 0;
    for (const row_piece& piece : pieces) {
      const rows_at rows{words(piece.first + r * piece.stride), piece.stride};
      prefetch_next(rows);
      if (filled == 0 && piece.width == sponge_rate) {
        load_columns(rows, state);
        permute_24(state);
        continue;
      }
      vec columns[16];
      load_columns(rows, columns);
      for (std::size_t c = 0; c < piece.width; ++c) {
        state[filled++] = columns[c];
        if (filled == sponge_rate) {
          permute_24(state);
          filled = 0;
        }
      }
    }
    if (filled != 0) {
      permute_24(state);
    }
    store_digests(state, out + (r - first));
  }
}

void compress_pairs(const digest* pairs, std::size_t count, digest* out) {
  count_run();
  for (std::size_t i = 0; i < count; i += lanes) {
    vec state[16];
    load_columns(rows_at{words(pairs[2 * i].data()), 16}, state);
    permute_16(state);
    store_digests(state, out + i);
  }
}

std::uint32_t grind(const grinding_state& start, unsigned bits,
                    std::uint32_t first, std::uint32_t count) {
  count_run();
  const vec mask = fill((std::uint32_t{1} << bits) - 1);
  for (std::uint32_t i = 0; i < count; i += lanes) {
    vec state[24];
    for (std::size_t k = 0; k < 24; ++k) {
      state[k] = fill(start.state[k]);
    }
    const vec witness = hn::Add(hn::Iota(tag32(), 0), fill(first + i));
    state[start.slot] = multiply(witness, fp::from_word(montgomery_square));
    permute_24(state);
    // Times 2^-32: the canonical integer.
    const vec canonical = multiply(state[15], fp::from_word(1));
    const auto earned = hn::Eq(hn::And(canonical, mask), fill(0));
    const auto at = hn::FindFirstTrue(tag32(), earned);
    if (at >= 0 && i + static_cast<std::uint32_t>(at) < count) {
      return first + i + static_cast<std::uint32_t>(at);
    }
  }
  return first + count;
}

template <std::size_t Width>
HWY_INLINE void permute_many(fp* states, std::size_t times,
                             void (*permute)(vec*)) {
  vec state[Width];
  for (std::size_t i = 0; i < Width; ++i) {
    state[i] = load(states + i * lanes);
  }
  for (std::size_t k = 0; k < times; ++k) {
    permute(state);
  }
  for (std::size_t i = 0; i < Width; ++i) {
    store(state[i], states + i * lanes);
  }
}

void permute_states_24(fp* states, std::size_t times) {
  permute_many<24>(states, times, permute_24);
}
void permute_states_16(fp* states, std::size_t times) {
  permute_many<16>(states, times, permute_16);
}

}  // namespace

extern const hash_kernels hashes;
extern const counted_target counted;
constinit const hash_kernels hashes = {absorb_leaves,     hash_rows,
                                       compress_pairs,    grind,
                                       permute_states_24, permute_states_16};
constinit const counted_target counted = {lanes, HWY_STR(HWY_NAMESPACE), runs};

}  // namespace nexus::prover::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
