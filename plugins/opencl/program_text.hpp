// The OpenCL programs: parts of core/kernels and a file of ours in one. Made by
// the build.
#pragma once

namespace nexus::opencl {

extern const char age_text[];
extern const char digest_text[];

}  // namespace nexus::opencl
