// A stand-in for the CUDA runtime, for machines without a card: what
// plugins/cuda calls, on the host. Work is queued and done as late as the
// runtime's documentation allows, so that what does not wait is found.
//   NEXUS_CUDA_FAULT  rules, parted by ';': FUNCTION:N:CODE, for its N-th call,
//                     or FUNCTION:N+:CODE, for that and all that follow. Some
//                     codes end the context, as they do on a card.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace stand_in {

// The code that this call is to end with.
cudaError_t enter(const char* function);
void queue(cudaStream_t stream, std::function<void()> work);

// Where a kernel's thread is.
struct place {
  uint3 thread{};
  uint3 block{};
};
place& here();

// Runs `body` as all threads of one block, which meet at meet().
void run_block(unsigned threads, const std::function<void()>& body);
void meet();

template <typename Arguments>
cudaError_t launch(void (*kernel)(Arguments), dim3 grid, dim3 block,
                   void** passed, cudaStream_t stream) {
  const cudaError_t code = enter("cudaLaunchKernel");
  if (code != cudaSuccess) return code;
  const Arguments arguments = *static_cast<Arguments*>(passed[0]);
  queue(stream, [=] {
    for (unsigned i = 0; i < grid.x; ++i) {
      here().block.x = i;
      run_block(block.x, [=] { kernel(arguments); });
    }
  });
  return cudaSuccess;
}

}  // namespace stand_in
