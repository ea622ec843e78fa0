// SPDX-License-Identifier: Apache-2.0
// Keys of all lengths, and blocks chained to each other, there and back.
// Sizes: 100 500 2000

#include "app.h"

#include "twofish.h"

int main(int argc, char **argv) {
  int blocks = kernel_size(argc, argv, 100) * 8;
  kernel_rng rng = {157};
  Twofish_initialise();
  Twofish_key *key = app_alloc(sizeof *key);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int length = 8; length <= 32; length += 8) {
    unsigned char secret[32], block[16] = {0}, made[16], back[16];
    app_bytes(secret, sizeof secret, &rng);
    Twofish_prepare_key(secret, length, key);
    for (int i = 0; i < blocks; i++) {
      block[i % 16] ^= (unsigned char)i;
      Twofish_encrypt(key, block, made);
      Twofish_decrypt(key, made, back);
      app_check(!memcmp(block, back, 16), "decrypt");
      memcpy(block, made, 16);
    }
    sum = kernel_checksum(sum, block, 16);
  }
  free(key);
  app_finish("twofish", sum);
  return 0;
}
