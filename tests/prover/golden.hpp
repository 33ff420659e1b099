// The golden cases: inputs, digests and proofs that Plonky3 made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nexus/prover.hpp>
#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "prover/fri.hpp"
#include "prover/segment.hpp"

// The text of tests/vectors/prove/NAME; empty where there is none.
std::string read_vector(const std::string& name);

// The golden cases' input: little-endian words of a xorshift64 generator with
// shifts 13, 7 and 17.
nexus::bytes make_input(std::size_t length, std::uint64_t seed);

std::string sha256_hex(nexus::byte_view data);

struct golden_case {
  std::string name;
  std::uint64_t length;
  std::uint64_t seed;
  nexus::segment_position position;
  std::uint64_t rows;
  nexus::prover::proof_parameters parameters;
  nexus::segment_digest digest;
  std::array<std::uint32_t, 16> publics;
  std::string input_sha256;
  // By wire; empty where the case has none.
  std::array<std::string, 2> proof_sha256;
  std::array<std::uint64_t, 2> proof_length;

  [[nodiscard]] nexus::prover::segment_statement statement() const {
    return {length, position};
  }
  [[nodiscard]] nexus::bytes input() const { return make_input(length, seed); }
  // Its file's bytes, empty where only the hash is kept.
  [[nodiscard]] nexus::bytes proof(nexus::proof_wire wire) const;
};

std::ostream& operator<<(std::ostream& out, const golden_case& value);

const std::vector<golden_case>& golden_cases();
const golden_case& golden(const std::string& name);
// Its transcript's values.
nlohmann::json golden_values(const std::string& name);

nexus::prover::digest root_of(const golden_case& each);

inline constexpr nexus::proof_wire wires[] = {nexus::proof_wire::p3_0_6,
                                              nexus::proof_wire::p3_0_7};
