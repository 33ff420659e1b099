// What walks the extended trace row by row, but for the quotient: opening sums
// and reduced openings; and FRI's folds.
#include <algorithm>

#include "prover/simd/kernels.hpp"
#include "prover/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "prover/simd/row_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR

#include "prover/simd/sums-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nexus::prover::HWY_NAMESPACE {
namespace {

void make_points(const fp* twiddles, std::size_t count, fp shift, fp* out) {
  for (std::size_t i = 0; i < count; i += lanes) {
    const vec x = multiply(load(twiddles + i), shift);
    hn::StoreInterleaved2(x, sub(fill(0), x), tag32(), words(out + 2 * i));
  }
}

// The sum of columns times factors, centred.
vec_ext combine_rows(const host_matrix& columns, std::size_t r,
                     const centred_ext* factors) {
  ext_products sum = no_ext_products();
  for (std::size_t p = 0; p < columns.panels(); ++p) {
    const row_piece piece = piece_of(columns, p, r);
    const rows_at rows{words(piece.first), piece.stride};
    vec x[16];
    load_columns(rows, x);
    prefetch_next(rows);
    if (piece.width == 16) {
      add_eight(sum, x, factors);
      add_eight(sum, x + 8, factors + 8);
    } else {
      for (std::size_t c = 0; c < piece.width; ++c) {
        add_products(sum, centre(x[c]), factors[c]);
        if (c % products_between_shrinks == products_between_shrinks - 1) {
          shrink(sum);
        }
      }
      shrink(sum);
    }
    factors += piece.width;
  }
  return reduce(sum);
}

// m(x) of a reciprocal.
HWY_INLINE vec denominator(const reciprocal& z, vec x) {
  vec out = add(x, fill(z.m[3]));
  for (std::size_t k = 3; k-- > 0;) {
    out = add(multiply(out, x), fill(z.m[k]));
  }
  return out;
}

// q(x).
HWY_INLINE vec_ext numerator(const reciprocal& z, vec x) {
  const vec square = multiply(x, x);
  vec_ext out = fill(z.q[0]);
  for (std::size_t k = 0; k < 4; ++k) {
    out.c[k] = add(
        out.c[k], add(multiply(x, z.q[1].c[k]), multiply(square, z.q[2].c[k])));
  }
  out.c[0] = add(out.c[0], multiply(square, x));
  return out;
}

void weigh(const reciprocal& z, const fp* points, std::size_t count,
           centred_ext* out) {
  vec inverses[batch];
  vec scratch[batch];
  for (std::size_t done = 0; done < count; done += batch * lanes) {
    const std::size_t vectors = std::min(batch, (count - done) / lanes);
    for (std::size_t i = 0; i < vectors; ++i) {
      inverses[i] = denominator(z, load(points + done + i * lanes));
    }
    invert_all(inverses, scratch, vectors);
    for (std::size_t i = 0; i < vectors; ++i) {
      const std::size_t at = done + i * lanes;
      const vec x = load(points + at);
      const vec factor = sub(fill(0), multiply(inverses[i], x));
      const vec_ext weight = multiply(numerator(z, x), factor);
      hn::StoreInterleaved4(centred(weight.c[0]), centred(weight.c[1]),
                            centred(weight.c[2]), centred(weight.c[3]),
                            tag32s(), out[at].data());
    }
  }
}

void sum_columns(const row_piece& panel, std::size_t rows,
                 const centred_ext* weights, ext* sums) {
  for (std::size_t c = 0; c < 16; c += lanes) {
    ext_products sum = no_ext_products();
    const std::uint32_t* row = words(panel.first) + c;
    for (std::size_t r = 0; r < rows; r += products_between_shrinks) {
      NEXUS_UNROLL
      for (std::size_t i = 0; i < products_between_shrinks; ++i) {
        add_products(sum, centre(load(row)), weights[r + i]);
        row += panel.stride;
      }
      shrink(sum);
    }
    store(reduce(sum), sums + c);
  }
}

void reduce_rows(const reduce_job& job, std::size_t first, std::size_t count) {
  vec inverses[most_reduced][batch];
  vec scratch[batch];
  for (std::size_t done = 0; done < count; done += batch * lanes) {
    const std::size_t vectors = std::min(batch, (count - done) / lanes);
    for (std::size_t p = 0; p < job.points.size(); ++p) {
      for (std::size_t i = 0; i < vectors; ++i) {
        inverses[p][i] = denominator(
            job.points[p], load(job.domain + first + done + i * lanes));
      }
      invert_all(inverses[p], scratch, vectors);
    }
    for (std::size_t i = 0; i < vectors; ++i) {
      const std::size_t r = first + done + i * lanes;
      vec_ext rows[most_reduced];
      for (std::size_t m = 0; m < job.matrices.size(); ++m) {
        rows[m] = add(combine_rows(*job.matrices[m], r, job.alphas),
                      fill(job.corrections[m]));
      }
      // Less the sums over the terms of each point.
      vec_ext sums[most_reduced];
      for (std::size_t p = 0; p < job.points.size(); ++p) {
        sums[p] = fill(ext(fp{}));
      }
      for (const opening_term& term : job.terms) {
        const vec_ext difference = sub(rows[term.matrix], fill(term.value));
        sums[term.point] =
            add(sums[term.point], multiply(difference, fill(term.factor)));
      }
      vec_ext out = fill(ext(fp{}));
      for (std::size_t p = 0; p < job.points.size(); ++p) {
        const vec_ext over = multiply(
            numerator(job.points[p], load(job.domain + r)), inverses[p][i]);
        out = add(out, multiply(sums[p], over));
      }
      store(out, job.out + r);
    }
  }
}

HWY_INLINE vec halve(vec x) {
  return divide_by_power(x, 1);
}

template <std::size_t Arity>
HWY_INLINE void fold_groups(const ext* values, const fp* twiddles,
                            const ext* halves, std::size_t first,
                            std::size_t count, ext* out) {
  for (std::size_t g = first; g < first + count; g += lanes) {
    vec x[32];
    const rows_at rows{words(values[g * Arity].c.data()), 4 * Arity};
    load_columns(rows, x);
    if constexpr (Arity == 8) {
      load_columns(rows_at{rows.first + 16, rows.stride}, x + 16);
    }
    const ext* factor = halves;
    for (std::size_t pairs = Arity / 2; pairs != 0; pairs /= 2, ++factor) {
      for (std::size_t i = 0; i < pairs; ++i) {
        alignas(64) std::uint32_t inverse_words[lanes];
        for (std::size_t k = 0; k < lanes; ++k) {
          inverse_words[k] = twiddles[(g + k) * pairs + i].word();
        }
        const vec x_inverse = load(inverse_words);
        vec_ext sum;
        vec_ext difference;
        for (std::size_t k = 0; k < 4; ++k) {
          const vec low = x[8 * i + k];
          const vec high = x[8 * i + 4 + k];
          sum.c[k] = halve(add(low, high));
          difference.c[k] = multiply(sub(low, high), x_inverse);
        }
        const vec_ext folded = add(sum, multiply(difference, fill(*factor)));
        for (std::size_t k = 0; k < 4; ++k) {
          x[4 * i + k] = folded.c[k];
        }
      }
    }
    store(vec_ext(x[0], x[1], x[2], x[3]), out + g);
  }
}

void fold(const ext* values, unsigned log_arity, const fp* twiddles,
          const ext* halves, std::size_t first, std::size_t count, ext* out) {
  if (log_arity == 3) {
    fold_groups<8>(values, twiddles, halves, first, count, out);
  } else if (log_arity == 2) {
    fold_groups<4>(values, twiddles, halves, first, count, out);
  } else {
    fold_groups<2>(values, twiddles, halves, first, count, out);
  }
}

}  // namespace

extern const row_kernels row_work;
constinit const row_kernels row_work = {make_points, weigh, sum_columns,
                                        reduce_rows, fold};

}  // namespace nexus::prover::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
