// SPDX-License-Identifier: Apache-2.0
// One recurrence in the middle of five statements: `trail` needs its own last
// element, everything before and after it is free. Split off, it leaves two
// loops that can be vectorised.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 330 };

static double input[MAX], gain[MAX], product[MAX], trail[MAX];
static double gap[MAX], energy[MAX];

static LOOP void follow(int n, double keep) {
  for (int i = 1; i < n; i++) {
    product[i] = input[i] * gain[i] + 0.25 * input[i - 1];
    gain[i] = 0.75 * gain[i] + 0.125 * input[i];
    trail[i] = trail[i - 1] * keep + product[i] * 0.5;
    gap[i] = product[i] - trail[i];
    energy[i] = 0.5 * energy[i] + gap[i] * gap[i];
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  size_t size = (size_t)n;
  loops_fill_f64(input, size, 21);
  loops_fill_f64(gain, size, 22);
  trail[0] = 0.5;
  for (int r = 0; r < REPEATS; r++)
    follow(n, 0.25 + r % 128 / 512.0);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f64(sum, product, size);
  sum = loops_sum_f64(sum, gain, size);
  sum = loops_sum_f64(sum, trail, size);
  sum = loops_sum_f64(sum, gap, size);
  sum = loops_sum_f64(sum, energy, size);
  loops_report(sum);
  return 0;
}
