// The quotient: every constraint at every row.
#include <algorithm>

#include "prover/air.hpp"
#include "prover/simd/kernels.hpp"
#include "prover/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "prover/simd/quotient_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR

#include "prover/simd/poseidon2-inl.hpp"
#include "prover/simd/sums-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nexus::prover::HWY_NAMESPACE {
namespace {

// The values of a group of rows' constraints, in their order, a vector each.
class constraint_values {
 public:
  HWY_INLINE void emit(vec value) {
    store(value, values_ + count_ * lanes);
    ++count_;
  }
  // The sum over the next `count` ones.
  HWY_INLINE vec_ext fold(const quotient_job& job, std::size_t group,
                          std::size_t count) {
    const vec_ext sum =
        dot(values_ + folded_ * lanes, count, job.alphas + folded_);
    folded_ += count;
    return add(sum, fill(job.corrections[group]));
  }

 private:
  alignas(64) std::uint32_t values_[constraint::count * lanes];
  std::size_t count_ = 0;
  std::size_t folded_ = 0;
};

// A group of rows and what of the rows after them is needed, a vector a column.
class row_group {
 public:
  void read(const host_matrix& trace, std::size_t r) {
    const auto length = std::uint32_t{1} << trace.log_height();
    std::uint32_t places[lanes];
    for (std::size_t i = 0; i < lanes; ++i) {
      // Two powers of the domain's generator further.
      exponents[i] =
          reverse_bits(static_cast<std::uint32_t>(r + i), trace.log_height());
      places[i] =
          reverse_bits((exponents[i] + 2) & (length - 1), trace.log_height());
    }
    for (std::size_t p = 0; p < trace.panels(); ++p) {
      const row_piece piece = piece_of(trace, p, r);
      const rows_at rows{words(piece.first), piece.stride};
      keep(rows, here_ + p * panel);
      prefetch_next(rows);
    }
    for (const std::size_t p : {0, 1, 14, 15}) {
      const auto row_of = [&](std::size_t i) HWY_ATTR {
        return words(trace.row(p, places[i]));
      };
      keep(row_of, next_ + p % 12 * panel);
    }
  }

  HWY_INLINE vec here(std::size_t column) const {
    return load(here_ + column * lanes);
  }
  // Of the panels 0, 1, 14 and 15 alone.
  HWY_INLINE vec next(std::size_t column) const {
    return load(next_ + column % (12 * 16) * lanes);
  }

  std::uint32_t exponents[lanes];

 private:
  static constexpr std::size_t panel = 16 * lanes;

  template <class Row>
  HWY_INLINE void keep(const Row& row, std::uint32_t* to) {
    vec x[16];
    load_columns(row, x);
    for (std::size_t c = 0; c < 16; ++c) {
      store(x[c], to + c * lanes);
    }
  }

