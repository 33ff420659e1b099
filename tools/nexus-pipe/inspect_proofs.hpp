// Looking into proof streams.
#pragma once

#include <nexus/proof_stream.hpp>
#include <nexus/status.hpp>
#include <string>

#include "arguments.hpp"

namespace nexus::tool {

// What `inspect` prints of one. read: from its first byte on.
[[nodiscard]] result<std::string> describe_proofs(
    const proofs::read_function& read, const inspect_arguments& arguments,
    const std::string& name);

// Hands the bytes that were asked for to their file or standard output.
[[nodiscard]] status extract(const proofs::read_function& read,
                             const inspect_arguments& arguments);

}  // namespace nexus::tool
