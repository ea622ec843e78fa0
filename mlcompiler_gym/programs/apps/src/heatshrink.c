// SPDX-License-Identifier: Apache-2.0
// Text through a compressor for small memories, piece by piece, and back.
// Sizes: 8 40 160

#include "app.h"

#include "heatshrink_decoder.h"
#include "heatshrink_encoder.h"

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 8) << 10, length = 0, at = 0;
  kernel_rng rng = {71};
  uint8_t *text = app_alloc(size), *packed = app_alloc(2 * size);
  uint8_t *back = app_alloc(size + 1024);
  app_text((char *)text, size, &rng);
  heatshrink_encoder *encoder = heatshrink_encoder_alloc(10, 5);
  for (bool done = false; !done;) {
    size_t count = 0;
    if (at < size) {
      heatshrink_encoder_sink(encoder, text + at, size - at, &count);
      at += count;
    }
    if (at == size)
      done = heatshrink_encoder_finish(encoder) == HSER_FINISH_DONE;
    while (heatshrink_encoder_poll(encoder, packed + length, 64, &count) >= 0 &&
           count)
      length += count;
  }
  heatshrink_encoder_free(encoder);
  heatshrink_decoder *decoder = heatshrink_decoder_alloc(256, 10, 5);
  size_t got = 0;
  at = 0;
  for (bool done = false; !done;) {
    size_t count = 0;
    if (at < length) {
      heatshrink_decoder_sink(decoder, packed + at, length - at, &count);
      at += count;
    }
    if (at == length)
      done = heatshrink_decoder_finish(decoder) == HSDR_FINISH_DONE;
    while (got < size &&
           heatshrink_decoder_poll(decoder, back + got, 64, &count) >= 0 &&
           count)
      got += count;
  }
  heatshrink_decoder_free(decoder);
  app_check(got == size && !memcmp(text, back, size), "decompress");
  app_finish("heatshrink",
             kernel_checksum(KERNEL_CHECKSUM_START, packed, length));
  free(text);
  free(packed);
  free(back);
  return 0;
}
