// SPDX-License-Identifier: Apache-2.0
// A scalar is carried from iteration to iteration and stored on its way. It
// ties the first two statements to a serial loop; the other three use arrays
// alone and can be taken out.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 310 };

static int64_t steps[MAX], place[MAX], distance[MAX];
static int64_t doubled[MAX], folded[MAX], home[MAX];

static LOOP int64_t travel(size_t n, int64_t start) {
  int64_t at = start;
  for (size_t i = 0; i < n; i++) {
    at = (at * 3 + steps[i]) & 0xffffff;
    place[i] = at;
    doubled[i] = 2 * steps[i] - home[i];
    folded[i] = (folded[i] ^ doubled[i]) & 0xffffff;
    distance[i] = place[i] - folded[i];
  }
  return at;
}

static uint64_t sum_i64(uint64_t sum, const int64_t *array, size_t n) {
  for (size_t i = 0; i < n; i++)
    sum = kernel_checksum_u64(sum, (uint64_t)array[i]);
  return sum;
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  kernel_rng rng = {101};
  for (size_t i = 0; i < n; i++) {
    steps[i] = (int64_t)(kernel_rng_next(&rng) >> 44);
    home[i] = (int64_t)(kernel_rng_next(&rng) >> 45);
  }
  int64_t at = 1;
  for (int r = 0; r < REPEATS; r++)
    at = travel(n, at + r);
  uint64_t sum = kernel_checksum_u64(KERNEL_CHECKSUM_START, (uint64_t)at);
  sum = sum_i64(sum, place, n);
  sum = sum_i64(sum, doubled, n);
  sum = sum_i64(sum, folded, n);
  sum = sum_i64(sum, distance, n);
  loops_report(sum);
  return 0;
}
