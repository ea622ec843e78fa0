// SPDX-License-Identifier: Apache-2.0
// A chain through arrays of temporaries: each of five statements reads what the
// one before has just stored, and nothing is carried to the next iteration.
// Splitting is always allowed, and costs a pass over memory for each link.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 230 };

typedef struct {
  float source[MAX], centred[MAX], scaled[MAX], curved[MAX], mixed[MAX];
  float level[MAX];
} stages;

static LOOP void run_chain(float *restrict source, float *restrict centred,
                           float *restrict scaled, float *restrict curved,
                           float *restrict mixed, float *restrict level, int n,
                           float gain) {
  for (int i = 1; i < n; i++) {
    centred[i] = source[i] - level[i] * 0.5f;
    scaled[i] = centred[i] * gain + 0.125f;
    curved[i] = scaled[i] * (1.0f - scaled[i] * 0.25f);
    mixed[i] = curved[i] * 0.75f + centred[i] * 0.25f;
    level[i] = 0.5f * mixed[i] + 0.25f * source[i - 1];
  }
}

int main(int argc, char **argv) {
  static stages s;
  int n = kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  size_t size = (size_t)n;
  loops_fill_f32(s.source, size, 11);
  loops_fill_f32(s.level, size, 12);
  for (int r = 0; r < REPEATS; r++)
    run_chain(s.source, s.centred, s.scaled, s.curved, s.mixed, s.level, n,
              0.5f + (float)(r % 64) / 256);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f32(sum, s.centred, size);
  sum = loops_sum_f32(sum, s.scaled, size);
  sum = loops_sum_f32(sum, s.curved, size);
  sum = loops_sum_f32(sum, s.mixed, size);
  sum = loops_sum_f32(sum, s.level, size);
  loops_report(sum);
  return 0;
}
