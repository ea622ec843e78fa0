// SPDX-License-Identifier: Apache-2.0
// A filter that moves nothing: what does not pass becomes zero in its place.
// The rank of each element that passes is a running count, the one statement of
// four that is serial; the pointers to doubles may overlap.
// Sizes: 400 2500 15000

#include "loops.h"

enum { MAX = 1 << 14, REPEATS = 240 };

static double pool[4 * MAX];
static int64_t rank[MAX];

static LOOP void filter(const double *values, double *bounds, double *pass,
                        double *rest, int64_t *ranks, size_t n) {
  for (size_t i = 1; i < n; i++) {
    bool passes = values[i] > bounds[i];
    pass[i] = passes ? values[i] - bounds[i] : 0.0;
    rest[i] = passes ? rest[i] * 0.5 : values[i];
    ranks[i] = ranks[i - 1] + (passes ? 1 : 0);
    bounds[i] = 0.75 * bounds[i] + 0.25 * rest[i] + 0.125 * pass[i];
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 2500);
  n = n > MAX ? MAX : n;
  double *values = pool, *bounds = pool + n;
  double *pass = pool + 2 * n, *rest = pool + 3 * n;
  loops_fill_f64(values, n, 241);
  loops_fill_f64(bounds, n, 242);
  for (int r = 0; r < REPEATS; r++)
    filter(values, bounds, pass, rest, rank, n);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f64(sum, pool, 4 * n);
  for (size_t i = 0; i < n; i++)
    sum = kernel_checksum_u64(sum, (uint64_t)rank[i]);
  loops_report(sum);
  return 0;
}
