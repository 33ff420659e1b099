/* age-seal and age-open: one work-group for a chunk, LANES work items for its
 * groups of 64 bytes. OpenCL C 1.2; shared texts of core/kernels come before it.
 * The build says LANES, a power of two, and LEVELS, its logarithm. */

/* What the lanes of a chunk share. r has powers r^4, r^8, ..., r^(4 * LANES)
 * behind it. */
typedef struct {
  uint r[5];
  uint powers[LEVELS + 1][5];
  uint pad[4];
  uint sums[LANES][5];
} chunk_state;

void load_limbs(uint to[5], __local const uint* from) {
  for (int i = 0; i < 5; ++i) to[i] = from[i];
}

void store_limbs(__local uint* to, const uint from[5]) {
  for (int i = 0; i < 5; ++i) to[i] = from[i];
}

/* The one-time key of the chunk and what follows from it. */
void prepare(__local chunk_state* state, const uint key[8],
             const uint nonce[3]) {
  uint block[16], r[5];
  nexus_chacha20_block(block, key, nonce, 0);
  nexus_poly1305_clamp(r, block);
  store_limbs(state->r, r);
  for (int i = 0; i < 4; ++i) state->pad[i] = block[4 + i];
  nexus_poly1305_multiply(r, r);
  nexus_poly1305_multiply(r, r);
  for (int k = 0; k <= LEVELS; ++k) {
    store_limbs(state->powers[k], r);
    nexus_poly1305_multiply(r, r);
  }
}

/* Takes 64 whole bytes from `in` to `out` and appends them to the sum. */
void take_group(__global const uint4* in, __global uint4* out, uint seals,
                const uint stream[16], uint sum[5], const uint r[5],
                const uint skip[5]) {
  uint sealed[16];
  for (int i = 0; i < 4; ++i) {
    const uint4 from = in[i];
    const uint4 to = from ^ (uint4)(stream[4 * i], stream[4 * i + 1],
                                    stream[4 * i + 2], stream[4 * i + 3]);
    const uint4 mac = seals ? to : from;
    out[i] = to;
    sealed[4 * i] = mac.x;
    sealed[4 * i + 1] = mac.y;
    sealed[4 * i + 2] = mac.z;
    sealed[4 * i + 3] = mac.w;
  }
  nexus_poly1305_append_64(sum, r, skip, sealed);
}

/* Takes what is left, fewer than 64 bytes; missing ones count as zero. */
void take_rest(__global const uchar* in, __global uchar* out, uint bytes,
               uint seals, const uint stream[16], uint sum[5],
               const uint r[5]) {
  uint sealed[16];
  for (int i = 0; i < 16; ++i) sealed[i] = 0;
  for (uint i = 0; i < bytes; ++i) {
    const uint shift = 8 * (i & 3);
    const uint from = in[i];
    const uint to = (from ^ (stream[i >> 2] >> shift)) & 0xffu;
    out[i] = (uchar)to;
    sealed[i >> 2] |= (seals ? to : from) << shift;
  }
  for (uint i = 0; 16 * i < bytes; ++i) {
    nexus_poly1305_append(sum, r, sealed[4 * i], sealed[4 * i + 1],
                          sealed[4 * i + 2], sealed[4 * i + 3]);
  }
}

