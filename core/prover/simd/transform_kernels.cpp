// Number-theoretic transforms of panels of 16 columns.
//
// A panel of 2^17 rows is 8 MiB, more than a core's own cache, and its rows lie
// powers of two apart, which a cache cannot hold many of. So a transform goes
// over the panel in three passes, each on pieces of at most 256 KiB:
//   1. the inverse's layers within blocks of 2^inner consecutive rows;
//   2. those across blocks, and of both extensions the layers across blocks,
//      on tiles of some consecutive rows of every block, copied together;
//   3. the extensions' layers within blocks.
#include <algorithm>

#include "prover/simd/kernels.hpp"
#include "prover/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "prover/simd/transform_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef NEXUS_PROVER_TILES
#define NEXUS_PROVER_TILES
namespace nexus::prover {
namespace {

// Words of a row of 16 columns.
constexpr std::size_t row_words = 16;
constexpr std::size_t most_tile_rows = 8;
// Of a tile and a copy of it, together in a core's own cache.
constexpr std::size_t most_tile_words = std::size_t{1} << 15;

// Rows side by side count as one here.
struct tiling {
  unsigned log_inner;      // rows of a block
  unsigned log_outer;      // blocks
  std::size_t tile_rows;   // of every block
  std::size_t tile_words;  // of a whole tile

  explicit tiling(unsigned log_rows) noexcept
      : log_inner(std::max(std::min(log_rows, 8U), (log_rows + 1) / 2)),
        log_outer(log_rows - log_inner) {
    const std::size_t inner = std::size_t{1} << log_inner;
    const std::size_t outer = std::size_t{1} << log_outer;
    tile_rows = std::clamp(most_tile_words / (outer * row_words),
                           std::size_t{1}, std::min(inner, most_tile_rows));
    tile_words = outer * tile_rows * row_words;
  }
};

}  // namespace

inline std::size_t tile_pair_words(unsigned log_rows) noexcept {
  return 2 * tiling(log_rows).tile_words;
}

}  // namespace nexus::prover
#endif

#if HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR

