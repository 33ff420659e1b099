// The scalar backend's quotient, opening sums and reduced openings: everything
// that walks the extended trace row by row.
#include <algorithm>
#include <array>
#include <utility>

#include "prover/air.hpp"
#include "prover/fri.hpp"
#include "prover/host_storage.hpp"
#include "prover/ntt.hpp"
#include "prover/scalar_backend.hpp"

namespace nexus::prover {
namespace {

// Rows that are inverted together.
constexpr std::size_t batch = 256;

// Sums emitted constraints times alpha's powers, highest first.
class constraint_fold {
 public:
  explicit constraint_fold(const ext* end_of_powers) noexcept
      : next_(end_of_powers) {}

  // The sum over one group, which is the next one in order.
  template <class Group>
  ext group(Group&& constraints) {
    ext_sum sum;
    constraints([&](fp value) { sum.add(value, *--next_); });
    return sum.value();
  }

 private:
  const ext* next_;
};

// What the rows of one quotient share.
struct quotient_tables {
  std::vector<ext> alphas;
  // By the lowest nine bits of the power of the domain's generator.
  std::vector<periodic_columns<fp>> periodic;
  // 1 / Z at even and at odd powers: x^n is g^n or -g^n.
  std::array<fp, 2> zerofier_inverse;
  fp last_point;