/* Joins the sums of all lanes into that of lane 0. */
void join_sums(__local chunk_state* state, uint lane) {
  for (int k = 0; k < LEVELS; ++k) {
    const uint step = 1u << k;
    barrier(CLK_LOCAL_MEM_FENCE);
    if ((lane & (2 * step - 1)) == 0) {
      uint left[5], right[5], power[5];
      load_limbs(left, state->sums[lane]);
      load_limbs(right, state->sums[lane + step]);
      load_limbs(power, state->powers[k]);
      nexus_poly1305_multiply(left, power);
      nexus_poly1305_add(left, right);
      store_limbs(state->sums[lane], left);
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
}

/* Local memory outlives its work-group on some devices. */
void clear_state(__local chunk_state* state, uint lane) {
  volatile __local uint* words = (volatile __local uint*)state;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint i = lane; i < sizeof(chunk_state) / 4; i += LANES) words[i] = 0;
}

/* input_at and output_at: where in their memory input and output begin, at
 * multiples of 16. key: 8 words. plain_bytes: of the whole job, whose chunk first_chunk is that
 * of group 0. Sealed chunks lie with their tags behind them; when opening, the
 * computed tag of chunk n goes to tags + 16 * n. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void age_chunks(
    __global const uchar* input, ulong input_at, __global uchar* output,
    ulong output_at, __global uchar* tags, __global const uint* key_words,
    ulong first_number, ulong plain_bytes, uint first_chunk, uint final_chunk,
    uint seals) {
  __local chunk_state state;
  const uint lane = get_local_id(0);
  const uint chunk = first_chunk + get_group_id(0);
  const ulong left = plain_bytes - (ulong)chunk * NEXUS_AGE_CHUNK_BYTES;
  const uint bytes = (uint)min(left, (ulong)NEXUS_AGE_CHUNK_BYTES);
  const ulong plain_at = (ulong)chunk * NEXUS_AGE_CHUNK_BYTES;
  const ulong sealed_at = (ulong)chunk * NEXUS_AGE_SEALED_BYTES;
  __global const uchar* in =
      input + input_at + (seals ? plain_at : sealed_at);
  __global uchar* out = output + output_at + (seals ? sealed_at : plain_at);
  uint key[8], nonce[3], stream[16], r[5], skip[5], sum[5];

  for (int i = 0; i < 8; ++i) key[i] = key_words[i];
  nexus_age_nonce(nonce, first_number + chunk, chunk == final_chunk);
  if (lane == 0) prepare(&state, key, nonce);
  barrier(CLK_LOCAL_MEM_FENCE);
  load_limbs(r, state.r);
  load_limbs(skip, state.powers[LEVELS]);

  /* The groups are moved to the end of the last turn, so that the lanes that
   * have nothing to do are the first ones, where zero counts for nothing. */
  const uint groups = bytes / 64;
  const uint turns = (groups + LANES - 1) / LANES;
  const uint idle = turns * LANES - groups;
  for (int i = 0; i < 5; ++i) sum[i] = 0;
  for (uint turn = 0; turn < turns; ++turn) {
    const uint at = turn * LANES + lane;
    if (at >= idle) {
      const uint group = at - idle;
      nexus_chacha20_block(stream, key, nonce, NEXUS_AGE_FIRST_BLOCK + group);
      take_group((__global const uint4*)in + 4 * group,
                 (__global uint4*)out + 4 * group, seals, stream, sum, r,
                 skip);
    }
  }
  store_limbs(state.sums[lane], sum);
  join_sums(&state, lane);

  if (lane == 0) {
    const uint rest = bytes % 64;
    uint pad[4], tag[4];
    __global uchar* tag_at = seals ? out + bytes : tags + 16 * (ulong)chunk;
    load_limbs(sum, state.sums[0]);
    for (int i = 0; i < 4; ++i) pad[i] = state.pad[i];
    if (rest != 0) {
      nexus_chacha20_block(stream, key, nonce, NEXUS_AGE_FIRST_BLOCK + groups);
      take_rest(in + 64 * groups, out + 64 * groups, rest, seals, stream, sum,
                r);
    }
    /* The lengths: no associated data, then the text's, 64 bits each. */
    nexus_poly1305_append(sum, r, 0, 0, bytes, 0);
    nexus_poly1305_finish(tag, sum, r, pad);
    for (int i = 0; i < 16; ++i) {
      tag_at[i] = (uchar)(tag[i >> 2] >> (8 * (i & 3)));
    }
  }
  clear_state(&state, lane);
}
