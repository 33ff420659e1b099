/* The chunks of age v1's payload: sizes and nonces. */
#ifndef NEXUS_KERNELS_AGE_CHUNK_H
#define NEXUS_KERNELS_AGE_CHUNK_H

#include "kernels/target.h"

#define NEXUS_AGE_CHUNK_BYTES \
  65536u /* of plaintext, the last one may have less */
#define NEXUS_AGE_SEALED_BYTES 65552u /* with its tag of 16 bytes */
/* ChaCha20 blocks before the one that the first 64 bytes of data take. */
#define NEXUS_AGE_FIRST_BLOCK 1u

/* The chunk's number, 11 bytes big-endian, then 1 for the final chunk. As
 * words: the bytes 0 to 2 are zero, 3 to 10 the number, 11 the flag. */
NEXUS_SHARED void nexus_age_nonce(nexus_u32 nonce[3], nexus_u64 number,
                                  nexus_u32 is_final) {
  const nexus_u32 middle = (nexus_u32)(number >> 24);
  const nexus_u32 low = (nexus_u32)number;
  nonce[0] = (nexus_u32)(number >> 56) << 24;
  nonce[1] = middle >> 24 | (middle >> 8 & 0xff00u) |
             (middle << 8 & 0xff0000u) | middle << 24;
  nonce[2] = (low >> 16 & 0xffu) | (low & 0xff00u) | (low & 0xffu) << 16 |
             (is_final != 0 ? 1u << 24 : 0u);
}

#endif
