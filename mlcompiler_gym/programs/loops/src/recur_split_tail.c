// SPDX-License-Identifier: Apache-2.0
// Recurrence with a tail: a chain of states in 32 bits comes first, then four
// stores of three widths read the states. The tail can be split off at any of
// them, and each can go on its own.
// Sizes: 200 1500 8000

#include "loops.h"

enum { MAX = 8000, ROUNDS = 600 };

static uint32_t state[MAX], entropy[MAX];
static uint8_t byte[MAX], parity[MAX];
static float level[MAX];
static int64_t tally[MAX];

LOOP static void generate(uint32_t n, float scale) {
  for (uint32_t i = 1; i < n; i++) {
    state[i] = state[i - 1] * 1664525u + entropy[i];
    byte[i] = (uint8_t)(state[i] >> 24);
    parity[i] ^= (state[i] ^ entropy[i]) >> 16 & 1;
    level[i] = 0.5f * level[i] + scale * (float)byte[i];
    tally[i] += (int64_t)(state[i] >> 8) - (1 << 23);
  }
}

LOOP static void stir(uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    entropy[i] = (entropy[i] << 7 | entropy[i] >> 25) + state[i] + 40503u;
}

int main(int argc, char **argv) {
  uint32_t n = (uint32_t)kernel_size(argc, argv, 1500);
  if (n > MAX)
    n = MAX;
  kernel_rng rng = {1};
  for (uint32_t i = 0; i < n; i++)
    entropy[i] = (uint32_t)(kernel_rng_next(&rng) >> 32);
  for (int round = 0; round < ROUNDS; round++) {
    generate(n, round % 2 ? 0.0078125f : 0.00390625f);
    stir(n);
  }
  uint64_t sum = loops_sum_f32(KERNEL_CHECKSUM_START, level, n);
  sum = kernel_checksum(sum, byte, n);
  sum = kernel_checksum(sum, parity, n);
  for (uint32_t i = 0; i < n; i++) {
    sum = kernel_checksum_u64(sum, state[i] ^ (uint64_t)entropy[i] << 32);
    sum = kernel_checksum_u64(sum, (uint64_t)tally[i]);
  }
  loops_report(sum);
  return 0;
}
