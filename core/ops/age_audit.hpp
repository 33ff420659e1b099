// What the host itself checks of a device's part in encryption.
#pragma once

#include <nexus/operation.hpp>
#include <nexus/status.hpp>

#include "ops/age_keys.hpp"

namespace nexus {

enum class audited_parts {
  sample,  // as much as garbage does not get past
  all,
};

// Any thread. device_failed: the output is not what the input and the key make.
// io_error: no random number was to be had.

// Opens chunks of an "age-seal" job's output and compares them with its input:
// all, at some 20 us each; or one by chance, and 64 bytes of each other one at
// a place by chance, for which no tag is needed. Of two at most, all.
[[nodiscard]] status audit_sealed(const segment_view& segment,
                                  const job_outcome& outcome,
                                  const payload_key& key, audited_parts which);

// Encodes lines of an "armor-encode" job's input, 64 at a time, and compares
// them with its output: all; or the first, the last, and some by chance.
[[nodiscard]] status audit_armored(const segment_view& segment,
                                   const job_outcome& outcome,
                                   audited_parts which);

}  // namespace nexus
