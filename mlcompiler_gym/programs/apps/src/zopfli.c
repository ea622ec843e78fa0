// SPDX-License-Identifier: Apache-2.0
// Text deflated as small as it gets.
// Sizes: 2 6 20

#include "app.h"

#include "zopfli/zopfli.h"

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 2) << 10;
  kernel_rng rng = {137};
  unsigned char *text = app_alloc(size);
  app_text((char *)text, size, &rng);
  ZopfliOptions options;
  ZopfliInitOptions(&options);
  options.numiterations = 3;
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int format = 0; format < 2; format++) {
    unsigned char *packed = NULL;
    size_t length = 0;
    ZopfliCompress(&options, format ? ZOPFLI_FORMAT_ZLIB : ZOPFLI_FORMAT_GZIP,
                   text, size, &packed, &length);
    app_check(length > 0 && length < size, "compress");
    sum = kernel_checksum(sum, packed, length);
    free(packed);
  }
  free(text);
  app_finish("zopfli", sum);
  return 0;
}
