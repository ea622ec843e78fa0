// SPDX-License-Identifier: Apache-2.0
// Gather: a sparse matrix in rows times a vector, in two forms: one keeps the
// single products and sums them up on the way, the other scatters each row
// into the columns. Rows are short, so that every check at run time is dear.
// Sizes: 60 400 2000

#include "loops.h"

enum { MAX = 2000, MAX_ROW = 24, MAX_NONZERO = MAX * MAX_ROW, ROUNDS = 150 };

static int32_t start[MAX + 1], column[MAX_NONZERO];
static double entry[MAX_NONZERO], product[MAX_NONZERO], size[MAX_NONZERO];
static double x[MAX], y[MAX], back[MAX], source[MAX];

// About half of the rows have eight entries or fewer.
static int32_t build(int n) {
  kernel_rng rng = {1};
  int32_t used = 0;
  for (int i = 0; i < n; i++) {
    uint64_t bits = kernel_rng_next(&rng) >> 32;
    int32_t length = 1 + (int32_t)(bits & 1 ? bits % MAX_ROW : bits % 8);
    start[i] = used;
    for (int32_t at = 0; at < length; at++)
      column[used++] = (int32_t)((kernel_rng_next(&rng) >> 32) % (uint32_t)n);
  }
  start[n] = used;
  loops_fill_f64(entry, (size_t)used, 2);
  return used;
}

LOOP static void multiply(int n) {
  for (int i = 0; i < n; i++) {
    double sum = 0;
    for (int32_t at = start[i]; at < start[i + 1]; at++) {
      product[at] = entry[at] * x[column[at]];
      size[at] = 0.5 * size[at] + product[at] * product[at];
      sum += product[at];
    }
    y[i] = sum / (1 + start[i + 1] - start[i]);
  }
}

LOOP static void multiply_transposed(int n, double scale) {
  for (int i = 0; i < n; i++)
    for (int32_t at = start[i]; at < start[i + 1]; at++) {
      back[column[at]] += scale * entry[at] * y[i];
      entry[at] = 0.9921875 * entry[at] + 0.00390625 * size[at];
    }
}

LOOP static void damp(int n) {
  for (int i = 0; i < n; i++) {
    x[i] = 0.5 * x[i] + 0.25 * y[i] + back[i] + source[i];
    back[i] = 0.125 * back[i];
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 400);
  if (n > MAX)
    n = MAX;
  size_t used = (size_t)build(n);
  loops_fill_f64(x, (size_t)n, 3);
  loops_fill_f64(source, (size_t)n, 4);
  for (int i = 0; i < n; i++)
    source[i] *= 0.25;
  for (int round = 0; round < ROUNDS; round++) {
    multiply(n);
    multiply_transposed(n, 0.0625);
    damp(n);
  }
  uint64_t sum = loops_sum_f64(KERNEL_CHECKSUM_START, x, (size_t)n);
  sum = loops_sum_f64(sum, y, (size_t)n);
  sum = loops_sum_f64(sum, back, (size_t)n);
  sum = loops_sum_f64(sum, product, used);
  sum = loops_sum_f64(sum, size, used);
  loops_report(loops_sum_f64(sum, entry, used));
  return 0;
}
