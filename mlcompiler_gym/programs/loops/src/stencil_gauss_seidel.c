// SPDX-License-Identifier: Apache-2.0
// Stencil, two dimensions, in place: each cell needs the new value at its left,
// so its statement stays sequential, and what it moved by stays with it. The
// source and its mean need no neighbour and may go into a loop of their own.
// Sizes: 20 64 150

#include "loops.h"

enum { MAX = 150, SWEEPS = 80 };

static double grid[MAX][MAX], moved[MAX][MAX], pull[MAX][MAX];
static double source[MAX][MAX], charge[MAX][MAX], mean[MAX][MAX];

LOOP static void relax(int n, double omega) {
  for (int i = 1; i < n - 1; i++)
    for (int j = 1; j < n - 1; j++) {
      source[i][j] = 0.5 * source[i][j] + 0.125 * charge[i][j];
      mean[i][j] = 0.25 * (mean[i][j] + source[i][j]);
      double old = grid[i][j];
      double around =
          grid[i][j - 1] + grid[i][j + 1] + grid[i - 1][j] + grid[i + 1][j];
      grid[i][j] = old + omega * (0.25 * (around + pull[i][j]) - old);
      moved[i][j] = grid[i][j] - old;
    }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 64);
  if (n > MAX)
    n = MAX;
  for (int i = 0; i < n; i++) {
    loops_fill_f64(grid[i], (size_t)n, (uint64_t)i);
    loops_fill_f64(pull[i], (size_t)n, (uint64_t)(MAX + i));
    loops_fill_f64(charge[i], (size_t)n, (uint64_t)(2 * MAX + i));
  }
  for (int sweep = 0; sweep < SWEEPS; sweep++)
    relax(n, sweep % 3 ? 1.25 : 0.75);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int i = 0; i < n; i++) {
    sum = loops_sum_f64(sum, grid[i], (size_t)n);
    sum = loops_sum_f64(sum, moved[i], (size_t)n);
    sum = loops_sum_f64(sum, source[i], (size_t)n);
    sum = loops_sum_f64(sum, mean[i], (size_t)n);
  }
  loops_report(sum);
  return 0;
}
