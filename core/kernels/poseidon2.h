/* The Poseidon2 permutation of width 24 over KoalaBear, and the leaf sponge of
 * a segment's digest (docs/file-formats.md): a leaf is 255 rows of 60 bytes. */
#ifndef NEXUS_KERNELS_POSEIDON2_H
#define NEXUS_KERNELS_POSEIDON2_H

#include "kernels/koalabear.h"
#include "kernels/poseidon2_table.h"

#define NEXUS_LEAF_ROWS 255
#define NEXUS_ROW_WORDS 15

/* Each group of four times [[2,3,1,1],[1,2,3,1],[1,1,2,3],[3,1,1,2]], then to
 * each element the sum of those in its place of all groups. */
NEXUS_SHARED void nexus_poseidon2_mix(nexus_u32 x[24]) {
  nexus_u32 sums[4] = {0, 0, 0, 0};
  int g, i;
  for (g = 0; g < 24; g += 4) {
    const nexus_u32 ab = nexus_kb_add(x[g], x[g + 1]);
    const nexus_u32 cd = nexus_kb_add(x[g + 2], x[g + 3]);
    const nexus_u32 all = nexus_kb_add(ab, cd);
    const nexus_u32 all_b = nexus_kb_add(all, x[g + 1]);
    const nexus_u32 all_d = nexus_kb_add(all, x[g + 3]);
    const nexus_u32 a2 = nexus_kb_add(x[g], x[g]);
    const nexus_u32 c2 = nexus_kb_add(x[g + 2], x[g + 2]);
    x[g] = nexus_kb_add(all_b, ab);
    x[g + 1] = nexus_kb_add(all_b, c2);
    x[g + 2] = nexus_kb_add(all_d, cd);
    x[g + 3] = nexus_kb_add(all_d, a2);
    for (i = 0; i < 4; ++i) sums[i] = nexus_kb_add(sums[i], x[g + i]);
  }
  for (i = 0; i < 24; ++i) x[i] = nexus_kb_add(x[i], sums[i & 3]);
}

/* A round and its mixing. round: 0..7. */
NEXUS_DEVICE void nexus_poseidon2_full_round(nexus_u32 x[24], int round) {
  int i;
  for (i = 0; i < 24; ++i) {
    x[i] =
        nexus_kb_cube(nexus_kb_add(x[i], nexus_poseidon2_full[24 * round + i]));
  }
  nexus_poseidon2_mix(x);
}

NEXUS_DEVICE void nexus_poseidon2_partial_round(nexus_u32 x[24], int round) {
  nexus_u32 sum;
  int i;
  x[0] = nexus_kb_cube(nexus_kb_add(x[0], nexus_poseidon2_partial[round]));
  sum = x[0];
  for (i = 1; i < 24; ++i) sum = nexus_kb_add(sum, x[i]);
  for (i = 0; i < 24; ++i) {
    x[i] =
        nexus_kb_add(nexus_kb_multiply(x[i], nexus_poseidon2_diagonal[i]), sum);
  }
}

NEXUS_DEVICE void nexus_poseidon2(nexus_u32 x[24]) {
  int round;
  nexus_poseidon2_mix(x);
  for (round = 0; round < 4; ++round) nexus_poseidon2_full_round(x, round);
  for (round = 0; round < 23; ++round) nexus_poseidon2_partial_round(x, round);
  for (round = 4; round < 8; ++round) nexus_poseidon2_full_round(x, round);
}

/* The capacity of a leaf's sponge: "LEAF", then zeros. */
NEXUS_SHARED void nexus_leaf_begin(nexus_u32 x[24]) {
  int i;
  for (i = 0; i < 24; ++i) x[i] = 0;
  x[16] = nexus_kb_multiply(0x4c454146u, NEXUS_KB_SQUARE);
}

/* Absorbs a row: 60 bytes as little-endian words, whose 480 bits are 16 lanes
 * of 30, the lowest first. */
NEXUS_DEVICE void nexus_leaf_absorb(nexus_u32 x[24],
                                    const nexus_u32 row[NEXUS_ROW_WORDS]) {
  int lane;
  for (lane = 0; lane < 16; ++lane) {
    const int word = 30 * lane >> 5;
    const int shift = 30 * lane & 31;
    nexus_u32 bits = row[word] >> shift;
    /* 30 bits that begin at bit 3 or later reach into the next word. */
    if (shift > 2) bits |= row[word + 1] << (32 - shift);
    x[lane] = nexus_kb_multiply(bits & 0x3fffffffu, NEXUS_KB_SQUARE);
  }
  nexus_poseidon2(x);
}

#endif
