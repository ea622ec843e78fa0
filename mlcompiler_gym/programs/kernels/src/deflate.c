// SPDX-License-Identifier: Apache-2.0
// Deflate: a decoder of stored, fixed and dynamic blocks, an encoder that takes
// turns at the latter two, and a stream to decode that was made elsewhere.
// Sizes: 8000 50000 250000

#include "kernel.h"

enum { LITERALS = 288, DISTANCES = 32, PIECES = 19, END = 256, MAX_BITS = 15 };
enum { BLOCK = 1000, MIN_MATCH = 3, MAX_MATCH = 257 };

typedef struct {
  uint8_t *data;
  size_t length, at;
  unsigned held, held_bits;
  bool broken;
} stream;

// limit[] is past the last code of each length, and first[] how far codes of a
// length are ahead of their places in sorted[]. Symbols are counted if written.
typedef struct {
  unsigned size, total, weight[LITERALS], code[LITERALS], length[LITERALS];
  unsigned sorted[LITERALS], limit[MAX_BITS + 1], first[MAX_BITS + 1];
} book;

static void put_byte(stream *s, unsigned byte) {
  s->broken |= s->at == s->length;
  if (!s->broken)
    s->data[s->at++] = (uint8_t)byte;
}

static void put_bits(stream *s, unsigned bits, unsigned count) {
  s->held |= bits << s->held_bits;
  for (s->held_bits += count; s->held_bits >= 8; s->held_bits -= 8) {
    put_byte(s, s->held & 0xff);
    s->held >>= 8;
  }
}

static unsigned get_bits(stream *s, unsigned count) {
  for (; s->held_bits < count; s->held_bits += 8) {
    s->broken |= s->at >= s->length;
    s->held |= (s->broken ? 0u : s->data[s->at++]) << s->held_bits;
  }
  unsigned bits = s->held & ((1u << count) - 1);
  s->held >>= count;
  s->held_bits -= count;
  return bits;
}

// Lengths have four codes for each number of extra bits, distances have two.
static unsigned extra_bits(unsigned group, unsigned code) {
  return code < 2 * group ? 0 : code / group - 1;
}

static unsigned first_value(unsigned group, unsigned code) {
  return code < 2 * group ? code
                          : (group + code % group) << extra_bits(group, code);
}

// The codes of one length follow each other, in the order of their symbols.
static void assign_codes(book *b) {
  unsigned next = 0, place = 0;
  for (unsigned bits = 1; bits <= MAX_BITS; bits++, next *= 2) {
    b->first[bits] = next - place;
    for (unsigned s = 0; s < b->size; s++)
      if (b->length[s] == bits)
        b->sorted[place++] = s, b->code[s] = next++;
    b->limit[bits] = next;
  }
}

static void set_book(book *b, const unsigned *lengths, unsigned size) {
  *b = (book){.size = size};
  memcpy(b->length, lengths, size * sizeof *lengths);
  assign_codes(b);
}

static book *fixed_books(book *b) {
  unsigned literals[LITERALS], distances[LITERALS];
  for (unsigned s = 0; s < LITERALS; s++) {
    literals[s] = 7 + (s < END || s >= 280) + (s >= 144 && s < END);
    distances[s] = 5;
  }
  set_book(&b[0], literals, LITERALS);
  set_book(&b[1], distances, DISTANCES);
  return b;
}

static unsigned get_symbol(const book *b, stream *in) {
  unsigned code = 0;
  for (unsigned bits = 1; bits <= MAX_BITS; bits++) {
    code = code << 1 | get_bits(in, 1);
    if (code < b->limit[bits])
      return b->sorted[code - b->first[bits]];
  }
  in->broken = true;
  return 0;
}

static void put_symbol(stream *s, book *b, unsigned symbol) {
  b->weight[symbol]++;
  b->total++;
  for (unsigned bits = b->length[symbol]; bits-- > 0;)
    put_bits(s, b->code[symbol] >> bits & 1, 1);
}

static unsigned get_value(stream *in, unsigned group, unsigned code) {
  return first_value(group, code) + get_bits(in, extra_bits(group, code));
}

