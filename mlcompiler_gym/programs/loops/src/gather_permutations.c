// SPDX-License-Identifier: Apache-2.0
// Gather and scatter: permutations are composed, inverted and applied in one
// loop. Reads through an index stand beside writes through one, and with plain
// pointers nothing says that they do not meet.
// Sizes: 200 1500 8000

#include "loops.h"

enum { ROUNDS = 400 };

static int32_t *new_array(size_t size) {
  int32_t *array = calloc(size, sizeof *array);
  if (!array)
    abort();
  return array;
}

static void shuffle(int32_t *order, size_t n, uint64_t seed) {
  kernel_rng rng = {seed};
  for (size_t i = 0; i < n; i++)
    order[i] = (int32_t)i;
  for (size_t i = n - 1; i > 0; i--) {
    size_t j = kernel_rng_next(&rng) % (i + 1);
    int32_t last = order[i];
    order[i] = order[j];
    order[j] = last;
  }
}

LOOP static void compose(size_t n, const int32_t *first, const int32_t *second,
                         int32_t *both, int32_t *inverse, int32_t *moved,
                         int32_t *fixed) {
  for (size_t i = 0; i < n; i++) {
    both[i] = second[first[i]];
    inverse[first[i]] = (int32_t)i;
    moved[i] = (both[i] - first[i]) & 0xffff;
    fixed[i] += first[i] == second[i];
  }
}

LOOP static void apply(size_t n, const int32_t *restrict order,
                       const int32_t *restrict from, int32_t *restrict to,
                       int32_t *restrict load) {
  for (size_t i = 0; i < n; i++) {
    to[order[i]] = (3 * from[i] + order[i]) & 0xffff;
    load[i] = (load[i] + from[order[i]]) & 0xffff;
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 1500);
  int32_t *first = new_array(n), *second = new_array(n), *both = new_array(n);
  int32_t *inverse = new_array(n), *moved = new_array(n);
  int32_t *fixed = new_array(n), *payload = new_array(n), *load = new_array(n);
  shuffle(first, n, 1);
  shuffle(second, n, 2);
  for (int round = 0; round < ROUNDS; round++) {
    compose(n, first, second, both, inverse, moved, fixed);
    apply(n, inverse, moved, payload, load);
    int32_t *last = first;
    first = second;
    second = both;
    both = last;
  }
  uint64_t sum = loops_sum_i32(KERNEL_CHECKSUM_START, second, n);
  sum = loops_sum_i32(sum, inverse, n);
  sum = loops_sum_i32(sum, moved, n);
  sum = loops_sum_i32(sum, fixed, n);
  sum = loops_sum_i32(sum, payload, n);
  loops_report(loops_sum_i32(sum, load, n));
  int32_t *all[] = {first, second, both, inverse, moved, fixed, payload, load};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    free(all[i]);
  return 0;
}
