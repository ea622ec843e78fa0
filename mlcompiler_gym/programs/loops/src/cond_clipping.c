// SPDX-License-Identifier: Apache-2.0
// Values are clipped to bytes, and what was cut off is passed on to the next
// element: `excess` is a recurrence through the clipping. The contrast
// before it and the marks after it can be split off.
// Sizes: 400 2500 15000

#include "loops.h"

enum { MAX = 1 << 14, REPEATS = 230 };

static uint8_t picture[MAX], printed[MAX], marks[MAX];
static int32_t wanted[MAX], excess[MAX];

static LOOP void clip(size_t n, int32_t contrast) {
  for (size_t i = 1; i < n; i++) {
    wanted[i] = ((picture[i] - 128) * contrast >> 4) + 128;
    int32_t value = wanted[i] + excess[i - 1] / 2;
    int32_t bounded = value < 0 ? 0 : value > 255 ? 255 : value;
    excess[i] = value - bounded;
    printed[i] = (uint8_t)bounded;
    marks[i] = (uint8_t)(marks[i] + (bounded == 0) + 2 * (bounded == 255));
    picture[i] = (uint8_t)((picture[i] * 3 + printed[i] + 2) >> 2);
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 2500);
  n = n > MAX ? MAX : n;
  kernel_rng rng = {231};
  for (size_t i = 0; i < n; i++)
    picture[i] = (uint8_t)(kernel_rng_next(&rng) >> 56);
  for (int32_t r = 0; r < REPEATS; r++)
    clip(n, 12 + r % 16);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = kernel_checksum(sum, picture, n);
  sum = kernel_checksum(sum, printed, n);
  sum = kernel_checksum(sum, marks, n);
  sum = loops_sum_i32(sum, wanted, n);
  sum = loops_sum_i32(sum, excess, n);
  loops_report(sum);
  return 0;
}
