#include "prover/simd/simd_backend.hpp"

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include "prover/air.hpp"
#include "prover/fri.hpp"
#include "prover/ntt.hpp"

namespace nexus::prover {
namespace {

constexpr std::uint32_t task_witnesses = 4096;
// From here on a trace is touched first.
constexpr std::uint64_t many_rows = 1 << 18;

std::vector<row_piece> pieces_of(matrix_views matrices) {
  std::vector<row_piece> out;
  for (const matrix* each : matrices) {
    const host_matrix& columns = own(*each);
    for (std::size_t p = 0; p < columns.panels(); ++p) {
      out.push_back(
          {columns.row(p, 0), columns.stride_of(p), columns.width_of(p)});
    }
  }
  return out;
}

// The rows of one leaf that follow from the root sponge: its combine row, which
// is the last one, and the sponge's capacity in the others.
void store_capacity(host_matrix& trace, std::size_t leaf, const capacity& top) {
  constexpr std::size_t panel = column::top / host_matrix::panel_width;
  constexpr std::size_t at = column::top % host_matrix::panel_width;
  constexpr std::size_t here = host_matrix::panel_width - at;
  static_assert(here == 1);
  std::array<fp, 8> rest{};
  std::copy(top.begin() + here, top.end(), rest.begin());
  for (std::size_t row = 0; row < leaf_rows - 1; ++row) {
    const std::size_t place = reverse_bits(
        static_cast<std::uint32_t>(leaf * leaf_rows + row), trace.log_height());
    trace.row(panel, place)[at] = top[0];
    std::copy(rest.begin(), rest.end(), trace.row(panel + 1, place));
  }
}

// The root sponge over the leaves' digests. Returns each leaf's capacity, and
// the state at the end in `state`.
std::vector<capacity> combine(std::span<const digest> leaves,
                              const segment_statement& statement,
                              host_matrix& trace, poseidon2_state<24>& state) {
  std::vector<capacity> tops(leaves.size());
  capacity top = statement.top();
  std::array<fp, column::count> row;
  for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    tops[leaf] = top;
    state.fill(fp{});
    std::copy(leaves[leaf].begin(), leaves[leaf].end(), state.begin());
    std::copy(top.begin(), top.end(), state.begin() + 16);
    std::copy(state.begin(), state.end(), row.begin() + column::input);
    permute(state, &row[column::record]);
    std::copy(top.begin(), top.end(), row.begin() + column::top);
    const std::size_t number = (leaf + 1) * leaf_rows - 1;
    trace.store(
        reverse_bits(static_cast<std::uint32_t>(number), trace.log_height()),
        row.data());
    std::copy(state.begin() + 16, state.end(), top.begin());
  }
  return tops;
}

}  // namespace

void simd_backend::touch(host_matrix& trace) {
  constexpr std::size_t page = 4096 / sizeof(fp);
  constexpr std::size_t piece = (std::size_t{2} << 20) / sizeof(fp);
  const std::size_t rows = std::size_t{1} << trace.log_height();
  for (std::size_t p = 0; p < trace.panels(); ++p) {
    fp* const panel = trace.row(p, 0);
    in_pieces(rows * trace.stride_of(p), piece,
              [panel](std::size_t first, std::size_t count) {
                for (std::size_t i = first; i < first + count; i += page) {
                  panel[i] = fp{};
                }
              });
  }
}

result<segment_witness> simd_backend::make_witness(
    byte_view data, const segment_statement& statement) {
  auto trace =
      std::make_unique<host_matrix>(statement.log_rows(), column::count);
  if (statement.rows() >= many_rows) {
    touch(*trace);
  }
  std::vector<digest> leaves(statement.rows() / leaf_rows);
  in_pieces(leaves.size(), lanes(), [&](std::size_t first, std::size_t count) {
    kernels_.hash.absorb_leaves(data, first, count, &leaves[first],
                                trace.get());
  });
  poseidon2_state<24> state;
  const auto tops = combine(leaves, statement, *trace, state);
  team_.run(leaves.size(), [&](std::size_t leaf) {
    store_capacity(*trace, leaf, tops[leaf]);
  });
  return segment_witness{std::move(trace), first_eight(state)};
}

result<matrix_ptr> simd_backend::extend(matrix_ptr values, fp shift) {
  auto& columns = static_cast<host_matrix&>(*values);
  const unsigned log_rows = columns.log_height();
  const std::size_t rows = std::size_t{1} << log_rows;
  const twiddle_table& table = twiddles(log_rows);
  host_array<std::uint32_t> tables(6 * rows);
  std::uint32_t* next = tables.data();
  const auto make = [&](const fp* from, fp by) {
    const transform_plan::table out{next, next + rows};
    kernels_.transforms.make_table(from, log_rows, by, next, next + rows);
    next += 2 * rows;
    return out;
  };
  // See scalar_backend::extend.
  const fp even = generator * inverse(shift);
  const fp odd = even * root_of_unity(log_rows + log_blowup);
  transform_plan plan{log_rows,
                      0,
                      make(table.backward.get(), one),
                      make(table.forward.get(), even),
                      make(table.forward.get(), odd),
                      inverse(fp::from(rows))};
  std::atomic<bool> no_memory = false;
  team_.run(columns.panels(), [&](std::size_t p) {
    transform_plan own_plan = plan;
    own_plan.log_side =
        log2_exact(host_matrix::panel_width / columns.stride_of(p));
    try {
      host_array<std::uint32_t> scratch(
          extend_scratch(log_rows - own_plan.log_side));
      kernels_.transforms.extend(own_plan, columns.row(p, 0), scratch.data());
    } catch (const std::bad_alloc&) {
      no_memory = true;
    }
  });
  if (no_memory) {
    return status{status_code::out_of_memory, "no memory to extend a trace"};
  }
  columns.double_height();
  return values;
}

