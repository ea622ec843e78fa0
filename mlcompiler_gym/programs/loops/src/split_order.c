// SPDX-License-Identifier: Apache-2.0
// Splitting is allowed but has to mind the order: `ahead` reads elements of
// `state` before they are overwritten, so its loop comes first. `behind` reads
// what a later statement stored an iteration ago, so its loop comes last.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 570 };

static int32_t state[MAX + 1], ahead[MAX + 1], behind[MAX + 1];
static int32_t fresh[MAX + 1], input[MAX + 1];

static LOOP void shuffle(int n, int32_t mask) {
  for (int i = 1; i < n; i++) {
    ahead[i] = (state[i + 1] * 5 + ahead[i]) & mask;
    behind[i] = (fresh[i - 1] + behind[i] * 3) & mask;
    state[i] = (input[i] + (state[i] >> 1)) & mask;
    fresh[i] = (state[i] ^ ahead[i]) + input[i];
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  size_t size = (size_t)n;
  loops_fill_i32(state, size + 1, 41, 1 << 20);
  loops_fill_i32(input, size, 42, 1 << 20);
  fresh[0] = 7;
  for (int r = 0; r < REPEATS; r++)
    shuffle(n, (1 << 24) - 1 - r);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_i32(sum, ahead, size);
  sum = loops_sum_i32(sum, behind, size);
  sum = loops_sum_i32(sum, state, size);
  sum = loops_sum_i32(sum, fresh, size);
  loops_report(sum);
  return 0;
}
