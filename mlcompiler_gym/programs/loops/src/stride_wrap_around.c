// SPDX-License-Identifier: Apache-2.0
// A ring: the neighbour on the left is kept in a variable that starts at the
// far end and then follows one behind, and a delay line is addressed modulo a
// power of two. Both hide from the compiler how far the accesses lie apart.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, DELAY = 64, REPEATS = 260 };

static double ring[MAX], smooth[MAX], tilt[MAX], delayed[MAX], line[DELAY];

static LOOP void turn(size_t n, size_t start, double share) {
  size_t left = n - 1;
  for (size_t i = 0; i < n; i++) {
    smooth[i] = 0.5 * smooth[i] + share * (ring[i] + ring[left]);
    tilt[i] = ring[i] - ring[left];
    delayed[i] = line[(start + i) % DELAY];
    line[(start + i) % DELAY] = 0.5 * delayed[i] + ring[i];
    left = i;
  }
}

static LOOP void settle(size_t n) {
  size_t left = n - 1;
  for (size_t i = 0; i < n; i++) {
    ring[i] = 0.75 * ring[i] - 0.125 * tilt[i];
    tilt[i] = 0.5 * (smooth[i] + smooth[left]) + delayed[i] * 0.0625;
    left = i;
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  loops_fill_f64(ring, n, 441);
  for (size_t r = 0; r < REPEATS; r++) {
    turn(n, 7 * r, 1.0 / (double)(r + 2));
    settle(n);
  }
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f64(sum, ring, n);
  sum = loops_sum_f64(sum, smooth, n);
  sum = loops_sum_f64(sum, tilt, n);
  sum = loops_sum_f64(sum, delayed, n);
  sum = loops_sum_f64(sum, line, DELAY);
  loops_report(sum);
  return 0;
}
