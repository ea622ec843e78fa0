// SPDX-License-Identifier: Apache-2.0
// Text at four levels, with a dictionary, and back.
// Sizes: 20 80 300

#include "app.h"

#include "zdict.h"
#include "zstd.h"

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 20) << 10;
  kernel_rng rng = {139};
  char *text = app_alloc(size), *back = app_alloc(size);
  size_t room = ZSTD_compressBound(size);
  char *packed = app_alloc(room);
  app_text(text, size, &rng);
  uint64_t sum = KERNEL_CHECKSUM_START;
  ZSTD_CCtx *compressor = ZSTD_createCCtx();
  ZSTD_DCtx *decompressor = ZSTD_createDCtx();
  static const int levels[] = {-1, 1, 6, 13};
  for (int i = 0; i < 4; i++) {
    size_t length =
        ZSTD_compressCCtx(compressor, packed, room, text, size, levels[i]);
    app_check(!ZSTD_isError(length), ZSTD_getErrorName(length));
    size_t got = ZSTD_decompressDCtx(decompressor, back, size, packed, length);
    app_check(got == size && !memcmp(text, back, size), "decompress");
    sum = kernel_checksum(sum, packed, length);
  }
  for (size_t at = 0; at + 512 <= size; at += 4096) {
    size_t length = ZSTD_compress_usingDict(compressor, packed, room, text + at,
                                            512, text, 4096, 3);
    app_check(!ZSTD_isError(length), ZSTD_getErrorName(length));
    size_t got = ZSTD_decompress_usingDict(decompressor, back, size, packed,
                                           length, text, 4096);
    app_check(got == 512 && !memcmp(text + at, back, 512), "use a dictionary");
    sum = kernel_checksum(sum, packed, length);
  }
  ZSTD_freeCCtx(compressor);
  ZSTD_freeDCtx(decompressor);
  free(text);
  free(back);
  free(packed);
  app_finish("zstd", sum);
  return 0;
}
