// SPDX-License-Identifier: Apache-2.0
// Reduction: three sums in floating point, whose order is fixed, in one loop
// with two stores that have no order at all. Split, the stores can be
// vectorised; kept together, the values are computed once.
// Sizes: 200 1500 8000

#include "loops.h"

enum { MAX = 8000, ROUNDS = 400 };

typedef struct {
  double first, second, third;
} moments;

static double value[MAX], centred[MAX], squared[MAX], noise[MAX], source[MAX];

LOOP static moments measure(size_t n, double shift) {
  moments m = {0, 0, 0};
  for (size_t i = 0; i < n; i++) {
    double off = value[i] - shift;
    centred[i] = off;
    squared[i] = off * off;
    m.first += off;
    m.second += off * off;
    m.third += off * off * off;
  }
  return m;
}

LOOP static void drift(size_t n, double pull) {
  for (size_t i = 0; i < n; i++) {
    value[i] = 0.75 * value[i] + 0.25 * noise[i] - pull * centred[i];
    noise[i] = 0.5 * noise[i] - 0.03125 * squared[i] + source[i];
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 1500);
  if (n > MAX)
    n = MAX;
  loops_fill_f64(value, n, 1);
  loops_fill_f64(noise, n, 2);
  loops_fill_f64(source, n, 3);
  double shift = 0;
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int round = 0; round < ROUNDS; round++) {
    moments m = measure(n, shift);
    shift += m.first / (double)n;
    sum = loops_sum_f64(sum, (double[]){m.first, m.second, m.third}, 3);
    drift(n, round % 2 ? 0.0625 : 0.03125);
  }
  sum = loops_sum_f64(sum, value, n);
  sum = loops_sum_f64(sum, noise, n);
  sum = loops_sum_f64(sum, centred, n);
  loops_report(loops_sum_f64(sum, squared, n));
  return 0;
}
