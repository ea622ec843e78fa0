// SPDX-License-Identifier: Apache-2.0
// Complex numbers, real and imaginary parts interleaved: every access has
// stride two and comes as a pair. The running product of phases is a recurrence
// across the pair, beside products and magnitudes that are free.
// Sizes: 400 2500 15000

#include "loops.h"

enum { MAX = 1 << 14, REPEATS = 180 };

static double left[2 * MAX], right[2 * MAX], product[2 * MAX];
static double phase[2 * MAX], magnitude[MAX];

static LOOP void multiply(size_t n, double turn) {
  for (size_t i = 1; i < n; i++) {
    double re = left[2 * i], im = left[2 * i + 1];
    product[2 * i] = re * right[2 * i] - im * right[2 * i + 1];
    product[2 * i + 1] = re * right[2 * i + 1] + im * right[2 * i];
    phase[2 * i] = phase[2 * i - 2] * 0.5 - phase[2 * i - 1] * turn + re;
    phase[2 * i + 1] = phase[2 * i - 2] * turn + phase[2 * i - 1] * 0.5 + im;
    magnitude[i] = 0.5 * magnitude[i] + product[2 * i] * product[2 * i] +
                   product[2 * i + 1] * product[2 * i + 1];
    right[2 * i] = 0.5 * right[2 * i] + 0.25 * product[2 * i + 1];
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 2500);
  n = n > MAX ? MAX : n;
  loops_fill_f64(left, 2 * n, 411);
  loops_fill_f64(right, 2 * n, 412);
  for (int r = 0; r < REPEATS; r++)
    multiply(n, 1.0 / (r + 4));
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f64(sum, product, 2 * n);
  sum = loops_sum_f64(sum, phase, 2 * n);
  sum = loops_sum_f64(sum, right, 2 * n);
  sum = loops_sum_f64(sum, magnitude, n);
  loops_report(sum);
  return 0;
}
