// SPDX-License-Identifier: Apache-2.0
// Text hashed by seven functions.
// Sizes: 4 20 100

#include "app.h"

// The library has no header for them: Python calls them by name.
#define HASH(name, ...)                                                        \
  int name##_init(void **state);                                               \
  int name##_update(void *state, const uint8_t *bytes, size_t size);           \
  int name##_digest(const void *state, uint8_t *digest __VA_ARGS__);           \
  int name##_destroy(void *state);
HASH(md4)
HASH(MD5)
HASH(SHA1)
HASH(ripemd160)
HASH(SHA224, , size_t size)
HASH(SHA256, , size_t size)
HASH(SHA384, , size_t size)

#define RUN(name, size, ...)                                                   \
  do {                                                                         \
    void *state;                                                               \
    app_check(name##_init(&state) == 0, #name);                                \
    for (size_t at = 0; at < length; at += 1000)                               \
      name##_update(state, text + at,                                          \
                    length - at < 1000 ? length - at : 1000);                  \
    app_check(name##_digest(state, digest __VA_ARGS__) == 0, #name);           \
    sum = kernel_checksum(sum, digest, size);                                  \
    name##_destroy(state);                                                     \
  } while (0)

int main(int argc, char **argv) {
  size_t length = (size_t)kernel_size(argc, argv, 4) << 10;
  kernel_rng rng = {173};
  uint8_t *text = app_alloc(length), digest[64];
  app_text((char *)text, length, &rng);
  uint64_t sum = KERNEL_CHECKSUM_START;
  RUN(md4, 16);
  RUN(MD5, 16);
  RUN(SHA1, 20);
  RUN(ripemd160, 20);
  RUN(SHA224, 28, , 28);
  RUN(SHA256, 32, , 32);
  RUN(SHA384, 48, , 48);
  free(text);
  app_finish("hashes", sum);
  return 0;
}
