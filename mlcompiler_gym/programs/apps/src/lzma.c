// SPDX-License-Identifier: Apache-2.0
// Text through the fast and the thorough modes of LZMA, and back.
// Sizes: 10 50 200

#include "app.h"

#include "LzmaLib.h"

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 10) << 10;
  kernel_rng rng = {89};
  unsigned char *text = app_alloc(size), *packed = app_alloc(size + 4096);
  unsigned char *back = app_alloc(size);
  app_text((char *)text, size, &rng);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int level = 1; level <= 5; level += 4) {
    unsigned char properties[LZMA_PROPS_SIZE];
    size_t length = size + 4096, room = sizeof properties;
    app_check(LzmaCompress(packed, &length, text, size, properties, &room,
                           level, 1 << 16, 3, 0, 2, 32, 1) == SZ_OK,
              "compress");
    size_t got = size, used = length;
    app_check(LzmaUncompress(back, &got, packed, &used, properties, room) ==
                      SZ_OK &&
                  got == size && !memcmp(text, back, size),
              "decompress");
    sum = kernel_checksum(sum, packed, length);
  }
  app_finish("lzma", sum);
  free(text);
  free(packed);
  free(back);
  return 0;
}
