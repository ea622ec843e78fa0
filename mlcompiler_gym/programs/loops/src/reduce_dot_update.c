// SPDX-License-Identifier: Apache-2.0
// Reduction: dot products fused with the vectors' updates, as a step of the
// conjugate gradient method has them. The sums hold back the stores beside
// them; the pointers are restrict, so that nothing else does.
// Sizes: 300 2000 10000

#include "loops.h"

enum { SOLVES = 25, STEPS = 8 };

static double *new_vector(size_t size, uint64_t seed) {
  double *vector = malloc(size * sizeof *vector);
  if (!vector)
    abort();
  loops_fill_f64(vector, size, seed);
  return vector;
}

// A tridiagonal matrix; the vectors have a zero cell at either end.
LOOP static double apply(int n, const double *restrict p, double *restrict q,
                         double *restrict size) {
  double dot = 0;
  for (int i = 1; i <= n; i++) {
    q[i] = 2.75 * p[i] - p[i - 1] - p[i + 1];
    size[i] = 0.5 * size[i] + p[i] * p[i];
    dot += p[i] * q[i];
  }
  return dot;
}

LOOP static double update(int n, double alpha, const double *restrict p,
                          const double *restrict q, double *restrict x,
                          double *restrict r) {
  double dot = 0;
  for (int i = 1; i <= n; i++) {
    x[i] += alpha * p[i];
    r[i] -= alpha * q[i];
    dot += r[i] * r[i];
  }
  return dot;
}

LOOP static void turn(int n, double beta, const double *restrict r,
                      double *restrict p) {
  for (int i = 1; i <= n; i++)
    p[i] = r[i] + beta * p[i];
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 2000);
  size_t size = (size_t)n + 2;
  double *x = new_vector(size, 1), *r = new_vector(size, 2);
  double *p = new_vector(size, 3), *q = new_vector(size, 4);
  double *spread = new_vector(size, 5);
  for (int solve = 0; solve < SOLVES; solve++) {
    loops_fill_f64(r, size, (uint64_t)(solve + 6));
    memset(p, 0, size * sizeof *p);
    turn(n, 0, r, p);
    double before = update(n, 0, p, p, x, r);
    for (int step = 0; step < STEPS; step++) {
      double along = apply(n, p, q, spread);
      double alpha = along > 0 ? before / along : 0;
      double after = update(n, alpha, p, q, x, r);
      turn(n, before > 0 ? after / before : 0, r, p);
      before = after;
    }
  }
  uint64_t sum = loops_sum_f64(KERNEL_CHECKSUM_START, x, size);
  sum = loops_sum_f64(sum, r, size);
  sum = loops_sum_f64(sum, p, size);
  sum = loops_sum_f64(sum, q, size);
  loops_report(loops_sum_f64(sum, spread, size));
  free(x);
  free(r);
  free(p);
  free(q);
  free(spread);
  return 0;
}
