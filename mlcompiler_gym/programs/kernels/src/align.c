// SPDX-License-Identifier: Apache-2.0
// Alignment of sequences: global, local, with affine gaps; edit distances by a
// table, in a band and by bits. Each result is checked by another one.
// Sizes: 40 120 300

#include "kernel.h"

enum { LOWEST = -1000000, LETTERS = 20 };

typedef struct {
  const uint8_t *at;
  int length;
} sequence;

typedef int score_fn(uint8_t a, uint8_t b);

// A letter in a gap is worth `gap`, and the first of a gap `open` more.
typedef struct {
  sequence a, b;
  score_fn *score;
  int open, gap;
} problem;

// Steps: M for a pair of letters, D for one of a alone, I for one of b. They
// are found from the last to the first, and so fill their room from its end.
typedef struct {
  char *steps;
  int first, end, a_from, b_from, score;
} alignment;

typedef struct {
  int *cells, width;
} table;

typedef struct {
  uint64_t plus, minus;
} block;

static void check(bool ok) {
  if (!ok)
    abort();
}

static void *zeroed(int count, size_t size) {
  void *memory = calloc((size_t)count + 1, size);
  check(memory);
  return memory;
}

static int larger(int a, int b) { return a > b ? a : b; }
static int smaller(int a, int b) { return a < b ? a : b; }

static int score_unit(uint8_t a, uint8_t b) { return a == b ? 0 : -1; }
static int score_plain(uint8_t a, uint8_t b) { return a == b ? 5 : -4; }

// Letters of a group often replace one another.
static int score_groups(uint8_t a, uint8_t b) {
  static const uint8_t group[LETTERS] = {0, 1, 1, 1, 2, 3, 4, 4, 4, 2,
                                         3, 0, 0, 5, 1, 5, 0, 2, 3, 4};
  return a == b ? 4 + group[a] % 3 : group[a] == group[b] ? 1 : -2;
}

static table make_table(const problem *q) {
  int width = q->b.length + 1;
  return (table){zeroed((q->a.length + 1) * width, sizeof(int)), width};
}

static int *cell(table t, int i, int j) { return &t.cells[i * t.width + j]; }

static int pair(const problem *q, int i, int j) {
  return q->score(q->a.at[i - 1], q->b.at[j - 1]);
}

static void add_step(alignment *out, char step) {
  out->steps[--out->first] = step;
}

static int worth(const problem *q, const alignment *al) {
  int i = al->a_from, j = al->b_from, sum = 0;
  char last = 0;
  for (int n = al->first; n < al->end; n++) {
    char step = al->steps[n];
    i += step != 'I';
    j += step != 'D';
    check(i <= q->a.length && j <= q->b.length);
    if (step == 'M')
      sum += pair(q, i, j);
    else
      sum += q->gap + (step == last ? 0 : q->open);
    last = step;
  }
  return sum;
}

// The floor is zero where an alignment may start anywhere.
static void fill(const problem *q, table t, int floor) {
  for (int i = 0; i <= q->a.length; i++)
    for (int j = 0; j <= q->b.length; j++) {
      int best = i || j ? floor : 0;
      if (i)
        best = larger(best, *cell(t, i - 1, j) + q->gap);
      if (j)
        best = larger(best, *cell(t, i, j - 1) + q->gap);
      if (i && j)
        best = larger(best, *cell(t, i - 1, j - 1) + pair(q, i, j));
      *cell(t, i, j) = best;
    }
}

static void trace(const problem *q, table t, int i, int j, int floor,
                  alignment *out) {
  out->score = *cell(t, i, j);
  while ((i || j) && *cell(t, i, j) != floor) {
    int here = *cell(t, i, j);
    bool both = i && j && here == *cell(t, i - 1, j - 1) + pair(q, i, j);
    bool gone = !both && i && here == *cell(t, i - 1, j) + q->gap;
    add_step(out, both ? 'M' : gone ? 'D' : 'I');
    i -= both || gone;
    j -= !gone;
  }
  out->a_from = i;
  out->b_from = j;
}

static void global(const problem *q, alignment *out) {
  table t = make_table(q);
  fill(q, t, LOWEST);
  trace(q, t, q->a.length, q->b.length, LOWEST, out);
  free(t.cells);
}

static void local(const problem *q, alignment *out) {
  table t = make_table(q);
  int best = 0;
  fill(q, t, 0);
  for (int n = 0; n < (q->a.length + 1) * t.width; n++)
    best = t.cells[n] > t.cells[best] ? n : best;
  trace(q, t, best / t.width, best % t.width, 0, out);
  free(t.cells);
}

// Gotoh: one table for what ends in anything, two for what ends in a gap.
static void fill_affine(const problem *q, table all, table down, table across) {
  int first = q->open + q->gap;
  for (int i = 0; i <= q->a.length; i++)
    for (int j = 0; j <= q->b.length; j++) {
      int *m = cell(all, i, j), *d = cell(down, i, j), *a = cell(across, i, j);
      int both = i || j ? LOWEST : 0, width = all.width;
      *d = i ? larger(m[-width] + first, d[-width] + q->gap) : LOWEST;
      *a = j ? larger(m[-1] + first, a[-1] + q->gap) : LOWEST;
      if (i && j)
        both = m[-width - 1] + pair(q, i, j);
      *m = larger(both, larger(*d, *a));
    }
}

