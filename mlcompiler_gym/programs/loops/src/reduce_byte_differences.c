// SPDX-License-Identifier: Apache-2.0
// Reduction: a sum and a maximum over the distances of bytes, with two stores
// of bytes beside them. The sum is in 32 bits: in one loop it takes four times
// the lanes that the stores need.
// Sizes: 300 2000 10000

#include "loops.h"

enum { ROUNDS = 250 };

typedef struct {
  uint32_t sum;
  uint8_t most;
} distance;

LOOP static distance compare(uint32_t n, const uint8_t *restrict left,
                             const uint8_t *restrict right,
                             uint8_t *restrict apart,
                             uint8_t *restrict middle) {
  distance d = {0, 0};
  for (uint32_t i = 0; i < n; i++) {
    uint8_t gap =
        (uint8_t)(left[i] > right[i] ? left[i] - right[i] : right[i] - left[i]);
    apart[i] = gap;
    middle[i] = (uint8_t)((left[i] + right[i] + 1) / 2);
    d.sum += gap;
    d.most = gap > d.most ? gap : d.most;
  }
  return d;
}

LOOP static void mix(uint32_t n, uint8_t *left, uint8_t *right,
                     const uint8_t *apart, uint8_t key) {
  for (uint32_t i = 0; i < n; i++) {
    left[i] = (uint8_t)(left[i] * 5 + key);
    right[i] = right[i] ^ apart[i] ^ (uint8_t)(key << 1);
  }
}

static uint8_t *new_bytes(uint32_t n, uint64_t seed) {
  uint8_t *bytes = malloc(n);
  if (!bytes)
    abort();
  kernel_rng rng = {seed};
  for (uint32_t i = 0; i < n; i++)
    bytes[i] = (uint8_t)(kernel_rng_next(&rng) >> 56);
  return bytes;
}

int main(int argc, char **argv) {
  uint32_t n = (uint32_t)kernel_size(argc, argv, 2000);
  uint8_t *left = new_bytes(n, 1), *right = new_bytes(n, 2);
  uint8_t *apart = new_bytes(n, 3), *middle = new_bytes(n, 4);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int round = 0; round < ROUNDS; round++) {
    distance d = compare(n, left, right, apart, middle);
    sum = kernel_checksum_u64(sum, d.sum);
    sum = kernel_checksum_u64(sum, d.most);
    mix(n, left, right, apart, (uint8_t)(round * 3 + 1));
  }
  sum = kernel_checksum(sum, left, n);
  sum = kernel_checksum(sum, right, n);
  sum = kernel_checksum(sum, apart, n);
  loops_report(kernel_checksum(sum, middle, n));
  free(left);
  free(right);
  free(apart);
  free(middle);
  return 0;
}
