// SPDX-License-Identifier: Apache-2.0
// Four stores through plain pointers that never overlap, which only a check at
// run time can tell. One statement is a recurrence: split off, the others are
// vectorised behind their checks.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 350 };

static LOOP void merge(double *sum, double *product, double *trail, double *out,
                       const double *left, const double *right, size_t n,
                       double share) {
  for (size_t i = 1; i < n; i++) {
    sum[i] = left[i] + right[i] * share;
    product[i] = left[i] * right[i] + product[i] * 0.5;
    trail[i] = trail[i - 1] * share + sum[i];
    out[i] = out[i] * 0.5 + product[i] - sum[i];
  }
}

int main(int argc, char **argv) {
  static double pool[6 * MAX];
  size_t n = (size_t)kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  loops_fill_f64(pool, 6 * n, 451);
  for (int r = 0; r < REPEATS; r++)
    merge(pool, pool + n, pool + 2 * n, pool + 3 * n, pool + 4 * n,
          pool + 5 * n, n, 1.0 / (r + 2));
  loops_report(loops_sum_f64(KERNEL_CHECKSUM_START, pool, 6 * n));
  return 0;
}
