// SPDX-License-Identifier: Apache-2.0
// Fan-out: one statement makes `wave`, four others read it, two of them an
// element or two behind. All dependences go forward; together they share one
// load of `wave`, apart each consumer is a loop without neighbours.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 360 };

static float left[MAX], right[MAX], wave[MAX];
static float slope[MAX], bend[MAX], power[MAX], held[MAX];

static LOOP void spread(size_t n, float phase) {
  for (size_t i = 2; i < n; i++) {
    wave[i] = left[i] * phase + right[i] * (1.0f - phase);
    slope[i] = wave[i] - wave[i - 1];
    bend[i] = wave[i] - 2.0f * wave[i - 1] + wave[i - 2];
    power[i] = 0.5f * power[i] + wave[i] * wave[i];
    held[i] = 0.75f * held[i] + 0.25f * wave[i];
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  loops_fill_f32(left, n, 51);
  loops_fill_f32(right, n, 52);
  for (int r = 0; r < REPEATS; r++)
    spread(n, (float)(r % 16) / 16);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f32(sum, wave, n);
  sum = loops_sum_f32(sum, slope, n);
  sum = loops_sum_f32(sum, bend, n);
  sum = loops_sum_f32(sum, power, n);
  sum = loops_sum_f32(sum, held, n);
  loops_report(sum);
  return 0;
}
