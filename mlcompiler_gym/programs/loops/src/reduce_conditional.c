// SPDX-License-Identifier: Apache-2.0
// Reduction: sums and counts of the elements that pass a test, with stores of
// the test itself and of what passed. All may be vectorised, but the lanes are
// of one, four and eight bytes: the widest sets the pace for all.
// Sizes: 200 1500 8000

#include "loops.h"

enum { MAX = 8000, ROUNDS = 300 };

typedef struct {
  int64_t passed, missing;
  int32_t count;
} tally;

static int32_t reading[MAX], kept[MAX], weight[MAX];
static uint8_t mask[MAX];
static int64_t total[MAX];

LOOP static tally sift(int n, int32_t limit) {
  int64_t passed = 0, missing = 0;
  int32_t count = 0;
  for (int i = 0; i < n; i++) {
    int32_t v = reading[i];
    mask[i] = v > limit;
    kept[i] = v > limit ? v : 0;
    if (v > limit) {
      passed += v;
      count++;
    } else {
      missing += (int64_t)weight[i] * (limit - v);
    }
    total[i] += v;
  }
  return (tally){passed, missing, count};
}

LOOP static void refresh(int n, int32_t seed) {
  for (int i = 0; i < n; i++) {
    uint32_t mixed = (uint32_t)(reading[i] + seed) * 2654435761u;
    reading[i] = (int32_t)(mixed >> 16);
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 1500);
  if (n > MAX)
    n = MAX;
  size_t size = (size_t)n;
  loops_fill_i32(reading, size, 1, 1 << 16);
  loops_fill_i32(weight, size, 2, 100);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int round = 0; round < ROUNDS; round++) {
    tally t = sift(n, 20000 + 500 * (round % 40));
    sum = kernel_checksum_u64(sum, (uint64_t)t.passed);
    sum = kernel_checksum_u64(sum, (uint64_t)t.missing);
    sum = kernel_checksum_u64(sum, (uint32_t)t.count);
    refresh(n, round);
  }
  sum = loops_sum_i32(sum, reading, size);
  sum = loops_sum_i32(sum, kept, size);
  sum = kernel_checksum(sum, mask, size);
  for (int i = 0; i < n; i++)
    sum = kernel_checksum_u64(sum, (uint64_t)total[i]);
  loops_report(sum);
  return 0;
}