  quotient_tables(unsigned log_rows, const ext& alpha)
      : alphas(powers(alpha, constraint::count)) {
    const fp first =
        power(generator, std::uint64_t{1} << (log_rows - log_leaf_rows));
    const fp step = root_of_unity(log_leaf_rows + 1);
    for (fp y = first; periodic.size() < 2 * leaf_rows; y *= step) {
      periodic.emplace_back(y);
    }
    const fp g = power(generator, std::uint64_t{1} << log_rows);
    zerofier_inverse = {inverse(g - one), inverse(-g - one)};
    last_point = inverse(root_of_unity(log_rows));
  }
};

struct row_selectors {
  fp x;
  fp first;  // 1 / (x - 1)
  fp last;   // 1 / (x - last point)
};

ext quotient_at(const quotient_tables& tables, const public_values& publics,
                const fp* row, const fp* next, const row_selectors& at,
                std::uint32_t exponent) {
  const auto& periodic = tables.periodic[exponent % (2 * leaf_rows)];
  constraint_fold fold(tables.alphas.data() + tables.alphas.size());
  const ext every =
      fold.group([&](auto&& emit) { every_row_constraints(row, emit); });
  const ext first = fold.group(
      [&](auto&& emit) { first_row_constraints(row, publics, emit); });
  const ext transition = fold.group([&](auto&& emit) {
    transition_constraints(row, next, periodic.to_combine, periodic.to_leaf,
                           emit);
  });
  const ext last = fold.group(
      [&](auto&& emit) { last_row_constraints(row, publics, emit); });
  return (every + transition * (at.x - tables.last_point)) *
             tables.zerofier_inverse[exponent & 1] +
         first * at.first + last * at.last;
}

// The selectors of `batch` rows from `start` on.
void fill_selectors(const twiddle_table& table, fp last_point,
                    std::size_t start, std::span<row_selectors> out) {
  std::array<fp, 2 * batch> differences;
  std::array<fp, 2 * batch> scratch;
  for (std::size_t i = 0; i < batch; ++i) {
    out[i].x = coset_point(table, generator, start + i);
    differences[i] = out[i].x - one;
    differences[batch + i] = out[i].x - last_point;
  }
  invert_all<fp>(differences, scratch);
  for (std::size_t i = 0; i < batch; ++i) {
    out[i].first = differences[i];
    out[i].last = differences[batch + i];
  }
}

// 1 / (point - x) for the `batch` points x from `start` on.
void invert_differences(const twiddle_table& table, const ext& point,
                        std::size_t start, std::span<ext> out) {
  std::array<ext, batch> scratch;
  for (std::size_t i = 0; i < batch; ++i) {
    out[i] = point - coset_point(table, generator, start + i);
  }
  invert_all<ext>(out, scratch);
}

}  // namespace

result<std::array<matrix_ptr, 2>> scalar_backend::make_quotient(
    const matrix& trace, const public_values& publics, const ext& alpha) {
  const host_matrix& columns = own(trace);
  const unsigned log_length = columns.log_height();
  const unsigned log_rows = log_length - log_blowup;
  const std::size_t rows = std::size_t{1} << log_rows;
  const twiddle_table& table = twiddles(log_length);
  const quotient_tables tables(log_rows, alpha);
  std::array<std::unique_ptr<host_matrix>, 2> chunks;
  for (auto& chunk : chunks) {
    chunk = std::make_unique<host_matrix>(log_rows, 4);
  }
  std::array<row_selectors, batch> selectors;
  std::array<fp, column::count> row;
  std::array<fp, column::count> next;
  for (std::size_t r = 0; r < 2 * rows; ++r) {
    if (r % batch == 0) {
      fill_selectors(table, tables.last_point, r, selectors);
    }
    // The trace's next row is two powers of the domain's generator further.
    const auto exponent =
        reverse_bits(static_cast<std::uint32_t>(r), log_length);
    const std::uint32_t further =
        (exponent + 2) & ((std::uint32_t{2} << log_rows) - 1);
    columns.load(r, row.data());
    columns.load(reverse_bits(further, log_length), next.data());
    const ext value = quotient_at(tables, publics, row.data(), next.data(),
                                  selectors[r % batch], exponent);
    std::copy_n(value.c.data(), 4, chunks[r / rows]->row(0, r % rows));
  }
  return std::array<matrix_ptr, 2>{std::move(chunks[0]), std::move(chunks[1])};
}

// Barycentric interpolation on the coset g * H, the first half of the values:
// p(z) = ((z / g)^n - 1) / n * sum of p(x) x / (z - x).
result<std::vector<ext>> scalar_backend::evaluate(const matrix& codewords,
                                                  std::span<const ext> points) {
  const host_matrix& columns = own(codewords);
  const unsigned log_length = columns.log_height();
  const std::size_t rows = std::size_t{1} << (log_length - log_blowup);
  const twiddle_table& table = twiddles(log_length - log_blowup);
  std::vector<ext_sum> sums(points.size() * columns.width());
  std::array<ext, batch> weights;
  for (std::size_t start = 0; start < rows; start += batch) {
    for (std::size_t k = 0; k < points.size(); ++k) {
      invert_differences(table, points[k], start, weights);
      for (std::size_t i = 0; i < batch; ++i) {
        weights[i] = weights[i] * coset_point(table, generator, start + i);
      }
      for (std::size_t p = 0; p < columns.panels(); ++p) {
        ext_sum* sum = &sums[k * columns.width() + p * columns.panel_width];
        for (std::size_t i = 0; i < batch; ++i) {
          const fp* row = columns.row(p, start + i);
          for (std::size_t c = 0; c < columns.width_of(p); ++c) {
            sum[c].add(row[c], weights[i]);
          }
        }
      }
    }
  }
  std::vector<ext> out(sums.size());
  for (std::size_t k = 0; k < points.size(); ++k) {
    const ext scaled = power(points[k] * inverse(generator), rows) - one;
    const ext factor = scaled * inverse(fp::from(rows));
    for (std::size_t c = 0; c < columns.width(); ++c) {
      const std::size_t i = k * columns.width() + c;
      out[i] = sums[i].value() * factor;
    }
  }
  return out;
}

namespace {

// The openings of one matrix: sum over them of
// alpha^offset (value - row) / (point - x), where value and row are the sums
// over the columns of alpha^k times what they hold.
struct matrix_openings {
  struct claim {
    ext point;
    ext factor;  // alpha^offset
    ext value;
  };
  const host_matrix* columns = nullptr;
  std::vector<claim> claims;
};

std::vector<matrix_openings> group_openings(std::span<const opening> openings,
                                            std::span<const ext> alphas,
                                            const ext& alpha) {
  std::vector<matrix_openings> out;
  ext factor = ext_one;
  for (const opening& each : openings) {
    const host_matrix* columns = &own(*each.codewords);
    if (out.empty() || out.back().columns != columns) {
      out.push_back({columns, {}});
    }
    ext value{fp{}};
    for (std::size_t k = 0; k < each.values.size(); ++k) {
      value += each.values[k] * alphas[k];
    }
    out.back().claims.push_back({each.point, factor, value});
    factor *= power(alpha, each.values.size());
  }
  return out;
}

ext combine_row(const host_matrix& columns, std::size_t r, const ext* alphas) {
  ext_sum sum;
  for (std::size_t p = 0; p < columns.panels(); ++p) {
    const fp* row = columns.row(p, r);
    for (std::size_t c = 0; c < columns.width_of(p); ++c) {
      sum.add(row[c], *alphas++);
    }
  }
  return sum.value();
}

}  // namespace

result<codeword_ptr> scalar_backend::reduce_openings(
    std::span<const opening> openings, const ext& alpha) {
  const unsigned log_length = openings[0].codewords->log_height();
  const twiddle_table& table = twiddles(log_length);
  std::size_t widest = 0;
  for (const opening& each : openings) {
    widest = std::max(widest, each.codewords->width());
  }
  const std::vector<ext> alphas = powers(alpha, widest);
  const auto groups = group_openings(openings, alphas, alpha);
  auto out = std::make_unique<host_codeword>(log_length);
  std::array<ext, batch> rows;
  std::array<ext, batch> inverses;
  for (std::size_t start = 0; start < out->values.size(); start += batch) {
    ext* to = &out->values[start];
    std::fill_n(to, batch, ext{fp{}});
    for (const auto& group : groups) {
      for (std::size_t i = 0; i < batch; ++i) {
        rows[i] = combine_row(*group.columns, start + i, alphas.data());
      }
      for (const auto& claim : group.claims) {
        invert_differences(table, claim.point, start, inverses);
        for (std::size_t i = 0; i < batch; ++i) {
          to[i] += (claim.value - rows[i]) * inverses[i] * claim.factor;
        }
      }
    }
  }
  return codeword_ptr(std::move(out));
}

}  // namespace nexus::prover
