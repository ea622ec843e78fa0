// SPDX-License-Identifier: Apache-2.0
// Differences of files by lines: Myers' way with a middle snake, and patience,
// with the table of common subsequences as the measure; patches and back.
// Sizes: 200 600 1500

#include "kernel.h"

enum { CONTEXT = 2, NONE = -1, SORTS = 300 };

// The lines stand for themselves as numbers, from zero to below SORTS.
typedef struct {
  int *lines, count;
} file;

// The lines that stay, which are as many in both files.
typedef struct {
  const file *a, *b;
  bool *in_a, *in_b;
} keep;

typedef struct {
  int a_from, a_to, b_from, b_to;
} range;

typedef struct {
  int x, y;
} spot;

// In a patch, a < and a > tell where in both files the next hunk starts.
typedef struct {
  char sign;
  int line;
} edit;

typedef struct {
  edit *edits;
  int count;
} script;

static void check(bool ok) {
  if (!ok)
    abort();
}

static void *zeroed(int count, size_t size) {
  void *block = calloc((size_t)count + 1, size);
  check(block);
  return block;
}

static int larger(int a, int b) { return a > b ? a : b; }
static int smaller(int a, int b) { return a < b ? a : b; }
static void push(file *f, int line) { f->lines[f->count++] = line; }

static bool same(const keep *k, int x, int y) {
  return k->a->lines[x] == k->b->lines[y];
}

static void mark(keep *k, int x, int y) { k->in_a[x] = k->in_b[y] = true; }
static int height(range r) { return r.a_to - r.a_from; }
static int width(range r) { return r.b_to - r.b_from; }

// Keeps what is the same at both ends, and returns what is left.
static range trim(keep *k, range r) {
  while (height(r) && width(r) && same(k, r.a_from, r.b_from))
    mark(k, r.a_from++, r.b_from++);
  while (height(r) && width(r) && same(k, r.a_to - 1, r.b_to - 1))
    mark(k, --r.a_to, --r.b_to);
  return r;
}

// How far a path on diagonal d gets by a step from one of those beside it.
static int step(const int *paths, int d, int steps, range r) {
  int across = d > -steps ? paths[d - 1] : NONE;
  int down = d < steps ? paths[d + 1] : NONE;
  across = across == NONE || across == height(r) ? NONE : across + 1;
  down = down == NONE || down - d - 1 == width(r) ? NONE : down;
  return steps ? larger(across, down) : 0;
}

// Makes all paths from one end longer by a step; returns where one of them
// first meets with a path from the other end.
static spot advance(const keep *k, range r, int *mine, const int *theirs,
                    int steps, bool ahead) {
  int n = height(r), m = width(r), delta = n - m, done = steps - ahead;
  for (int d = -steps; d <= steps; d += 2) {
    int x = step(mine, d, steps, r), other = delta - d;
    while (x != NONE && x < n && x - d < m &&
           (ahead ? same(k, r.a_from + x, r.b_from + x - d)
                  : same(k, r.a_to - 1 - x, r.b_to - 1 - x + d)))
      x++;
    mine[d] = x;
    if (x == NONE || (delta & 1) != ahead || other < -done || other > done ||
        theirs[other] == NONE || x + theirs[other] < n)
      continue;
    return ahead ? (spot){r.a_from + x, r.b_from + x - d}
                 : (spot){r.a_to - x, r.b_to - x + d};
  }
  return (spot){NONE, NONE};
}

static spot find_middle(const keep *k, range r) {
  int room = height(r) + width(r) + 3;
  int *block = zeroed(2 * room, sizeof *block),
      *paths[2] = {block, block + room};
  spot found = {NONE, NONE};
  for (int turn = 0, side = 0; found.x == NONE; turn++, side = !side)
    found = advance(k, r, paths[side] + room / 2, paths[!side] + room / 2,
                    turn / 2, !side);
  free(block);
  return found;
}

static void myers(keep *k, range r) {
  r = trim(k, r);
  if (!height(r) || !width(r))
    return;
  spot at = find_middle(k, r);
  myers(k, (range){r.a_from, at.x, r.b_from, at.y});
  myers(k, (range){at.x, r.a_to, at.y, r.b_to});
}

static int common_length(const file *a, const file *b) {
  int *row = zeroed(b->count + 1, sizeof *row);
  for (int x = 0; x < a->count; x++)
    for (int y = 0, corner = 0; y < b->count; y++) {
      int above = row[y + 1];
      row[y + 1] =
          a->lines[x] == b->lines[y] ? corner + 1 : larger(row[y], above);
      corner = above;
    }
  int length = row[b->count];
  free(row);
  return length;
}

// The lines that are there just once in both, by their places in a.
static int find_unique(const keep *k, range r, spot *out) {
  int in_a[SORTS] = {0}, in_b[SORTS] = {0}, place[SORTS] = {0}, count = 0;
  for (int x = r.a_from; x < r.a_to; x++)
    in_a[k->a->lines[x]]++;
  for (int y = r.b_from; y < r.b_to; y++) {
    in_b[k->b->lines[y]]++;
    place[k->b->lines[y]] = y;
  }
  for (int x = r.a_from; x < r.a_to; x++) {
    int line = k->a->lines[x];
    if (in_a[line] == 1 && in_b[line] == 1)
      out[count++] = (spot){x, place[line]};
  }
  return count;
}

