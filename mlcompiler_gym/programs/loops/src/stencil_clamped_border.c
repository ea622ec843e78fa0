// SPDX-License-Identifier: Apache-2.0
// Stencil, one dimension, five points, with the index held inside the array by
// comparisons in the loop: the reads near a border are no longer a plain
// stride. The statements that need no neighbour could do without that.
// Sizes: 200 1000 5000

#include "loops.h"

enum { MAX = 5000, ROUNDS = 400 };

static int32_t signal[MAX], smooth[MAX], detail[MAX], envelope[MAX];
static uint8_t loud[MAX];

LOOP static void split_bands(int n, int32_t limit) {
  for (int i = 0; i < n; i++) {
    int left = i < 1 ? 0 : i - 1, far_left = i < 2 ? 0 : i - 2;
    int right = i > n - 2 ? n - 1 : i + 1;
    int far_right = i > n - 3 ? n - 1 : i + 2;
    smooth[i] = (signal[far_left] + signal[far_right] + 6 * signal[i] +
                 4 * (signal[left] + signal[right])) /
                16;
    detail[i] = signal[i] - smooth[i];
    envelope[i] = (7 * envelope[i] + detail[i] * detail[i]) / 8;
    loud[i] = envelope[i] > limit;
  }
}

LOOP static void recombine(int n, int32_t boost) {
  for (int i = 0; i < n; i++) {
    int32_t raised = smooth[i] + detail[i] / 2 + (loud[i] ? -boost : boost);
    signal[i] = raised & 1023;
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 1000);
  if (n > MAX)
    n = MAX;
  size_t size = (size_t)n;
  loops_fill_i32(signal, size, 1, 1024);
  for (int round = 0; round < ROUNDS; round++) {
    split_bands(n, 4000 + 100 * (round % 5));
    recombine(n, round % 32);
  }
  uint64_t sum = loops_sum_i32(KERNEL_CHECKSUM_START, signal, size);
  sum = loops_sum_i32(sum, smooth, size);
  sum = loops_sum_i32(sum, detail, size);
  sum = loops_sum_i32(sum, envelope, size);
  loops_report(kernel_checksum(sum, loud, size));
  return 0;
}
