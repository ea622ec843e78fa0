// SPDX-License-Identifier: Apache-2.0
// One product in three loop orders: ijk sums along a row and a column, ikj adds
// scaled rows, jki adds scaled columns. The same additions in the same order,
// so the results agree; the strides of the innermost loop do not.
// Sizes: 44 84 150

#include "loops.h"

enum { MAX = 160 };

static float left[MAX][MAX], right[MAX][MAX];
static float by_dot[MAX][MAX], by_row[MAX][MAX], by_column[MAX][MAX];

static LOOP void multiply_ijk(int n) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      float dot = 0.0f;
      for (int k = 0; k < n; k++)
        dot += left[i][k] * right[k][j];
      by_dot[i][j] = dot;
    }
}

static LOOP void multiply_ikj(int n) {
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++)
      for (int j = 0; j < n; j++)
        by_row[i][j] += left[i][k] * right[k][j];
}

static LOOP void multiply_jki(int n) {
  for (int j = 0; j < n; j++)
    for (int k = 0; k < n; k++)
      for (int i = 0; i < n; i++)
        by_column[i][j] += left[i][k] * right[k][j];
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 84);
  n = n > MAX ? MAX : n;
  size_t size = (size_t)n;
  for (size_t i = 0; i < size; i++) {
    loops_fill_f32(left[i], size, 300 + i);
    loops_fill_f32(right[i], size, 700 + i);
  }
  multiply_ijk(n);
  multiply_ikj(n);
  multiply_jki(n);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (size_t i = 0; i < size; i++) {
    sum = loops_sum_f32(sum, by_dot[i], size);
    sum = loops_sum_f32(sum, by_row[i], size);
    sum = loops_sum_f32(sum, by_column[i], size);
  }
  loops_report(sum);
  return 0;
}
