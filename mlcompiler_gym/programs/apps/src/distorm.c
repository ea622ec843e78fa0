// SPDX-License-Identifier: Apache-2.0
// Noise disassembled as x86 code of 16, 32 and 64 bits; offsets are of 16 bits.
// Sizes: 4 16 60

#include "app.h"

#include "distorm.h"

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 4) << 10;
  kernel_rng rng = {149};
  unsigned char *code = app_alloc(size);
  app_bytes(code, size, &rng);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int type = Decode16Bits; type <= Decode64Bits; type++) {
    for (size_t at = 0; at < size;) {
      _DecodedInst found[64];
      unsigned count = 0;
      distorm_decode64(at, code + at, (int)(size - at), (_DecodeType)type,
                       found, 64, &count);
      if (count == 0)
        break;
      for (unsigned i = 0; i < count; i++) {
        sum =
            kernel_checksum(sum, found[i].mnemonic.p, found[i].mnemonic.length);
        sum =
            kernel_checksum(sum, found[i].operands.p, found[i].operands.length);
      }
      at = found[count - 1].offset + found[count - 1].size;
    }
  }
  free(code);
  app_finish("distorm", sum);
  return 0;
}
