// SPDX-License-Identifier: Apache-2.0
// Partially cyclic: `prey` and `hunter` need each other across iterations and
// must stay together; the three statements around them can leave the cycle.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 210 };

static double food[MAX], season[MAX], prey[MAX], hunter[MAX];
static double total[MAX], lead[MAX];

static LOOP void populate(size_t n, double rate) {
  for (size_t i = 1; i < n; i++) {
    season[i] = 0.5 * season[i] + 0.25 * food[i];
    prey[i] = 0.5 * prey[i - 1] - 0.25 * hunter[i - 1] + season[i];
    hunter[i] = 0.5 * hunter[i - 1] + rate * prey[i];
    total[i] = prey[i] + hunter[i];
    lead[i] = 0.75 * lead[i] + (prey[i] - hunter[i]) * 0.125;
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  loops_fill_f64(food, n, 81);
  loops_fill_f64(season, n, 82);
  prey[0] = 0.5;
  hunter[0] = 0.25;
  for (int r = 0; r < REPEATS; r++)
    populate(n, 0.25 - r % 128 / 1024.0);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f64(sum, season, n);
  sum = loops_sum_f64(sum, prey, n);
  sum = loops_sum_f64(sum, hunter, n);
  sum = loops_sum_f64(sum, total, n);
  sum = loops_sum_f64(sum, lead, n);
  loops_report(sum);
  return 0;
}
