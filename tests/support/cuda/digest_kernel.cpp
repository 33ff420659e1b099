#include "kernels.hpp"
// After it.
#include "digest_kernel.cu"
