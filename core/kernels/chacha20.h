/* The block function of ChaCha20: RFC 8439, section 2.3. */
#ifndef NEXUS_KERNELS_CHACHA20_H
#define NEXUS_KERNELS_CHACHA20_H

#include "kernels/target.h"

#define NEXUS_CHACHA20_QUARTER(x, a, b, c, d)   \
  do {                                          \
    (x)[a] += (x)[b];                           \
    (x)[d] = NEXUS_ROTATE((x)[d] ^ (x)[a], 16); \
    (x)[c] += (x)[d];                           \
    (x)[b] = NEXUS_ROTATE((x)[b] ^ (x)[c], 12); \
    (x)[a] += (x)[b];                           \
    (x)[d] = NEXUS_ROTATE((x)[d] ^ (x)[a], 8);  \
    (x)[c] += (x)[d];                           \
    (x)[b] = NEXUS_ROTATE((x)[b] ^ (x)[c], 7);  \
  } while (0)

/* One column round and one diagonal round. */
NEXUS_SHARED void nexus_chacha20_double_round(nexus_u32 x[16]) {
  NEXUS_CHACHA20_QUARTER(x, 0, 4, 8, 12);
  NEXUS_CHACHA20_QUARTER(x, 1, 5, 9, 13);
  NEXUS_CHACHA20_QUARTER(x, 2, 6, 10, 14);
  NEXUS_CHACHA20_QUARTER(x, 3, 7, 11, 15);
  NEXUS_CHACHA20_QUARTER(x, 0, 5, 10, 15);
  NEXUS_CHACHA20_QUARTER(x, 1, 6, 11, 12);
  NEXUS_CHACHA20_QUARTER(x, 2, 7, 8, 13);
  NEXUS_CHACHA20_QUARTER(x, 3, 4, 9, 14);
}

/* 64 bytes of key stream as words; words are little-endian throughout. */
NEXUS_SHARED void nexus_chacha20_block(nexus_u32 out[16],
                                       const nexus_u32 key[8],
                                       const nexus_u32 nonce[3],
                                       nexus_u32 counter) {
  int i;
  out[0] = 0x61707865u; /* "expand 32-byte k" */
  out[1] = 0x3320646eu;
  out[2] = 0x79622d32u;
  out[3] = 0x6b206574u;
  for (i = 0; i < 8; ++i) out[4 + i] = key[i];
  out[12] = counter;
  for (i = 0; i < 3; ++i) out[13 + i] = nonce[i];
  for (i = 0; i < 10; ++i) nexus_chacha20_double_round(out);
  out[0] += 0x61707865u;
  out[1] += 0x3320646eu;
  out[2] += 0x79622d32u;
  out[3] += 0x6b206574u;
  for (i = 0; i < 8; ++i) out[4 + i] += key[i];
  out[12] += counter;
  for (i = 0; i < 3; ++i) out[13 + i] += nonce[i];
}

#endif
