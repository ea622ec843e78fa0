// SPDX-License-Identifier: Apache-2.0
// A^T B and A B^T gathered in one nest: the first has unit stride in every
// access of the innermost loop, the second walks down a column. Split, the two
// could each have the loop order they like.
// Sizes: 62 110 210

#include "loops.h"

enum { MAX = 256 };

static LOOP void multiply(const double *restrict a, const double *restrict b,
                          double *restrict inner, double *restrict outer,
                          size_t n) {
  for (size_t k = 0; k < n; k++)
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++) {
        inner[i * n + j] += a[k * n + i] * b[k * n + j];
        outer[i * n + j] += a[i * n + k] * b[j * n + k];
      }
}

int main(int argc, char **argv) {
  static double a[MAX * MAX], b[MAX * MAX];
  static double inner[MAX * MAX], outer[MAX * MAX];
  size_t n = (size_t)kernel_size(argc, argv, 110);
  n = n > MAX ? MAX : n;
  loops_fill_f64(a, n * n, 311);
  loops_fill_f64(b, n * n, 312);
  multiply(a, b, inner, outer, n);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f64(sum, inner, n * n);
  sum = loops_sum_f64(sum, outer, n * n);
  loops_report(sum);
  return 0;
}
