// What the kernels of plugins/cuda are written in, for a C++ compiler. Comes
// before a .cu file.
#pragma once

#include <vector_functions.h>

#include <cstdint>

#include "stand_in.hpp"

#undef __device__
#undef __global__
#undef __shared__
#undef __launch_bounds__
#define __device__
#define __global__
#define __shared__ static thread_local
#define __launch_bounds__(threads)
#define __syncthreads stand_in::meet
#define threadIdx (stand_in::here().thread)
#define blockIdx (stand_in::here().block)

namespace {

template <typename T>
T __ldg(const T* at) {
  return *at;
}

template <typename Arguments>
cudaError_t cudaLaunchKernel(void (*kernel)(Arguments), dim3 grid, dim3 block,
                             void** passed, std::size_t, cudaStream_t stream) {
  return stand_in::launch(kernel, grid, block, passed, stream);
}

template <typename Arguments>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* to, void (*)(Arguments)) {
  to->maxThreadsPerBlock = 1024;
  return stand_in::enter("cudaFuncGetAttributes");
}

}  // namespace
