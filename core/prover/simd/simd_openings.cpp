// The vector backend's quotient, opening sums and reduced openings.
#include <algorithm>
#include <mutex>
#include <utility>

#include "prover/air.hpp"
#include "prover/fri.hpp"
#include "prover/ntt.hpp"
#include "prover/simd/simd_backend.hpp"

namespace nexus::prover {
namespace {

// The points of g * K, in the order of its codewords. Made once per process and
// size; never freed.
const fp* domain_points(const kernel_set& kernels, unsigned log_length) {
  static std::array<std::once_flag, two_adicity + 1> flags;
  static std::array<fp*, two_adicity + 1> points;
  std::call_once(flags[log_length], [&] {
    const std::size_t half_length = std::size_t{1} << (log_length - 1);
    auto made = std::make_unique_for_overwrite<fp[]>(2 * half_length);
    kernels.rows.make_points(twiddles(log_length).forward.get(), half_length,
                             generator, made.get());
    points[log_length] = made.release();
  });
  return points[log_length];
}

ext sum_of(std::span<const ext> values) {
  ext out{fp{}};
  for (const ext& x : values) {
    out += x;
  }
  return out;
}

// What centring takes away of a sum of values times these factors.
ext correction(std::span<const ext> factors) {
  return sum_of(factors) * fp::from_word(centring);
}

std::vector<centred_ext> all_centred(std::span<const ext> values) {
  std::vector<centred_ext> out(values.size());
  std::transform(values.begin(), values.end(), out.begin(),
                 [](const ext& x) { return centred(x); });
  return out;
}

}  // namespace

namespace {

// The periodic columns by exponent, and the divisors: see scalar_quotient.cpp.
void fill_quotient(quotient_job& job, unsigned log_rows,
                   std::vector<fp>& to_combine, std::vector<fp>& to_leaf) {
  fp y = power(generator, std::uint64_t{1} << (log_rows - log_leaf_rows));
  const fp step = root_of_unity(log_leaf_rows + 1);
  for (std::size_t i = 0; i < 2 * leaf_rows; ++i, y *= step) {
    const periodic_columns<fp> at(y);
    to_combine.push_back(at.to_combine);
    to_leaf.push_back(at.to_leaf);
  }
  job.to_combine = to_combine.data();
  job.to_leaf = to_leaf.data();
  const fp g = power(generator, std::uint64_t{1} << log_rows);
  job.zerofier_inverse = {inverse(g - one), inverse(-g - one)};
  job.last_point = inverse(root_of_unity(log_rows));
}

}  // namespace

result<std::array<matrix_ptr, 2>> simd_backend::make_quotient(
    const matrix& trace, const public_values& publics, const ext& alpha) {
  const unsigned log_length = trace.log_height();
  const unsigned log_rows = log_length - log_blowup;
  std::array<std::unique_ptr<host_matrix>, 2> chunks;
  for (auto& chunk : chunks) {
    chunk = std::make_unique<host_matrix>(log_rows, 4);
  }
  std::vector<ext> factors = powers(alpha, constraint::count);
  std::reverse(factors.begin(), factors.end());
  const auto centred_factors = all_centred(factors);
  quotient_job job{};
  std::vector<fp> to_combine;
  std::vector<fp> to_leaf;
  fill_quotient(job, log_rows, to_combine, to_leaf);
  job.trace = &own(trace);
  job.points = domain_points(kernels_, log_length);
  job.alphas = centred_factors.data();
  std::span<const ext> rest = factors;
  constexpr std::array groups = {constraint::every_row, constraint::first_row,
                                 constraint::transition, constraint::last_row};
  for (std::size_t g = 0; g < groups.size(); ++g) {
    job.corrections[g] = correction(rest.first(groups[g]));
    rest = rest.subspan(groups[g]);
  }
  job.publics = publics;
  job.chunks = {chunks[0].get(), chunks[1].get()};
  in_pieces(std::size_t{1} << log_length, task_rows,
            [&](std::size_t first, std::size_t count) {
              kernels_.quotients.evaluate(job, first, count);
            });
  return std::array<matrix_ptr, 2>{std::move(chunks[0]), std::move(chunks[1])};
}

// See scalar_backend::evaluate. Taking a constant off every value of a column
// takes it off its polynomial.
result<std::vector<ext>> simd_backend::evaluate(const matrix& codewords,
                                                std::span<const ext> points) {
  const host_matrix& columns = own(codewords);
  const unsigned log_length = columns.log_height();
  const std::size_t rows = std::size_t{1} << (log_length - log_blowup);
  const fp* const domain = domain_points(kernels_, log_length);
  const std::size_t panels = columns.panels();
  std::vector<host_array<centred_ext>> weights;
  for (std::size_t k = 0; k < points.size(); ++k) {
    weights.emplace_back(rows);
    const reciprocal z(points[k]);
    in_pieces(rows, task_rows, [&](std::size_t first, std::size_t count) {
      kernels_.rows.weigh(z, domain + first, count, &weights[k][first]);
    });
  }
  std::vector<ext> sums(points.size() * panels * host_matrix::panel_width);
  team_.run(panels, [&](std::size_t p) {
    const row_piece piece{columns.row(p, 0), columns.stride_of(p),
                          columns.width_of(p)};
    // Points take turns on rows that the cache still holds.
    std::array<ext, host_matrix::panel_width> part;
    for (std::size_t k = 0; k < points.size(); ++k) {
      kernels_.rows.sum_columns(piece, rows, weights[k].data(), part.data());
      std::copy(part.begin(), part.end(),
                &sums[(k * panels + p) * part.size()]);
    }
  });
  std::vector<ext> out;
  for (std::size_t k = 0; k < points.size(); ++k) {
    const ext scaled = power(points[k] * inverse(generator), rows) - one;
    const ext factor = scaled * inverse(fp::from(rows));
    const ext* const from = &sums[k * panels * host_matrix::panel_width];
    for (std::size_t c = 0; c < columns.width(); ++c) {
      out.push_back(from[c] * factor + fp::from_word(centring));
    }
  }
  return out;
}

result<codeword_ptr> simd_backend::reduce_openings(
    std::span<const opening> openings, const ext& alpha) {
  std::vector<const host_matrix*> matrices;
  std::vector<ext> points;
  std::vector<opening_term> terms;
  std::vector<ext> corrections;
  std::size_t widest = 0;
  for (const opening& each : openings) {
    widest = std::max(widest, each.codewords->width());
  }
  const std::vector<ext> alphas = powers(alpha, widest);
  ext factor = ext_one;
  for (const opening& each : openings) {
    const host_matrix* const columns = &own(*each.codewords);
    const auto m = std::find(matrices.begin(), matrices.end(), columns);
    const auto p = std::find(points.begin(), points.end(), each.point);
    opening_term term{static_cast<std::size_t>(m - matrices.begin()),
                      static_cast<std::size_t>(p - points.begin()), ext{fp{}},
                      factor};
    const std::span used = std::span(alphas).first(columns->width());
    if (m == matrices.end()) {
      matrices.push_back(columns);
      corrections.push_back(correction(used));
    }
    if (p == points.end()) {
      points.push_back(each.point);
    }
    for (std::size_t k = 0; k < used.size(); ++k) {
      term.value += each.values[k] * used[k];
    }
    terms.push_back(term);
    factor *= power(alpha, used.size());
  }
  if (matrices.size() > most_reduced || points.size() > most_reduced) {
    return scalar_backend::reduce_openings(openings, alpha);
  }
  const auto centred_alphas = all_centred(alphas);
  const std::vector<reciprocal> reciprocals(points.begin(), points.end());
  auto out = std::make_unique<host_codeword>(matrices[0]->log_height());
  const reduce_job job{matrices,
                       reciprocals,
                       terms,
                       domain_points(kernels_, matrices[0]->log_height()),
                       centred_alphas.data(),
                       corrections.data(),
                       out->values.data()};
  in_pieces(out->values.size(), task_rows,
            [&](std::size_t first, std::size_t count) {
              kernels_.rows.reduce(job, first, count);
            });
  return codeword_ptr(std::move(out));
}

}  // namespace nexus::prover
