// SPDX-License-Identifier: Apache-2.0
// Two chained products, (A B) C, row by row: a row of the first product is
// complete before the second reads it. The last nest scales both results with
// row sums, which are a recurrence along the row.
// Sizes: 64 110 210

#include "loops.h"

enum { MAX = 256 };

static float a[MAX][MAX], b[MAX][MAX], c[MAX][MAX];
static float once[MAX][MAX], twice[MAX][MAX], running[MAX][MAX];

static LOOP void chain(int n) {
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < n; k++)
      for (int j = 0; j < n; j++)
        once[i][j] += a[i][k] * b[k][j];
    for (int k = 0; k < n; k++)
      for (int j = 0; j < n; j++)
        twice[i][j] += once[i][k] * c[k][j];
  }
}

static LOOP void scale(int n, float share) {
  for (int i = 0; i < n; i++)
    for (int j = 1; j < n; j++) {
      once[i][j] = once[i][j] * share;
      running[i][j] = running[i][j - 1] * share + once[i][j];
      twice[i][j] = twice[i][j] * share + running[i][j];
    }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 110);
  n = n > MAX ? MAX : n;
  size_t size = (size_t)n;
  for (size_t i = 0; i < size; i++) {
    loops_fill_f32(a[i], size, 320 + i);
    loops_fill_f32(b[i], size, 520 + i);
    loops_fill_f32(c[i], size, 720 + i);
  }
  chain(n);
  scale(n, 0.5f);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (size_t i = 0; i < size; i++) {
    sum = loops_sum_f32(sum, once[i], size);
    sum = loops_sum_f32(sum, twice[i], size);
    sum = loops_sum_f32(sum, running[i], size);
  }
  loops_report(sum);
  return 0;
}
