// SPDX-License-Identifier: Apache-2.0
// Triangular: the factors L U of a matrix, in place and without pivoting. The
// row that is updated and the row of the pivot are in one array, a distance
// apart that only the outer loops know; the largest of each column goes along.
// Sizes: 16 40 90

#include "loops.h"

enum { ROUNDS = 12 };

static float *new_array(size_t size, uint64_t seed) {
  float *array = malloc(size * sizeof *array);
  if (!array)
    abort();
  loops_fill_f32(array, size, seed);
  return array;
}

LOOP static void factorise(int n, float *a, float *largest, float *drift) {
  for (int k = 0; k < n; k++)
    for (int i = k + 1; i < n; i++) {
      float factor = a[i * n + k] / a[k * n + k];
      a[i * n + k] = factor;
      for (int j = k + 1; j < n; j++) {
        a[i * n + j] -= factor * a[k * n + j];
        float size = a[i * n + j] < 0 ? -a[i * n + j] : a[i * n + j];
        largest[j] = largest[j] < size ? size : largest[j];
        drift[j] = 0.5f * drift[j] + factor;
      }
    }
}

// The lower part of a, whose diagonal is one, times a vector, from below so
// that it can be done in place.
LOOP static void multiply_lower(int n, const float *a, float *x, float *y) {
  for (int j = n - 1; j >= 0; j--)
    for (int i = j + 1; i < n; i++) {
      x[i] += a[i * n + j] * x[j];
      y[i] = 0.5f * y[i] + x[i];
    }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 40);
  size_t order = (size_t)n, size = order * order;
  float *a = new_array(size, 0), *largest = new_array(order, 1);
  float *drift = new_array(order, 2), *x = new_array(order, 3);
  float *y = new_array(order, 4);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int round = 0; round < ROUNDS; round++) {
    loops_fill_f32(a, size, (uint64_t)round);
    for (int i = 0; i < n; i++)
      a[i * n + i] += (float)n;
    factorise(n, a, largest, drift);
    multiply_lower(n, a, x, y);
    sum = loops_sum_f32(sum, a, size);
  }
  sum = loops_sum_f32(sum, largest, order);
  sum = loops_sum_f32(sum, drift, order);
  sum = loops_sum_f32(sum, x, order);
  loops_report(loops_sum_f32(sum, y, order));
  free(a);
  free(largest);
  free(drift);
  free(x);
  free(y);
  return 0;
}