static void put_value(stream *s, book *b, unsigned group, unsigned value) {
  unsigned code = 29;
  while (first_value(group, code) > value)
    code--;
  put_symbol(s, b, code + (group == 4 ? END + 1 : 0));
  put_bits(s, value - first_value(group, code), extra_bits(group, code));
}

static void get_match(stream *in, stream *out, const book *b, unsigned code) {
  unsigned length = code == 28 ? 255 : get_value(in, 4, code);
  unsigned far = get_symbol(b, in) % DISTANCES;
  size_t distance = get_value(in, 2, far) + 1;
  in->broken |= code > 28 || far > 29 || distance > out->at;
  for (length += MIN_MATCH; !in->broken && length > 0; length--)
    put_byte(out, out->data[out->at - distance]);
}

static void get_block(stream *in, stream *out, const book *b) {
  unsigned symbol;
  while ((symbol = get_symbol(&b[0], in)) != END && !in->broken)
    if (symbol < END)
      put_byte(out, symbol);
    else
      get_match(in, out, &b[1], symbol - END - 1);
}

static void get_stored(stream *in, stream *out) {
  get_bits(in, in->held_bits & 7);
  unsigned length = get_bits(in, 16);
  in->broken |= (length ^ get_bits(in, 16)) != 0xffff;
  while (!in->broken && length-- > 0)
    put_byte(out, get_bits(in, 8));
}

static void get_lengths(stream *in, book *b, unsigned *lengths,
                        unsigned count) {
  for (unsigned at = 0; at < count && !in->broken;) {
    unsigned piece = get_symbol(b, in), run = 1;
    if (piece >= 16)
      run = get_bits(in, piece == 18 ? 7 : piece - 14) + (piece == 18 ? 11 : 3);
    in->broken |= run > count - at;
    for (; run > 0 && at < count; run--, at++)
      lengths[at] = piece < 16          ? piece
                    : piece == 16 && at ? lengths[at - 1]
                                        : 0;
  }
}

static book *get_books(stream *in, book *b) {
  static const uint8_t order[PIECES] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                        11, 4,  12, 3, 13, 2, 14, 1, 15};
  unsigned lengths[LITERALS + DISTANCES] = {0};
  unsigned literals = 257 + get_bits(in, 5), distances = 1 + get_bits(in, 5);
  for (unsigned i = 0, count = 4 + get_bits(in, 4); i < count; i++)
    lengths[order[i]] = get_bits(in, 3);
  set_book(&b[0], lengths, PIECES);
  get_lengths(in, &b[0], lengths, literals + distances);
  set_book(&b[0], lengths, literals);
  set_book(&b[1], lengths + literals, distances);
  return b;
}

static bool inflate(stream *in, stream *out) {
  book b[2];
  for (unsigned head = 0; !(head & 1) && !in->broken;) {
    head = get_bits(in, 3);
    if (head >> 1 == 0)
      get_stored(in, out);
    if (head >> 1 == 1)
      get_block(in, out, fixed_books(b));
    if (head >> 1 == 2)
      get_block(in, out, get_books(in, b));
    in->broken |= head >> 1 == 3;
  }
  return !in->broken && !out->broken;
}

// Shannon's lengths, and then shorter ones while there is room for them.
static void choose_lengths(book *b) {
  unsigned room = 1 << MAX_BITS;
  for (unsigned s = 0; s < b->size; s++)
    if (b->weight[s]) {
      for (b->length[s] = 1; b->weight[s] << b->length[s] < b->total;)
        b->length[s]++;
      room -= 1u << (MAX_BITS - b->length[s]);
    }
  for (unsigned s = 0; s < b->size; s++)
    while (b->length[s] > 1 && room >= 1u << (MAX_BITS - b->length[s]))
      room -= 1u << (MAX_BITS - b->length[s]--);
  assign_codes(b);
}

static size_t match_length(const uint8_t *p, size_t far, size_t limit) {
  size_t length = 0;
  while (length < limit && p[length] == *(p + length - far))
    length++;
  return length < MAX_MATCH ? length : MAX_MATCH;
}

