// SPDX-License-Identifier: Apache-2.0
// Elements of one, four and eight bytes in one body: the widest decides how
// many go into a vector, unless the statements on bytes are split off. Only
// `level` is handed from one type to the other.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 340 };

static uint8_t image[MAX], mask[MAX], shade[MAX];
static int32_t level[MAX], hits[MAX];
static double light[MAX], glow[MAX];
static float dim[MAX];

static LOOP void expose(int n, int32_t bias) {
  for (int i = 0; i < n; i++) {
    shade[i] = (uint8_t)((image[i] + shade[i] + 1) >> 1);
    image[i] = (uint8_t)((image[i] ^ mask[i]) + 13);
    level[i] = (shade[i] * 4 + level[i] + bias) & 0xffff;
    hits[i] += shade[i] & 1;
    glow[i] = 0.5 * glow[i] + light[i] * level[i];
    light[i] = 0.75 * light[i] + 0.0625;
    dim[i] = 0.5f * dim[i] + (float)level[i];
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  size_t size = (size_t)n;
  kernel_rng rng = {91};
  for (int i = 0; i < n; i++) {
    image[i] = (uint8_t)(kernel_rng_next(&rng) >> 56);
    mask[i] = (uint8_t)(kernel_rng_next(&rng) >> 56);
  }
  loops_fill_f64(light, size, 92);
  for (int32_t r = 0; r < REPEATS; r++)
    expose(n, r);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = kernel_checksum(sum, image, size);
  sum = kernel_checksum(sum, shade, size);
  sum = loops_sum_i32(sum, level, size);
  sum = loops_sum_i32(sum, hits, size);
  sum = loops_sum_f64(sum, light, size);
  sum = loops_sum_f64(sum, glow, size);
  sum = loops_sum_f32(sum, dim, size);
  loops_report(sum);
  return 0;
}
