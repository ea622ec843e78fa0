// SPDX-License-Identifier: Apache-2.0
// Burrows-Wheeler compression of blocks: two suffix sorts that have to agree,
// move-to-front and run lengths, and each of these stages undone again.
// Sizes: 1000 5000 25000

#include "kernel.h"

enum { BLOCK = 2000, ROOM = 4096, KEYS = 257, STAGES = 3, KINDS = 3 };

// What does not fit is left out, and the block is broken from then on.
typedef struct {
  size_t length;
  bool broken;
  uint8_t data[ROOM];
} block;

// order[] has the places where the suffixes start; the others are for sorting.
typedef struct {
  const uint8_t *text;
  unsigned length;
  unsigned order[ROOM], spare[ROOM], rank[ROOM], count[ROOM];
} sorter;

typedef void sort_fn(sorter *s);
typedef void stage_fn(block *out, const block *in);
typedef unsigned source_fn(kernel_rng *rng, size_t at);

static void put(block *b, unsigned byte) {
  if (b->length < ROOM)
    b->data[b->length++] = (uint8_t)byte;
  else
    b->broken = true;
}

static void put_times(block *b, unsigned byte, size_t times) {
  for (size_t i = 0; i < times && !b->broken; i++)
    put(b, byte);
}

// Ranks start at one, for the end of the text to be less than all.
static unsigned rank_at(const sorter *s, unsigned at) {
  return at < s->length ? s->rank[at] : 0;
}

static void sort_by_rank(sorter *s, unsigned ranks, unsigned ahead) {
  memset(s->count, 0, (ranks + 2) * sizeof *s->count);
  for (unsigned i = 0; i < s->length; i++)
    s->count[rank_at(s, i + ahead) + 1]++;
  for (unsigned i = 1; i <= ranks; i++)
    s->count[i] += s->count[i - 1];
  for (unsigned i = 0; i < s->length; i++)
    s->spare[s->count[rank_at(s, s->order[i] + ahead)]++] = s->order[i];
  memcpy(s->order, s->spare, s->length * sizeof *s->order);
}

// The new rank of a suffix is that of its pair of old ones.
static unsigned rank_pairs(sorter *s, unsigned ahead) {
  unsigned ranks = 0;
  for (unsigned i = 0; i < s->length; i++) {
    unsigned a = i ? s->order[i - 1] : s->length, b = s->order[i];
    ranks += rank_at(s, a) != rank_at(s, b) ||
             rank_at(s, a + ahead) != rank_at(s, b + ahead);
    s->spare[b] = ranks;
  }
  memcpy(s->rank, s->spare, s->length * sizeof *s->rank);
  return ranks;
}

static void sort_by_doubling(sorter *s) {
  for (unsigned i = 0; i < s->length; i++)
    s->rank[i] = s->text[i] + 1u;
  sort_by_rank(s, KEYS, 0);
  unsigned ranks = rank_pairs(s, 0);
  for (unsigned ahead = 1; ranks < s->length; ahead *= 2) {
    sort_by_rank(s, ranks, ahead);
    sort_by_rank(s, ranks, 0);
    ranks = rank_pairs(s, ahead);
  }
}

static int letter(const sorter *s, unsigned i, unsigned depth) {
  unsigned at = s->order[i] + depth;
  return at < s->length ? s->text[at] : -1;
}

static void swap(sorter *s, unsigned i, unsigned k) {
  unsigned moved = s->order[i];
  s->order[i] = s->order[k];
  s->order[k] = moved;
}

// Suffixes low to high start with the same letters as far as `depth`.
static void sort_range(sorter *s, unsigned low, unsigned high, unsigned depth) {
  for (; low + 1 < high; depth++) {
    int pivot = letter(s, (low + high) / 2, depth);
    unsigned less = low, more = high;
    for (unsigned i = low; i < more;) {
      int c = letter(s, i, depth);
      if (c < pivot)
        swap(s, less++, i++);
      else if (c > pivot)
        swap(s, --more, i);
      else
        i++;
    }
    sort_range(s, low, less, depth);
    sort_range(s, more, high, depth);
    low = less;
    high = more;
  }
}

static void sort_by_letters(sorter *s) { sort_range(s, 0, s->length, 0); }

static void sort_suffixes(sorter *s, const block *in, sort_fn *sort) {
  s->text = in->data;
  s->length = (unsigned)in->length;
  for (unsigned i = 0; i < s->length; i++)
    s->order[i] = i;
  sort(s);
}

// The row of the whole text would have the end of the text as its letter; it
// is left out, and its number goes first.
static void put_last_letters(block *out, const sorter *s) {
  unsigned whole = 0;
  while (whole < s->length && s->order[whole] != 0)
    whole++;
  put(out, (whole + 1) & 0xff);
  put(out, (whole + 1) >> 8);
  put(out, s->text[s->length - 1]);
  for (unsigned i = 0; i < s->length; i++)
    put_times(out, s->text[s->order[i] - (i != whole)], i != whole);
}

static void pack_sorted(block *out, const block *in) {
  static sorter one, other;
  sort_suffixes(&one, in, sort_by_doubling);
  sort_suffixes(&other, in, sort_by_letters);
  if (memcmp(one.order, other.order, one.length * sizeof *one.order))
    abort();
  put_last_letters(out, &one);
}

