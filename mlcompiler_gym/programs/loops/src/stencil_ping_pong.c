// SPDX-License-Identifier: Apache-2.0
// Stencil, one dimension, Jacobi: two sweeps there and back in one loop, the
// second a cell behind the first. Reading the two cells written just before
// hinders vectorising; pulled apart again, both sweeps are free.
// Sizes: 200 1200 6000

#include "loops.h"

enum { ROUNDS = 700 };

static float *new_line(size_t size, uint64_t seed) {
  float *line = malloc(size * sizeof *line);
  if (!line)
    abort();
  loops_fill_f32(line, size, seed);
  return line;
}

// The middle weight of a cell differs from cell to cell, the ends are fixed.
LOOP static void two_sweeps(int n, float *ping, float *pong, const float *mid,
                            float *gap) {
  for (int i = 2; i < n - 1; i++) {
    pong[i] = mid[i] * ping[i] + 0.25f * (ping[i - 1] + ping[i + 1]);
    gap[i] = pong[i] - ping[i];
    ping[i - 1] =
        mid[i] * pong[i - 1] + 0.25f * (pong[i - 2] + pong[i]) + 0.001f;
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 1200);
  size_t size = (size_t)n;
  float *ping = new_line(size, 1), *pong = new_line(size, 2);
  float *mid = new_line(size, 3), *gap = new_line(size, 4);
  for (size_t i = 0; i < size; i++)
    mid[i] = 0.25f + 0.125f * mid[i];
  for (int round = 0; round < ROUNDS; round++)
    two_sweeps(n, ping, pong, mid, gap);
  uint64_t sum = loops_sum_f32(KERNEL_CHECKSUM_START, ping, size);
  sum = loops_sum_f32(sum, pong, size);
  loops_report(loops_sum_f32(sum, gap, size));
  free(ping);
  free(pong);
  free(mid);
  free(gap);
  return 0;
}
