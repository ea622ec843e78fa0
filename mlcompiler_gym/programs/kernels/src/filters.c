// SPDX-License-Identifier: Apache-2.0
// Sketches of sets and counts: a Bloom filter, a cuckoo filter, a count-min
// sketch and HyperLogLog in integers, each held against the exact answer.
// Sizes: 3000 15000 70000

#include "kernel.h"

enum { SLOTS = 4, MAX_KICKS = 200, ROWS = 4, REGISTERS = 512, FRACTION = 16 };

typedef struct {
  uint64_t *words, bit_count, hashes;
} bloom;

typedef struct {
  uint16_t (*buckets)[SLOTS];
  uint32_t mask;
  kernel_rng rng;
} cuckoo;

typedef struct {
  uint32_t *cells;
  uint32_t width;
} count_min;

typedef struct {
  uint8_t registers[REGISTERS];
} hyperloglog;

// A set that may say yes wrongly, but never no.
typedef struct {
  const char *name;
  void *filter;
  bool (*add)(void *filter, uint64_t key);
  bool (*has)(const void *filter, uint64_t key);
} set;

static void check(bool ok, const char *what) {
  if (!ok) {
    printf("filters: failed: %s\n", what);
    exit(1);
  }
}

static void *zeros(size_t count, size_t size) {
  void *block = calloc(count, size);
  check(block != NULL, "memory");
  return block;
}

static uint64_t mix(uint64_t key, uint64_t seed) {
  key = (key ^ seed) * 0xff51afd7ed558ccdu;
  key = (key ^ key >> 33) * 0xc4ceb9fe1a85ec53u;
  return key ^ key >> 29;
}

static uint32_t reduce(uint32_t hash, uint32_t range) {
  return (uint32_t)((uint64_t)hash * range >> 32);
}

static unsigned leading_zeros(uint64_t x) {
  unsigned zeros = 0;
  for (unsigned half = 32; half > 0; half /= 2)
    if (x >> (64 - half) == 0)
      zeros += half, x <<= half;
  return zeros;
}

static void bloom_init(bloom *b, size_t capacity, size_t bits_per_key) {
  b->bit_count = capacity * bits_per_key + 64;
  b->words = zeros(b->bit_count / 64 + 1, sizeof *b->words);
  b->hashes = (bits_per_key * 45426) >> 16; // times ln 2
}

static uint32_t bloom_place(const bloom *b, uint64_t hash, uint32_t i) {
  uint32_t low = (uint32_t)hash, high = (uint32_t)(hash >> 32) | 1;
  return reduce(low + i * high, (uint32_t)b->bit_count);
}

static bool bloom_add(void *filter, uint64_t key) {
  bloom *b = filter;
  for (uint32_t i = 0; i < b->hashes; i++) {
    uint32_t place = bloom_place(b, mix(key, 1), i);
    b->words[place / 64] |= (uint64_t)1 << place % 64;
  }
  return true;
}

static bool bloom_has(const void *filter, uint64_t key) {
  const bloom *b = filter;
  uint64_t hash = mix(key, 1);
  for (uint32_t i = 0; i < b->hashes; i++) {
    uint32_t place = bloom_place(b, hash, i);
    if (!(b->words[place / 64] >> place % 64 & 1))
      return false;
  }
  return true;
}

static void cuckoo_init(cuckoo *c, size_t capacity) {
  uint32_t count = 1;
  while (count * SLOTS < capacity * 10 / 9 + SLOTS)
    count *= 2;
  *c = (cuckoo){.mask = count - 1, .rng = {29}};
  c->buckets = zeros(count, sizeof *c->buckets);
}

// Zero is an empty slot.
static uint16_t fingerprint(uint64_t hash) {
  uint16_t print = (uint16_t)(hash >> 48);
  return print ? print : 1;
}

// The other bucket follows from the fingerprint alone, and leads back.
static uint32_t other_bucket(const cuckoo *c, uint32_t bucket, uint16_t print) {
  return (bucket ^ (uint32_t)mix(print, 2)) & c->mask;
}

static uint16_t *find_print(const cuckoo *c, uint32_t bucket, uint16_t print) {
  uint16_t *slots = c->buckets[bucket & c->mask];
  for (int i = 0; i < SLOTS; i++)
    if (slots[i] == print)
      return &slots[i];
  return NULL;
}

static uint16_t *find_either(const cuckoo *c, uint32_t bucket, uint16_t print,
                             uint16_t wanted) {
  uint16_t *slot = find_print(c, bucket, wanted);
  return slot ? slot : find_print(c, other_bucket(c, bucket, print), wanted);
}

static bool cuckoo_add(void *filter, uint64_t key) {
  cuckoo *c = filter;
  uint64_t hash = mix(key, 3);
  uint16_t print = fingerprint(hash);
  uint32_t bucket = (uint32_t)hash & c->mask;
  for (int kicks = 0; kicks < MAX_KICKS; kicks++) {
    uint16_t *slot = find_either(c, bucket, print, 0);
    if (!slot)
      slot = &c->buckets[bucket][kernel_rng_next(&c->rng) % SLOTS];
    uint16_t kicked = *slot;
    *slot = print;
    if (!kicked)
      return true;
    print = kicked;
    bucket = other_bucket(c, bucket, print);
  }
  return false;
}

static uint16_t *cuckoo_find(const cuckoo *c, uint64_t key) {
  uint16_t print = fingerprint(mix(key, 3));
  return find_either(c, (uint32_t)mix(key, 3) & c->mask, print, print);
}

static bool cuckoo_has(const void *filter, uint64_t key) {
  return cuckoo_find(filter, key) != NULL;
}

