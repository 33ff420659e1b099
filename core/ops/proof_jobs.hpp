// Parameter blocks of the device operations on segments (plugin.h).
#pragma once

#include <nexus/plugin.h>

#include <cstring>
#include <nexus/prover.hpp>
#include <vector>

#include "format/proof_stream.hpp"

namespace nexus::proofs {

template <class Params>
std::vector<std::byte> as_params(Params params) {
  params.size = sizeof params;
  std::vector<std::byte> out(sizeof params);
  std::memcpy(out.data(), &params, sizeof params);
  return out;
}

inline std::uint32_t flags_of(const segment_position& position) noexcept {
  return position.last ? std::uint32_t{NEXUS_SEGMENT_LAST} : 0u;
}

template <class Params>
void set_profile(Params& params, const proof_options& options) noexcept {
  params.security = options.security == proof_security::proven
                        ? NEXUS_SECURITY_PROVEN
                        : NEXUS_SECURITY_CONJECTURED;
  params.wire = options.wire == proof_wire::p3_0_7 ? NEXUS_WIRE_P3_0_7
                                                   : NEXUS_WIRE_P3_0_6;
}

}  // namespace nexus::proofs
