// SPDX-License-Identifier: Apache-2.0
// Digests and checksums behind one init/update/final interface.
// Sizes: 7000 20000 250000

#include "kernel.h"

enum { MAX_DIGEST = 32, BLOCK = 64, DIGESTS = 5 };

typedef void (*compressor)(uint32_t *, const uint8_t *);

typedef struct {
  uint32_t h[8];
  size_t words; // how many of h there are
  compressor compress;
  uint64_t total;
  uint8_t block[BLOCK];
} BlockState;

typedef union {
  BlockState blocks;
  struct {
    uint64_t v[4], total, tail;
  } sip;
  uint32_t word;
} State;

typedef struct {
  const char *name;
  size_t size;
  void (*init)(State *);
  void (*update)(State *, const uint8_t *, size_t);
  void (*final)(State *, uint8_t *);
  const char *text, *hex; // a published test vector
} Digest;

static void check(bool ok, const char *what) {
  if (!ok) {
    printf("hashes: check failed: %s\n", what);
    exit(1);
  }
}

static uint32_t rotl32(uint32_t x, unsigned n) {
  return (x << n) | (x >> (32 - n));
}

static uint64_t rotl64(uint64_t x, unsigned n) {
  return (x << n) | (x >> (-n & 63)); // n may be zero
}

static uint32_t load_be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
         p[3];
}

static void store_be(uint8_t *p, uint64_t v, size_t bytes) {
  for (size_t i = bytes; i-- > 0; v >>= 8)
    p[i] = (uint8_t)v;
}

// What SHA-1 and SHA-256 share: blocks, and a length in bits at the end.
static void blocks_init(State *s, const uint32_t *h, size_t words,
                        compressor compress) {
  s->blocks = (BlockState){.words = words, .compress = compress};
  memcpy(s->blocks.h, h, words * sizeof *h);
}

static void blocks_update(State *state, const uint8_t *p, size_t n) {
  BlockState *s = &state->blocks;
  for (size_t i = 0; i < n; i++) {
    s->block[s->total++ % BLOCK] = p[i];
    if (s->total % BLOCK != 0)
      continue;
    uint32_t mixed[8];
    memcpy(mixed, s->h, sizeof mixed);
    s->compress(mixed, s->block);
    for (int word = 0; word < 8; word++)
      s->h[word] += mixed[word];
  }
}

static void blocks_final(State *state, uint8_t *out) {
  BlockState *s = &state->blocks;
  uint8_t pad[BLOCK + 8] = {0x80};
  size_t n = BLOCK - (s->total + 8) % BLOCK;
  store_be(pad + n, s->total * 8, 8);
  blocks_update(state, pad, n + 8);
  for (size_t i = 0; i < s->words; i++)
    store_be(out + 4 * i, s->h[i], 4);
}

static uint32_t choose(uint32_t x, uint32_t y, uint32_t z) {
  return (x & y) | (~x & z);
}

static uint32_t majority(uint32_t x, uint32_t y, uint32_t z) {
  return (x & y) | (x & z) | (y & z);
}

static uint32_t parity(uint32_t x, uint32_t y, uint32_t z) { return x ^ y ^ z; }

static void sha1_compress(uint32_t *s, const uint8_t *block) {
  static uint32_t (*const mix[4])(uint32_t, uint32_t, uint32_t) = {
      choose, parity, majority, parity};
  static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
  uint32_t w[80];
  for (int i = 0; i < 80; i++)
    w[i] = i < 16 ? load_be32(block + 4 * i)
                  : rotl32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  for (int i = 0; i < 80; i++) {
    uint32_t f = mix[i / 20](s[1], s[2], s[3]);
    uint32_t next = rotl32(s[0], 5) + f + s[4] + k[i / 20] + w[i];
    memmove(s + 1, s, 4 * sizeof s[0]);
    s[2] = rotl32(s[2], 30);
    s[0] = next;
  }
}

// The first 32 bits after the point of the cube root (degree 3) or square
// root of a prime, which is how SHA-256 defines its constants.
static uint32_t root_bits(uint32_t prime, int degree) {
  uint64_t root = 0;
  for (uint64_t bit = (uint64_t)1 << 36; bit; bit >>= 1) {
    unsigned __int128 r = root | bit, limit = prime;
    if ((degree == 3 ? r * r * r : r * r) <= limit << (32 * degree))
      root |= bit;
  }
  return (uint32_t)root;
}

// Only the first eight of the start values are used.
static uint32_t sha256_start[64], sha256_key[64];

static uint32_t sigma(uint32_t x, unsigned a, unsigned b, uint32_t last) {
  return rotl32(x, 32 - a) ^ rotl32(x, 32 - b) ^ last;
}

static void sha256_compress(uint32_t *s, const uint8_t *block) {
  uint32_t w[64];
  for (int i = 0; i < 64; i++)
    w[i] = i < 16 ? load_be32(block + 4 * i)
                  : w[i - 16] + w[i - 7] +
                        sigma(w[i - 15], 7, 18, w[i - 15] >> 3) +
                        sigma(w[i - 2], 17, 19, w[i - 2] >> 10);
  for (int i = 0; i < 64; i++) {
    uint32_t t = s[7] + sigma(s[4], 6, 11, rotl32(s[4], 7)) +
                 choose(s[4], s[5], s[6]) + sha256_key[i] + w[i];
    uint32_t u =
        sigma(s[0], 2, 13, rotl32(s[0], 10)) + majority(s[0], s[1], s[2]);
    memmove(s + 1, s, 7 * sizeof s[0]);
    s[4] += t;
    s[0] = t + u;
  }
}

