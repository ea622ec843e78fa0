// SPDX-License-Identifier: Apache-2.0
// Messages signed by hashes alone, and verified.
// Sizes: 1 2 4

#include "app.h"

#include "api.h"
#include "randombytes.h"

static kernel_rng rng = {103};

// The library's own asks the system.
void randombytes(unsigned char *to, unsigned long long size) {
  app_bytes(to, size, &rng);
}

int main(int argc, char **argv) {
  int count = kernel_size(argc, argv, 1);
  unsigned char seed[CRYPTO_SEEDBYTES], pk[CRYPTO_PUBLICKEYBYTES];
  unsigned char sk[CRYPTO_SECRETKEYBYTES], message[100];
  unsigned char *signature = app_alloc(CRYPTO_BYTES);
  app_bytes(seed, sizeof seed, &rng);
  app_check(crypto_sign_seed_keypair(pk, sk, seed) == 0, "make keys");
  uint64_t sum = kernel_checksum(KERNEL_CHECKSUM_START, pk, sizeof pk);
  for (int i = 0; i < count; i++) {
    size_t length;
    app_bytes(message, sizeof message, &rng);
    app_check(crypto_sign_signature(signature, &length, message, sizeof message,
                                    sk) == 0,
              "sign");
    app_check(
        crypto_sign_verify(signature, length, message, sizeof message, pk) == 0,
        "verify");
    message[7] ^= 1;
    app_check(
        crypto_sign_verify(signature, length, message, sizeof message, pk) != 0,
        "refuse");
    sum = kernel_checksum(sum, signature, length);
  }
  app_finish("sphincs", sum);
  free(signature);
  return 0;
}
