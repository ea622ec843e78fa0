// SPDX-License-Identifier: Apache-2.0
// Histogram: counts and weights at places that do repeat, so that those two
// statements stay sequential. What stands beside the counts shares nothing with
// them; what stands beside the weights shares the bytes it reads.
// Sizes: 300 2000 10000

#include "loops.h"

enum { MAX = 10000, BINS = 256, ROUNDS = 300 };

static uint8_t sample[MAX], halved[MAX];
static uint32_t count[BINS];
static double weight[BINS], signal[MAX], smooth[MAX], peak[MAX];

LOOP static void tally(int n, double gain) {
  for (int i = 0; i < n; i++) {
    count[sample[i]]++;
    smooth[i] = 0.5 * smooth[i] + gain * signal[i];
    peak[i] = signal[i] > peak[i] ? signal[i] : 0.875 * peak[i];
    signal[i] = 0.75 * signal[i] - 0.25 * peak[i];
  }
}

LOOP static void weigh(int n) {
  for (int i = 0; i < n; i++) {
    halved[i] = (uint8_t)(halved[i] / 2 + sample[i] / 2);
    weight[sample[i]] += smooth[i];
  }
}

LOOP static void resample(int n, uint8_t key) {
  for (int i = 0; i < n; i++) {
    sample[i] = (uint8_t)(5 * sample[i] + (halved[i] ^ key));
    signal[i] += 0.0078125 * sample[i] - 0.5;
  }
}

LOOP static void cool(double *weights, const uint32_t *counts, double rate) {
  for (int b = 0; b < BINS; b++)
    weights[b] = rate * weights[b] + (counts[b] & 3);
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 2000);
  if (n > MAX)
    n = MAX;
  kernel_rng rng = {1};
  for (int i = 0; i < n; i++)
    sample[i] = (uint8_t)(kernel_rng_next(&rng) >> 56);
  loops_fill_f64(signal, (size_t)n, 2);
  for (int round = 0; round < ROUNDS; round++) {
    tally(n, round % 2 ? 0.25 : 0.5);
    weigh(n);
    cool(weight, count, 0.5);
    resample(n, (uint8_t)round);
  }
  uint64_t sum = loops_sum_f64(KERNEL_CHECKSUM_START, weight, BINS);
  for (int b = 0; b < BINS; b++)
    sum = kernel_checksum_u64(sum, count[b]);
  sum = kernel_checksum(sum, sample, (size_t)n);
  sum = kernel_checksum(sum, halved, (size_t)n);
  sum = loops_sum_f64(sum, smooth, (size_t)n);
  sum = loops_sum_f64(sum, peak, (size_t)n);
  loops_report(loops_sum_f64(sum, signal, (size_t)n));
  return 0;
}
