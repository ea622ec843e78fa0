// SPDX-License-Identifier: Apache-2.0
// Recurrence: two prefix sums in 64 bits beside the differences of the same
// numbers; the sums over a window read the first of them eight cells back.
// Both prefix sums stay sequential, together or each in a loop of its own.
// Sizes: 200 1500 8000

#include "loops.h"

enum { MAX = 8000, ROUNDS = 600, WINDOW = 8 };

static int32_t value[MAX], rise[MAX];
static int64_t total[MAX], squares[MAX], window[MAX];

LOOP static void accumulate(size_t n) {
  for (size_t i = WINDOW; i < n; i++) {
    rise[i] = value[i] - value[i - 1];
    total[i] = total[i - 1] + value[i];
    squares[i] = squares[i - 1] + (int64_t)value[i] * value[i];
    window[i] = total[i] - total[i - WINDOW];
  }
}

LOOP static void flatten(size_t n, int32_t add) {
  for (size_t i = 0; i < n; i++) {
    int32_t mean = (int32_t)(window[i] / WINDOW);
    value[i] = (value[i] + rise[i] + mean + add) & 0xfff;
  }
}

static uint64_t sum_i64(uint64_t sum, const int64_t *array, size_t n) {
  for (size_t i = 0; i < n; i++)
    sum = kernel_checksum_u64(sum, (uint64_t)array[i]);
  return sum;
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 1500);
  if (n > MAX)
    n = MAX;
  loops_fill_i32(value, n, 1, 0x1000);
  for (int round = 0; round < ROUNDS; round++) {
    accumulate(n);
    flatten(n, 37 * round);
  }
  uint64_t sum = loops_sum_i32(KERNEL_CHECKSUM_START, value, n);
  sum = loops_sum_i32(sum, rise, n);
  sum = sum_i64(sum, total, n);
  sum = sum_i64(sum, squares, n);
  loops_report(sum_i64(sum, window, n));
  return 0;
}