layer_ptr simd_backend::hash_pieces(std::span<const row_piece> pieces,
                                    unsigned log_count) {
  auto out = std::make_unique<host_layer>(log_count);
  in_pieces(
      out->hashes.size(), task_rows, [&](std::size_t first, std::size_t count) {
        kernels_.hash.hash_rows(pieces, first, count, &out->hashes[first]);
      });
  return out;
}

result<layer_ptr> simd_backend::hash_rows(matrix_views matrices) {
  return hash_pieces(pieces_of(matrices), matrices[0]->log_height());
}

result<layer_ptr> simd_backend::hash_groups(const codeword& values,
                                            unsigned log_arity) {
  const unsigned log_count = values.log_length() - log_arity;
  if (std::size_t{1} << log_count < lanes()) {
    return scalar_backend::hash_groups(values, log_arity);
  }
  const fp* const first = own(values).values[0].c.data();
  const std::size_t width = std::size_t{4} << log_arity;
  std::vector<row_piece> pieces;
  for (std::size_t at = 0; at < width; at += sponge_rate) {
    pieces.push_back({first + at, width, std::min(width, sponge_rate)});
  }
  return hash_pieces(pieces, log_count);
}

result<layer_ptr> simd_backend::compress_pairs(const layer& hashes) {
  const unsigned log_count = hashes.log_length() - 1;
  if (std::size_t{1} << log_count < lanes()) {
    return scalar_backend::compress_pairs(hashes);
  }
  auto out = std::make_unique<host_layer>(log_count);
  in_pieces(out->hashes.size(), task_rows,
            [&](std::size_t first, std::size_t count) {
              kernels_.hash.compress(&own(hashes).hashes[2 * first], count,
                                     &out->hashes[first]);
            });
  return layer_ptr(std::move(out));
}

result<codeword_ptr> simd_backend::fold(const codeword& values, const ext& beta,
                                        unsigned log_arity) {
  const unsigned log_count = values.log_length() - log_arity;
  if (std::size_t{1} << log_count < lanes()) {
    return scalar_backend::fold(values, beta, log_arity);
  }
  std::array<ext, max_log_arity> halves;
  ext factor = beta;
  for (unsigned k = 0; k < log_arity; ++k, factor *= factor) {
    halves[k] = factor * half;
  }
  auto out = std::make_unique<host_codeword>(log_count);
  const fp* const backward = twiddles(values.log_length()).backward.get();
  in_pieces(
      out->values.size(), task_rows, [&](std::size_t first, std::size_t count) {
        kernels_.rows.fold(own(values).values.data(), log_arity, backward,
                           halves.data(), first, count, out->values.data());
      });
  return codeword_ptr(std::move(out));
}

result<std::uint32_t> simd_backend::grind(const grinding_state& state,
                                          unsigned bits) {
  // Rounds of some tasks each; those behind one that has found need not start.
  constexpr std::uint32_t tasks = 16;
  for (std::uint32_t start = 0; start < modulus;) {
    const std::uint32_t end =
        std::min(modulus - start, tasks * task_witnesses) + start;
    std::atomic<std::uint32_t> found = end;
    std::atomic<bool> looked = false;
    in_pieces(end - start, task_witnesses,
              [&](std::size_t offset, std::size_t count) {
                const auto first = start + static_cast<std::uint32_t>(offset);
                const auto some = static_cast<std::uint32_t>(count);
                looked = true;
                if (first >= found) {
                  return;
                }
                const auto at = kernels_.hash.grind(state, bits, first, some);
                std::uint32_t best = found;
                while (at < first + some && at < best &&
                       !found.compare_exchange_weak(best, at)) {
                }
              });
    if (found < end) {
      return found.load();
    }
    // Where a team leaves its tasks out, the rounds would never find anything.
    if (!looked) {
      return status{status_code::cancelled, "the search was stopped"};
    }
    start = end;
  }
  return status{status_code::internal, "no witness earns the proof of work"};
}

std::unique_ptr<backend> make_backend(prover_isa isa, task_team& team) {
  const kernel_set* const kernels = kernels_of(isa);
  if (kernels == nullptr) {
    return std::make_unique<scalar_backend>();
  }
  return std::make_unique<simd_backend>(*kernels, team);
}

void digest_leaves(prover_isa isa, byte_view data, std::size_t first,
                   std::span<digest> digests) {
  const kernel_set& kernels = *kernels_of(isa);
  for (std::size_t done = 0; done < digests.size();) {
    const std::size_t count =
        std::min(kernels.target.lanes, digests.size() - done);
    kernels.hash.absorb_leaves(data, first + done, count, &digests[done],
                               nullptr);
    done += count;
  }
}

std::uint64_t host_memory_of(std::uint64_t rows, unsigned threads) noexcept {
  const std::uint64_t length = rows * 2;
  // Rows of 248 values, in large pages.
  const std::uint64_t trace =
      length * 248 * sizeof(fp) + (std::uint64_t{2} << 20);
  const std::uint64_t trees = 2 * (2 * length) * sizeof(digest);
  const std::uint64_t quotient = length * 2 * sizeof(ext);
  // The first codeword, then by eighths, each with a tree over its groups.
  const std::uint64_t codewords = 2 * length * sizeof(ext);
  // Weights of two points, or a transform's tables; twiddles and points.
  const std::uint64_t tables = length * (sizeof(ext) + 4 * sizeof(fp));
  const std::uint64_t scratch =
      threads * sizeof(fp) *
      static_cast<std::uint64_t>(extend_scratch(log2_exact(rows)));
  return trace + trees + quotient + codewords + tables + scratch +
         (std::uint64_t{4} << 20);
}

}  // namespace nexus::prover
