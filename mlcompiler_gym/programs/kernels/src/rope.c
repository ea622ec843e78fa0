// SPDX-License-Identifier: Apache-2.0
// Text ropes: AVL trees of short strings that never change and share their
// nodes by reference counts; edits and undo, checked against a flat copy.
// Sizes: 250 1000 4000

#include "kernel.h"

enum { LEAF = 48, UNDO = 8, MAX_PIECE = 200 };

// A leaf has text and no halves, any other node two halves and no text. Lines
// are counted by their ends; an empty rope is NULL.
typedef struct rope {
  struct rope *halves[2];
  size_t references, length, lines;
  int height;
  char text[];
} rope;

typedef struct {
  rope *before, *after;
} parts;

typedef struct {
  rope *now;
  size_t length;
  char *copy; // the same text in one piece
} editor;

static void require(bool fact, const char *what) {
  if (!fact) {
    printf("wrong: %s\n", what);
    exit(1);
  }
}

static size_t length_of(const rope *r) { return r ? r->length : 0; }
static size_t lines_of(const rope *r) { return r ? r->lines : 0; }
static bool is_leaf(const rope *r) { return !r->halves[0]; }

static rope *keep(rope *r) {
  if (r)
    r->references++;
  return r;
}

static void drop(rope *r) {
  if (r && --r->references == 0) {
    drop(r->halves[0]);
    drop(r->halves[1]);
    free(r);
  }
}

static rope *make_rope(size_t text_size) {
  rope *r = calloc(1, sizeof *r + text_size);
  require(r, "out of memory");
  r->references = 1;
  return r;
}

static rope *make_leaf(const char *text, size_t length) {
  rope *r = make_rope(length);
  memcpy(r->text, text, length);
  r->length = length;
  for (size_t i = 0; i < length; i++)
    r->lines += text[i] == '\n';
  return r;
}

// Functions that make a rope of ropes take over the references to them.
static rope *make_node(rope *a, rope *b) {
  rope *r = make_rope(0);
  r->halves[0] = a;
  r->halves[1] = b;
  r->length = a->length + b->length;
  r->lines = a->lines + b->lines;
  r->height = (a->height > b->height ? a->height : b->height) + 1;
  return r;
}

static rope *make_sided(int side, rope *a, rope *b) {
  return side ? make_node(b, a) : make_node(a, b);
}

static parts take_apart(rope *r) {
  parts p = {keep(r->halves[0]), keep(r->halves[1])};
  drop(r);
  return p;
}

// A node of a tall rope on one side and a low one on the other, turned once or
// twice where the heights differ by two.
static rope *balance(rope *a, rope *b) {
  int side = b->height > a->height;
  rope *tall = side ? b : a, *low = side ? a : b;
  if (tall->height - low->height < 2)
    return make_node(a, b);
  parts p = take_apart(tall);
  rope *outer = side ? p.after : p.before, *inner = side ? p.before : p.after;
  if (outer->height >= inner->height)
    return make_sided(side, outer, make_sided(side, inner, low));
  parts q = take_apart(inner);
  inner = side ? q.before : q.after;
  rope *middle = side ? q.after : q.before;
  return make_sided(side, make_sided(side, outer, middle),
                    make_sided(side, inner, low));
}

// Returns where the text that is copied ends.
static char *copy_out(const rope *r, char *to) {
  if (r && !is_leaf(r))
    return copy_out(r->halves[1], copy_out(r->halves[0], to));
  memcpy(to, r ? r->text : "", length_of(r));
  return to + length_of(r);
}

static rope *join_leaves(rope *a, rope *b) {
  char text[LEAF];
  size_t length = a->length + b->length;
  if (length > LEAF)
    return make_node(a, b);
  copy_out(b, copy_out(a, text));
  drop(a);
  drop(b);
  return make_leaf(text, length);
}

// Goes down to the leaves where one side is a leaf, so that short ones join.
static rope *concat(rope *a, rope *b) {
  if (!a || !b)
    return a ? a : b;
  if (!is_leaf(a) && (is_leaf(b) || a->height > b->height + 1)) {
    parts p = take_apart(a);
    return balance(p.before, concat(p.after, b));
  }
  if (!is_leaf(b) && (is_leaf(a) || b->height > a->height + 1)) {
    parts p = take_apart(b);
    return balance(concat(a, p.before), p.after);
  }
  return is_leaf(a) && is_leaf(b) ? join_leaves(a, b) : make_node(a, b);
}

static rope *from_text(const char *text, size_t length) {
  size_t half = length / 2;
  if (length == 0)
    return NULL;
  if (length <= LEAF)
    return make_leaf(text, length);
  return concat(from_text(text, half), from_text(text + half, length - half));
}

