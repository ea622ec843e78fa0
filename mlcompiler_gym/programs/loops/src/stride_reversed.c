// SPDX-License-Identifier: Apache-2.0
// Forwards and backwards in one body: arrays are read and stored from their
// ends, one at every second element. `echo` is a recurrence from its end to its
// start and reads `mirror`; the other three statements are free of it.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 470 };

static float tape[MAX], pairs[2 * MAX], mirror[MAX], echo[MAX], blend[MAX];

static LOOP void rewind_tape(int n, float keep) {
  for (int i = 1; i < n; i++) {
    blend[i] = blend[i] * 0.5f + tape[n - 1 - i];
    mirror[n - 1 - i] = tape[i] * keep + pairs[2 * i];
    echo[n - 1 - i] = echo[n - i] * 0.5f + mirror[n - 1 - i];
    pairs[2 * i + 1] = pairs[2 * i + 1] * 0.25f - pairs[2 * (n - 1 - i)];
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  size_t size = (size_t)n;
  loops_fill_f32(tape, size, 401);
  loops_fill_f32(pairs, 2 * size, 402);
  for (int r = 0; r < REPEATS; r++)
    rewind_tape(n, (float)(r % 128) / 128);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f32(sum, blend, size);
  sum = loops_sum_f32(sum, mirror, size);
  sum = loops_sum_f32(sum, echo, size);
  sum = loops_sum_f32(sum, pairs, 2 * size);
  loops_report(sum);
  return 0;
}
