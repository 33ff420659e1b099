#include "prover/merkle.hpp"

#include <algorithm>
#include <utility>

#include "prover/simd/batch_hash.hpp"

namespace nexus::prover {
namespace {

// All paths at once, level by level.
bool check_each(const digest& root, unsigned depth,
                std::span<const std::uint32_t> positions,
                std::span<const digest> leaves, std::span<const digest> proof,
                prover_isa isa) {
  if (proof.size() != positions.size() * depth) {
    return false;
  }
  std::vector<digest> nodes(leaves.begin(), leaves.end());
  std::vector<digest> pairs(2 * nodes.size());
  for (unsigned level = 0; level < depth; ++level) {
    for (std::size_t q = 0; q < nodes.size(); ++q) {
      const std::size_t right = positions[q] >> level & 1;
      pairs[2 * q + right] = nodes[q];
      pairs[2 * q + 1 - right] = proof[q * depth + level];
    }
    compress_all(isa, pairs, nodes);
  }
  return std::all_of(nodes.begin(), nodes.end(),
                     [&](const digest& hash) { return hash == root; });
}

struct node {
  std::uint32_t position;
  digest hash;
};

// Ascending and each once; false where two leaves differ at one position.
bool sort_leaves(std::vector<node>& nodes) {
  std::sort(nodes.begin(), nodes.end(), [](const node& a, const node& b) {
    return a.position < b.position;
  });
  bool same = true;
  const auto end = std::unique(nodes.begin(), nodes.end(),
                               [&](const node& a, const node& b) {
                                 const bool twice = a.position == b.position;
                                 same = same && (!twice || a.hash == b.hash);
                                 return twice;
                               });
  nodes.erase(end, nodes.end());
  return same;
}

bool check_pruned(const digest& root, unsigned depth, std::vector<node> nodes,
                  std::span<const digest> proof, prover_isa isa) {
  if (!sort_leaves(nodes)) {
    return false;
  }
  std::size_t used = 0;
  std::vector<digest> pairs;
  std::vector<digest> hashes;
  for (unsigned level = 0; level < depth; ++level) {
    pairs.clear();
    std::size_t parents = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const node here = nodes[i];
      digest other;
      if (i + 1 < nodes.size() &&
          nodes[i + 1].position == (here.position | 1U)) {
        other = nodes[++i].hash;
      } else if (used < proof.size()) {
        other = proof[used++];
      } else {
        return false;
      }
      // A right child stands alone: its sibling came from the proof.
      const bool right = (here.position & 1) != 0;
      pairs.push_back(right ? other : here.hash);
      pairs.push_back(right ? here.hash : other);
      nodes[parents++].position = here.position >> 1;
    }
    nodes.resize(parents);
    hashes.resize(parents);
    compress_all(isa, pairs, hashes);
    for (std::size_t i = 0; i < parents; ++i) {
      nodes[i].hash = hashes[i];
    }
  }
  return used == proof.size() && nodes.size() == 1 && nodes[0].hash == root;
}

}  // namespace

bool check_leaves(const digest& root, unsigned depth,
                  std::span<const std::uint32_t> positions,
                  std::span<const digest> leaves, std::span<const digest> proof,
                  proof_wire wire, prover_isa isa) {
  if (wire == proof_wire::p3_0_6) {
    return check_each(root, depth, positions, leaves, proof, isa);
  }
  std::vector<node> nodes;
  for (std::size_t q = 0; q < positions.size(); ++q) {
    nodes.push_back({positions[q], leaves[q]});
  }
  return check_pruned(root, depth, std::move(nodes), proof, isa);
}

result<merkle_tree> merkle_tree::build(backend& device, layer_ptr leaves) {
  merkle_tree out;
  layer_ptr current = std::move(leaves);
  while (current->log_length() != 0) {
    auto next = device.compress_pairs(*current);
    if (!next.ok()) {
      return next.error();
    }
    out.layers_.push_back(std::move(current));
    current = std::move(next).value();
  }
  constexpr std::uint32_t first = 0;
  auto root = device.gather_hashes(*current, std::span(&first, 1));
  if (!root.ok()) {
    return root.error();
  }
  out.root_ = root->front();
  return out;
}

result<siblings> merkle_tree::open(backend& device,
                                   std::span<const std::uint32_t> positions,
                                   proof_wire wire) const {
  return wire == proof_wire::p3_0_6 ? open_each(device, positions)
                                    : open_pruned(device, positions);
}

result<siblings> merkle_tree::open_each(
    backend& device, std::span<const std::uint32_t> positions) const {
  const std::size_t depth = layers_.size();
  siblings out(positions.size() * depth);
  std::vector<std::uint32_t> wanted(positions.size());
  for (std::size_t level = 0; level < depth; ++level) {
    for (std::size_t q = 0; q < positions.size(); ++q) {
      wanted[q] = positions[q] >> level ^ 1;
    }
    const auto hashes = device.gather_hashes(*layers_[level], wanted);
    if (!hashes.ok()) {
      return hashes.error();
    }
    for (std::size_t q = 0; q < positions.size(); ++q) {
      out[q * depth + level] = hashes.value()[q];
    }
  }
  return out;
}

result<siblings> merkle_tree::open_pruned(
    backend& device, std::span<const std::uint32_t> positions) const {
  siblings out;
  std::vector<std::uint32_t> nodes(positions.begin(), positions.end());
  std::sort(nodes.begin(), nodes.end());
  for (const auto& hashes : layers_) {
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    std::vector<std::uint32_t> wanted;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (i + 1 < nodes.size() && nodes[i + 1] == (nodes[i] | 1U)) {
        ++i;
      } else {
        wanted.push_back(nodes[i] ^ 1U);
      }
    }
    const auto found = device.gather_hashes(*hashes, wanted);
    if (!found.ok()) {
      return found.error();
    }
    out.insert(out.end(), found->begin(), found->end());
    std::transform(nodes.begin(), nodes.end(), nodes.begin(),
                   [](std::uint32_t i) { return i >> 1; });
  }
  return out;
}

}  // namespace nexus::prover
