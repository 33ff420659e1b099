// Instruction sets that the prover has code for, and which one it uses.
#pragma once

#include <span>
#include <string_view>

namespace nexus::prover {

// From the slowest to the fastest of a machine.
enum class prover_isa { scalar, neon, avx2, avx512 };

[[nodiscard]] std::string_view name_of(prover_isa isa) noexcept;

// What this build and this machine have, scalar first.
[[nodiscard]] std::span<const prover_isa> available_isas() noexcept;

// What NEXUS_PROVER_ISA names where that is available, else the best there is.
[[nodiscard]] prover_isa choose_isa(const char* wanted) noexcept;

// choose_isa() of the environment, once per process.
[[nodiscard]] prover_isa isa_in_use() noexcept;

}  // namespace nexus::prover
