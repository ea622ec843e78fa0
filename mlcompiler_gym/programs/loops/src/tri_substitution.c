// SPDX-License-Identifier: Apache-2.0
// Triangular: forward substitution by columns and back substitution by rows of
// the same matrix, with a bound on the rounding kept beside it. The trip count
// falls or grows by one a time; the forward half strides, the other does not.
// Sizes: 20 72 180

#include "loops.h"

enum { MAX = 180, ROUNDS = 190 };

static double lower[MAX][MAX], x[MAX], bound[MAX], steps[MAX];

LOOP static void forward(int n) {
  for (int j = 0; j < n; j++) {
    x[j] /= lower[j][j];
    double pivot = x[j], size = pivot < 0 ? -pivot : pivot;
    for (int i = j + 1; i < n; i++) {
      x[i] -= lower[i][j] * pivot;
      bound[i] += 0.0625 * size;
      steps[i] = x[i] - steps[i];
    }
  }
}

LOOP static void backward(int n) {
  for (int j = n - 1; j >= 0; j--) {
    x[j] /= lower[j][j];
    double pivot = x[j];
    for (int i = 0; i < j; i++) {
      double part = lower[j][i] * pivot;
      x[i] -= part;
      bound[i] = 0.5 * bound[i] + part * part;
    }
  }
}

LOOP static void next_side(int n) {
  for (int i = 0; i < n; i++) {
    x[i] = 0.5 * x[i] + 0.25 * lower[n - 1][i] + 0.0625 * bound[i];
    steps[i] = 0.25 * steps[i];
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 72);
  if (n > MAX)
    n = MAX;
  size_t size = (size_t)n;
  for (int i = 0; i < n; i++) {
    loops_fill_f64(lower[i], size, (uint64_t)i);
    for (int j = 0; j < n; j++)
      lower[i][j] = i == j ? 2 + lower[i][j] * 0.5 : lower[i][j] / n;
  }
  loops_fill_f64(x, size, MAX);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int round = 0; round < ROUNDS; round++) {
    forward(n);
    sum = loops_sum_f64(sum, steps, size);
    backward(n);
    sum = loops_sum_f64(sum, x, size);
    next_side(n);
  }
  sum = loops_sum_f64(sum, steps, size);
  loops_report(loops_sum_f64(sum, bound, size));
  return 0;
}
