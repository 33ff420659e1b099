#include "prover/merkle.hpp"

#include <gtest/gtest.h>

#include <string>

#include "golden.hpp"
#include "prover/host_storage.hpp"
#include "prover/scalar_backend.hpp"

namespace nexus::prover {
namespace {

constexpr unsigned depth = 4;

class merkle : public testing::TestWithParam<prover_isa> {
 protected:
  merkle() {
    auto made = std::make_unique<host_layer>(depth);
    for (std::size_t i = 0; i < made->hashes.size(); ++i) {
      made->hashes[i].fill(fp::from(i));
    }
    leaves_.assign(made->hashes.begin(), made->hashes.end());
    tree_ = *merkle_tree::build(device_, std::move(made));
  }

  std::vector<digest> leaves_at(std::span<const std::uint32_t> at) const {
    std::vector<digest> out;
    for (const auto i : at) {
      out.push_back(leaves_[i]);
    }
    return out;
  }

  scalar_backend device_;
  std::vector<digest> leaves_;
  merkle_tree tree_;
};

INSTANTIATE_TEST_SUITE_P(machine, merkle,
                         testing::ValuesIn(available_isas().begin(),
                                           available_isas().end()),
                         [](const auto& of) {
                           return std::string(name_of(of.param));
                         });

TEST_P(merkle, root_is_that_of_pairs_of_pairs) {
  auto layer = leaves_;
  while (layer.size() > 1) {
    for (std::size_t i = 0; i < layer.size() / 2; ++i) {
      layer[i] = compress(layer[2 * i], layer[2 * i + 1]);
    }
    layer.resize(layer.size() / 2);
  }
  EXPECT_EQ(tree_.root(), layer[0]);
}

using positions = std::vector<std::uint32_t>;
const std::vector<positions> position_sets = {
    {0},
    {15},
    {0, 1},
    {1, 0},
    {7, 7, 7},
    {3, 4},
    {5, 9, 12},
    {15, 14, 13, 12},
    {8, 0, 8, 1, 2},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

TEST_P(merkle, opened_leaves_are_accepted) {
  for (const auto wire : wires) {
    for (const auto& at : position_sets) {
      const auto proof = *tree_.open(device_, at, wire);
      EXPECT_TRUE(check_leaves(tree_.root(), depth, at, leaves_at(at), proof,
                               wire, GetParam()));
    }
  }
}

TEST_P(merkle, pruned_proofs_leave_out_what_follows) {
  const auto size = [&](const positions& at) {
    return tree_.open(device_, at, proof_wire::p3_0_7)->size();
  };
  EXPECT_EQ(size({0}), 4U);
  EXPECT_EQ(size({0, 1}), 3U);
  EXPECT_EQ(size({7, 7, 7}), 4U);
  EXPECT_EQ(size({3, 4}), 5U);
  EXPECT_EQ(size(position_sets.back()), 0U);
  // Level by level: the siblings of 3 and 4, then of their parents.
  const auto proof = *tree_.open(device_, positions{4, 3}, proof_wire::p3_0_7);
  EXPECT_EQ(proof[0], leaves_[2]);
  EXPECT_EQ(proof[1], leaves_[5]);
  EXPECT_EQ(proof[2], compress(leaves_[0], leaves_[1]));
  EXPECT_EQ(proof[3], compress(leaves_[6], leaves_[7]));
}

TEST_P(merkle, any_other_leaf_position_or_sibling_is_refused) {
  for (const auto wire : wires) {
    for (const auto& at : position_sets) {
      const auto proof = *tree_.open(device_, at, wire);
      const auto leaves = leaves_at(at);
      for (std::size_t i = 0; i < at.size(); ++i) {
        auto changed = leaves;
        changed[i][7] += one;
        EXPECT_FALSE(check_leaves(tree_.root(), depth, at, changed, proof, wire,
                                  GetParam()));
        auto elsewhere = at;
        elsewhere[i] ^= 2;
        EXPECT_FALSE(check_leaves(tree_.root(), depth, elsewhere, leaves, proof,
                                  wire, GetParam()));
      }
      for (std::size_t i = 0; i < proof.size(); ++i) {
        auto changed = proof;
        changed[i][0] += one;
        EXPECT_FALSE(check_leaves(tree_.root(), depth, at, leaves, changed,
                                  wire, GetParam()));
      }
      digest root = tree_.root();
      root[3] += one;
      EXPECT_FALSE(
          check_leaves(root, depth, at, leaves, proof, wire, GetParam()));
    }
  }
}

TEST_P(merkle, missing_and_additional_siblings_are_refused) {
  for (const auto wire : wires) {
    for (const auto& at : position_sets) {
      auto proof = *tree_.open(device_, at, wire);
      const auto leaves = leaves_at(at);
      proof.push_back(leaves_[0]);
      EXPECT_FALSE(check_leaves(tree_.root(), depth, at, leaves, proof, wire,
                                GetParam()));
      proof.pop_back();
      if (!proof.empty()) {
        proof.pop_back();
        EXPECT_FALSE(check_leaves(tree_.root(), depth, at, leaves, proof, wire,
                                  GetParam()));
      }
    }
  }
}

}  // namespace
}  // namespace nexus::prover