#include "prover/simd/transpose-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace nexus::prover::HWY_NAMESPACE {
namespace {

using table = transform_plan::table;

struct twiddle {
  vec factor;
  vec quotient;
  HWY_INLINE twiddle(const table& from, std::size_t at)
      : factor(fill(from.factor[at])), quotient(fill(from.quotient[at])) {}
  HWY_INLINE vec operator*(vec x) const {
    return multiply(x, factor, quotient);
  }
};

// Low and high become those modulo x^(rows/2) - s and + s.
HWY_INLINE void split(vec& low, vec& high, const twiddle& s) {
  const vec odd_part = s * high;
  high = sub(low, odd_part);
  low = add(low, odd_part);
}

HWY_INLINE void join(vec& low, vec& high, const twiddle& s) {
  const vec difference = sub(low, high);
  low = add(low, high);
  high = s * difference;
}

// A layer's place: `first` is the entry of its first block's twiddle.
struct layer_place {
  std::size_t block_words;
  std::size_t first;
};

void split_once(std::uint32_t* data, std::size_t words, const table& twiddles,
                layer_place at) {
  const std::size_t half_words = at.block_words / 2;
  for (std::size_t b = 0; b * at.block_words < words; ++b) {
    const twiddle s(twiddles, at.first + b);
    std::uint32_t* low = data + b * at.block_words;
    for (std::size_t i = 0; i < half_words; i += lanes) {
      vec x = load(low + i);
      vec y = load(low + half_words + i);
      split(x, y, s);
      store(x, low + i);
      store(y, low + half_words + i);
    }
  }
}

void join_once(std::uint32_t* data, std::size_t words, const table& twiddles,
               layer_place at) {
  const std::size_t half_words = at.block_words / 2;
  for (std::size_t b = 0; b * at.block_words < words; ++b) {
    const twiddle s(twiddles, at.first + b);
    std::uint32_t* low = data + b * at.block_words;
    for (std::size_t i = 0; i < half_words; i += lanes) {
      vec x = load(low + i);
      vec y = load(low + half_words + i);
      join(x, y, s);
      store(x, low + i);
      store(y, low + half_words + i);
    }
  }
}

// This layer and that of the halves: a table's blocks there are the doubles.
void split_twice(std::uint32_t* data, std::size_t words, const table& twiddles,
                 layer_place at) {
  const std::size_t part = at.block_words / 4;
  for (std::size_t b = 0; b * at.block_words < words; ++b) {
    const std::size_t place = at.first + b;
    const twiddle s(twiddles, place);
    const twiddle s_low(twiddles, 2 * place);
    const twiddle s_high(twiddles, 2 * place + 1);
    std::uint32_t* from = data + b * at.block_words;
    for (std::size_t i = 0; i < part; i += lanes) {
      vec x0 = load(from + i);
      vec x1 = load(from + part + i);
      vec x2 = load(from + 2 * part + i);
      vec x3 = load(from + 3 * part + i);
      split(x0, x2, s);
      split(x1, x3, s);
      split(x0, x1, s_low);
      split(x2, x3, s_high);
      store(x0, from + i);
      store(x1, from + part + i);
      store(x2, from + 2 * part + i);
      store(x3, from + 3 * part + i);
    }
  }
}

// The layer of the halves, and then this one.
void join_twice(std::uint32_t* data, std::size_t words, const table& twiddles,
                layer_place at) {
  const std::size_t part = at.block_words / 4;
  for (std::size_t b = 0; b * at.block_words < words; ++b) {
    const std::size_t place = at.first + b;
    const twiddle s(twiddles, place);
    const twiddle s_low(twiddles, 2 * place);
    const twiddle s_high(twiddles, 2 * place + 1);
    std::uint32_t* from = data + b * at.block_words;
    for (std::size_t i = 0; i < part; i += lanes) {
      vec x0 = load(from + i);
      vec x1 = load(from + part + i);
      vec x2 = load(from + 2 * part + i);
      vec x3 = load(from + 3 * part + i);
      join(x0, x1, s_low);
      join(x2, x3, s_high);
      join(x0, x2, s);
      join(x1, x3, s);
      store(x0, from + i);
      store(x1, from + part + i);
      store(x2, from + 2 * part + i);
      store(x3, from + 3 * part + i);
    }
  }
}

// `layers` layers over 2^layers items of item_words each, of which the topmost
// one has its twiddle at entry `root` of the table; see transform_plan.
void split_layers(std::uint32_t* data, unsigned layers, std::size_t item_words,
                  const table& twiddles, std::size_t root) {
  const std::size_t words = item_words << layers;
  for (std::size_t block_words = words; layers > 0;) {
    if (layers == 1) {
      split_once(data, words, twiddles, {block_words, root});
      return;
    }
    split_twice(data, words, twiddles, {block_words, root});
    layers -= 2;
    block_words /= 4;
    root *= 4;
  }
}

void join_layers(std::uint32_t* data, unsigned layers, std::size_t item_words,
                 const table& twiddles, std::size_t root) {
  const std::size_t words = item_words << layers;
  std::size_t block_words = item_words;
  unsigned done = 0;
  if (layers % 2 == 1) {
    block_words *= 2;
    done = 1;
    join_once(data, words, twiddles, {block_words, root << (layers - 1)});
  }
  for (; done < layers; done += 2) {
    block_words *= 4;
    join_twice(data, words, twiddles,
               {block_words, root << (layers - done - 2)});
  }
}

// The lowest layers of narrow panels, in which rows side by side are joined or
// split: `lanes` rows of 16 columns at a time, one a lane.
template <bool Split>
HWY_INLINE void side_layer(vec* x, std::size_t rows, std::size_t width,
                           const table& twiddles, std::size_t first) {
  // Of each lane.
  const std::size_t blocks = 16 / width / rows;
  for (std::size_t b = 0; b < blocks; ++b) {
    alignas(64) std::uint32_t factors[lanes];
    for (std::size_t i = 0; i < lanes; ++i) {
      factors[i] = twiddles.factor[first + i * blocks + b];
    }
    const vec factor = load(factors);
    vec* low = x + b * rows * width;
    vec* high = low + rows / 2 * width;
    for (std::size_t c = 0; c < rows / 2 * width; ++c) {
      if constexpr (Split) {
        const vec odd_part = multiply(high[c], factor);
        high[c] = sub(low[c], odd_part);
        low[c] = add(low[c], odd_part);
      } else {
        const vec difference = sub(low[c], high[c]);
        low[c] = add(low[c], high[c]);
        high[c] = multiply(difference, factor);
      }
    }
  }
}

// root: the entry of the first item's own block of 2^log_side rows.
template <bool Split>
void side_layers(std::uint32_t* data, std::size_t items, unsigned log_side,
                 const table& twiddles, std::size_t root) {
  const std::size_t side = std::size_t{1} << log_side;
  const std::size_t width = row_words / side;
  for (std::size_t i = 0; i < items; i += lanes) {
    vec x[16];
    load_columns(rows_at{data + i * row_words, row_words}, x);
    for (unsigned k = 0; k < log_side; ++k) {
      const unsigned log_block = Split ? log_side - k : k + 1;
      const std::size_t blocks = side >> log_block;
      side_layer<Split>(x, std::size_t{1} << log_block, width, twiddles,
                        (root + i) * blocks);
    }
    const auto row_of = [&](std::size_t r)
                            HWY_ATTR { return data + (i + r) * row_words; };
    store_columns(x, row_of);
  }
}

struct panel_shape {
  unsigned log_side;
  unsigned log_items;  // rows side by side, as one
  tiling tiles;

