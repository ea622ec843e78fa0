// SPDX-License-Identifier: Apache-2.0
// Scatter: indirect writes to places that never repeat, which the compiler
// cannot know: the update in place may be a cycle for it. The direct stores
// beside it are free as soon as they are elsewhere.
// Sizes: 200 1500 8000

#include "loops.h"

enum { MAX = 8000, ROUNDS = 400 };

static float noise[MAX], source[MAX], target[MAX], echo[MAX];
static float depth[MAX], level[MAX], slope[MAX];
static int32_t place[MAX];

LOOP static void deliver(int n, float weight) {
  for (int i = 0; i < n; i++) {
    echo[i] = 0.5f * echo[i] + weight * source[i];
    target[place[i]] = 0.75f * target[place[i]] + echo[i];
    level[i] = 0.25f * (level[i] + depth[i] * depth[i]);
    slope[i] = level[i] - 0.5f * depth[i];
  }
}

// The other way round: the places are read, and the writes are in order.
LOOP static void recycle(int n) {
  for (int i = 0; i < n; i++) {
    source[i] = 0.5f * source[i] - 0.25f * target[place[i]] + noise[i];
    depth[i] = 0.5f * depth[i] + 0.25f * slope[place[i]] - 0.125f * noise[i];
  }
}

static void shuffle(int32_t *order, int n, uint64_t seed) {
  kernel_rng rng = {seed};
  for (int i = 0; i < n; i++)
    order[i] = i;
  for (int i = n - 1; i > 0; i--) {
    int j = (int)(kernel_rng_next(&rng) % (uint64_t)(i + 1));
    int32_t last = order[i];
    order[i] = order[j];
    order[j] = last;
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 1500);
  if (n > MAX)
    n = MAX;
  size_t size = (size_t)n;
  loops_fill_f32(source, size, 1);
  loops_fill_f32(depth, size, 2);
  loops_fill_f32(noise, size, 3);
  shuffle(place, n, 4);
  for (int round = 0; round < ROUNDS; round++) {
    deliver(n, round % 2 ? 0.5f : -0.375f);
    recycle(n);
  }
  uint64_t sum = loops_sum_f32(KERNEL_CHECKSUM_START, source, size);
  sum = loops_sum_f32(sum, target, size);
  sum = loops_sum_f32(sum, echo, size);
  sum = loops_sum_f32(sum, level, size);
  sum = loops_sum_f32(sum, depth, size);
  loops_report(loops_sum_f32(sum, slope, size));
  return 0;
}
