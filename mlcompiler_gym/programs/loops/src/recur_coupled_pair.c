// SPDX-License-Identifier: Apache-2.0
// Recurrence: two arrays that each read the other's cell before form one cycle
// and must stay in one loop. What drives them stands before, what only reads
// them behind, and last come two statements that do not touch them.
// Sizes: 200 1500 8000

#include "loops.h"

enum { MAX = 8000, ROUNDS = 200 };

static double hunters[MAX], prey[MAX], rain[MAX], grass[MAX];
static double share[MAX], crowd[MAX], soil[MAX], rock[MAX], cloud[MAX];

LOOP static void season(size_t n, double wet) {
  for (size_t i = 1; i < n; i++) {
    grass[i] = 0.5 * grass[i] + wet * rain[i];
    prey[i] = 0.75 * prey[i - 1] - 0.125 * hunters[i - 1] + grass[i];
    hunters[i] = 0.625 * hunters[i - 1] + 0.25 * prey[i];
    share[i] = hunters[i] / (1.0 + prey[i] * prey[i]);
    crowd[i] = 0.5 * (crowd[i] + hunters[i] * share[i]);
    soil[i] += wet * (rock[i] - soil[i]);
    rock[i] = 0.9375 * rock[i] + 0.0625 * cloud[i];
  }
}

LOOP static void weather(size_t n) {
  for (size_t i = 1; i < n; i++)
    rain[i] = cloud[i] - 0.5 * rain[i] + 0.0625 * share[i - 1];
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 1500);
  if (n > MAX)
    n = MAX;
  loops_fill_f64(rain, n, 1);
  loops_fill_f64(grass, n, 2);
  loops_fill_f64(rock, n, 3);
  loops_fill_f64(cloud, n, 4);
  hunters[0] = 0.5;
  prey[0] = 1.5;
  for (int round = 0; round < ROUNDS; round++) {
    season(n, round % 4 ? 0.25 : 0.5);
    weather(n);
  }
  uint64_t sum = loops_sum_f64(KERNEL_CHECKSUM_START, hunters, n);
  sum = loops_sum_f64(sum, prey, n);
  sum = loops_sum_f64(sum, rain, n);
  sum = loops_sum_f64(sum, grass, n);
  sum = loops_sum_f64(sum, share, n);
  sum = loops_sum_f64(sum, soil, n);
  loops_report(loops_sum_f64(sum, crowd, n));
  return 0;
}
