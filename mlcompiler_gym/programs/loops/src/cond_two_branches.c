// SPDX-License-Identifier: Apache-2.0
// Both branches store to the same two arrays, so the body can be if-converted
// into selects; a recurrence hangs on the value that was selected.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 270 };

static double signal[MAX], level[MAX], change[MAX], memory[MAX], spent[MAX];

static LOOP void react(size_t n, double bound) {
  for (size_t i = 1; i < n; i++) {
    if (signal[i] > bound) {
      level[i] = level[i] * 0.5 + signal[i];
      change[i] = signal[i] - bound;
    } else {
      level[i] = level[i] * 0.75 - 0.125;
      change[i] = 0.25 * change[i];
    }
    memory[i] = 0.5 * memory[i - 1] + change[i];
    spent[i] = spent[i] * 0.5 + level[i] * level[i];
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  loops_fill_f64(signal, n, 201);
  loops_fill_f64(level, n, 202);
  for (int r = 0; r < REPEATS; r++)
    react(n, (r % 9 - 4) / 8.0);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f64(sum, level, n);
  sum = loops_sum_f64(sum, change, n);
  sum = loops_sum_f64(sum, memory, n);
  sum = loops_sum_f64(sum, spent, n);
  loops_report(sum);
  return 0;
}
