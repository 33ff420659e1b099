#include "prover/scalar_backend.hpp"

#include <algorithm>
#include <utility>

#include "prover/air.hpp"
#include "prover/fri.hpp"
#include "prover/host_storage.hpp"
#include "prover/ntt.hpp"

namespace nexus::prover {

result<segment_witness> scalar_backend::make_witness(
    byte_view data, const segment_statement& statement) {
  const unsigned log_rows = statement.log_rows();
  auto trace = std::make_unique<host_matrix>(log_rows, column::count);
  std::array<fp, column::count> row;
  const auto permute_row = [&](std::uint64_t number, poseidon2_state<24>& state,
                               const capacity& top) {
    std::copy(state.begin(), state.end(), row.begin() + column::input);
    permute(state, &row[column::record]);
    std::copy(top.begin(), top.end(), row.begin() + column::top);
    const auto place = static_cast<std::uint32_t>(number);
    trace->store(reverse_bits(place, log_rows), row.data());
  };
  const digest root = absorb_segment(data, statement, permute_row);
  return segment_witness{std::move(trace), root};
}

result<matrix_ptr> scalar_backend::extend(matrix_ptr values, fp shift) {
  auto& columns = static_cast<host_matrix&>(*values);
  const unsigned log_rows = columns.log_height();
  const std::size_t rows = std::size_t{1} << log_rows;
  const twiddle_table& table = twiddles(log_rows);
  const fp scale = inverse(fp::from(rows));
  // A polynomial p on shift * H is p(shift x) on H. The extension's even powers
  // are the coset g * H, its odd ones g * w * H.
  const fp even = generator * inverse(shift);
  const fp odd = even * root_of_unity(log_rows + log_blowup);
  for (std::size_t p = 0; p < columns.panels(); ++p) {
    const std::size_t width = columns.stride_of(p);
    fp* low = columns.row(p, 0);
    fp* high = columns.row(p, rows);
    transform_back(low, log_rows, width, table);
    for (std::size_t i = 0; i < rows * width; ++i) {
      high[i] = low[i] *= scale;
    }
    transform(low, log_rows, width, even, table);
    transform(high, log_rows, width, odd, table);
  }
  columns.double_height();
  return values;
}

result<layer_ptr> scalar_backend::hash_rows(matrix_views matrices) {
  auto out = std::make_unique<host_layer>(matrices[0]->log_height());
  for (std::size_t r = 0; r < out->hashes.size(); ++r) {
    row_hasher hasher;
    for (const matrix* each : matrices) {
      const host_matrix& columns = own(*each);
      for (std::size_t p = 0; p < columns.panels(); ++p) {
        hasher.absorb(std::span(columns.row(p, r), columns.width_of(p)));
      }
    }
    out->hashes[r] = hasher.finish();
  }
  return layer_ptr(std::move(out));
}

result<layer_ptr> scalar_backend::hash_groups(const codeword& values,
                                              unsigned log_arity) {
  auto out = std::make_unique<host_layer>(values.log_length() - log_arity);
  const ext* next = own(values).values.data();
  for (auto& hash : out->hashes) {
    row_hasher hasher;
    for (std::size_t i = 0; i < std::size_t{1} << log_arity; ++i) {
      hasher.absorb((next++)->c);
    }
    hash = hasher.finish();
  }
  return layer_ptr(std::move(out));
}

result<layer_ptr> scalar_backend::compress_pairs(const layer& hashes) {
  auto out = std::make_unique<host_layer>(hashes.log_length() - 1);
  const auto& from = own(hashes).hashes;
  for (std::size_t i = 0; i < out->hashes.size(); ++i) {
    out->hashes[i] = compress(from[2 * i], from[2 * i + 1]);
  }
  return layer_ptr(std::move(out));
}

result<codeword_ptr> scalar_backend::fold(const codeword& values,
                                          const ext& beta, unsigned log_arity) {
  const twiddle_table& table = twiddles(values.log_length());
  const host_array<ext>* from = &own(values).values;
  std::unique_ptr<host_codeword> out;
  ext factor = beta;
  for (unsigned k = 1; k <= log_arity; ++k) {
    auto next = std::make_unique<host_codeword>(values.log_length() - k);
    for (std::size_t i = 0; i < next->values.size(); ++i) {
      next->values[i] = fold_pair((*from)[2 * i], (*from)[2 * i + 1], factor,
                                  table.backward[i]);
    }
    out = std::move(next);
    from = &out->values;
    factor *= factor;
  }
  return codeword_ptr(std::move(out));
}

result<std::vector<fp>> scalar_backend::gather_rows(
    matrix_views matrices, std::span<const std::uint32_t> rows) {
  std::size_t width = 0;
  for (const matrix* each : matrices) {
    width += each->width();
  }
  std::vector<fp> out(rows.size() * width);
  fp* next = out.data();
  for (const std::uint32_t r : rows) {
    for (const matrix* each : matrices) {
      own(*each).load(r, next);
      next += each->width();
    }
  }
  return out;
}

result<std::vector<ext>> scalar_backend::gather_groups(
    const codeword& values, unsigned log_arity,
    std::span<const std::uint32_t> groups) {
  const std::size_t arity = std::size_t{1} << log_arity;
  std::vector<ext> out(groups.size() * arity);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    std::copy_n(&own(values).values[groups[i] * arity], arity, &out[i * arity]);
  }
  return out;
}

result<std::vector<digest>> scalar_backend::gather_hashes(
    const layer& hashes, std::span<const std::uint32_t> positions) {
  std::vector<digest> out(positions.size());
  std::transform(
      positions.begin(), positions.end(), out.begin(),
      [&](std::uint32_t position) { return own(hashes).hashes[position]; });
  return out;
}

result<std::uint32_t> scalar_backend::grind(const grinding_state& state,
                                            unsigned bits) {
  for (std::uint32_t witness = 0; witness < modulus; ++witness) {
    if (earns(state, witness, bits)) {
      return witness;
    }
  }
  return status{status_code::internal, "no witness earns the proof of work"};
}

}  // namespace nexus::prover
