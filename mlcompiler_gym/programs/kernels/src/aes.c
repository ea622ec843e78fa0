// SPDX-License-Identifier: Apache-2.0
// AES-128 and AES-256 without tables, whose S-box is worked out in the field,
// in CBC with padding and in CTR, against published test vectors.
// Sizes: 100 600 3000

#include "kernel.h"

enum { BLOCK = 16, MAX_ROUNDS = 14, MESSAGE = 45, KNOWN = 32 };

typedef struct {
  int rounds;
  uint8_t round_keys[MAX_ROUNDS + 1][BLOCK];
} aes_key;

// A message under way. In CBC `block` is the one before, in CTR the counter,
// and `left` bytes of the stream made last are not used yet.
typedef struct {
  const aes_key *key;
  uint8_t block[BLOCK], stream[BLOCK];
  size_t left;
} message;

typedef uint8_t byte_fn(uint8_t byte);

static void check(bool ok, const char *what) {
  if (!ok) {
    printf("aes: failed: %s\n", what);
    exit(1);
  }
}

// Doubles in the field of 256 elements; no branch depends on the data.
static uint8_t twice(uint8_t x) {
  return (uint8_t)(x << 1 ^ (0x1b & -(x >> 7)));
}

static uint8_t multiply(uint8_t x, uint8_t y) {
  uint8_t product = 0;
  for (; y; y >>= 1) {
    product ^= (uint8_t)(x & -(y & 1));
    x = twice(x);
  }
  return product;
}

static uint8_t square(uint8_t x) { return multiply(x, x); }

// The power of 254, which is the inverse, and zero for zero.
static uint8_t invert(uint8_t x) {
  uint8_t x2 = square(x), x3 = multiply(x2, x), x12 = square(square(x3));
  uint8_t x15 = multiply(x12, x3);
  uint8_t x240 = square(square(square(square(x15))));
  return multiply(multiply(x240, x12), x2);
}

static uint8_t rotate(uint8_t x, int by) {
  return (uint8_t)(x << by | x >> (8 - by));
}

static uint8_t substitute(uint8_t x) {
  x = invert(x);
  return x ^ rotate(x, 1) ^ rotate(x, 2) ^ rotate(x, 3) ^ rotate(x, 4) ^ 0x63;
}

static uint8_t substitute_back(uint8_t x) {
  x ^= 0x63;
  return invert(rotate(x, 1) ^ rotate(x, 3) ^ rotate(x, 6));
}

static void map_bytes(uint8_t *block, size_t size, byte_fn *map) {
  for (size_t i = 0; i < size; i++)
    block[i] = map(block[i]);
}

static void xor_into(uint8_t *block, const uint8_t *with, size_t size) {
  for (size_t i = 0; i < size; i++)
    block[i] ^= with[i];
}

// Row r is the bytes r, r + 4, r + 8 and r + 12; it goes left by r columns, or
// by `step` times that to go back.
static void shift_rows(uint8_t *block, int step) {
  uint8_t old[BLOCK];
  memcpy(old, block, BLOCK);
  for (int i = 0; i < BLOCK; i++)
    block[i] = old[(i + 4 * step * (i % 4)) % BLOCK];
}

static void mix_column(uint8_t *column) {
  uint8_t all = column[0] ^ column[1] ^ column[2] ^ column[3];
  uint8_t first = column[0];
  for (int i = 0; i < 4; i++) {
    uint8_t next = i < 3 ? column[i + 1] : first;
    column[i] ^= all ^ twice(column[i] ^ next);
  }
}

// The inverse is to add 4 * (the two alike rows) first and then to mix again.
static void mix_column_back(uint8_t *column) {
  uint8_t even = twice(twice(column[0] ^ column[2]));
  uint8_t odd = twice(twice(column[1] ^ column[3]));
  for (int i = 0; i < 4; i++)
    column[i] ^= i % 2 ? odd : even;
  mix_column(column);
}

static void mix_columns(uint8_t *block, void mix(uint8_t *column)) {
  for (int i = 0; i < BLOCK; i += 4)
    mix(block + i);
}

static void next_word(uint8_t *word, const uint8_t *before, size_t index,
                      size_t key_words, uint8_t *round) {
  bool first = index % key_words == 0;
  uint8_t mixed[4];
  for (size_t i = 0; i < 4; i++)
    mixed[i] = before[4 * (key_words - 1) + (i + first) % 4];
  if (first || (key_words > 6 && index % key_words == 4))
    map_bytes(mixed, 4, substitute);
  if (first) {
    mixed[0] ^= *round;
    *round = twice(*round);
  }
  memcpy(word, before, 4);
  xor_into(word, mixed, 4);
}

static void expand_key(aes_key *key, const uint8_t *bytes, size_t size) {
  uint8_t words[4 * 4 * (MAX_ROUNDS + 1)], round = 1;
  size_t key_words = size / 4, count;
  key->rounds = (int)key_words + 6;
  count = 4 * ((size_t)key->rounds + 1);
  memcpy(words, bytes, size);
  for (size_t i = key_words; i < count; i++)
    next_word(words + 4 * i, words + 4 * (i - key_words), i, key_words, &round);
  memcpy(key->round_keys, words, 4 * count);
}

static void encrypt(const aes_key *key, uint8_t *block) {
  xor_into(block, key->round_keys[0], BLOCK);
  for (int round = 1; round <= key->rounds; round++) {
    map_bytes(block, BLOCK, substitute);
    shift_rows(block, 1);
    if (round < key->rounds)
      mix_columns(block, mix_column);
    xor_into(block, key->round_keys[round], BLOCK);
  }
}