static void first_rows(const block *in, unsigned *first) {
  memset(first, 0, (KEYS + 1) * sizeof *first);
  for (size_t i = 2; i < in->length; i++)
    first[in->data[i] + 1]++;
  first[0] = 1;
  for (unsigned c = 1; c < KEYS; c++)
    first[c] += first[c - 1];
}

static void unpack_sorted(block *out, const block *in) {
  unsigned first[KEYS + 1], step[ROOM], row = 0;
  unsigned left = (unsigned)in->length - 2;
  unsigned whole = in->data[0] | (unsigned)in->data[1] << 8;
  out->broken = in->length < 2 || whole > left;
  if (out->broken)
    return;
  first_rows(in, first);
  for (unsigned i = 0; i < left; i++)
    step[i] = first[in->data[2 + i]]++;
  out->length = left;
  while (left > 0 && row != whole) {
    unsigned at = row - (row > whole);
    out->data[--left] = in->data[2 + at];
    row = step[at];
  }
  out->broken = left > 0 || row != whole;
}

static void start_list(uint8_t *list) {
  for (unsigned i = 0; i < 256; i++)
    list[i] = (uint8_t)i;
}

static unsigned move_to_front(uint8_t *list, unsigned place) {
  uint8_t byte = list[place];
  memmove(list + 1, list, place);
  return list[0] = byte;
}

static void pack_ranks(block *out, const block *in) {
  uint8_t list[256];
  start_list(list);
  for (size_t i = 0; i < in->length; i++) {
    unsigned place = 0;
    while (list[place] != in->data[i])
      place++;
    move_to_front(list, place);
    put(out, place);
  }
}

static void unpack_ranks(block *out, const block *in) {
  uint8_t list[256];
  start_list(list);
  for (size_t i = 0; i < in->length; i++)
    put(out, move_to_front(list, in->data[i]));
}

// A run of zeros becomes one zero, and then how many more there were.
static void pack_zeros(block *out, const block *in) {
  for (size_t at = 0; at < in->length; at++) {
    unsigned more = 0;
    put(out, in->data[at]);
    while (more < 255 && at + 1 < in->length &&
           !(in->data[at] | in->data[at + 1]))
      more++, at++;
    put_times(out, more, in->data[at] == 0);
  }
}

static void unpack_zeros(block *out, const block *in) {
  for (size_t at = 0; at < in->length; at++) {
    put(out, in->data[at]);
    if (in->data[at] == 0)
      put_times(out, 0, ++at < in->length ? in->data[at] : 0);
  }
}

static unsigned text_letter(kernel_rng *rng, size_t at) {
  kernel_rng phrase = {(rng->state & 0xff) + at / 10};
  size_t start = kernel_rng_next(&phrase) % 4 * 10;
  return (unsigned char)"she sells sea shells by the shore, for ..."[start +
                                                                     at % 10];
}

static unsigned noise(kernel_rng *rng, size_t at) {
  return (unsigned)((kernel_rng_next(rng) >> 20) + at) & 0xff;
}

// The parity of the bits of `at`: nothing comes three times in a row in it.
static unsigned parity(kernel_rng *rng, size_t at) {
  unsigned ones = rng->state & 1;
  for (; at; at &= at - 1)
    ones++;
  return 'a' + ones % 2;
}

static const struct {
  const char *name;
  stage_fn *pack, *unpack;
} stages[STAGES] = {{"sort", pack_sorted, unpack_sorted},
                    {"ranks", pack_ranks, unpack_ranks},
                    {"zeros", pack_zeros, unpack_zeros}};

static void apply(stage_fn *stage, block *out, const block *in) {
  out->length = 0;
  out->broken = in->broken;
  stage(out, in);
}

static bool restores(const block *packed, const block *wanted) {
  static block steps[STAGES + 1];
  steps[STAGES] = *packed;
  for (int i = STAGES; i-- > 0;)
    apply(stages[i].unpack, &steps[i], &steps[i + 1]);
  return !steps[0].broken && steps[0].length == wanted->length &&
         !memcmp(steps[0].data, wanted->data, wanted->length);
}

static size_t run_block(block *in, uint64_t *sum) {
  static block steps[STAGES + 1];
  steps[0] = *in;
  for (int i = 0; i < STAGES; i++)
    apply(stages[i].pack, &steps[i + 1], &steps[i]);
  block *packed = &steps[STAGES];
  size_t length = packed->length;
  if (packed->broken || !restores(packed, in))
    exit(1);
  *sum = kernel_checksum(*sum, packed->data, length);
  packed->data[length / 2] ^= 1;
  if (restores(packed, in))
    exit(2);
  return length;
}

int main(int argc, char **argv) {
  static const char *const names[KINDS] = {"text", "noise", "parity"};
  static source_fn *const sources[KINDS] = {text_letter, noise, parity};
  size_t size = (size_t)kernel_size(argc, argv, 5000);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {11};
  for (int kind = 0; kind < KINDS; kind++) {
    size_t packed = 0;
    for (size_t at = 0; at < size;) {
      static block in;
      for (in.length = 0; in.length < BLOCK && at < size; at++)
        put(&in, sources[kind](&rng, at));
      packed += run_block(&in, &sum);
    }
    printf("%s: %zu to %zu bytes\n", names[kind], size, packed);
  }
  printf("bwt checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