static void affine(const problem *q, alignment *out) {
  table all = make_table(q), down = make_table(q), across = make_table(q);
  int i = q->a.length, j = q->b.length;
  char state = 'M';
  fill_affine(q, all, down, across);
  out->score = *cell(all, i, j);
  while (i || j) {
    int here = *cell(all, i, j), *d = cell(down, i, j), *a = cell(across, i, j);
    if (state == 'M')
      state = here == *d ? 'D' : here == *a ? 'I' : 'M';
    char step = state;
    add_step(out, step);
    if ((step == 'D' && *d != d[-down.width] + q->gap) ||
        (step == 'I' && *a != a[-1] + q->gap))
      state = 'M';
    i -= step != 'I';
    j -= step != 'D';
  }
  free(all.cells);
  free(down.cells);
  free(across.cells);
}

// Ukkonen: right if it is not above `band`, for no path of that cost leaves it.
static int banded(const problem *q, int band) {
  int n = q->a.length, m = q->b.length;
  if (n - m > band)
    return -LOWEST;
  int *row = zeroed(m + 1, sizeof *row);
  for (int j = 0; j <= m; j++)
    row[j] = j;
  for (int i = 1; i <= n; i++) {
    int from = larger(1, i - band), to = smaller(m, i + band);
    int corner = row[from - 1];
    row[from - 1] = from == 1 ? i : -LOWEST;
    for (int j = from; j <= to; j++) {
      int above = j < i + band ? row[j] : -LOWEST;
      int both = corner - score_unit(q->a.at[i - 1], q->b.at[j - 1]);
      corner = row[j];
      row[j] = smaller(both, smaller(above, row[j - 1]) + 1);
    }
  }
  int distance = row[m];
  free(row);
  return distance;
}

static int by_band(const problem *q) {
  int band = 1;
  while (banded(q, band) > band)
    band *= 2;
  return banded(q, band);
}

// Myers: 64 rows of a column of the table, as their differences, move on by a
// letter; `in` and the result are the differences above and at row `last`.
static int advance(block *b, uint64_t equal, int in, int last) {
  uint64_t vertical = equal | b->minus;
  equal |= in < 0;
  uint64_t level = (((equal & b->plus) + b->plus) ^ b->plus) | equal;
  uint64_t plus = b->minus | ~(level | b->plus), minus = b->plus & level;
  int out = (int)(plus >> last & 1) - (int)(minus >> last & 1);
  plus = plus << 1 | (in > 0);
  minus = minus << 1 | (in < 0);
  b->plus = minus | ~(vertical | plus);
  b->minus = plus & vertical;
  return out;
}

static int by_bits(const problem *q) {
  int n = q->a.length, count = (n + 63) / 64, distance = n;
  uint64_t *masks = zeroed(count * LETTERS, sizeof *masks);
  block *blocks = zeroed(count, sizeof *blocks);
  for (int i = 0; i < n; i++)
    masks[q->a.at[i] * count + i / 64] |= (uint64_t)1 << i % 64;
  for (int k = 0; k < count; k++)
    blocks[k].plus = ~(uint64_t)0;
  for (int j = 0; j < q->b.length; j++) {
    int carry = 1;
    for (int k = 0; k < count; k++)
      carry = advance(&blocks[k], masks[q->b.at[j] * count + k], carry,
                      k < count - 1 ? 63 : (n - 1) % 64);
    distance += carry;
  }
  free(masks);
  free(blocks);
  return distance;
}

static int test(const problem *q, void (*align)(const problem *, alignment *),
                uint64_t *sum) {
  int room = q->a.length + q->b.length;
  alignment al = {zeroed(room, 1), room, room, 0, 0, 0};
  align(q, &al);
  check(worth(q, &al) == al.score);
  *sum = kernel_checksum(*sum, al.steps + al.first, (size_t)(room - al.first));
  free(al.steps);
  return al.score;
}

static void test_all(problem q, score_fn *score, uint64_t *sum) {
  q.score = score;
  int whole = test(&q, global, sum), some = test(&q, local, sum);
  check(some >= whole && test(&q, affine, sum) == whole);
  q.open = -6;
  int stiff = test(&q, affine, sum);
  check(stiff <= whole);
  q = (problem){q.a, q.b, score_unit, 0, -1};
  int distance = -test(&q, global, sum);
  check(by_band(&q) == distance && by_bits(&q) == distance);
  printf("scores %d %d %d, edits %d\n", whole, some, stiff, distance);
}

// A copy with a letter changed, left out or put in here and there.
static int mutate(uint8_t *to, const uint8_t *from, int n, kernel_rng *rng) {
  int count = 0;
  for (int i = 0; i < n; i++) {
    uint64_t random = kernel_rng_next(rng), pick = random >> 60;
    uint8_t letter = random % LETTERS;
    if (pick == 1)
      to[count++] = letter;
    if (pick != 2)
      to[count++] = pick == 3 ? letter : from[i];
  }
  return count;
}

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 120);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {17};
  uint8_t *a = zeroed(3 * size, 1), *b = a + size;
  for (int i = 0; i < 4; i++) {
    for (int n = 0; n < size; n++)
      a[n] = kernel_rng_next(&rng) % LETTERS;
    problem q = {{a, size}, {b, mutate(b, a, size, &rng)}, NULL, 0, -3};
    test_all(q, i % 2 ? score_groups : score_plain, &sum);
  }
  free(a);
  printf("align checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
