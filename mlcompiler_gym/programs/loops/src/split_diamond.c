// SPDX-License-Identifier: Apache-2.0
// A diamond: `root` feeds two arms and both arms feed `tip`. One arm is a
// running sum, so a vectoriser needs it split out between the other two layers.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 630 };

static uint32_t seed[MAX], root[MAX], arm[MAX], running[MAX], tip[MAX];

static LOOP void diamond(size_t n, uint32_t factor) {
  for (size_t i = 1; i < n; i++) {
    root[i] = seed[i] * factor + tip[i];
    arm[i] = (root[i] >> 7) ^ (root[i] << 3);
    running[i] = running[i - 1] + (root[i] & 0xff);
    tip[i] = arm[i] - running[i];
  }
}

static uint64_t sum_u32(uint64_t sum, const uint32_t *array, size_t n) {
  for (size_t i = 0; i < n; i++)
    sum = kernel_checksum_u64(sum, array[i]);
  return sum;
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  kernel_rng rng = {71};
  for (size_t i = 0; i < n; i++)
    seed[i] = (uint32_t)(kernel_rng_next(&rng) >> 32);
  for (uint32_t r = 0; r < REPEATS; r++)
    diamond(n, 2 * r + 1);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = sum_u32(sum, root, n);
  sum = sum_u32(sum, arm, n);
  sum = sum_u32(sum, running, n);
  sum = sum_u32(sum, tip, n);
  loops_report(sum);
  return 0;
}
