// SPDX-License-Identifier: Apache-2.0
// Canonical Huffman coding in blocks: code lengths from a heap, headers packed
// by runs, and two decoders that have to agree, by lengths and by a table.
// Sizes: 10000 30000 200000

#include "kernel.h"

enum { SYMBOLS = 256, MAX_BITS = 12, BLOCK = 2048 };

// Bits go from the highest of a byte to the lowest.
typedef struct {
  uint8_t *data;
  size_t length, capacity;
  unsigned held, held_bits;
} bit_writer;

typedef struct {
  const uint8_t *data;
  size_t length, at;
  unsigned held, held_bits;
} bit_reader;

typedef struct {
  uint8_t length[SYMBOLS];
  uint16_t code[SYMBOLS];
} code_book;

typedef struct {
  uint64_t weight[2 * SYMBOLS];
  uint16_t parent[2 * SYMBOLS], heap[SYMBOLS];
  unsigned heap_size;
} tree_builder;

typedef struct {
  uint16_t count[MAX_BITS + 1], sorted[SYMBOLS];
  uint16_t table[1 << MAX_BITS];
  code_book book;
} decoder;

typedef unsigned decode_fn(const decoder *d, bit_reader *r);
typedef unsigned source_fn(kernel_rng *rng, size_t at);

static _Noreturn void fail(const char *what) {
  printf("failed: %s\n", what);
  exit(1);
}

static void *allocate(size_t size) {
  void *block = calloc(size, 1);
  if (!block)
    abort();
  return block;
}

static void put_byte(bit_writer *w, unsigned byte) {
  if (w->length == w->capacity) {
    w->capacity = 2 * w->capacity + 64;
    w->data = realloc(w->data, w->capacity);
    if (!w->data)
      abort();
  }
  w->data[w->length++] = (uint8_t)byte;
}

static void put_bits(bit_writer *w, unsigned bits, unsigned count) {
  w->held = w->held << count | bits;
  for (w->held_bits += count; w->held_bits >= 8; w->held_bits -= 8)
    put_byte(w, w->held >> (w->held_bits - 8) & 0xff);
}

static void put_padding(bit_writer *w) {
  if (w->held_bits)
    put_bits(w, 0, 8 - w->held_bits);
}

// Past the end there are only zeros.
static unsigned peek_bits(bit_reader *r, unsigned count) {
  for (; r->held_bits < count; r->held_bits += 8, r->at++)
    r->held = r->held << 8 | (r->at < r->length ? r->data[r->at] : 0);
  return r->held >> (r->held_bits - count) & ((1u << count) - 1);
}

static unsigned get_bits(bit_reader *r, unsigned count) {
  unsigned bits = peek_bits(r, count);
  r->held_bits -= count;
  return bits;
}

static void skip_padding(bit_reader *r) { r->held_bits -= r->held_bits % 8; }

// The heap has the lightest node on top; of the same weight, the oldest.
static bool lighter(const tree_builder *t, unsigned a, unsigned b) {
  if (t->weight[a] != t->weight[b])
    return t->weight[a] < t->weight[b];
  return a < b;
}

static void heap_push(tree_builder *t, unsigned node) {
  unsigned at = t->heap_size++;
  for (; at > 0 && lighter(t, node, t->heap[(at - 1) / 2]); at = (at - 1) / 2)
    t->heap[at] = t->heap[(at - 1) / 2];
  t->heap[at] = (uint16_t)node;
}

static unsigned heap_pop(tree_builder *t) {
  unsigned top = t->heap[0], moved = t->heap[--t->heap_size], at = 0, child;
  while ((child = 2 * at + 1) < t->heap_size) {
    if (child + 1 < t->heap_size &&
        lighter(t, t->heap[child + 1], t->heap[child]))
      child++;
    if (!lighter(t, t->heap[child], moved))
      break;
    t->heap[at] = t->heap[child];
    at = child;
  }
  t->heap[at] = (uint16_t)moved;
  return top;
}

// Joins the two lightest until one is left, which is returned.
static unsigned build_tree(tree_builder *t) {
  unsigned next = SYMBOLS;
  for (unsigned s = 0; s < SYMBOLS; s++)
    if (t->weight[s])
      heap_push(t, s);
  while (t->heap_size > 1) {
    unsigned a = heap_pop(t), b = heap_pop(t);
    t->weight[next] = t->weight[a] + t->weight[b];
    t->parent[a] = t->parent[b] = (uint16_t)next;
    heap_push(t, next++);
  }
  return heap_pop(t);
}

static unsigned depth_of(const tree_builder *t, unsigned node, unsigned root) {
  unsigned depth = 0;
  for (; node != root; node = t->parent[node])
    depth++;
  return depth;
}

static unsigned set_lengths(code_book *book, tree_builder *t) {
  unsigned root = build_tree(t), longest = 0;
  for (unsigned s = 0; s < SYMBOLS; s++) {
    // A symbol that is alone would get no bits at all.
    unsigned depth = depth_of(t, t->weight[s] ? s : root, root);
    book->length[s] = (uint8_t)(depth + (s == root));
    if (book->length[s] > longest)
      longest = book->length[s];
  }
  return longest;
}

