/* What the shared kernels are written in: a subset of C99 that is OpenCL C
 * 1.2, CUDA C++ and the host's C or C++ at once.
 *
 * Shared functions take values and private arrays alone: OpenCL C 1.2 has a
 * different pointer type for every kind of memory, so loading and storing is
 * left to each backend's own kernel file. An array parameter never overlaps
 * another unless a comment says so. No branch and no index depends on a
 * secret.
 *
 * NEXUS_SHARED functions run on a card and on the host. NEXUS_DEVICE ones read
 * a NEXUS_TABLE, which CUDA keeps in the card's constant memory alone.
 * NEXUS_HIGH: the upper half of a product of two words.
 */
#ifndef NEXUS_KERNELS_TARGET_H
#define NEXUS_KERNELS_TARGET_H

#if defined(__OPENCL_C_VERSION__)
typedef uint nexus_u32;
typedef ulong nexus_u64;
#define NEXUS_SHARED static inline
#define NEXUS_DEVICE static inline
#define NEXUS_TABLE __constant
#define NEXUS_ROTATE(x, n) rotate((x), (nexus_u32)(n))
#define NEXUS_HIGH(a, b) mul_hi((nexus_u32)(a), (nexus_u32)(b))
#elif defined(__CUDACC__)
typedef unsigned int nexus_u32;
typedef unsigned long long nexus_u64;
#define NEXUS_SHARED static __host__ __device__ __forceinline__
#define NEXUS_DEVICE static __device__ __forceinline__
#define NEXUS_TABLE static __constant__ const
#define NEXUS_HIGH(a, b) ((nexus_u32)((nexus_u64)(a) * (b) >> 32))
#define NEXUS_ROTATE(x, n) (((x) << (n)) | ((x) >> (32 - (n))))
#else
typedef unsigned int nexus_u32;
typedef unsigned long long nexus_u64;
#define NEXUS_SHARED static inline
#define NEXUS_DEVICE static inline
#define NEXUS_TABLE static const
#define NEXUS_ROTATE(x, n) (((x) << (n)) | ((x) >> (32 - (n))))
#define NEXUS_HIGH(a, b) ((nexus_u32)((nexus_u64)(a) * (b) >> 32))
#endif

#endif
