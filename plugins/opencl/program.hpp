// Contexts, and the kernels built for one device.
#pragma once

#include <cstdint>
#include <string>

#include "cl_object.hpp"
#include "enumeration.hpp"
#include "program_cache.hpp"

namespace nexus::opencl {

struct age_program {
  cl_program_owner program;
  std::size_t group_size = 0;  // work items for a chunk
};

// All answer NEXUS_OK, or a NEXUS_E_* and `why` in one line.
std::int32_t make_context(const device_entry& entry, cl_context_owner& made,
                          std::string& why);

// A program comes from the cache, else from its text, which can take seconds.
std::int32_t build_age_program(const device_entry& entry, cl_context context,
                               const program_cache& cache, age_program& made,
                               std::string& why);
std::int32_t build_digest_program(const device_entry& entry, cl_context context,
                                  const program_cache& cache,
                                  cl_program_owner& made, std::string& why);

}  // namespace nexus::opencl
