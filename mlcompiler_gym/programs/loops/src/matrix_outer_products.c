// SPDX-License-Identifier: Apache-2.0
// Two matrices are changed by outer products of the same vectors, a third is
// made of both, and a fourth is a recurrence along the row. Seven pointers that
// may overlap are in the innermost loop.
// Sizes: 34 80 210

#include "loops.h"

enum { MAX = 256, REPEATS = 45 };

static LOOP void update(float *plus, float *minus, float *cross, float *edge,
                        const float *u, const float *v, const float *w,
                        size_t n) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 1; j < n; j++) {
      plus[i * n + j] += u[i] * v[j] * 0.5f;
      minus[i * n + j] -= v[i] * w[j] * 0.5f;
      cross[i * n + j] = plus[i * n + j] * w[j] - minus[i * n + j] * u[j];
      edge[i * n + j] = 0.5f * edge[i * n + j - 1] + cross[i * n + j];
    }
}

int main(int argc, char **argv) {
  static float matrices[4 * MAX * MAX], vectors[3 * MAX];
  size_t n = (size_t)kernel_size(argc, argv, 80);
  n = n > MAX ? MAX : n;
  size_t size = n * n;
  loops_fill_f32(matrices, 4 * size, 341);
  loops_fill_f32(vectors, 3 * n, 342);
  for (int r = 0; r < REPEATS; r++)
    update(matrices, matrices + size, matrices + 2 * size, matrices + 3 * size,
           vectors, vectors + n, vectors + 2 * n, n);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f32(sum, matrices, 4 * size);
  loops_report(sum);
  return 0;
}
