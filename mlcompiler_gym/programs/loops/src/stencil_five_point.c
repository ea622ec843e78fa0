// SPDX-License-Identifier: Apache-2.0
// Stencil, two dimensions, five points, Jacobi between two grids with a weight
// for every cell. No dependence crosses iterations, but the pointers may
// overlap: each further array in the loop is one more run-time check.
// Sizes: 16 48 120

#include "loops.h"

enum { SWEEPS = 180 };

static double *new_grid(size_t size, uint64_t seed) {
  double *grid = malloc(size * sizeof *grid);
  if (!grid)
    abort();
  loops_fill_f64(grid, size, seed);
  return grid;
}

LOOP static void sweep(int n, const double *from, double *to,
                       const double *weight, double *defect, double *moved) {
  for (int i = 1; i < n - 1; i++) {
    for (int j = 1; j < n - 1; j++) {
      int at = i * n + j;
      double around = from[at - 1] + from[at + 1] + from[at - n] + from[at + n];
      double gap = 0.25 * around - from[at];
      defect[at] = gap;
      to[at] = from[at] + weight[at] * gap;
      moved[at] = 0.5 * moved[at] + (gap < 0 ? -gap : gap);
    }
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 48);
  size_t size = (size_t)n * (size_t)n;
  double *from = new_grid(size, 1), *to = new_grid(size, 2);
  double *weight = new_grid(size, 3);
  double *defect = new_grid(size, 4), *moved = new_grid(size, 5);
  for (size_t at = 0; at < size; at++)
    weight[at] = 0.5 + 0.25 * weight[at];
  for (int count = 0; count < SWEEPS; count++) {
    sweep(n, from, to, weight, defect, moved);
    double *last = from;
    from = to;
    to = last;
  }
  uint64_t sum = loops_sum_f64(KERNEL_CHECKSUM_START, from, size);
  sum = loops_sum_f64(sum, to, size);
  sum = loops_sum_f64(sum, defect, size);
  loops_report(loops_sum_f64(sum, moved, size));
  free(from);
  free(to);
  free(weight);
  free(defect);
  free(moved);
  return 0;
}