// Leaves the longest run of spots in which y rises too: each goes on the
// first pile with a higher top, and remembers the top of the pile before.
static int rising(spot *spots, int count) {
  int *tops = zeroed(2 * count, sizeof *tops), *before = tops + count;
  int piles = 0;
  for (int i = 0; i < count; i++) {
    int low = piles;
    while (low && spots[tops[low - 1]].y > spots[i].y)
      low--;
    before[i] = low ? tops[low - 1] : NONE;
    tops[low] = i;
    piles += low == piles;
  }
  int at = piles ? tops[piles - 1] : NONE;
  for (int i = piles - 1; i >= 0; i--, at = before[at])
    tops[i] = at;
  for (int i = 0; i < piles; i++)
    spots[i] = spots[tops[i]];
  free(tops);
  return piles;
}

static void patience(keep *k, range r) {
  r = trim(k, r);
  spot *anchors = zeroed(height(r), sizeof *anchors);
  int count = rising(anchors, find_unique(k, r, anchors));
  for (int i = 0; i < count; i++) {
    patience(k, (range){r.a_from, anchors[i].x, r.b_from, anchors[i].y});
    r.a_from = anchors[i].x;
    r.b_from = anchors[i].y;
  }
  (count ? patience : myers)(k, r);
  free(anchors);
}

static void add(script *s, char sign, int line) {
  s->edits[s->count++] = (edit){sign, line};
}

static script make_script(const keep *k) {
  script s = {zeroed(k->a->count + k->b->count, sizeof(edit)), 0};
  for (int x = 0, y = 0; x < k->a->count || y < k->b->count;) {
    bool gone = x < k->a->count && !k->in_a[x];
    bool fresh = !gone && y < k->b->count && !k->in_b[y];
    check(gone || fresh || same(k, x, y));
    add(&s,
        gone    ? '-'
        : fresh ? '+'
                : ' ',
        (fresh ? k->b->lines[y] : k->a->lines[x]));
    x += !fresh;
    y += !gone;
  }
  return s;
}

static bool near_change(const script *s, int at) {
  int from = larger(at - CONTEXT, 0), to = smaller(at + CONTEXT + 1, s->count);
  while (from < to && s->edits[from].sign == ' ')
    from++;
  return from < to;
}

static script make_patch(const script *s) {
  script patch = {zeroed(3 * s->count, sizeof(edit)), 0};
  for (int i = 0, x = 0, y = 0; i < s->count; i++) {
    edit e = s->edits[i];
    if (near_change(s, i) && (i == 0 || !near_change(s, i - 1))) {
      add(&patch, '<', x);
      add(&patch, '>', y);
    }
    if (near_change(s, i))
      add(&patch, e.sign, e.line);
    x += e.sign != '+';
    y += e.sign != '-';
  }
  return patch;
}

static void test_patch(const script *patch, const file *in, const file *want,
                       bool back) {
  file out = {zeroed(in->count + want->count, sizeof(int)), 0};
  int at = 0;
  for (const edit *e = patch->edits; e < patch->edits + patch->count; e++) {
    while (e->sign == (back ? '>' : '<') && at < e->line)
      push(&out, in->lines[at++]);
    if (e->sign == ' ' || e->sign == (back ? '+' : '-'))
      check(in->lines[at++] == e->line);
    if (e->sign == ' ' || e->sign == (back ? '-' : '+'))
      push(&out, e->line);
  }
  while (at < in->count)
    push(&out, in->lines[at++]);
  check(out.count == want->count);
  check(!memcmp(out.lines, want->lines, (size_t)out.count * sizeof(int)));
  free(out.lines);
}

static int test(void (*differ)(keep *, range), const file *a, const file *b,
                uint64_t *sum) {
  keep k = {a, b, zeroed(a->count, 1), zeroed(b->count, 1)};
  differ(&k, (range){0, a->count, 0, b->count});
  script all = make_script(&k), patch = make_patch(&all);
  test_patch(&patch, a, b, false);
  test_patch(&patch, b, a, true);
  for (int i = 0; i < patch.count; i++)
    *sum = kernel_checksum_u64(*sum, (uint64_t)patch.edits[i].line);
  free(k.in_a);
  free(k.in_b);
  free(patch.edits);
  free(all.edits);
  return a->count + b->count - all.count;
}

static int pick(kernel_rng *rng, int below) {
  return (int)(kernel_rng_next(rng) % (uint64_t)below);
}

// Blocks of lines that stay, are left out, are turned round or end twice.
static void change(const file *a, file *b, kernel_rng *rng) {
  for (int at = 0; at < a->count;) {
    int end = smaller(a->count, at + pick(rng, 12)), what = pick(rng, 4);
    for (int i = at; i < end && what != 1; i++)
      push(b, a->lines[what == 2 ? at + end - 1 - i : i]);
    at = end - (what == 3 && end > at && b->count < a->count);
  }
}

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 600);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {13};
  for (int sorts = 2; sorts <= SORTS; sorts *= 5) {
    file a = {zeroed(3 * size + 12, sizeof(int)), 0}, b = {a.lines + size, 0};
    while (a.count < size)
      push(&a, pick(&rng, sorts));
    change(&a, &b, &rng);
    int fewest = test(myers, &a, &b, &sum), stay = test(patience, &a, &b, &sum);
    check(fewest == common_length(&a, &b) && stay <= fewest);
    printf("%d, %d lines: %d, %d stay\n", a.count, b.count, fewest, stay);
    free(a.lines);
  }
  printf("diff checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