static void sha1_init(State *s) {
  static const uint32_t start[5] = {0x67452301, 0xefcdab89, 0x98badcfe,
                                    0x10325476, 0xc3d2e1f0};
  blocks_init(s, start, 5, sha1_compress);
}

static void sha256_init(State *s) {
  blocks_init(s, sha256_start, 8, sha256_compress);
}

static void sha256_prepare(void) {
  for (uint32_t prime = 2, d = 2, i = 0; i < 64; prime++, d = 2) {
    while (prime % d != 0)
      d++;
    if (d == prime) {
      sha256_start[i] = root_bits(prime, 2);
      sha256_key[i++] = root_bits(prime, 3);
    }
  }
}

static void crc32_init(State *s) { s->word = 0; }
static void adler_init(State *s) { s->word = 1; }
static void word_final(State *s, uint8_t *out) { store_be(out, s->word, 4); }

static void crc32_update(State *s, const uint8_t *p, size_t n) {
  uint32_t c = ~s->word;
  for (size_t i = 0; i < 8 * n; i++) {
    c ^= i % 8 == 0 ? p[i / 8] : 0;
    c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
  }
  s->word = ~c;
}

static void adler_update(State *s, const uint8_t *p, size_t n) {
  uint32_t a = s->word & 0xffff, b = s->word >> 16;
  for (size_t i = 0; i < n; i++) {
    a = (a + p[i]) % 65521;
    b = (b + a) % 65521;
  }
  s->word = b << 16 | a;
}

// SipHash-2-4 with the reference key 00 01 ... 0f.
static void sip_init(State *s) {
  const uint64_t k0 = 0x0706050403020100, k1 = 0x0f0e0d0c0b0a0908;
  const uint64_t start[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
                             k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
  memset(s, 0, sizeof *s);
  memcpy(s->sip.v, start, sizeof start);
}

static void sip_half(uint64_t *v, int a, int b, unsigned left, unsigned turn) {
  v[a] += v[b];
  v[b] = rotl64(v[b], left) ^ v[a];
  v[a] = rotl64(v[a], turn);
}

static void sip_rounds(uint64_t *v, int rounds) {
  while (rounds-- > 0) {
    sip_half(v, 0, 1, 13, 32);
    sip_half(v, 2, 3, 16, 0);
    sip_half(v, 0, 3, 21, 0);
    sip_half(v, 2, 1, 17, 32);
  }
}

static void sip_word(State *s, uint64_t m) {
  s->sip.v[3] ^= m;
  sip_rounds(s->sip.v, 2);
  s->sip.v[0] ^= m;
}

static void sip_update(State *s, const uint8_t *p, size_t n) {
  for (size_t i = 0; i < n; i++) {
    s->sip.tail |= (uint64_t)p[i] << (8 * (s->sip.total++ % 8));
    if (s->sip.total % 8 == 0) {
      sip_word(s, s->sip.tail);
      s->sip.tail = 0;
    }
  }
}

static void sip_final(State *s, uint8_t *out) {
  uint64_t *v = s->sip.v;
  sip_word(s, s->sip.tail | s->sip.total << 56);
  v[2] ^= 0xff;
  sip_rounds(v, 4);
  store_be(out, v[0] ^ v[1] ^ v[2] ^ v[3], 8);
}

static const Digest digests[DIGESTS] = {
    {"sha1", 20, sha1_init, blocks_update, blocks_final, "abc",
     "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {"sha256", 32, sha256_init, blocks_update, blocks_final, "abc",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"crc32", 4, crc32_init, crc32_update, word_final, "123456789", "cbf43926"},
    {"adler32", 4, adler_init, adler_update, word_final, "abc", "024d0127"},
    {"siphash", 8, sip_init, sip_update, sip_final, "", "726fdb47dd0e0e31"},
};

static void to_hex(const uint8_t *p, size_t n, char *hex) {
  for (size_t i = 0; i < 2 * n; i++)
    hex[i] = "0123456789abcdef"[p[i / 2] >> (i % 2 ? 0 : 4) & 15];
  hex[2 * n] = 0;
}

// Feeds the message in random pieces; the result must not depend on them.
static void digest(const Digest *d, kernel_rng *rng, const uint8_t *p, size_t n,
                   char *hex) {
  uint8_t out[MAX_DIGEST];
  State state;
  d->init(&state);
  for (size_t step; n > 0; p += step, n -= step) {
    step = (size_t)(kernel_rng_next(rng) % 150);
    step = step < n ? step : n;
    d->update(&state, p, step);
  }
  d->final(&state, out);
  to_hex(out, d->size, hex);
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 20000);
  kernel_rng rng = {5};
  uint64_t sum = KERNEL_CHECKSUM_START;
  uint8_t *data = malloc(n);
  char one[2 * MAX_DIGEST + 1], two[2 * MAX_DIGEST + 1];
  check(data != NULL, "out of memory");
  for (size_t i = 0; i < n; i++)
    data[i] = (uint8_t)kernel_rng_next(&rng);
  sha256_prepare();
  for (const Digest *d = digests; d < digests + DIGESTS; d++) {
    digest(d, &rng, (const uint8_t *)d->text, strlen(d->text), one);
    check(strcmp(one, d->hex) == 0, d->name);
    digest(d, &rng, data, n, one);
    digest(d, &rng, data, n, two);
    check(strcmp(one, two) == 0, "pieces change the digest");
    sum = kernel_checksum(sum, one, strlen(one));
    printf("%s of %zu bytes: %s\n", d->name, n, one);
  }
  free(data);
  printf("hashes checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
