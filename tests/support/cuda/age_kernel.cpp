#include "kernels.hpp"
// After it.
#include "age_kernel.cu"
