// SPDX-License-Identifier: Apache-2.0
// Stencil, three dimensions, seven points, in float with restrict: everything
// may be vectorised. The damped trace needs only its own cell and could leave,
// at the price of reading the new values a second time.
// Sizes: 8 16 30

#include "loops.h"

enum { STEPS = 90 };

static float *new_block(size_t size, uint64_t seed) {
  float *block = malloc(size * sizeof *block);
  if (!block)
    abort();
  loops_fill_f32(block, size, seed);
  return block;
}

LOOP static void step(size_t n, const float *restrict from, float *restrict to,
                      float *restrict rate, float *restrict trace) {
  size_t plane = n * n;
  for (size_t i = 1; i + 1 < n; i++)
    for (size_t j = 1; j + 1 < n; j++)
      for (size_t k = 1; k + 1 < n; k++) {
        size_t at = i * plane + j * n + k;
        float sum = from[at - 1] + from[at + 1] + from[at - n] + from[at + n] +
                    from[at - plane] + from[at + plane];
        rate[at] = 0.125f * (sum - 6.0f * from[at]);
        to[at] = from[at] + rate[at];
        trace[at] = 0.5f * trace[at] + to[at];
      }
}

// The faces at either end of the last index are drawn towards the middle.
LOOP static void draw_ends(size_t n, float *block) {
  for (size_t row = 0; row < n * n; row++) {
    float *line = block + row * n;
    line[0] = 0.5f * (line[0] + line[n / 2]);
    line[n - 1] = 0.5f * (line[n - 1] + line[n / 2]);
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 16);
  size_t size = n * n * n;
  float *from = new_block(size, 1), *to = new_block(size, 2);
  float *rate = new_block(size, 3), *trace = new_block(size, 4);
  for (int count = 0; count < STEPS; count++) {
    step(n, from, to, rate, trace);
    draw_ends(n, to);
    float *last = from;
    from = to;
    to = last;
  }
  uint64_t sum = loops_sum_f32(KERNEL_CHECKSUM_START, from, size);
  sum = loops_sum_f32(sum, to, size);
  sum = loops_sum_f32(sum, rate, size);
  loops_report(loops_sum_f32(sum, trace, size));
  free(from);
  free(to);
  free(rate);
  free(trace);
  return 0;
}