static void cuckoo_remove(cuckoo *c, uint64_t key) {
  uint16_t *slot = cuckoo_find(c, key);
  check(slot != NULL, "removal");
  *slot = 0;
}

static uint32_t *count_cell(const count_min *s, uint64_t key, int row) {
  return &s->cells[row * s->width +
                   reduce((uint32_t)mix(key, 5 + (uint64_t)row), s->width)];
}

static uint32_t count_of(const count_min *s, uint64_t key) {
  uint32_t least = UINT32_MAX;
  for (int row = 0; row < ROWS; row++) {
    uint32_t cell = *count_cell(s, key, row);
    least = cell < least ? cell : least;
  }
  return least;
}

// Raises only the cells that would fall short, so that others grow less.
static void count_add(count_min *s, uint64_t key) {
  uint32_t now = count_of(s, key) + 1;
  for (int row = 0; row < ROWS; row++) {
    uint32_t *cell = count_cell(s, key, row);
    *cell = *cell < now ? now : *cell;
  }
}

static void loglog_add(hyperloglog *h, uint64_t key) {
  uint64_t hash = mix(key, 9);
  uint8_t *highest = &h->registers[hash % REGISTERS];
  unsigned rank = leading_zeros(hash | REGISTERS) + 1;
  *highest = rank > *highest ? (uint8_t)rank : *highest;
}

static void loglog_merge(hyperloglog *h, const hyperloglog *with) {
  for (int i = 0; i < REGISTERS; i++)
    if (with->registers[i] > h->registers[i])
      h->registers[i] = with->registers[i];
}

// The binary logarithm, with 16 bits for the fraction, by squaring.
static uint32_t log2_of(uint32_t x) {
  unsigned whole = 63 - leading_zeros(x);
  uint64_t scaled = ((uint64_t)x << 31) >> whole;
  uint32_t log = whole;
  for (int i = 0; i < FRACTION; i++) {
    scaled = scaled * scaled >> 31;
    log = log << 1 | (uint32_t)(scaled >> 32);
    scaled >>= scaled >> 32;
  }
  return log;
}

// The harmonic mean of the registers, or, while many of them are empty, what
// that tells; 47172 and 45426 are alpha and ln 2 in 1/65536.
static uint64_t loglog_count(const hyperloglog *h) {
  uint64_t sum = 0, many = REGISTERS;
  uint32_t empty = 0;
  for (int i = 0; i < REGISTERS; i++) {
    sum += (uint64_t)1 << (50 - (h->registers[i] < 50 ? h->registers[i] : 50));
    empty += h->registers[i] == 0;
  }
  uint64_t count = (many * many * 47172 << 20) / (sum >> 14);
  if (2 * count > 5 * many || empty == 0)
    return count;
  return many * 45426 * (log2_of(REGISTERS) - log2_of(empty)) >> 32;
}

static uint64_t key_at(uint64_t i) { return mix(i, 0xbead); }

static unsigned run_set(const set *s, uint64_t size) {
  unsigned wrong = 0;
  for (uint64_t i = 0; i < size; i++)
    check(s->add(s->filter, key_at(i)), s->name);
  for (uint64_t i = 0; i < size; i++)
    check(s->has(s->filter, key_at(i)), s->name);
  for (uint64_t i = size; i < 3 * size; i++)
    wrong += s->has(s->filter, key_at(i));
  check(wrong <= size / 8 + 8, s->name);
  return wrong;
}

static uint64_t run_sets(uint64_t size) {
  bloom b;
  cuckoo c;
  bloom_init(&b, size, 10);
  cuckoo_init(&c, size);
  const set sets[] = {{"bloom", &b, bloom_add, bloom_has},
                      {"cuckoo", &c, cuckoo_add, cuckoo_has}};
  uint64_t wrong = run_set(&sets[0], size) * size + run_set(&sets[1], size);
  for (uint64_t i = 0; i < size; i++)
    cuckoo_remove(&c, key_at(i));
  free(b.words);
  free(c.buckets);
  return wrong;
}

static uint64_t run_counts(uint64_t size) {
  uint32_t width = (uint32_t)size / 2 + 1;
  count_min s = {zeros(ROWS * width, sizeof *s.cells), width};
  uint32_t *exact = zeros(size, sizeof *exact);
  uint64_t over = 0;
  kernel_rng rng = {31};
  for (uint64_t i = 0; i < 4 * size; i++) {
    uint64_t pick = kernel_rng_next(&rng);
    uint64_t key = (pick >> 32) % (1 + pick % size);
    exact[key]++;
    count_add(&s, key_at(key));
  }
  for (uint64_t i = 0; i < size; i++)
    over += count_of(&s, key_at(i)) - exact[i];
  check(over <= 4 * size, "count-min");
  free(exact);
  free(s.cells);
  return over;
}

static uint64_t run_loglog(uint64_t size) {
  hyperloglog h = {{0}}, other = {{0}};
  for (uint64_t i = 0; i < 3 * size; i++)
    loglog_add(i % 2 ? &h : &other, key_at(i % size));
  loglog_merge(&h, &other);
  uint64_t count = loglog_count(&h);
  check(count > size * 4 / 5 && count < size * 5 / 4 + 1, "HyperLogLog");
  return count;
}

int main(int argc, char **argv) {
  uint64_t size = (uint64_t)kernel_size(argc, argv, 15000);
  uint64_t sets = run_sets(size), over = run_counts(size);
  uint64_t keys = run_loglog(size), sum = KERNEL_CHECKSUM_START;
  sum = kernel_checksum_u64(kernel_checksum_u64(sum, sets), over);
  sum = kernel_checksum_u64(sum, keys);
  printf("%d counts over, %d keys\n", (int)over, (int)keys);
  printf("filters checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
