/* Poly1305 (RFC 8439, section 2.5) in pieces that many lanes can share.
 *
 * The sum of a message of blocks c1..cm is c1*r^m + ... + cm*r, modulo
 * p = 2^130 - 5. Here a sum is kept one factor of r short:
 *   H(c1..cm) = c1*r^(m-1) + ... + cm
 * so that two of them join: H(left, right) = H(left) * r^n + H(right), where n
 * is the number of blocks on the right. nexus_poly1305_finish() adds the
 * factor.
 *
 * A number is five limbs of 26 bits, the lowest first, not fully reduced. Every
 * product has limbs below 2^26 + 2^10; a sum of up to four such numbers may be
 * a factor again. */
#ifndef NEXUS_KERNELS_POLY1305_H
#define NEXUS_KERNELS_POLY1305_H

#include "kernels/target.h"

#define NEXUS_POLY1305_MASK 0x3ffffffu

/* Limbs of a number below 2^128 that is given as four words. */
NEXUS_SHARED void nexus_poly1305_limbs(nexus_u32 out[5], nexus_u32 w0,
                                       nexus_u32 w1, nexus_u32 w2,
                                       nexus_u32 w3) {
  out[0] = w0 & NEXUS_POLY1305_MASK;
  out[1] = (w0 >> 26 | w1 << 6) & NEXUS_POLY1305_MASK;
  out[2] = (w1 >> 20 | w2 << 12) & NEXUS_POLY1305_MASK;
  out[3] = (w2 >> 14 | w3 << 18) & NEXUS_POLY1305_MASK;
  out[4] = w3 >> 8;
}

/* r: the first half of the one-time key, some bits cleared. */
NEXUS_SHARED void nexus_poly1305_clamp(nexus_u32 r[5], const nexus_u32 key[4]) {
  nexus_poly1305_limbs(r, key[0] & 0x0fffffffu, key[1] & 0x0ffffffcu,
                       key[2] & 0x0ffffffcu, key[3] & 0x0ffffffcu);
}

NEXUS_SHARED void nexus_poly1305_add(nexus_u32 sum[5],
                                     const nexus_u32 more[5]) {
  int i;
  for (i = 0; i < 5; ++i) sum[i] += more[i];
}

/* a *= b. Limbs that run over 2^130 come back times five. b may be a. */
NEXUS_SHARED void nexus_poly1305_multiply(nexus_u32 a[5],
                                          const nexus_u32 b[5]) {
  const nexus_u64 a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3], a4 = a[4];
  const nexus_u32 b0 = b[0], b1 = b[1], b2 = b[2], b3 = b[3], b4 = b[4];
  const nexus_u32 f1 = b1 * 5, f2 = b2 * 5, f3 = b3 * 5, f4 = b4 * 5;
  nexus_u64 d0 = a0 * b0 + a1 * f4 + a2 * f3 + a3 * f2 + a4 * f1;
  nexus_u64 d1 = a0 * b1 + a1 * b0 + a2 * f4 + a3 * f3 + a4 * f2;
  nexus_u64 d2 = a0 * b2 + a1 * b1 + a2 * b0 + a3 * f4 + a4 * f3;
  nexus_u64 d3 = a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 + a4 * f4;
  nexus_u64 d4 = a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0;
  d1 += d0 >> 26;
  d2 += d1 >> 26;
  d3 += d2 >> 26;
  d4 += d3 >> 26;
  d0 = (d0 & NEXUS_POLY1305_MASK) + (d4 >> 26) * 5;
  a[0] = (nexus_u32)d0 & NEXUS_POLY1305_MASK;
  a[1] = ((nexus_u32)d1 & NEXUS_POLY1305_MASK) + (nexus_u32)(d0 >> 26);
  a[2] = (nexus_u32)d2 & NEXUS_POLY1305_MASK;
  a[3] = (nexus_u32)d3 & NEXUS_POLY1305_MASK;
  a[4] = (nexus_u32)d4 & NEXUS_POLY1305_MASK;
}

/* Appends one block of 16 bytes: sum = sum * r + block. */
NEXUS_SHARED void nexus_poly1305_append(nexus_u32 sum[5], const nexus_u32 r[5],
                                        nexus_u32 w0, nexus_u32 w1,
                                        nexus_u32 w2, nexus_u32 w3) {
  nexus_u32 block[5];
  nexus_poly1305_limbs(block, w0, w1, w2, w3);
  block[4] |= 1u << 24; /* every whole block carries a bit above its own */
  nexus_poly1305_multiply(sum, r);
  nexus_poly1305_add(sum, block);
}

/* sum = sum * skip + H(the four blocks of 64 bytes). With skip = r^(4n), lane
 * k of n takes every n-th group of four blocks, beginning with the k-th. */
NEXUS_SHARED void nexus_poly1305_append_64(nexus_u32 sum[5],
                                           const nexus_u32 r[5],
                                           const nexus_u32 skip[5],
                                           const nexus_u32 words[16]) {
  nexus_u32 group[5];
  int i;
  nexus_poly1305_limbs(group, words[0], words[1], words[2], words[3]);
  group[4] |= 1u << 24;
  for (i = 4; i < 16; i += 4) {
    nexus_poly1305_append(group, r, words[i], words[i + 1], words[i + 2],
                          words[i + 3]);
  }
  nexus_poly1305_multiply(sum, skip);
  nexus_poly1305_add(sum, group);
}

/* Carries until every limb is below 2^26 but for a rest in the lowest two. */
NEXUS_SHARED void nexus_poly1305_carry(nexus_u32 h[5]) {
  int i;
  for (i = 0; i < 4; ++i) {
    h[i + 1] += h[i] >> 26;
    h[i] &= NEXUS_POLY1305_MASK;
  }
  h[0] += (h[4] >> 26) * 5;
  h[4] &= NEXUS_POLY1305_MASK;
}

/* The tag of the message whose sum it is: (sum * r mod p) + pad, mod 2^128.
 * pad: the second half of the one-time key. */
NEXUS_SHARED void nexus_poly1305_finish(nexus_u32 tag[4],
                                        const nexus_u32 sum[5],
                                        const nexus_u32 r[5],
                                        const nexus_u32 pad[4]) {
  nexus_u32 h[5], g[5], keep;
  nexus_u64 carry = 0;
  int i;
  for (i = 0; i < 5; ++i) h[i] = sum[i];
  nexus_poly1305_multiply(h, r);
  nexus_poly1305_carry(h);
  nexus_poly1305_carry(h);
  /* g = h - p = h + 5 - 2^130; it is the answer unless it is below zero. */
  g[0] = h[0] + 5;
  for (i = 1; i < 5; ++i) {
    g[i] = h[i] + (g[i - 1] >> 26);
    g[i - 1] &= NEXUS_POLY1305_MASK;
  }
  keep = (g[4] >> 26) - 1u; /* all ones: h is below p and stays */
  g[4] &= NEXUS_POLY1305_MASK;
  for (i = 0; i < 5; ++i) h[i] = (h[i] & keep) | (g[i] & ~keep);
  tag[0] = h[0] | h[1] << 26;
  tag[1] = h[1] >> 6 | h[2] << 20;
  tag[2] = h[2] >> 12 | h[3] << 14;
  tag[3] = h[3] >> 18 | h[4] << 8;
  for (i = 0; i < 4; ++i) {
    carry += (nexus_u64)tag[i] + pad[i];
    tag[i] = (nexus_u32)carry;
    carry >>= 32;
  }
}

#endif
