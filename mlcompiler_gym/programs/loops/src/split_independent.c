// SPDX-License-Identifier: Apache-2.0
// Four statements of one body that share nothing: no dependence crosses, each
// can be a loop of its own, and one of them divides.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 450 };

static double blend[MAX], target[MAX];
static double decay[MAX], drive[MAX];
static double square[MAX], offset[MAX];
static double ratio[MAX], above[MAX];

static LOOP void advance(size_t n, double weight) {
  for (size_t i = 0; i < n; i++) {
    blend[i] = 0.5 * (blend[i] + target[i]);
    decay[i] = 0.25 * decay[i] - drive[i] * weight;
    square[i] = square[i] * square[i] * 0.5 - offset[i] * 0.25;
    ratio[i] = above[i] / (2.0 + ratio[i] * ratio[i]);
  }
}

int main(int argc, char **argv) {
  double *arrays[] = {blend,  target, decay, drive,
                      square, offset, ratio, above};
  size_t n = (size_t)kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  for (uint64_t k = 0; k < 8; k++)
    loops_fill_f64(arrays[k], n, k);
  for (int r = 0; r < REPEATS; r++)
    advance(n, 1.0 / (r + 2));
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int k = 0; k < 8; k += 2)
    sum = loops_sum_f64(sum, arrays[k], n);
  loops_report(sum);
  return 0;
}
