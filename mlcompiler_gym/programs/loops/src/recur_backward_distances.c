// SPDX-License-Identifier: Apache-2.0
// Recurrence at several distances: one ahead (only read before it is written),
// `lag` behind with a lag known at run time, half the array apart, and across
// its middle. How many lanes are safe differs from statement to statement.
// Sizes: 200 1500 8000

#include "loops.h"

enum { MAX = 8000, ROUNDS = 400 };

static double ahead[MAX], behind[MAX], halves[MAX], weight[MAX];
static double fold[MAX], spread[MAX], noise[MAX];

LOOP static void shift(int n, int lag) {
  for (int i = lag; i < n - 1; i++) {
    ahead[i] = 0.5 * (ahead[i + 1] + weight[i]);
    behind[i] = 0.5 * behind[i - lag] + 0.25 * ahead[i];
    spread[i] = behind[i] - ahead[i];
  }
}

LOOP static void copy_half(int n) {
  int half = n / 2;
  for (int i = 0; i < half; i++) {
    halves[i + half] = 0.75 * halves[i] - 0.25 * spread[i];
    halves[i] = weight[i] + 0.125 * spread[i + half];
  }
}

// Past the middle it reads what the first half of the loop has written.
LOOP static void cross(int n) {
  for (int i = 0; i < n; i++) {
    fold[i] = 0.625 * fold[n - 1 - i] + halves[i];
    weight[i] = 0.5 * weight[i] + 0.25 * spread[i] + noise[i];
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 1500);
  if (n > MAX)
    n = MAX;
  size_t size = (size_t)n;
  loops_fill_f64(ahead, size, 1);
  loops_fill_f64(behind, size, 2);
  loops_fill_f64(halves, size, 3);
  loops_fill_f64(weight, size, 4);
  loops_fill_f64(noise, size, 5);
  for (int round = 0; round < ROUNDS; round++) {
    shift(n, round % 8 + 1);
    copy_half(n);
    cross(n);
  }
  uint64_t sum = loops_sum_f64(KERNEL_CHECKSUM_START, ahead, size);
  sum = loops_sum_f64(sum, behind, size);
  sum = loops_sum_f64(sum, halves, size);
  sum = loops_sum_f64(sum, fold, size);
  sum = loops_sum_f64(sum, spread, size);
  loops_report(loops_sum_f64(sum, weight, size));
  return 0;
}
