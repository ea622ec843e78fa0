// SPDX-License-Identifier: Apache-2.0
// One loop that is called with its output ahead of its input, behind it, and
// far away: the same dependence is carried, harmless, or absent. A check at run
// time decides, and whatever is done has to keep the overlapping calls right.
// Sizes: 400 2500 15000

#include "loops.h"

enum { MAX = 1 << 15, GAP = 8, REPEATS = 190 };

static LOOP void shift(float *to, float *change, const float *from, size_t n,
                       float weight) {
  for (size_t i = 0; i < n; i++) {
    change[i] = 0.5f * change[i] + to[i] * from[i];
    to[i] = from[i] * weight + to[i] * 0.25f + 0.125f;
  }
}

int main(int argc, char **argv) {
  static float values[2 * MAX + 2 * GAP], changes[MAX];
  size_t n = (size_t)kernel_size(argc, argv, 2500);
  n = n > MAX ? MAX : n;
  float *middle = values + GAP;
  loops_fill_f32(values, 2 * n + 2 * GAP, 461);
  for (int r = 0; r < REPEATS; r++) {
    shift(middle + 1, changes, middle, n, 0.5f);
    shift(middle, changes, middle + 3, n, 0.5f);
    shift(middle + GAP, changes, middle, n, 0.375f);
    shift(middle + n, changes, middle, n, 0.625f);
  }
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f32(sum, values, 2 * n + 2 * GAP);
  sum = loops_sum_f32(sum, changes, n);
  loops_report(sum);
  return 0;
}
