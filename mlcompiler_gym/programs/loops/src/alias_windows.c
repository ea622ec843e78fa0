// SPDX-License-Identifier: Apache-2.0
// Windows into one array that overlap in part: the end of the first is the
// start of the second, and the third lies across both. Two calls of three fail
// any check at run time, so they pay for it and run the loop as it was.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 110 };

static LOOP void window(int64_t *first, int64_t *second, int64_t *across,
                        const int64_t *input, int n, int64_t mask) {
  for (int i = 1; i < n; i++) {
    first[i] = (first[i] + input[i]) & mask;
    second[i] = (second[i] ^ input[i - 1]) + 5;
    across[i] = (across[i - 1] + second[i]) & mask;
    first[i - 1] = first[i - 1] + (input[i] >> 3);
  }
}

int main(int argc, char **argv) {
  static int64_t pool[4 * MAX];
  int n = kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  int half = n / 2;
  size_t size = 4 * (size_t)n;
  kernel_rng rng = {471};
  for (size_t i = 0; i < size; i++)
    pool[i] = (int64_t)(kernel_rng_next(&rng) >> 40);
  int64_t *input = pool + 3 * n;
  for (int r = 0; r < REPEATS; r++) {
    window(pool, pool + half, pool + half / 2, input, n, (1 << 24) - 1);
    window(pool + half, pool, pool + n, input, n, (1 << 22) - 1);
    window(pool, pool + n, pool + 2 * n, input, n, (1 << 24) - 1);
  }
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (size_t i = 0; i < size; i++)
    sum = kernel_checksum_u64(sum, (uint64_t)pool[i]);
  loops_report(sum);
  return 0;
}
