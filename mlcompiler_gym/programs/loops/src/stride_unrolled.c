// SPDX-License-Identifier: Apache-2.0
// Unrolled by hand, four elements a round, with a second loop for the rest. The
// four copies read what the round before has stored, a distance of four behind,
// so one round is as much as fits into a vector.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 690 };

static int32_t coins[MAX + 4], ways[MAX + 4], parity[MAX + 4];

static LOOP void count(int n, int32_t mask) {
  int i = 4;
  for (; i + 3 < n; i += 4) {
    ways[i] = (ways[i - 4] + coins[i] * 3) & mask;
    ways[i + 1] = (ways[i - 3] + coins[i + 1] * 3) & mask;
    ways[i + 2] = (ways[i - 2] + coins[i + 2] * 3) & mask;
    ways[i + 3] = (ways[i - 1] + coins[i + 3] * 3) & mask;
    parity[i] = (parity[i] ^ ways[i]) & 0xff;
    parity[i + 1] = (parity[i + 1] ^ ways[i + 1]) & 0xff;
    parity[i + 2] = (parity[i + 2] ^ ways[i + 2]) & 0xff;
    parity[i + 3] = (parity[i + 3] ^ ways[i + 3]) & 0xff;
  }
  for (; i < n; i++) {
    ways[i] = (ways[i - 4] + coins[i] * 3) & mask;
    parity[i] = (parity[i] ^ ways[i]) & 0xff;
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  size_t size = (size_t)n;
  loops_fill_i32(coins, size, 431, 1 << 16);
  loops_fill_i32(ways, 4, 432, 1 << 16);
  for (int32_t r = 0; r < REPEATS; r++)
    count(n, (1 << 20) - 1 - r);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_i32(sum, ways, size);
  sum = loops_sum_i32(sum, parity, size);
  loops_report(sum);
  return 0;
}