  alignas(64) std::uint32_t here_[16 * panel];
  alignas(64) std::uint32_t next_[4 * panel];
};

HWY_INLINE void full_round_constraints(vec* x, const row_group& rows,
                                       std::size_t round, std::size_t column,
                                       constraint_values& out) {
  full_round<24>(x, lowered<24>.full[round].data());
  NEXUS_UNROLL
  for (std::size_t i = 0; i < 24; ++i) {
    const vec recorded = rows.here(column + i);
    out.emit(sub(x[i], recorded));
    x[i] = recorded;
  }
}

HWY_NOINLINE void permutation_constraints(const row_group& rows,
                                          constraint_values& out) {
  vec x[24];
  NEXUS_UNROLL
  for (std::size_t i = 0; i < 24; ++i) {
    x[i] = rows.here(column::input + i);
  }
  mix_external<24>(x);
  std::size_t at = column::record;
  for (std::size_t r = 0; r < 2 * half_full_rounds; ++r, at += 24) {
    if (r == half_full_rounds) {
      for (const std::uint32_t constant : lowered<24>.partial) {
        const vec recorded = rows.here(at++);
        out.emit(sub(sbox(x[0], constant), recorded));
        mix_internal<24>(x, recorded);
      }
    }
    full_round_constraints(x, rows, r, at, out);
  }
}

// The other groups, see air.hpp.
HWY_NOINLINE void border_constraints(const quotient_job& job,
                                     const row_group& rows,
                                     constraint_values& out) {
  const auto here = [&](std::size_t c) HWY_ATTR { return rows.here(c); };
  const auto next = [&](std::size_t c) HWY_ATTR { return rows.next(c); };
  for (std::size_t j = 0; j < 8; ++j) {
    out.emit(sub(here(column::input + 16 + j), fill(leaf_capacity[j])));
  }
  for (std::size_t j = 0; j < 8; ++j) {
    out.emit(sub(here(column::top + j), fill(job.publics[8 + j])));
  }
  alignas(64) std::uint32_t combine_words[lanes];
  alignas(64) std::uint32_t leaf_words[lanes];
  for (std::size_t i = 0; i < lanes; ++i) {
    const std::size_t at = rows.exponents[i] % (2 * leaf_rows);
    combine_words[i] = job.to_combine[at].word();
    leaf_words[i] = job.to_leaf[at].word();
  }
  const vec to_combine = load(combine_words);
  const vec to_leaf = load(leaf_words);
  for (std::size_t j = 0; j < 8; ++j) {
    const vec chained = here(column::output + 16 + j);
    const vec combined =
        multiply(to_combine, sub(here(column::top + j), chained));
    const vec started = multiply(to_leaf, sub(chained, fill(leaf_capacity[j])));
    const vec step = sub(next(column::input + 16 + j), chained);
    out.emit(add(sub(step, combined), started));
  }
  for (std::size_t j = 0; j < 8; ++j) {
    out.emit(multiply(to_combine,
                      sub(next(column::input + j), here(column::output + j))));
  }
  for (std::size_t j = 8; j < 16; ++j) {
    out.emit(multiply(to_combine, next(column::input + j)));
  }
  for (std::size_t j = 0; j < 8; ++j) {
    const vec top = here(column::top + j);
    const vec carried =
        multiply(to_leaf, sub(here(column::output + 16 + j), top));
    out.emit(sub(sub(next(column::top + j), top), carried));
  }
  for (std::size_t j = 0; j < 8; ++j) {
    out.emit(sub(here(column::output + j), fill(job.publics[j])));
  }
}

// first, last: 1 / (x - 1) and 1 / (x - last point).
vec_ext quotient_of(const quotient_job& job, std::size_t r, vec first,
                    vec last) {
  row_group rows;
  rows.read(*job.trace, r);
  constraint_values values;
  permutation_constraints(rows, values);
  border_constraints(job, rows, values);
  const vec_ext every = values.fold(job, 0, constraint::every_row);
  const vec_ext at_first = values.fold(job, 1, constraint::first_row);
  const vec_ext transition = values.fold(job, 2, constraint::transition);
  const vec_ext at_last = values.fold(job, 3, constraint::last_row);
  const vec from_last = sub(load(job.points + r), fill(job.last_point));
  const vec divisor = fill(job.zerofier_inverse[rows.exponents[0] & 1]);
  return add(multiply(add(every, multiply(transition, from_last)), divisor),
             add(multiply(at_first, first), multiply(at_last, last)));
}

void quotient(const quotient_job& job, std::size_t first, std::size_t count) {
  const std::size_t rows = std::size_t{1} << job.chunks[0]->log_height();
  vec inverses[2 * batch];
  vec scratch[2 * batch];
  for (std::size_t done = 0; done < count; done += batch * lanes) {
    const std::size_t vectors = std::min(batch, (count - done) / lanes);
    for (std::size_t i = 0; i < vectors; ++i) {
      const vec x = load(job.points + first + done + i * lanes);
      inverses[2 * i] = sub(x, fill(one));
      inverses[2 * i + 1] = sub(x, fill(job.last_point));
    }
    invert_all(inverses, scratch, 2 * vectors);
    for (std::size_t i = 0; i < vectors; ++i) {
      const std::size_t r = first + done + i * lanes;
      const vec_ext value =
          quotient_of(job, r, inverses[2 * i], inverses[2 * i + 1]);
      fp* const to = job.chunks[r / rows]->row(0, r % rows);
      hn::StoreInterleaved4(value.c[0], value.c[1], value.c[2], value.c[3],
                            tag32(), words(to));
    }
  }
}

}  // namespace

extern const quotient_kernel quotients;
constinit const quotient_kernel quotients = {quotient};

}  // namespace nexus::prover::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