// Leaves the rope as it is; the parts are new references.
static parts split(rope *r, size_t at) {
  if (at == 0 || at >= length_of(r))
    return at ? (parts){keep(r), NULL} : (parts){NULL, keep(r)};
  if (is_leaf(r))
    return (parts){from_text(r->text, at),
                   from_text(r->text + at, r->length - at)};
  rope *left = r->halves[0], *right = r->halves[1];
  parts p;
  if (at <= left->length) {
    p = split(left, at);
    p.after = concat(p.after, keep(right));
  } else {
    p = split(right, at - left->length);
    p.before = concat(keep(left), p.before);
  }
  return p;
}

static rope *insert(rope *r, size_t at, rope *piece) {
  parts p = split(r, at);
  drop(r);
  return concat(concat(p.before, piece), p.after);
}

// Takes a piece out; `piece` gets a reference to it.
static rope *cut(rope *r, size_t at, size_t length, rope **piece) {
  parts p = split(r, at), q = split(p.after, length);
  drop(p.after);
  drop(r);
  *piece = q.before;
  return concat(p.before, q.after);
}

// Where a line of the text starts.
static size_t line_start(const rope *r, size_t line) {
  size_t at = 0;
  while (line && !is_leaf(r)) {
    const rope *left = r->halves[0];
    bool after = line > left->lines;
    at += after ? left->length : 0;
    line -= after ? left->lines : 0;
    r = r->halves[after];
  }
  for (size_t i = 0; line; i++, at++)
    line -= r->text[i] == '\n';
  return at;
}

static int verify(const rope *r, const char *text) {
  const rope *a = r->halves[0], *b = r->halves[1];
  require(!is_leaf(r) || !memcmp(r->text, text, r->length), "text");
  if (is_leaf(r))
    return 0;
  int lean = verify(a, text) - verify(b, text + a->length);
  require(lean >= -1 && lean <= 1, "balance");
  return r->height;
}

static void splice(editor *e, size_t at, size_t removed, const char *text,
                   size_t length) {
  char *place = e->copy + at;
  memmove(place + length, place + removed, e->length - at - removed);
  memcpy(place, text, length);
  e->length += length - removed;
}

static size_t pick(kernel_rng *rng, size_t below) {
  return (size_t)(kernel_rng_next(rng) % below);
}

static void put_in(editor *e, size_t at, rope *piece, const char *text) {
  splice(e, at, 0, text, length_of(piece));
  e->now = insert(e->now, at, piece);
}

static rope *take_out(editor *e, size_t at, size_t length, char *text) {
  rope *piece;
  e->now = cut(e->now, at, length, &piece);
  copy_out(piece, text);
  splice(e, at, length_of(piece), "", 0);
  return piece;
}

// Types something new, deletes a piece, or moves it to the start of a line.
static void edit(editor *e, kernel_rng *rng) {
  char text[MAX_PIECE];
  size_t kind = pick(rng, 3), length = pick(rng, MAX_PIECE);
  size_t at = pick(rng, e->length + 1);
  if (kind == 0) {
    for (size_t i = 0; i < length; i++)
      text[i] = "abc de.\n"[pick(rng, 8)];
    put_in(e, at, from_text(text, length), text);
    return;
  }
  rope *piece = take_out(e, at, length, text);
  at = line_start(e->now, pick(rng, lines_of(e->now) + 1));
  if (kind == 1)
    put_in(e, at, piece, text);
  else
    drop(piece);
}

static void edit_and_undo(editor *e, kernel_rng *rng) {
  rope *old = keep(e->now);
  uint64_t sum = kernel_checksum(0, e->copy, e->length);
  for (int i = 0; i < UNDO; i++)
    edit(e, rng);
  drop(e->now);
  e->now = old;
  e->length = (size_t)(copy_out(old, e->copy) - e->copy);
  require(kernel_checksum(0, e->copy, e->length) == sum, "undo");
}

static uint64_t check_lines(const editor *e, uint64_t sum) {
  require(e->length == length_of(e->now), "length");
  if (e->now)
    verify(e->now, e->copy);
  for (size_t i = 0, at; i <= lines_of(e->now); i++) {
    at = line_start(e->now, i);
    require(at == 0 || e->copy[at - 1] == '\n', "line start");
    sum = kernel_checksum_u64(sum, at);
  }
  return sum;
}

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 1000);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {23};
  editor e = {NULL, 0, malloc((size + UNDO) * MAX_PIECE)};
  require(e.copy, "out of memory");
  for (size_t i = 0; i < size; i++) {
    edit(&e, &rng);
    if (i % 16)
      continue;
    sum = check_lines(&e, sum);
    edit_and_undo(&e, &rng);
  }
  printf("%zu bytes in %zu lines\n", e.length, lines_of(e.now));
  sum = kernel_checksum(sum, e.copy, e.length);
  drop(e.now);
  free(e.copy);
  printf("rope checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
