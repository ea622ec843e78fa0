// SPDX-License-Identifier: Apache-2.0
// LZ77: a byte-aligned compressor with three match finders, its decompressor,
// and round trips over several kinds of made-up data.
// Sizes: 6000 30000 100000

#include "kernel.h"

enum { MIN_MATCH = 4, HASH_BITS = 12, WINDOW = 65535, CHAIN_LIMIT = 16 };

typedef struct {
  uint8_t *data;
  size_t length, capacity;
} bytes;

typedef struct {
  size_t length, distance;
} match;

// head[] has the latest place of a hash and chain[] the one before each place;
// places are stored plus one, so that zero is none.
typedef struct {
  const uint8_t *data;
  size_t length, indexed;
  uint32_t head[1 << HASH_BITS];
  uint32_t *chain;
} finder;

typedef match find_fn(finder *f, size_t at);
typedef void make_fn(bytes *out, kernel_rng *rng, size_t size);

typedef struct {
  const uint8_t *next, *end;
  bool broken;
} reader;

static void *check(void *block) {
  if (!block)
    abort();
  return block;
}

static void put_byte(bytes *b, unsigned value) {
  if (b->length == b->capacity) {
    b->capacity = 2 * b->capacity + 256;
    b->data = check(realloc(b->data, b->capacity));
  }
  b->data[b->length++] = (uint8_t)value;
}

static void put_bytes(bytes *b, const uint8_t *from, size_t length) {
  while (length--)
    put_byte(b, *from++);
}

static void release(bytes *b) {
  free(b->data);
  *b = (bytes){0};
}

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

static uint32_t load32(const uint8_t *p) {
  return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
         (uint32_t)p[3] << 24;
}

static uint32_t hash_at(const finder *f, size_t at) {
  return (load32(f->data + at) * 2654435761u) >> (32 - HASH_BITS);
}

static size_t left(const finder *f, size_t at) { return f->length - at; }

// Enters all places before `at` that are not in the index yet.
static void index_until(finder *f, size_t at) {
  for (; f->indexed < at && left(f, f->indexed) >= MIN_MATCH; f->indexed++) {
    uint32_t *head = &f->head[hash_at(f, f->indexed)];
    f->chain[f->indexed] = *head;
    *head = (uint32_t)f->indexed + 1;
  }
}

static size_t common_length(const finder *f, size_t a, size_t b) {
  size_t length = 0;
  while (b + length < f->length && f->data[a + length] == f->data[b + length])
    length++;
  return length;
}

// The best of the first `limit` places with the same hash; an empty match if
// there is none long enough.
static match search_chain(finder *f, size_t at, int limit) {
  match best = {0, 0};
  if (left(f, at) < MIN_MATCH)
    return best;
  index_until(f, at);
  uint32_t place = f->head[hash_at(f, at)];
  for (; place && limit-- > 0; place = f->chain[place - 1]) {
    match found = {0, at - (place - 1)};
    if (found.distance > WINDOW)
      break;
    found.length = common_length(f, place - 1, at);
    if (found.length >= MIN_MATCH && found.length > best.length)
      best = found;
  }
  return best;
}

static match find_fast(finder *f, size_t at) { return search_chain(f, at, 1); }

static match find_best(finder *f, size_t at) {
  return search_chain(f, at, CHAIN_LIMIT);
}

// Gives up a match if the next place has a longer one.
static match find_lazy(finder *f, size_t at) {
  match here = find_best(f, at);
  if (here.length && here.length < 32) {
    match next = find_best(f, at + 1);
    if (next.length > here.length + 1)
      here = (match){0, 0};
  }
  return here;
}

// A length that does not fit the four bits of a token goes on in bytes.
static void put_length(bytes *out, size_t length) {
  if (length < 15)
    return;
  for (length -= 15; length >= 255; length -= 255)
    put_byte(out, 255);
  put_byte(out, (unsigned)length);
}

static void put_sequence(bytes *out, const uint8_t *literals, size_t count,
                         match m) {
  size_t extra = m.length ? m.length - MIN_MATCH : 0;
  put_byte(out, (unsigned)(min_size(count, 15) << 4 | min_size(extra, 15)));
  put_length(out, count);
  put_bytes(out, literals, count);
  // The last sequence is literals only; its end is the end of the input.
  if (m.length) {
    put_byte(out, (unsigned)m.distance & 0xff);
    put_byte(out, (unsigned)m.distance >> 8);
    put_length(out, extra);
  }
}

