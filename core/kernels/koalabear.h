/* KoalaBear, p = 2^31 - 2^24 + 1: elements as Montgomery words (value * 2^32
 * mod p), below p. */
#ifndef NEXUS_KERNELS_KOALABEAR_H
#define NEXUS_KERNELS_KOALABEAR_H

#include "kernels/target.h"

#define NEXUS_KB_P 0x7f000001u
/* 1 / p mod 2^32. */
#define NEXUS_KB_INVERSE 0x81000001u
/* 2^64 mod p: times this, an integer becomes a Montgomery word. */
#define NEXUS_KB_SQUARE 0x17f7efe4u

NEXUS_SHARED nexus_u32 nexus_kb_add(nexus_u32 a, nexus_u32 b) {
  const nexus_u32 sum = a + b;
  return sum >= NEXUS_KB_P ? sum - NEXUS_KB_P : sum;
}

/* a * b / 2^32 mod p, for a * b < p * 2^32. The lower halves of the product and
 * of the multiple of p that is taken away are equal. */
NEXUS_SHARED nexus_u32 nexus_kb_multiply(nexus_u32 a, nexus_u32 b) {
  const nexus_u32 quotient = a * b * NEXUS_KB_INVERSE;
  const nexus_u32 difference =
      NEXUS_HIGH(a, b) - NEXUS_HIGH(quotient, NEXUS_KB_P);
  /* Between -p and p; the top bit is its sign. */
  return difference + (NEXUS_KB_P & (0u - (difference >> 31)));
}

NEXUS_SHARED nexus_u32 nexus_kb_cube(nexus_u32 a) {
  return nexus_kb_multiply(nexus_kb_multiply(a, a), a);
}

#endif
