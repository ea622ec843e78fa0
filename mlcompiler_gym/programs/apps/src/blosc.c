// SPDX-License-Identifier: Apache-2.0
// Arrays of numbers through shuffles and three compressors, and back.
// Sizes: 20 100 400

#include "app.h"

#include "blosc.h"

int main(int argc, char **argv) {
  size_t count = (size_t)kernel_size(argc, argv, 20) << 10;
  static const char *const compressors[] = {"blosclz", "lz4", "zlib"};
  kernel_rng rng = {7};
  size_t size = count * sizeof(uint32_t);
  uint32_t *numbers = app_alloc(size), *back = app_alloc(size);
  for (size_t i = 0; i < count; i++)
    numbers[i] = (uint32_t)(i * 17 + (i >> 4) * app_below(&rng, 3));
  size_t room = size + BLOSC_MAX_OVERHEAD;
  char *packed = app_alloc(room);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int which = 0; which < 3; which++)
    for (int shuffle = BLOSC_NOSHUFFLE; shuffle <= BLOSC_BITSHUFFLE;
         shuffle++) {
      int length =
          blosc_compress_ctx(5, shuffle, sizeof(uint32_t), size, numbers,
                             packed, room, compressors[which], 0, 1);
      app_check(length > 0, compressors[which]);
      memset(back, 0, size);
      int got = blosc_decompress_ctx(packed, back, size, 1);
      app_check(got == (int)size && !memcmp(numbers, back, size), "decompress");
      sum = kernel_checksum(sum, packed, (size_t)length);
    }
  app_finish("blosc", sum);
  free(numbers);
  free(back);
  free(packed);
  return 0;
}