static void compress(bytes *out, const bytes *in, find_fn *find) {
  finder *f = check(calloc(1, sizeof *f));
  size_t start = 0, at = 0;
  f->data = in->data;
  f->length = in->length;
  for (int shift = 0; shift < 32; shift += 8)
    put_byte(out, in->length >> shift & 0xff);
  f->chain = check(calloc(in->length + 1, sizeof *f->chain));
  while (at < in->length) {
    match m = find(f, at);
    if (m.length) {
      put_sequence(out, in->data + start, at - start, m);
      at += m.length;
      start = at;
    } else {
      at++;
    }
  }
  put_sequence(out, in->data + start, at - start, (match){0, 0});
  free(f->chain);
  free(f);
}

static unsigned get_byte(reader *r) {
  if (r->next == r->end) {
    r->broken = true;
    return 0;
  }
  return *r->next++;
}

static size_t get_length(reader *r, unsigned nibble) {
  size_t length = nibble;
  unsigned byte = nibble == 15 ? 255 : 0;
  while (byte == 255)
    length += byte = get_byte(r);
  return length;
}

static void get_literals(reader *r, bytes *out, size_t count) {
  size_t there = min_size(count, (size_t)(r->end - r->next));
  put_bytes(out, r->next, there);
  r->next += there;
  r->broken |= there < count;
}

// Byte by byte, since a match may reach into what it makes itself.
static void get_match(reader *r, bytes *out, unsigned nibble) {
  size_t distance = get_byte(r);
  distance |= (size_t)get_byte(r) << 8;
  size_t length = get_length(r, nibble) + MIN_MATCH;
  if (distance == 0 || distance > out->length)
    r->broken = true;
  while (!r->broken && length--)
    put_byte(out, out->data[out->length - distance]);
}

static bool decompress(bytes *out, const bytes *in) {
  reader r = {in->data, in->data + in->length, false};
  size_t length = 0;
  for (int shift = 0; shift < 32; shift += 8)
    length |= (size_t)get_byte(&r) << shift;
  while (!r.broken) {
    unsigned token = get_byte(&r);
    get_literals(&r, out, get_length(&r, token >> 4));
    if (r.next == r.end)
      return !r.broken && out->length == length;
    get_match(&r, out, token & 15);
  }
  return false;
}

static void make_noise(bytes *out, kernel_rng *rng, size_t size) {
  while (out->length < size)
    put_byte(out, (unsigned)(kernel_rng_next(rng) & 0xff));
}

static void make_runs(bytes *out, kernel_rng *rng, size_t size) {
  while (out->length < size) {
    uint64_t pick = kernel_rng_next(rng);
    for (uint64_t i = 0; i <= pick % 700; i++)
      put_byte(out, pick >> 32 & 3);
  }
}

static void make_text(bytes *out, kernel_rng *rng, size_t size) {
  static const char *const words[] = {"the ",     "match ",   "of ",  "window ",
                                      "literal ", "length, ", "and ", "byte\n"};
  while (out->length < size) {
    const char *word = words[kernel_rng_next(rng) % 8];
    put_bytes(out, (const uint8_t *)word, strlen(word));
  }
}

static void make_records(bytes *out, kernel_rng *rng, size_t size) {
  for (unsigned id = 0; out->length < size; id++) {
    put_bytes(out, (const uint8_t *)"REC\0\1\2", 6);
    put_byte(out, id & 0xff);
    put_byte(out, id >> 8 & 0xff);
    put_byte(out, (unsigned)(kernel_rng_next(rng) % 5));
  }
}

// Whether input that ends too early is found out.
static bool rejects_cut(const bytes *packed, size_t length) {
  bytes out = {0}, cut = {packed->data, length, 0};
  bool ok = decompress(&out, &cut);
  release(&out);
  return !ok;
}

static void run(const char *name, find_fn *find, const bytes *in,
                uint64_t *sum) {
  bytes packed = {0}, back = {0};
  compress(&packed, in, find);
  bool ok = decompress(&back, &packed) && back.length == in->length &&
            !memcmp(back.data, in->data, in->length);
  for (size_t i = 0; ok && i < 8; i++)
    ok = rejects_cut(&packed, packed.length * i / 8);
  if (!ok) {
    printf("%s: the round trip failed\n", name);
    exit(1);
  }
  printf("  %s: %zu\n", name, packed.length);
  *sum = kernel_checksum(*sum, packed.data, packed.length);
  release(&packed);
  release(&back);
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    make_fn *make;
  } kinds[] = {{"noise", make_noise},
               {"runs", make_runs},
               {"text", make_text},
               {"records", make_records}};
  size_t size = (size_t)kernel_size(argc, argv, 30000);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {3};
  for (int i = 0; i < 4; i++) {
    bytes in = {0};
    kinds[i].make(&in, &rng, size);
    printf("%s: %zu\n", kinds[i].name, in.length);
    run("fast", find_fast, &in, &sum);
    run("best", find_best, &in, &sum);
    run("lazy", find_lazy, &in, &sum);
    release(&in);
  }
  printf("lz checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
