// SPDX-License-Identifier: Apache-2.0
// Triangular: symmetric update of a lower triangle by two thin matrices, which
// lie transposed so that the inner loop runs along rows. One store for the
// sum, one for its largest part; the mirror nest writes across the rows.
// Sizes: 16 48 110

#include "loops.h"

enum { MAX = 110, DEPTH = 12, ROUNDS = 40 };

static double sym[MAX][MAX], most[MAX][MAX];
static double left[DEPTH][MAX], right[DEPTH][MAX];
static int32_t hits[MAX][MAX];

LOOP static void update(int n, double alpha) {
  for (int i = 0; i < n; i++)
    for (int k = 0; k < DEPTH; k++) {
      double l = alpha * left[k][i], r = alpha * right[k][i];
      for (int j = 0; j <= i; j++) {
        double part = l * right[k][j] + r * left[k][j];
        sym[i][j] += part;
        most[i][j] = part > most[i][j] ? part : most[i][j];
        hits[i][j] += part > 0.25;
      }
    }
}

LOOP static void mirror(int n) {
  for (int i = 1; i < n; i++)
    for (int j = 0; j < i; j++) {
      sym[j][i] = sym[i][j];
      hits[j][i] = hits[i][j] + 1;
    }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 48);
  if (n > MAX)
    n = MAX;
  for (int i = 0; i < n; i++)
    loops_fill_f64(sym[i], (size_t)n, (uint64_t)i);
  for (int round = 0; round < ROUNDS; round++) {
    for (int k = 0; k < DEPTH; k++) {
      loops_fill_f64(left[k], (size_t)n, (uint64_t)(MAX + 2 * k + round));
      loops_fill_f64(right[k], (size_t)n, (uint64_t)(MAX + 3 * k + round));
    }
    update(n, round % 2 ? -0.5 : 0.75);
    mirror(n);
  }
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int i = 0; i < n; i++) {
    sum = loops_sum_f64(sum, sym[i], (size_t)n);
    sum = loops_sum_f64(sum, most[i], (size_t)n);
    sum = loops_sum_i32(sum, hits[i], (size_t)n);
  }
  loops_report(sum);
  return 0;
}
