// Merkle trees: built and opened through a backend, checked without one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nexus/prover.hpp>
#include <nexus/status.hpp>
#include <span>
#include <vector>

#include "prover/backend.hpp"
#include "prover/proof.hpp"
#include "prover/simd/isa.hpp"

namespace nexus::prover {

class merkle_tree {
 public:
  // Compresses the leaves up to the root.
  static result<merkle_tree> build(backend& device, layer_ptr leaves);

  [[nodiscard]] const digest& root() const noexcept { return root_; }

  // What shows that the leaves at these positions are the tree's. In 0.6, per
  // position the sibling of each node on the way to the root. In 0.7, level by
  // level and in ascending order, every sibling that is not itself on a way.
  result<siblings> open(backend& device,
                        std::span<const std::uint32_t> positions,
                        proof_wire wire) const;

 private:
  result<siblings> open_each(backend& device,
                             std::span<const std::uint32_t> positions) const;
  result<siblings> open_pruned(backend& device,
                               std::span<const std::uint32_t> positions) const;

  std::vector<layer_ptr> layers_;  // from the leaves on, without the root
  digest root_;
};

// Whether a tree of 2^depth leaves with this root has these leaves at these
// positions, each below 2^depth. All of the proof must be used up.
[[nodiscard]] bool check_leaves(const digest& root, unsigned depth,
                                std::span<const std::uint32_t> positions,
                                std::span<const digest> leaves,
                                std::span<const digest> proof, proof_wire wire,
                                prover_isa isa = isa_in_use());

}  // namespace nexus::prover
