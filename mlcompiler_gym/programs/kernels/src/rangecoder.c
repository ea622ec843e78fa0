// SPDX-License-Identifier: Apache-2.0
// An adaptive binary range coder: one set of context models that writes, reads
// or only prices bits, and takes for each block the model cheapest before.
// Sizes: 700 4000 20000

#include "kernel.h"

enum { MODELS = 4, BLOCK = 256, HASH_BITS = 14, FULL = 1 << 12, COSTS = 128 };

// The chance of a zero in FULL, by two memories of different length.
typedef struct {
  uint16_t fast, slow;
} chance;

// How to code a bit: the writer returns the one it is given, the reader the one
// it finds. All of them add up what the bits cost, in units of 1/16 bit.
typedef struct coder coder;
typedef unsigned bit_fn(coder *c, unsigned zero, unsigned bit);
struct coder {
  bit_fn *bit;
  uint64_t low, cost, pending;
  uint32_t range, code;
  uint8_t cache, *next, *end;
};

typedef struct {
  chance pair[256][256], mixed[1 << HASH_BITS];
  chance sign[2], prefix[2][8], suffix[8][128];
  chance hit[16], miss[256][256];
  uint8_t last_seen[1 << HASH_BITS];
  unsigned hits;
} tables;

typedef unsigned model_fn(coder *c, tables *t, const uint8_t *at,
                          unsigned byte);
typedef void source_fn(kernel_rng *rng, uint8_t *data, size_t size);

static uint8_t costs[COSTS];

static void *allocate(size_t size) {
  void *block = calloc(1, size);
  if (!block)
    abort();
  return block;
}

// The binary logarithm by squaring, for each of the chances that are told
// apart.
static void fill_costs(void) {
  for (unsigned i = 0; i < COSTS; i++) {
    uint64_t chance = (2 * i + 1) * (FULL / COSTS / 2), bits = 0;
    for (int step = 0; step < 4; step++) {
      chance *= chance;
      for (bits *= 2; chance >= 1 << 16; bits++)
        chance >>= 1;
    }
    costs[i] = (uint8_t)(12 * 16 - 15 - bits);
  }
}

static void add_cost(coder *c, unsigned zero, unsigned bit) {
  c->cost += costs[(bit ? FULL - zero : zero) * COSTS / FULL];
}

static void put_byte(coder *c, unsigned byte) {
  if (c->next == c->end)
    abort();
  *c->next++ = (uint8_t)byte;
}

static unsigned get_byte(coder *c) { return c->next < c->end ? *c->next++ : 0; }

// A byte is only written when no carry can reach it any more.
static void shift_low(coder *c) {
  if (c->low < 0xff000000u || c->low >> 32) {
    unsigned carry = (unsigned)(c->low >> 32);
    put_byte(c, c->cache + carry);
    for (; c->pending > 0; c->pending--)
      put_byte(c, 0xff + carry);
    c->cache = (uint8_t)(c->low >> 24);
  } else {
    c->pending++;
  }
  c->low = (c->low & 0xffffff) << 8;
}

static unsigned write_bit(coder *c, unsigned zero, unsigned bit) {
  uint32_t bound = c->range / FULL * zero;
  add_cost(c, zero, bit);
  c->low += bit ? bound : 0;
  for (c->range = bit ? c->range - bound : bound; c->range < 1u << 24;
       c->range <<= 8)
    shift_low(c);
  return bit;
}

static unsigned read_bit(coder *c, unsigned zero, unsigned bit) {
  uint32_t bound = c->range / FULL * zero;
  bit = c->code >= bound;
  add_cost(c, zero, bit);
  c->code -= bit ? bound : 0;
  for (c->range = bit ? c->range - bound : bound; c->range < 1u << 24;
       c->range <<= 8)
    c->code = c->code << 8 | get_byte(c);
  return bit;
}

static unsigned price_bit(coder *c, unsigned zero, unsigned bit) {
  add_cost(c, zero, bit);
  return bit;
}

static coder start_writing(uint8_t *out, size_t size) {
  return (coder){
      .bit = write_bit, .range = UINT32_MAX, .next = out, .end = out + size};
}

static void finish_writing(coder *c) {
  for (int i = 0; i < 5; i++)
    shift_low(c);
}

static coder start_reading(uint8_t *in, size_t size) {
  coder c = {
      .bit = read_bit, .range = UINT32_MAX, .next = in, .end = in + size};
  for (int i = 0; i < 5; i++)
    c.code = c.code << 8 | get_byte(&c);
  return c;
}

static void learn(uint16_t *memory, unsigned bit, int rate) {
  int change = bit ? -(*memory >> rate) : (UINT16_MAX - *memory) >> rate;
  *memory = (uint16_t)(*memory + change);
}

// A chance that is new is stored as zero, hence the flipped highest bit.
static unsigned code_bit(coder *c, chance *p, unsigned bit) {
  uint16_t fast = p->fast ^ 0x8000, slow = p->slow ^ 0x8000;
  unsigned zero = ((unsigned)fast + slow) >> 5;
  bit = c->bit(c, zero < 32 ? 32 : zero > FULL - 32 ? FULL - 32 : zero, bit);
  learn(&fast, bit, 4);
  learn(&slow, bit, 7);
  *p = (chance){fast ^ 0x8000, slow ^ 0x8000};
  return bit;
}

// The bits of a value from the highest on, each in the context of those before.
static unsigned code_tree(coder *c, chance *tree, int bits, unsigned value) {
  unsigned node = 1;
  while (bits-- > 0)
    node = node << 1 | code_bit(c, &tree[node], value >> bits & 1);
  return node;
}

static unsigned code_byte(coder *c, chance *tree, unsigned byte) {
  return code_tree(c, tree, 8, byte) & 0xff;
}

