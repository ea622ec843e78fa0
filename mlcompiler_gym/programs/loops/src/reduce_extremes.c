// SPDX-License-Identifier: Apache-2.0
// Reduction: smallest and largest element with their places, and a store of
// the largest so far, which makes that reduction a recurrence. The other two
// stores could leave, and the smallest with them or without.
// Sizes: 200 1500 8000

#include "loops.h"

enum { MAX = 8000, ROUNDS = 420 };

typedef struct {
  int32_t low, high, low_at, high_at;
} extremes;

static int32_t level[MAX], peak[MAX], above[MAX], bent[MAX];

LOOP static extremes scan(int n, int32_t base) {
  extremes e = {INT32_MAX, INT32_MIN, -1, -1};
  for (int i = 0; i < n; i++) {
    int32_t v = level[i];
    above[i] = v - base;
    bent[i] = (bent[i] + 3 * v) / 4;
    if (v < e.low) {
      e.low = v;
      e.low_at = i;
    }
    if (v > e.high) {
      e.high = v;
      e.high_at = i;
    }
    peak[i] = e.high;
  }
  return e;
}

LOOP static void shuffle(int n, int32_t pivot) {
  for (int i = 0; i < n; i++)
    level[i] = (level[i] * 5 + (above[i] > pivot ? bent[i] : i)) & 0xffff;
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 1500);
  if (n > MAX)
    n = MAX;
  size_t size = (size_t)n;
  loops_fill_i32(level, size, 1, 1 << 16);
  loops_fill_i32(bent, size, 2, 1 << 16);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int round = 0; round < ROUNDS; round++) {
    extremes e = scan(n, 1000 * (round % 30));
    int32_t found[] = {e.low, e.high, e.low_at, e.high_at};
    sum = loops_sum_i32(sum, found, 4);
    shuffle(n, (e.high - e.low) / 2);
  }
  sum = loops_sum_i32(sum, level, size);
  sum = loops_sum_i32(sum, peak, size);
  sum = loops_sum_i32(sum, above, size);
  loops_report(loops_sum_i32(sum, bent, size));
  return 0;
}
