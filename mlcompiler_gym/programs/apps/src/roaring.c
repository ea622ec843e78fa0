// SPDX-License-Identifier: Apache-2.0
// Sets of integers, dense, sparse and in runs, combined and serialised.
// Sizes: 2 10 40

#include "app.h"

#include "roaring.h"

// The header has it inline. Without this, only roaring.c would emit its code,
// and the linker does not look there for what it takes to be defined here.
extern inline void roaring_bitmap_add_range(roaring_bitmap_t *, uint64_t,
                                            uint64_t);

static roaring_bitmap_t *some(int kind, unsigned count, kernel_rng *rng) {
  roaring_bitmap_t *set = roaring_bitmap_create();
  for (unsigned i = 0; i < count; i++) {
    uint32_t value = (uint32_t)kernel_rng_next(rng);
    if (kind == 0)
      roaring_bitmap_add(set, value % 2000000);
    else if (kind == 1)
      roaring_bitmap_add(set, value % 100000);
    else if (i % 50 == 0)
      roaring_bitmap_add_range(set, value % 1500000, value % 1500000 + 3000);
  }
  roaring_bitmap_run_optimize(set);
  return set;
}

int main(int argc, char **argv) {
  unsigned count = (unsigned)kernel_size(argc, argv, 2) * 1000;
  kernel_rng rng = {101};
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int pair = 0; pair < 9; pair++) {
    roaring_bitmap_t *a = some(pair % 3, count, &rng);
    roaring_bitmap_t *b = some(pair / 3, count, &rng);
    roaring_bitmap_t *made[] = {
        roaring_bitmap_and(a, b), roaring_bitmap_or(a, b),
        roaring_bitmap_xor(a, b), roaring_bitmap_andnot(a, b)};
    for (int i = 0; i < 4; i++) {
      size_t size = roaring_bitmap_portable_size_in_bytes(made[i]);
      char *bytes = app_alloc(size);
      roaring_bitmap_portable_serialize(made[i], bytes);
      roaring_bitmap_t *back = roaring_bitmap_portable_deserialize(bytes);
      app_check(back && roaring_bitmap_equals(made[i], back), "deserialise");
      sum = kernel_checksum(sum, bytes, size);
      uint32_t element = 0;
      roaring_bitmap_select(back, 17, &element);
      sum = kernel_checksum_u64(sum, roaring_bitmap_rank(back, element * 3));
      roaring_bitmap_free(back);
      roaring_bitmap_free(made[i]);
      free(bytes);
    }
    roaring_bitmap_free(a);
    roaring_bitmap_free(b);
  }
  app_finish("roaring", sum);
  return 0;
}
