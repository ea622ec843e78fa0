// SPDX-License-Identifier: Apache-2.0
// Fan-in: three producers, one of them a recurrence, feed one consumer. The
// pointers are known not to overlap, so only the recurrence is in the way.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 260 };

static double first[MAX], second[MAX], smooth[MAX];
static double low[MAX], high[MAX], joined[MAX];

static LOOP void gather(const double *restrict x, const double *restrict y,
                        double *restrict sum, double *restrict difference,
                        double *restrict mean, double *restrict out, size_t n,
                        double weight) {
  for (size_t i = 1; i < n; i++) {
    sum[i] = x[i] * weight + y[i - 1];
    difference[i] = x[i - 1] - y[i] * weight;
    mean[i] = 0.5 * (mean[i - 1] + x[i] * y[i]);
    out[i] = out[i] * 0.5 + sum[i] * difference[i] - mean[i];
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  loops_fill_f64(first, n, 61);
  loops_fill_f64(second, n, 62);
  for (int r = 0; r < REPEATS; r++)
    gather(first, second, low, high, smooth, joined, n, 1.0 / (r + 1));
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f64(sum, low, n);
  sum = loops_sum_f64(sum, high, n);
  sum = loops_sum_f64(sum, smooth, n);
  sum = loops_sum_f64(sum, joined, n);
  loops_report(sum);
  return 0;
}