  explicit panel_shape(const transform_plan& plan)
      : log_side(plan.log_side),
        log_items(plan.log_rows - plan.log_side),
        tiles(log_items) {}
  [[nodiscard]] std::size_t blocks() const {
    return std::size_t{1} << tiles.log_outer;
  }
  [[nodiscard]] std::size_t block_words() const {
    return row_words << tiles.log_inner;
  }
};

void join_blocks(const transform_plan& plan, const panel_shape& shape,
                 std::uint32_t* panel) {
  const std::size_t items = std::size_t{1} << shape.tiles.log_inner;
  for (std::size_t b = 0; b < shape.blocks(); ++b) {
    std::uint32_t* const block = panel + b * shape.block_words();
    const std::size_t root = shape.blocks() + b;
    if (shape.log_side != 0) {
      side_layers<false>(block, items, shape.log_side, plan.back, root * items);
    }
    join_layers(block, shape.tiles.log_inner, row_words, plan.back, root);
  }
}

void split_blocks(const table& twiddles, const panel_shape& shape,
                  std::uint32_t* panel) {
  const std::size_t items = std::size_t{1} << shape.tiles.log_inner;
  for (std::size_t b = 0; b < shape.blocks(); ++b) {
    std::uint32_t* const block = panel + b * shape.block_words();
    const std::size_t root = shape.blocks() + b;
    split_layers(block, shape.tiles.log_inner, row_words, twiddles, root);
    if (shape.log_side != 0) {
      side_layers<true>(block, items, shape.log_side, twiddles, root * items);
    }
  }
}

// A tile's rows of every block, together in `tile`.
template <bool Gather>
void copy_tile(const panel_shape& shape, std::uint32_t* panel,
               std::uint32_t* tile) {
  const std::size_t words = shape.tiles.tile_rows * row_words;
  for (std::size_t b = 0; b < shape.blocks(); ++b) {
    std::uint32_t* const piece = panel + b * shape.block_words();
    std::uint32_t* const to = tile + b * words;
    for (std::size_t i = 0; i < words; i += lanes) {
      if constexpr (Gather) {
        store(load(piece + i), to + i);
      } else {
        store(load(to + i), piece + i);
      }
    }
  }
}

void across_blocks(const transform_plan& plan, const panel_shape& shape,
                   std::uint32_t* low, std::uint32_t* high,
                   std::uint32_t* scratch) {
  const std::size_t words = shape.tiles.tile_words;
  const std::size_t item_words = shape.tiles.tile_rows * row_words;
  const std::size_t tiles =
      (std::size_t{1} << shape.tiles.log_inner) / shape.tiles.tile_rows;
  const vec scale = fill(plan.scale);
  const vec scale_quotient = fill(plan.scale.word() * modulus_inverse);
  for (std::size_t t = 0; t < tiles; ++t) {
    std::uint32_t* const even = scratch;
    std::uint32_t* const odds = scratch + words;
    copy_tile<true>(shape, low + t * item_words, even);
    join_layers(even, shape.tiles.log_outer, item_words, plan.back, 1);
    for (std::size_t i = 0; i < words; i += lanes) {
      const vec x = multiply(load(even + i), scale, scale_quotient);
      store(x, even + i);
      store(x, odds + i);
    }
    split_layers(even, shape.tiles.log_outer, item_words, plan.even, 1);
    copy_tile<false>(shape, low + t * item_words, even);
    split_layers(odds, shape.tiles.log_outer, item_words, plan.odd, 1);
    copy_tile<false>(shape, high + t * item_words, odds);
  }
}

void extend(const transform_plan& plan, fp* panel, std::uint32_t* scratch) {
  const panel_shape shape(plan);
  std::uint32_t* const low = words(panel);
  std::uint32_t* const high = low + (row_words << shape.log_items);
  join_blocks(plan, shape, low);
  across_blocks(plan, shape, low, high, scratch);
  split_blocks(plan.even, shape, low);
  split_blocks(plan.odd, shape, high);
}

void make_table(const fp* twiddles, unsigned log_rows, fp shift,
                std::uint32_t* factor, std::uint32_t* quotient) {
  const vec inverse_of_p = fill(modulus_inverse);
  for (unsigned log_block = 1; log_block <= log_rows; ++log_block) {
    const std::size_t blocks = std::size_t{1} << (log_rows - log_block);
    if (blocks < lanes) {
      for (std::size_t b = 0; b < blocks; ++b) {
        factor[blocks + b] = (twiddles[b] * shift).word();
        quotient[blocks + b] = factor[blocks + b] * modulus_inverse;
      }
    } else {
      for (std::size_t b = 0; b < blocks; b += lanes) {
        const vec x = multiply(load(twiddles + b), shift);
        store(x, factor + blocks + b);
        store(hn::Mul(x, inverse_of_p), quotient + blocks + b);
      }
    }
    shift *= shift;
  }
}

}  // namespace

extern const transform_kernels transforms;
constinit const transform_kernels transforms = {make_table, extend};

}  // namespace nexus::prover::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

#if HWY_ONCE
namespace nexus::prover {

std::size_t extend_scratch(unsigned log_rows) noexcept {
  return tile_pair_words(log_rows);
}

}  // namespace nexus::prover
#endif
