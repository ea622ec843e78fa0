// SPDX-License-Identifier: Apache-2.0
// Gather: the places are computed by a hash, stored, and used at once. Split,
// the hash can be vectorised and the uses have their places ready; together,
// the places need not go through memory.
// Sizes: 200 1500 8000

#include "loops.h"

enum { MAX = 8000, SLOTS = 1024, ROUNDS = 450 };

static uint32_t key[MAX], slot[MAX], tag[SLOTS];
static float price[SLOTS], bid[MAX], gain[MAX];
static uint8_t hit[MAX];

LOOP static void probe(uint32_t n, uint32_t factor) {
  for (uint32_t i = 0; i < n; i++) {
    uint32_t mixed = (key[i] ^ key[i] >> 15) * factor;
    slot[i] = (mixed ^ mixed >> 13) & (SLOTS - 1);
    hit[i] = tag[slot[i]] == (mixed >> 29);
    bid[i] = 0.75f * bid[i] + price[slot[i]];
    gain[i] = hit[i] ? bid[i] - gain[i] : 0.5f * gain[i];
  }
}

// Writes at the same places: of two keys in one slot the later one wins.
LOOP static void settle(uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    key[i] = key[i] * 69069u + slot[i];
    tag[slot[i]] = key[i] >> 29;
    price[slot[i]] = 0.125f * bid[i] + 0x1p-16f * (float)(key[i] >> 16);
  }
}

int main(int argc, char **argv) {
  uint32_t n = (uint32_t)kernel_size(argc, argv, 1500);
  if (n > MAX)
    n = MAX;
  kernel_rng rng = {1};
  for (uint32_t i = 0; i < n; i++)
    key[i] = (uint32_t)(kernel_rng_next(&rng) >> 32);
  loops_fill_f32(price, SLOTS, 2);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int round = 0; round < ROUNDS; round++) {
    probe(n, 2654435761u + 2u * (uint32_t)round);
    settle(n);
  }
  for (uint32_t i = 0; i < n; i++)
    sum = kernel_checksum_u64(sum, key[i] ^ (uint64_t)slot[i] << 32);
  sum = loops_sum_f32(sum, price, SLOTS);
  sum = kernel_checksum(sum, hit, n);
  sum = loops_sum_f32(sum, bid, n);
  loops_report(loops_sum_f32(sum, gain, n));
  return 0;
}