// Flattens the weights until no code is too long.
static void choose_lengths(code_book *book, const uint8_t *data, size_t size) {
  tree_builder *t = allocate(sizeof *t);
  for (size_t i = 0; i < size; i++)
    t->weight[data[i]]++;
  while (set_lengths(book, t) > MAX_BITS)
    for (unsigned s = 0; s < SYMBOLS; s++)
      t->weight[s] = (t->weight[s] + 1) / 2;
  free(t);
}

// Codes of one length follow each other in the order of the symbols.
static void assign_codes(code_book *book) {
  unsigned code = 0;
  for (unsigned bits = 1; bits <= MAX_BITS; bits++, code <<= 1)
    for (unsigned s = 0; s < SYMBOLS; s++)
      if (book->length[s] == bits)
        book->code[s] = (uint16_t)code++;
}

// Lengths are four bits each; zeros are followed by how many more there are.
static void put_book(bit_writer *w, const code_book *book) {
  for (unsigned s = 0, run; s < SYMBOLS; s++) {
    put_bits(w, book->length[s], 4);
    if (book->length[s])
      continue;
    for (run = 0; run < 15 && s + 1 < SYMBOLS && !book->length[s + 1]; run++)
      s++;
    put_bits(w, run, 4);
  }
}

static void get_book(bit_reader *r, code_book *book) {
  for (unsigned s = 0; s < SYMBOLS; s++) {
    book->length[s] = (uint8_t)get_bits(r, 4);
    if (book->length[s] == 0)
      s += get_bits(r, 4);
  }
  assign_codes(book);
}

static void decoder_start(decoder *d, bit_reader *r) {
  code_book *book = &d->book;
  unsigned place = 0;
  memset(d, 0, sizeof *d);
  skip_padding(r);
  get_book(r, book);
  for (unsigned bits = 1; bits <= MAX_BITS; bits++)
    for (unsigned s = 0; s < SYMBOLS; s++)
      if (book->length[s] == bits) {
        unsigned spare = MAX_BITS - bits,
                 first = (unsigned)book->code[s] << spare;
        d->count[bits]++;
        d->sorted[place++] = (uint16_t)s;
        for (unsigned i = 0; i < 1u << spare; i++)
          d->table[first + i] = (uint16_t)s;
      }
}

static unsigned decode_by_length(const decoder *d, bit_reader *r) {
  unsigned code = 0, first = 0, place = 0;
  for (unsigned bits = 1; bits <= MAX_BITS; bits++) {
    code = code << 1 | get_bits(r, 1);
    if (code - first < d->count[bits])
      return d->sorted[place + code - first];
    place += d->count[bits];
    first = (first + d->count[bits]) << 1;
  }
  fail("a code that there is not");
}

static unsigned decode_by_table(const decoder *d, bit_reader *r) {
  unsigned symbol = d->table[peek_bits(r, MAX_BITS)];
  get_bits(r, d->book.length[symbol]);
  return symbol;
}

static void encode(bit_writer *w, const uint8_t *data, size_t size) {
  for (size_t start = 0; start < size; start += BLOCK) {
    size_t end = size - start < BLOCK ? size : start + BLOCK;
    code_book book = {{0}, {0}};
    choose_lengths(&book, data + start, end - start);
    assign_codes(&book);
    put_book(w, &book);
    for (size_t i = start; i < end; i++)
      put_bits(w, book.code[data[i]], book.length[data[i]]);
    put_padding(w);
  }
}

static uint8_t *decode(const bit_writer *packed, size_t size, decode_fn *next) {
  bit_reader r = {packed->data, packed->length, 0, 0, 0};
  decoder *d = allocate(sizeof *d);
  uint8_t *out = allocate(size);
  for (size_t i = 0; i < size; i++) {
    if (i % BLOCK == 0)
      decoder_start(d, &r);
    out[i] = (uint8_t)next(d, &r);
  }
  free(d);
  return out;
}

static unsigned noise(kernel_rng *rng, size_t at) {
  return (unsigned)((kernel_rng_next(rng) + at) & 0xff);
}

// Every symbol half as likely as the one before: the deepest of trees.
static unsigned skewed(kernel_rng *rng, size_t at) {
  uint64_t bits = kernel_rng_next(rng);
  unsigned symbol = at % 100 == 0;
  while (bits & 1)
    bits >>= 1, symbol++;
  return symbol;
}

static unsigned steps(kernel_rng *rng, size_t at) {
  return (unsigned)(at / 3000 + (rng->state & 7)) & 0xff;
}

int main(int argc, char **argv) {
  static const char *const names[] = {"noise", "skewed", "steps"};
  static source_fn *const sources[] = {noise, skewed, steps};
  static decode_fn *const decoders[] = {decode_by_length, decode_by_table};
  size_t size = (size_t)kernel_size(argc, argv, 30000);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {5};
  uint8_t *data = allocate(size);
  for (int i = 0; i < 3; i++) {
    bit_writer packed = {0};
    for (size_t at = 0; at < size; at++)
      data[at] = (uint8_t)sources[i](&rng, at);
    encode(&packed, data, size);
    for (int k = 0; k < 2; k++) {
      uint8_t *back = decode(&packed, size, decoders[k]);
      if (memcmp(back, data, size))
        fail(names[i]);
      free(back);
    }
    printf("%s: %zu to %zu bytes\n", names[i], size, packed.length);
    sum = kernel_checksum(sum, packed.data, packed.length);
    free(packed.data);
  }
  free(data);
  printf("huffman checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
