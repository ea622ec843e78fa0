// SPDX-License-Identifier: Apache-2.0
// Stencil, two dimensions, nine points, on an image of bytes: three results of
// two widths come from the same window. One wide loop loads each pixel once,
// split loops can each have lanes as wide as their own elements.
// Sizes: 24 72 180

#include "loops.h"

enum { MAX = 180, ROUNDS = 40 };

static uint8_t image[MAX][MAX], blurred[MAX][MAX], edge[MAX][MAX];
static int32_t across[MAX][MAX], down[MAX][MAX];

LOOP static void filter(int n, int threshold) {
  for (int i = 1; i < n - 1; i++) {
    const uint8_t *up = image[i - 1], *row = image[i], *low = image[i + 1];
    for (int j = 1; j < n - 1; j++) {
      int corners = up[j - 1] + up[j + 1] + low[j - 1] + low[j + 1];
      int sides = up[j] + row[j - 1] + row[j + 1] + low[j];
      blurred[i][j] = (uint8_t)((corners + 2 * sides + 4 * row[j]) >> 4);
      across[i][j] = up[j + 1] + 2 * row[j + 1] + low[j + 1] - up[j - 1] -
                     2 * row[j - 1] - low[j - 1];
      down[i][j] = low[j - 1] + 2 * low[j] + low[j + 1] - up[j - 1] -
                   2 * up[j] - up[j + 1];
      edge[i][j] = across[i][j] + down[i][j] > threshold;
    }
  }
}

// Blurs flat places and moves the pixels on edges away from grey.
LOOP static void blend(int n, int round) {
  for (int i = 1; i < n - 1; i++)
    for (int j = 1; j < n - 1; j++) {
      int soft = (3 * image[i][j] + blurred[i][j] + 2) >> 2;
      int hard = (image[i][j] + 7 * round + j) & 255;
      image[i][j] = (uint8_t)(edge[i][j] ? hard : soft);
    }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 72);
  if (n > MAX)
    n = MAX;
  kernel_rng rng = {1};
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++)
      image[i][j] = (uint8_t)(kernel_rng_next(&rng) >> 56);
  for (int round = 0; round < ROUNDS; round++) {
    filter(n, 96 + 8 * (round % 4));
    blend(n, round);
  }
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int i = 0; i < n; i++) {
    sum = kernel_checksum(sum, image[i], (size_t)n);
    sum = kernel_checksum(sum, blurred[i], (size_t)n);
    sum = kernel_checksum(sum, edge[i], (size_t)n);
    sum = loops_sum_i32(sum, across[i], (size_t)n);
    sum = loops_sum_i32(sum, down[i], (size_t)n);
  }
  loops_report(sum);
  return 0;
}
