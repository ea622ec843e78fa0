// SPDX-License-Identifier: Apache-2.0
// A x and A^T y in one nest, and a rank-one change of A behind them: one pass
// over the matrix serves all three. The sum for A x stays in a register and may
// not be reordered; the other two statements could be vectorised without it.
// Sizes: 60 140 370

#include "loops.h"

enum { MAX = 384, REPEATS = 40 };

static double matrix[MAX][MAX];
static double x[MAX], y[MAX], forward[MAX], backward[MAX];

static LOOP void apply(int n, double change) {
  for (int i = 0; i < n; i++) {
    double dot = forward[i] * 0.5;
    for (int j = 0; j < n; j++) {
      dot += matrix[i][j] * x[j];
      backward[j] += matrix[i][j] * y[i];
      matrix[i][j] = matrix[i][j] * 0.75 + change * x[j];
    }
    forward[i] = dot;
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 140);
  n = n > MAX ? MAX : n;
  size_t size = (size_t)n;
  for (size_t i = 0; i < size; i++)
    loops_fill_f64(matrix[i], size, 330 + i);
  loops_fill_f64(x, size, 331);
  loops_fill_f64(y, size, 332);
  for (int r = 0; r < REPEATS; r++)
    apply(n, 1.0 / (r + 4));
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f64(sum, forward, size);
  sum = loops_sum_f64(sum, backward, size);
  for (size_t i = 0; i < size; i++)
    sum = loops_sum_f64(sum, matrix[i], size);
  loops_report(sum);
  return 0;
}
