// SPDX-License-Identifier: Apache-2.0
// Stores that happen only under a guard, each under another one: a vector needs
// masked stores for them. The statements without a guard do not, if split off.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 190 };

static float height[MAX], rain[MAX], water[MAX], flow[MAX], peak[MAX];
static int32_t floods[MAX];

static LOOP void pour(const float *restrict fall, float *restrict stored,
                      float *restrict out, float *restrict top,
                      int32_t *restrict count, const float *restrict ground,
                      size_t n, float share) {
  for (size_t i = 0; i < n; i++) {
    stored[i] = stored[i] * 0.75f + fall[i] * share;
    if (stored[i] > ground[i])
      out[i] = stored[i] - ground[i];
    if (stored[i] > top[i]) {
      top[i] = stored[i];
      count[i]++;
    }
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  loops_fill_f32(height, n, 211);
  loops_fill_f32(rain, n, 212);
  for (int r = 0; r < REPEATS; r++)
    pour(rain, water, flow, peak, floods, height, n, (float)(r % 7) / 8);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f32(sum, water, n);
  sum = loops_sum_f32(sum, flow, n);
  sum = loops_sum_f32(sum, peak, n);
  sum = loops_sum_i32(sum, floods, n);
  loops_report(sum);
  return 0;
}
