/* digest: a work item for a leaf of 15300 bytes. OpenCL C 1.2; shared texts of
 * core/kernels come before it. */

/* A row of 60 bytes, which begins at a multiple of four. Whole ones are read by
 * words; of the last one, what lies past the end counts as zero. */
void load_row(uint row[NEXUS_ROW_WORDS], __global const uchar* input, ulong at,
              ulong bytes) {
  if (at + 4 * NEXUS_ROW_WORDS <= bytes) {
    __global const uint* words = (__global const uint*)(input + at);
    for (int i = 0; i < NEXUS_ROW_WORDS; ++i) row[i] = words[i];
    return;
  }
  for (int i = 0; i < NEXUS_ROW_WORDS; ++i) {
    uint word = 0;
    for (int k = 0; k < 4; ++k) {
      const ulong from = at + 4 * i + k;
      if (from < bytes) word |= (uint)input[from] << (8 * k);
    }
    row[i] = word;
  }
}

/* digests: 8 words a leaf of the job, of which this launch makes `count`. */
__kernel void leaves(__global const uchar* memory, ulong input_at, ulong bytes,
                     __global uint* digests, uint first, uint count) {
  uint x[24], row[NEXUS_ROW_WORDS];
  if (get_global_id(0) >= count) return;
  const uint leaf = first + (uint)get_global_id(0);
  const ulong begin = (ulong)leaf * (NEXUS_LEAF_ROWS * 4 * NEXUS_ROW_WORDS);
  nexus_leaf_begin(x);
  for (uint r = 0; r < NEXUS_LEAF_ROWS; ++r) {
    load_row(row, memory + input_at, begin + r * (4 * NEXUS_ROW_WORDS), bytes);
    nexus_leaf_absorb(x, row);
  }
  for (int i = 0; i < 8; ++i) digests[8 * leaf + i] = x[i];
}
