// SPDX-License-Identifier: Apache-2.0
// All shortest paths, a product with minimum and plus: the matrix is read and
// written in place, so whether row k may stay in registers is the question. The
// stop at which a path was last shortened is selected along with its length.
// Sizes: 56 96 184

#include "loops.h"

enum { MAX = 192 };

static int32_t length[MAX][MAX], through[MAX][MAX], improved[MAX][MAX];

static LOOP void relax(int n) {
  for (int k = 0; k < n; k++)
    for (int i = 0; i < n; i++)
      for (int j = 0; j < n; j++) {
        int32_t detour = length[i][k] + length[k][j];
        bool better = detour < length[i][j];
        through[i][j] = better ? k : through[i][j];
        improved[i][j] += better;
        length[i][j] = better ? detour : length[i][j];
      }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 96);
  n = n > MAX ? MAX : n;
  size_t size = (size_t)n;
  for (size_t i = 0; i < size; i++) {
    loops_fill_i32(length[i], size, 370 + i, 100000);
    length[i][i] = 0;
  }
  relax(n);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (size_t i = 0; i < size; i++) {
    sum = loops_sum_i32(sum, length[i], size);
    sum = loops_sum_i32(sum, through[i], size);
    sum = loops_sum_i32(sum, improved[i], size);
  }
  loops_report(sum);
  return 0;
}
