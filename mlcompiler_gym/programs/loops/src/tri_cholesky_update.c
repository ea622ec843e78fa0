// SPDX-License-Identifier: Apache-2.0
// Triangular: the factors L D L' of a symmetric matrix, in place and without a
// root. The column is taken out first by a loop of three stores in strides;
// the update of the rest then reads along rows, next to a trace of its size.
// Sizes: 16 48 120

#include "loops.h"

enum { ROUNDS = 20 };

static double *new_array(size_t size, uint64_t seed) {
  double *array = malloc(size * sizeof *array);
  if (!array)
    abort();
  loops_fill_f64(array, size, seed);
  return array;
}

LOOP static void take_column(size_t n, size_t k, double (*a)[n],
                             double *restrict column, double *restrict factor) {
  double pivot = a[k][k];
  for (size_t i = k + 1; i < n; i++) {
    column[i] = a[i][k];
    factor[i] = column[i] / pivot;
    a[i][k] = factor[i];
  }
}

LOOP static void update(size_t n, size_t k, double (*restrict a)[n],
                        const double *restrict column,
                        const double *restrict factor,
                        double (*restrict trace)[n]) {
  for (size_t i = k + 1; i < n; i++)
    for (size_t j = k + 1; j <= i; j++) {
      double part = factor[i] * column[j];
      a[i][j] -= part;
      trace[i][j] = 0.5 * trace[i][j] + part * part;
    }
}

static void make_dominant(size_t n, double (*a)[n]) {
  for (size_t i = 0; i < n; i++)
    a[i][i] = (double)n + a[i][i];
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 48), size = n * n;
  double *a = new_array(size, 0), *trace = new_array(size, 1);
  double *column = new_array(n, 2), *factor = new_array(n, 3);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (uint64_t round = 0; round < ROUNDS; round++) {
    loops_fill_f64(a, size, round);
    make_dominant(n, (double (*)[n])a);
    for (size_t k = 0; k < n; k++) {
      take_column(n, k, (double (*)[n])a, column, factor);
      update(n, k, (double (*)[n])a, column, factor, (double (*)[n])trace);
    }
    for (size_t i = 0; i < n; i++)
      sum = loops_sum_f64(sum, a + i * n, i + 1);
  }
  loops_report(loops_sum_f64(sum, trace, size));
  free(a);
  free(trace);
  free(column);
  free(factor);
  return 0;
}
