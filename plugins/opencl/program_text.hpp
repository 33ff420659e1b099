// The OpenCL program: core/kernels and age.cl in one. Made by the build.
#pragma once

namespace nexus::opencl {

extern const char program_text[];

}  // namespace nexus::opencl
