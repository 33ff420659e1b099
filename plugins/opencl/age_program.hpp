// The kernels built for one device.
#pragma once

#include <cstdint>
#include <string>

#include "cl_object.hpp"
#include "enumeration.hpp"
#include "program_cache.hpp"

namespace nexus::opencl {

struct age_program {
  cl_context_owner context;
  cl_program_owner program;
  std::size_t group_size = 0;  // work items for a chunk
};

// Makes a context and the program in it: from the cache, else from its text,
// which can take seconds. NEXUS_OK, or a NEXUS_E_* and `why` in one line.
std::int32_t build_age_program(const device_entry& entry,
                               const program_cache& cache, age_program& made,
                               std::string& why);

}  // namespace nexus::opencl
