// SPDX-License-Identifier: Apache-2.0
// A chain of selects sorts every element into one of five classes; the class
// chooses a weight, and the weight goes into two more arrays. Bytes and
// integers of 32 bits are mixed, nothing is carried.
// Sizes: 300 2000 12000

#include "loops.h"

enum { MAX = 1 << 14, REPEATS = 280 };

static int32_t reading[MAX], weighted[MAX], balance[MAX];
static uint8_t class_of[MAX], changes[MAX];

static LOOP void classify(int n, int32_t step) {
  for (int i = 0; i < n; i++) {
    int32_t value = reading[i] + (balance[i] & 63);
    uint8_t class = value < step       ? 0
                    : value < 2 * step ? 1
                    : value < 4 * step ? 2
                    : value < 8 * step ? 3
                                       : 4;
    changes[i] = (uint8_t)(changes[i] + (class != class_of[i]));
    class_of[i] = class;
    int32_t weight = class == 0 ? 9 : class == 1 ? 5 : class == 4 ? -3 : 1;
    weighted[i] = value * weight;
    balance[i] = (balance[i] + weighted[i]) & 0xffff;
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 2000);
  n = n > MAX ? MAX : n;
  size_t size = (size_t)n;
  loops_fill_i32(reading, size, 221, 1024);
  for (int32_t r = 0; r < REPEATS; r++)
    classify(n, 40 + r % 100);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = kernel_checksum(sum, class_of, size);
  sum = kernel_checksum(sum, changes, size);
  sum = loops_sum_i32(sum, weighted, size);
  sum = loops_sum_i32(sum, balance, size);
  loops_report(sum);
  return 0;
}
