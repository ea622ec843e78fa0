// SPDX-License-Identifier: Apache-2.0
// Recurrence of first order over two matrices: the one along the row is
// carried by the inner loop, the one down the column by the outer loop only.
// Split, the second and the store behind it can be vectorised.
// Sizes: 16 56 140

#include "loops.h"

enum { MAX = 140, ROUNDS = 120 };

static double input[MAX][MAX], keep[MAX][MAX], along[MAX][MAX];
static double side[MAX][MAX], fade[MAX][MAX], down[MAX][MAX], rest[MAX][MAX];

LOOP static void filter(int n, double gain) {
  for (int i = 1; i < n; i++)
    for (int j = 1; j < n; j++) {
      along[i][j] = keep[i][j] * along[i][j - 1] + gain * input[i][j];
      down[i][j] = fade[i][j] * down[i - 1][j] + gain * side[i][j];
      rest[i][j] = 0.5 * rest[i][j] + (side[i][j] - down[i][j]);
    }
}

LOOP static void feed_back(int n) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      double slant = along[i][j] - down[i][j];
      input[i][j] = 0.5 * (input[i][j] - slant) + 0.125 * keep[j][i];
      side[i][j] = 0.5 * (side[i][j] + slant) - 0.125 * rest[i][j];
    }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 56);
  if (n > MAX)
    n = MAX;
  for (int i = 0; i < n; i++) {
    loops_fill_f64(input[i], (size_t)n, (uint64_t)i);
    loops_fill_f64(side[i], (size_t)n, (uint64_t)(MAX + i));
    loops_fill_f64(keep[i], (size_t)n, (uint64_t)(2 * MAX + i));
    for (int j = 0; j < n; j++) {
      keep[i][j] = 0.5 + 0.25 * keep[i][j];
      fade[i][j] = 1 - keep[i][j];
    }
  }
  for (int round = 0; round < ROUNDS; round++) {
    filter(n, round % 2 ? 0.25 : 0.375);
    feed_back(n);
  }
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int i = 0; i < n; i++) {
    sum = loops_sum_f64(sum, input[i], (size_t)n);
    sum = loops_sum_f64(sum, along[i], (size_t)n);
    sum = loops_sum_f64(sum, side[i], (size_t)n);
    sum = loops_sum_f64(sum, down[i], (size_t)n);
    sum = loops_sum_f64(sum, rest[i], (size_t)n);
  }
  loops_report(sum);
  return 0;
}
