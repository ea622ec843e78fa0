// SPDX-License-Identifier: Apache-2.0
// A banded matrix, stored one diagonal a row: the product with a vector adds up
// diagonal by diagonal, without a sum in the innermost loop. The elimination
// needs its own last row; two statements beside it do not.
// Sizes: 500 3002 18002

#include "loops.h"

enum { MAX = 1 << 15, WIDTH = 3, DIAGONALS = 2 * WIDTH + 1, REPEATS = 72 };

static double band[DIAGONALS][MAX + 2 * WIDTH];
static double x[MAX + 2 * WIDTH], product[MAX + 2 * WIDTH];
static double pivot[MAX + 2 * WIDTH], solved[MAX + 2 * WIDTH];

static LOOP void multiply(int n, int width) {
  for (int d = 0; d <= 2 * width; d++)
    for (int i = WIDTH; i < n + WIDTH; i++)
      product[i] += band[d][i] * x[i + d - width];
}

// The main diagonal is raised to 4, so that no pivot comes near zero.
static LOOP void eliminate(int n, int width) {
  for (int i = WIDTH; i < n + WIDTH; i++) {
    double factor = band[width - 1][i] / pivot[i - 1];
    pivot[i] = band[width][i] + 4.0 - factor * band[width + 1][i - 1];
    solved[i] = product[i] - factor * solved[i - 1];
    x[i] = 0.5 * x[i] + 0.0625 * product[i];
    product[i] = 0.25 * product[i];
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 3002);
  n = n > MAX ? MAX : n;
  int width = n % WIDTH + 1;
  size_t size = (size_t)n;
  for (size_t d = 0; d < DIAGONALS; d++)
    loops_fill_f64(band[d] + WIDTH, size, 350 + d);
  loops_fill_f64(x + WIDTH, size, 360);
  pivot[WIDTH - 1] = 1.0;
  for (int r = 0; r < REPEATS; r++) {
    multiply(n, width);
    eliminate(n, width);
  }
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f64(sum, x + WIDTH, size);
  sum = loops_sum_f64(sum, product + WIDTH, size);
  sum = loops_sum_f64(sum, pivot + WIDTH, size);
  sum = loops_sum_f64(sum, solved + WIDTH, size);
  loops_report(sum);
  return 0;
}
