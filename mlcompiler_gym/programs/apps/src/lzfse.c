// SPDX-License-Identifier: Apache-2.0
// Text and noise through an entropy coder of finite states, and back.
// Sizes: 10 60 300

#include "app.h"

#include "lzfse.h"

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 10) << 10;
  kernel_rng rng = {83};
  uint8_t *text = app_alloc(size), *packed = app_alloc(size + 4096);
  uint8_t *back = app_alloc(size + 1);
  void *scratch =
      app_alloc(lzfse_encode_scratch_size() + lzfse_decode_scratch_size());
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int round = 0; round < 3; round++) {
    // The last input is so short that another format takes over.
    size_t part = round == 2 ? 2048 : size;
    app_text((char *)text, part, &rng);
    if (round == 1)
      app_bytes(text, part / 3, &rng);
    size_t length =
        lzfse_encode_buffer(packed, size + 4096, text, part, scratch);
    app_check(length > 0, "encode");
    size_t got = lzfse_decode_buffer(back, size + 1, packed, length, scratch);
    app_check(got == part && !memcmp(text, back, part), "decode");
    sum = kernel_checksum(sum, packed, length);
  }
  app_finish("lzfse", sum);
  free(text);
  free(packed);
  free(back);
  free(scratch);
  return 0;
}