// How many bits there are, in ones, and then the bits; the value is not zero.
static unsigned code_number(coder *c, tables *t, int context, unsigned value) {
  unsigned bits = 0;
  while (bits < 7 && code_bit(c, &t->prefix[context][bits], value >> bits > 1))
    bits++;
  return code_tree(c, t->suffix[bits], (int)bits, value);
}

static unsigned hash(unsigned a, unsigned b, unsigned c) {
  return ((a << 16 | b << 8 | c) * 2654435761u) >> (32 - HASH_BITS);
}

static unsigned order1(coder *c, tables *t, const uint8_t *at, unsigned byte) {
  return code_byte(c, t->pair[at[-1]], byte);
}

// The two bytes before are hashed once for each half of the byte.
static unsigned order2(coder *c, tables *t, const uint8_t *at, unsigned byte) {
  unsigned slot = hash(at[-2], at[-1], 0) & ~15u;
  unsigned high = code_tree(c, &t->mixed[slot], 4, byte >> 4) & 15;
  slot = hash(at[-2], at[-1], high + 1) & ~15u;
  return high << 4 | (code_tree(c, &t->mixed[slot], 4, byte & 15) & 15);
}

// The difference to the byte four before: whether it is there, up, and what.
static unsigned delta(coder *c, tables *t, const uint8_t *at, unsigned byte) {
  unsigned up = (byte - at[-4]) & 0xff, down = (at[-4] - byte) & 0xff;
  if (!code_bit(c, &t->sign[0], up != 0))
    return at[-4];
  if (code_bit(c, &t->sign[1], up < down))
    return (at[-4] + code_number(c, t, 0, up ? up : 1)) & 0xff;
  return (at[-4] - code_number(c, t, 1, down ? down : 1)) & 0xff;
}

// Whether the byte is the one that came when the three before were there last.
static unsigned match(coder *c, tables *t, const uint8_t *at, unsigned byte) {
  uint8_t *guess = &t->last_seen[hash(at[-3], at[-2], at[-1])];
  unsigned context = t->hits < 15 ? t->hits : 15;
  t->hits++;
  if (code_bit(c, &t->hit[context], byte != *guess)) {
    *guess = (uint8_t)code_byte(c, t->miss[at[-1]], byte);
    t->hits = 0;
  }
  return *guess;
}

static model_fn *const models[MODELS] = {order1, order2, delta, match};

static int cheapest(const uint64_t *cost) {
  int best = 0;
  for (int i = 1; i < MODELS; i++)
    if (cost[i] < cost[best])
      best = i;
  return best;
}

static uint64_t code_block(coder *c, tables *t, model_fn *model, uint8_t *data,
                           size_t size) {
  uint64_t before = c->cost;
  for (size_t i = 0; i < size; i++)
    data[i] = (uint8_t)model(c, t, data + i, data[i]);
  return c->cost - before;
}

// Four zeros must stand before `data`. The models that are not used for a block
// still learn from it, which tells what each of them would have cost.
static void code_all(coder *c, uint8_t *data, size_t size) {
  tables *own = allocate(MODELS * sizeof *own);
  uint64_t cost[MODELS] = {0};
  for (size_t at = 0; at < size; at += BLOCK) {
    size_t count = size - at < BLOCK ? size - at : BLOCK;
    int best = cheapest(cost);
    cost[best] = code_block(c, &own[best], models[best], data + at, count);
    for (int i = 0; i < MODELS; i++) {
      coder pricer = {.bit = price_bit};
      if (i != best)
        cost[i] = code_block(&pricer, &own[i], models[i], data + at, count);
    }
  }
  free(own);
}

static void make_noise(kernel_rng *rng, uint8_t *data, size_t size) {
  for (size_t i = 0; i < size; i++)
    data[i] = (uint8_t)(kernel_rng_next(rng) >> 56);
}

static void make_words(kernel_rng *rng, uint8_t *data, size_t size) {
  static const char words[] = "range coderbyte, cheapmodelchancarry.\n";
  for (size_t i = 0, start = 0; i < size; i++, start++) {
    if (i % 6 == 0)
      start = kernel_rng_next(rng) % 6 * 6;
    data[i] = (uint8_t)words[start];
  }
}

// Four numbers in turn that each go up or down by a little.
static void make_walk(kernel_rng *rng, uint8_t *data, size_t size) {
  for (size_t i = 0; i < size; i++)
    data[i] =
        (uint8_t)((i < 4 ? 90 : data[i - 4]) + kernel_rng_next(rng) % 7 - 3);
}

static void run(uint8_t *data, size_t size, uint64_t *sum) {
  size_t room = 2 * size + 64;
  uint8_t *packed = allocate(room), *back = allocate(size + 4);
  coder writer = start_writing(packed, room);
  code_all(&writer, data + 4, size);
  finish_writing(&writer);
  size_t length = (size_t)(writer.next - packed);
  coder reader = start_reading(packed, length);
  code_all(&reader, back + 4, size);
  if (memcmp(data, back, size + 4) || writer.cost != reader.cost)
    exit(1);
  printf("%zu to %zu, priced at %llu\n", size, length,
         (unsigned long long)writer.cost / 128);
  *sum = kernel_checksum(*sum, packed, length);
  free(packed);
  free(back);
}

int main(int argc, char **argv) {
  static source_fn *const sources[] = {make_noise, make_words, make_walk};
  size_t size = (size_t)kernel_size(argc, argv, 4000);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {13};
  uint8_t *data = allocate(size + 4);
  fill_costs();
  for (int i = 0; i < 3; i++) {
    sources[i](&rng, data + 4, size);
    run(data, size, &sum);
  }
  free(data);
  printf("rangecoder checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
