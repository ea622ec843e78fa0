// SPDX-License-Identifier: Apache-2.0
// Reduction: the place of the largest element of each row, with a store of how
// far every element lies below the largest before it. The running maximum has
// to stay with that store; the scaling and the column sums need not.
// Sizes: 16 48 120

#include "loops.h"

enum { ROUNDS = 160 };

static float *new_matrix(size_t size, uint64_t seed) {
  float *matrix = malloc(size * sizeof *matrix);
  if (!matrix)
    abort();
  loops_fill_f32(matrix, size, seed);
  return matrix;
}

LOOP static void rank_rows(size_t n, const float *score, const float *gain,
                           float *scaled, float *behind, float *column,
                           int32_t *winner) {
  for (size_t i = 0; i < n; i++) {
    float best = score[i * n];
    size_t best_at = 0;
    for (size_t j = 0; j < n; j++) {
      float s = score[i * n + j];
      scaled[i * n + j] = gain[j] * s;
      behind[i * n + j] = best - s;
      column[j] = 0.5f * column[j] + s;
      if (s > best) {
        best = s;
        best_at = j;
      }
    }
    winner[i] = (int32_t)best_at;
  }
}

LOOP static void rescore(size_t size, float *score, const float *scaled,
                         const float *behind) {
  for (size_t at = 0; at < size; at++) {
    float next = 1.5f * scaled[at] + 0.125f * behind[at] - 0.25f;
    score[at] = next > 1 ? next - 1.75f : next < -1 ? next + 1.5f : next;
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 48), size = n * n;
  float *score = new_matrix(size, 1), *scaled = new_matrix(size, 2);
  float *behind = new_matrix(size, 3), *column = new_matrix(n, 4);
  float *gain = new_matrix(n, 5);
  int32_t *winner = calloc(n, sizeof *winner);
  if (!winner)
    abort();
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int round = 0; round < ROUNDS; round++) {
    rank_rows(n, score, gain, scaled, behind, column, winner);
    sum = loops_sum_i32(sum, winner, n);
    rescore(size, score, scaled, behind);
  }
  sum = loops_sum_f32(sum, score, size);
  sum = loops_sum_f32(sum, scaled, size);
  sum = loops_sum_f32(sum, behind, size);
  loops_report(loops_sum_f32(sum, column, n));
  free(score);
  free(scaled);
  free(behind);
  free(column);
  free(gain);
  free(winner);
  return 0;
}
