// SPDX-License-Identifier: Apache-2.0
// What every loop nest shares beside kernel.h: how arrays are filled, and how
// all that was computed is summed up.

#ifndef MLCOMPILER_GYM_LOOPS_H
#define MLCOMPILER_GYM_LOOPS_H

#include "kernel.h"

// A nest is compiled as written, in a function of its own: with its bounds and
// pointers known, half of what there is to decide would be gone.
#define LOOP __attribute__((noinline))

// Values between -1 and 1, multiples of 2^-20, so that they are exact in float.
static inline double loops_value(kernel_rng *rng) {
  int64_t steps = (int64_t)(kernel_rng_next(rng) >> 43) - (1 << 20);
  return (double)steps / (1 << 20);
}

static inline void loops_fill_f64(double *array, size_t size, uint64_t seed) {
  kernel_rng rng = {seed};
  for (size_t i = 0; i < size; i++)
    array[i] = loops_value(&rng);
}

static inline void loops_fill_f32(float *array, size_t size, uint64_t seed) {
  kernel_rng rng = {seed};
  for (size_t i = 0; i < size; i++)
    array[i] = (float)loops_value(&rng);
}

// Values in 0..limit - 1.
static inline void loops_fill_i32(int32_t *array, size_t size, uint64_t seed,
                                  uint32_t limit) {
  kernel_rng rng = {seed};
  for (size_t i = 0; i < size; i++)
    array[i] = (int32_t)(kernel_rng_next(&rng) % limit);
}

static inline uint64_t loops_sum_f64(uint64_t sum, const double *array,
                                     size_t size) {
  for (size_t i = 0; i < size; i++) {
    uint64_t bits;
    memcpy(&bits, &array[i], sizeof(bits));
    sum = kernel_checksum_u64(sum, bits);
  }
  return sum;
}

static inline uint64_t loops_sum_f32(uint64_t sum, const float *array,
                                     size_t size) {
  for (size_t i = 0; i < size; i++) {
    uint32_t bits;
    memcpy(&bits, &array[i], sizeof(bits));
    sum = kernel_checksum_u64(sum, bits);
  }
  return sum;
}

static inline uint64_t loops_sum_i32(uint64_t sum, const int32_t *array,
                                     size_t size) {
  for (size_t i = 0; i < size; i++)
    sum = kernel_checksum_u64(sum, (uint32_t)array[i]);
  return sum;
}

static inline void loops_report(uint64_t sum) {
  printf("checksum %016llx\n", (unsigned long long)sum);
}

#endif // MLCOMPILER_GYM_LOOPS_H