static void decrypt(const aes_key *key, uint8_t *block) {
  for (int round = key->rounds; round > 0; round--) {
    xor_into(block, key->round_keys[round], BLOCK);
    if (round < key->rounds)
      mix_columns(block, mix_column_back);
    shift_rows(block, 3);
    map_bytes(block, BLOCK, substitute_back);
  }
  xor_into(block, key->round_keys[0], BLOCK);
}

static size_t cbc_encrypt(message *m, uint8_t *out, const uint8_t *in,
                          size_t size) {
  size_t padding = BLOCK - size % BLOCK, total = size + padding;
  memcpy(out, in, size);
  memset(out + size, (int)padding, padding);
  for (size_t at = 0; at < total; at += BLOCK) {
    xor_into(out + at, m->block, BLOCK);
    encrypt(m->key, out + at);
    memcpy(m->block, out + at, BLOCK);
  }
  return total;
}

// Looks at all of the last block, whatever is wrong with the padding.
static bool remove_padding(const uint8_t *data, size_t *size) {
  const uint8_t *end = data + *size;
  unsigned wrong = 0, padding = end[-1];
  for (int i = 1; i <= BLOCK; i++)
    wrong |= i <= (int)padding ? end[-i] ^ padding : 0;
  *size -= padding;
  return wrong == 0 && padding > 0 && padding <= BLOCK;
}

static bool cbc_decrypt(message *m, uint8_t *data, size_t *size) {
  for (size_t at = 0; at < *size; at += BLOCK) {
    uint8_t next[BLOCK];
    memcpy(next, data + at, BLOCK);
    decrypt(m->key, data + at);
    xor_into(data + at, m->block, BLOCK);
    memcpy(m->block, next, BLOCK);
  }
  return remove_padding(data, size);
}

static void count_up(uint8_t *counter) {
  for (int i = BLOCK; i-- > 0 && ++counter[i] == 0;)
    ;
}

// The same to encrypt and to decrypt, in pieces of any size.
static void ctr_apply(message *m, uint8_t *data, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (m->left == 0) {
      memcpy(m->stream, m->block, BLOCK);
      encrypt(m->key, m->stream);
      count_up(m->block);
      m->left = BLOCK;
    }
    data[i] ^= m->stream[BLOCK - m->left--];
  }
}

static unsigned hex_digit(char c) {
  return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static size_t from_hex(uint8_t *out, const char *hex) {
  size_t size = 0;
  for (; *hex; hex += 2)
    out[size++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
  return size;
}

// From NIST SP 800-38A, the first two blocks.
static const char known_text[] =
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
static const struct {
  const char *key, *cbc, *ctr;
} known[] = {
    {"2b7e151628aed2a6abf7158809cf4f3c",
     "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2",
     "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"},
    {"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
     "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"},
};

static void check_known(const aes_key *key, const char *cbc, const char *ctr) {
  uint8_t text[KNOWN], wanted[KNOWN], out[KNOWN + BLOCK];
  message chained = {.key = key}, counted = {.key = key};
  for (int i = 0; i < BLOCK; i++) {
    chained.block[i] = (uint8_t)i;
    counted.block[i] = (uint8_t)(0xf0 + i);
  }
  from_hex(text, known_text);
  cbc_encrypt(&chained, out, text, KNOWN);
  check(from_hex(wanted, cbc) == KNOWN && !memcmp(out, wanted, KNOWN), cbc);
  ctr_apply(&counted, text, KNOWN);
  check(from_hex(wanted, ctr) == KNOWN && !memcmp(text, wanted, KNOWN), ctr);
}

// A wrong last byte before the last block makes the padding wrong.
static void run_cbc(const aes_key *key, const uint8_t *text, size_t size,
                    uint64_t *sum) {
  uint8_t out[MESSAGE + 2 * BLOCK], cut[MESSAGE + 2 * BLOCK];
  message writer = {.key = key}, reader = writer, damaged = writer;
  size_t total = cbc_encrypt(&writer, out, text, size), cut_total = total;
  *sum = kernel_checksum(*sum, out, total);
  memcpy(cut, out, total);
  check(cbc_decrypt(&reader, out, &total), "padding");
  check(total == size && !memcmp(out, text, size), "CBC");
  *(cut_total > BLOCK ? &cut[cut_total - BLOCK - 1] : &damaged.block[15]) ^= 1;
  check(!cbc_decrypt(&damaged, cut, &cut_total), "damage");
}

static void run_ctr(const aes_key *key, const uint8_t *text, size_t size,
                    uint64_t *sum) {
  message writer = {.key = key, .block = {[14] = 0xff, [15] = 0xfe}};
  message reader = writer;
  uint8_t out[MESSAGE];
  memcpy(out, text, size);
  ctr_apply(&writer, out, size / 3);
  ctr_apply(&writer, out + size / 3, size - size / 3);
  *sum = kernel_checksum(*sum, out, size);
  ctr_apply(&reader, out, size);
  check(!memcmp(out, text, size), "CTR");
}

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 600);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {19};
  for (int i = 0; i < 2; i++) {
    uint8_t bytes[32], text[MESSAGE];
    aes_key key;
    expand_key(&key, bytes, from_hex(bytes, known[i].key));
    check_known(&key, known[i].cbc, known[i].ctr);
    for (int left = size; left > 0; left -= MESSAGE) {
      size_t length = kernel_rng_next(&rng) % (MESSAGE + 1);
      for (size_t k = 0; k < length; k++)
        text[k] = (uint8_t)kernel_rng_next(&rng);
      run_cbc(&key, text, length, &sum);
      run_ctr(&key, text, length, &sum);
    }
  }
  printf("aes checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
