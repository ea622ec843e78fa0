// SPDX-License-Identifier: Apache-2.0
// No recurrence, though it looks like one: every statement reads what one
// above it wrote one, two or three iterations before. All dependences go
// forward, so that each statement can have a loop of its own, in this order.
// Sizes: 200 1500 8000

#include "loops.h"

enum { ROUNDS = 300 };

static float *new_row(size_t size, uint64_t seed) {
  float *row = malloc(size * sizeof *row);
  if (!row)
    abort();
  loops_fill_f32(row, size, seed);
  return row;
}

LOOP static void pass_on(int n, float *restrict first, float *restrict second,
                         float *restrict third, float *restrict fourth,
                         const float *restrict noise) {
  for (int i = 3; i < n; i++) {
    first[i] = 0.5f * first[i] + noise[i];
    second[i] = first[i - 1] - 0.25f * second[i];
    third[i] = second[i - 2] * noise[i] + 0.5f * first[i];
    fourth[i] = third[i - 3] + third[i] - second[i - 1];
  }
}

LOOP static void stir(int n, float *restrict noise,
                      const float *restrict fourth) {
  for (int i = 0; i < n; i++) {
    float next = 0.875f * noise[i] - 0.125f * fourth[i] + 0.0625f;
    noise[i] = next > 1 ? 1 : next < -1 ? -1 : next;
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 1500);
  size_t size = (size_t)n;
  float *first = new_row(size, 1), *second = new_row(size, 2);
  float *third = new_row(size, 3), *fourth = new_row(size, 4);
  float *noise = new_row(size, 5);
  for (int round = 0; round < ROUNDS; round++) {
    pass_on(n, first, second, third, fourth, noise);
    stir(n, noise, fourth);
  }
  uint64_t sum = loops_sum_f32(KERNEL_CHECKSUM_START, first, size);
  sum = loops_sum_f32(sum, second, size);
  sum = loops_sum_f32(sum, third, size);
  sum = loops_sum_f32(sum, noise, size);
  loops_report(loops_sum_f32(sum, fourth, size));
  free(first);
  free(second);
  free(third);
  free(fourth);
  free(noise);
  return 0;
}
