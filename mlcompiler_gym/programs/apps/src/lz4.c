// SPDX-License-Identifier: Apache-2.0
// Text through the fast compressor, the slow one and the frame format, and
// back.
// Sizes: 40 200 800

#include "app.h"

#include "lz4.h"
#include "lz4frame.h"
#include "lz4hc.h"
#include "xxhash.h"

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 40) << 10;
  kernel_rng rng = {4};
  char *text = app_alloc(size), *back = app_alloc(size);
  app_text(text, size, &rng);
  size_t room = LZ4F_compressFrameBound(size, NULL);
  if (room < (size_t)LZ4_compressBound((int)size))
    room = (size_t)LZ4_compressBound((int)size);
  char *packed = app_alloc(room);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int level = 0; level < 3; level++) {
    int length = level == 0
                     ? LZ4_compress_default(text, packed, (int)size, (int)room)
                     : LZ4_compress_HC(text, packed, (int)size, (int)room,
                                       level == 1 ? 4 : 9);
    app_check(length > 0, "compress");
    memset(back, 0, size);
    int got = LZ4_decompress_safe(packed, back, length, (int)size);
    app_check(got == (int)size && !memcmp(text, back, size), "decompress");
    sum = kernel_checksum_u64(sum, XXH64(packed, (size_t)length, 1));
  }
  LZ4F_preferences_t preferences = {0};
  preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  size_t length = LZ4F_compressFrame(packed, room, text, size, &preferences);
  app_check(!LZ4F_isError(length), "compress a frame");
  LZ4F_dctx *context;
  app_check(
      !LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)),
      "context");
  size_t got = size, used = length;
  app_check(LZ4F_decompress(context, back, &got, packed, &used, NULL) == 0 &&
                got == size && !memcmp(text, back, size),
            "decompress a frame");
  LZ4F_freeDecompressionContext(context);
  sum = kernel_checksum(sum, packed, length);
  app_finish("lz4", sum);
  free(text);
  free(back);
  free(packed);
  return 0;
}
