// SPDX-License-Identifier: Apache-2.0
// Passwords hashed by all three variants, encoded and verified.
// Sizes: 1 4 16

#include "app.h"

#include "argon2.h"

int main(int argc, char **argv) {
  int rounds = kernel_size(argc, argv, 1);
  kernel_rng rng = {61};
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int i = 0; i < rounds; i++) {
    unsigned char salt[16], hash[32];
    char password[24], encoded[160];
    app_bytes(salt, sizeof salt, &rng);
    int length = snprintf(password, sizeof password, "secret %u", i);
    argon2_type type = (argon2_type)(i % 3);
    app_check(argon2_hash(2, 256, 2, password, (size_t)length, salt,
                          sizeof salt, hash, sizeof hash, encoded,
                          sizeof encoded, type,
                          ARGON2_VERSION_NUMBER) == ARGON2_OK,
              "hash");
    app_check(argon2_verify(encoded, password, (size_t)length, type) ==
                  ARGON2_OK,
              "verify");
    sum = kernel_checksum(sum, hash, sizeof hash);
    sum = kernel_checksum(sum, encoded, strlen(encoded));
  }
  app_finish("argon2", sum);
  return 0;
}
