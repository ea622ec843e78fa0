// SPDX-License-Identifier: Apache-2.0
// Pointers that are moved on instead of indices, and an end that is a pointer
// too: the bounds of what each touches have to be worked out before they can be
// checked for overlap. The last statement hands a value to the next round.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 360 };

static LOOP void stream(const uint8_t *in, const uint8_t *end, uint8_t *key,
                        int32_t *wide, int32_t *out, int32_t *state) {
  while (in < end) {
    *wide = *in * 257 + (*wide & 0xff);
    *key = (uint8_t)(*key * 5 + *in + 1);
    *out = (*out ^ *wide) + *key;
    state[1] = (state[0] * 3 + *wide) & 0xfffff;
    in++, key++, wide++, out++, state++;
  }
}

int main(int argc, char **argv) {
  static uint8_t bytes[2 * MAX];
  static int32_t words[3 * MAX + 1];
  int n = kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  size_t size = (size_t)n;
  kernel_rng rng = {481};
  for (size_t i = 0; i < 2 * size; i++)
    bytes[i] = (uint8_t)(kernel_rng_next(&rng) >> 56);
  for (int r = 0; r < REPEATS; r++)
    stream(bytes, bytes + n, bytes + n, words, words + n, words + 2 * n);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = kernel_checksum(sum, bytes, 2 * size);
  sum = loops_sum_i32(sum, words, 3 * size + 1);
  loops_report(sum);
  return 0;
}