// Looks for matches only at distances that are powers of two.
static void put_block(stream *s, book *b, const uint8_t *data, size_t size) {
  for (size_t at = 0, step, best; at < size; at += step) {
    step = 1, best = 0;
    for (size_t far = 1; far <= at; far *= 2) {
      size_t length = match_length(data + at, far, size - at);
      if (length >= MIN_MATCH && length > step)
        step = length, best = far;
    }
    if (best == 0) {
      put_symbol(s, &b[0], data[at]);
      continue;
    }
    put_value(s, &b[0], 4, (unsigned)step - MIN_MATCH);
    put_value(s, &b[1], 2, (unsigned)best - 1);
  }
  put_symbol(s, &b[0], END);
}

// With 16 pieces of four bits each, a code length is its own code.
static book *put_books(stream *s, book *b, const uint8_t *data, size_t size) {
  b[0] = (book){.size = 286};
  b[1] = (book){.size = 30};
  put_block(&(stream){0}, b, data, size);
  put_bits(s, 29 | 29 << 5 | 15 << 10, 14);
  for (unsigned i = 0; i < PIECES; i++)
    put_bits(s, i < 3 ? 0 : 4, 3);
  for (int kind = 0; kind < 2; kind++) {
    choose_lengths(&b[kind]);
    for (unsigned i = 0; i < b[kind].size; i++)
      for (int bit = 3; bit >= 0; bit--)
        put_bits(s, b[kind].length[i] >> bit & 1, 1);
  }
  return b;
}

static void deflate(stream *s, const uint8_t *data, size_t size) {
  book b[2];
  for (size_t at = 0, count; at < size; at += count) {
    bool fixed = at / BLOCK % 2;
    count = size - at < BLOCK ? size - at : BLOCK;
    put_bits(s, (at + count == size) + (fixed ? 2 : 4), 3);
    put_block(s, fixed ? fixed_books(b) : put_books(s, b, data + at, count),
              data + at, count);
  }
  put_bits(s, 0, 7);
}

static bool restores(uint8_t *p, size_t length, const void *data, size_t size) {
  stream in = {.data = p, .length = length};
  stream out = {.data = malloc(size), .length = size};
  bool ok = out.data && inflate(&in, &out) && out.at == size &&
            !memcmp(out.data, data, size);
  free(out.data);
  return ok;
}

static uint8_t known_packed[] = {
    0,  8,   0,  247, 255, 'a', 's', ' ', 'i', 't', ' ', 'i', 's', 37,  74, 185,
    13, 0,   32, 16,  90,  197, 213, 72,  128, 138, 242, 246, 143, 120, 82, 240,
    51, 182, 49, 71,  5,   240, 136, 165, 173, 28,  5,   220, 177, 165, 57, 207,
    34, 210, 55, 216, 103, 4,   101, 243, 52,  13,  247, 111, 87,  120, 1};
static const char known[] =
    "as it isdlfffat eeeeaaeeeadeeeffat fleladfat eadefdtfat "
    "aleetfat aaadeeeleaelfat ateeetddfat ffdfad";

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 50000);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {17};
  uint8_t *data = malloc(size);
  stream packed = {.data = malloc(2 * size + 400), .length = 2 * size + 400};
  if (!data || !packed.data)
    abort();
  for (size_t i = 0; i < size; i++)
    data[i] = kernel_rng_next(&rng) % 8 && i ? data[i & (i - 1)]
                                             : kernel_rng_next(&rng) & 15;
  deflate(&packed, data, size);
  if (!restores(known_packed, sizeof known_packed, known, strlen(known)) ||
      !restores(packed.data, packed.at, data, size) ||
      restores(packed.data, packed.at / 2, data, size))
    exit(1);
  printf("%zu to %zu bytes\n", size, packed.at);
  sum = kernel_checksum(sum, packed.data, packed.at);
  printf("deflate checksum %016llx\n", (unsigned long long)sum);
  free(packed.data);
  free(data);
  return 0;
}
