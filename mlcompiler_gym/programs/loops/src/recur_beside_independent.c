// SPDX-License-Identifier: Apache-2.0
// Recurrence: the first of six statements is one, and none of the others reads
// it. It alone keeps the whole loop from being vectorised; in return it hides
// its latency behind them.
// Sizes: 200 1500 8000

#include "loops.h"

enum { MAX = 8000, ROUNDS = 200 };

static double decay[MAX], pulse[MAX], gain[MAX], sum_of[MAX], product[MAX];
static double blend[MAX], larger[MAX], ratio[MAX], noise[MAX];

LOOP static void work(int n, double t) {
  for (int i = 1; i < n; i++) {
    decay[i] = 0.875 * decay[i - 1] + pulse[i];
    sum_of[i] = gain[i] + t * blend[i];
    product[i] = gain[i] * blend[i];
    blend[i] = 0.75 * blend[i] + 0.125 * sum_of[i];
    larger[i] = sum_of[i] > product[i] ? sum_of[i] : product[i];
    ratio[i] = product[i] / (2.0 + larger[i] * larger[i]);
  }
}

LOOP static void renew(int n) {
  for (int i = 0; i < n; i++) {
    pulse[i] = 0.5 * noise[i] - 0.25 * gain[i];
    gain[i] = 0.0625 * decay[i] - 0.5 * gain[i] + ratio[i] + noise[i];
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 1500);
  if (n > MAX)
    n = MAX;
  size_t size = (size_t)n;
  loops_fill_f64(gain, size, 1);
  loops_fill_f64(blend, size, 2);
  loops_fill_f64(pulse, size, 3);
  loops_fill_f64(noise, size, 4);
  for (int round = 0; round < ROUNDS; round++) {
    work(n, round % 2 ? 0.5 : -0.25);
    renew(n);
  }
  uint64_t sum = loops_sum_f64(KERNEL_CHECKSUM_START, decay, size);
  sum = loops_sum_f64(sum, pulse, size);
  sum = loops_sum_f64(sum, gain, size);
  sum = loops_sum_f64(sum, sum_of, size);
  sum = loops_sum_f64(sum, product, size);
  sum = loops_sum_f64(sum, blend, size);
  sum = loops_sum_f64(sum, larger, size);
  loops_report(loops_sum_f64(sum, ratio, size));
  return 0;
}
