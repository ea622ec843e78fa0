// SPDX-License-Identifier: Apache-2.0
// Nearest neighbours of integer points and counts of points in boxes, by a k-d
// tree and by a grid of cells, which must agree with each other.
// Sizes: 600 3500 9000

#include "kernel.h"

enum { AXES = 2, LEAF = 6, NEAREST = 5, SIDE = 1 << 16, ID_BITS = 24 };

typedef struct {
  int32_t at[AXES];
  uint32_t id;
} point;

typedef struct {
  int32_t low[AXES], high[AXES];
} box;

// The points found so far, nearest first: a squared distance, and an id in the
// bits below it.
typedef struct {
  int32_t at[AXES];
  int count;
  uint64_t best[NEAREST];
} search;

// The points of a subtree are neighbours in the array.
typedef struct node {
  struct node *halves[2]; // none in a leaf
  box bounds;
  const point *points;
  size_t count;
} node;

// The points of a cell of the grid are a list: heads[cell] is the first, and
// next[] the one after each, all counted from 1 with 0 for none.
typedef struct {
  point *points;
  size_t count, *heads, *next;
  node *root;
  int cells; // along an axis
} index;

typedef struct {
  const char *name;
  void (*build)(index *x);
  void (*nearest)(const index *x, search *s);
  size_t (*count)(const index *x, const box *b);
} index_type;

static void *allocate(size_t count, size_t size) {
  void *block = calloc(count, size);
  if (!block)
    abort();
  return block;
}

static int64_t square(int64_t a) { return a * a; }

static int64_t distance(const int32_t *a, const int32_t *b) {
  return square(a[0] - b[0]) + square(a[1] - b[1]);
}

static int32_t clamp(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : value > high ? high : value;
}

static int64_t distance_to_box(const box *b, const int32_t *at) {
  int32_t near[AXES];
  for (int axis = 0; axis < AXES; axis++)
    near[axis] = clamp(at[axis], b->low[axis], b->high[axis]);
  return distance(at, near);
}

static bool in_box(const box *b, const int32_t *at) {
  return distance_to_box(b, at) == 0;
}

static bool overlap(const box *a, const box *b) {
  for (int axis = 0; axis < AXES; axis++)
    if (a->high[axis] < b->low[axis] || b->high[axis] < a->low[axis])
      return false;
  return true;
}

static box bounds_of(const point *points, size_t count) {
  box b = {{SIDE, SIDE}, {0, 0}};
  for (size_t i = 0; i < count; i++)
    for (int axis = 0; axis < AXES; axis++) {
      int32_t at = points[i].at[axis];
      b.low[axis] = clamp(at, 0, b.low[axis]);
      b.high[axis] = clamp(at, b.high[axis], SIDE);
    }
  return b;
}

static void swap_points(point *a, point *b) {
  point old = *a;
  *a = *b;
  *b = old;
}

static int longest_axis(const box *b) {
  return b->high[1] - b->low[1] > b->high[0] - b->low[0];
}

// Moves the smaller half of the points along an axis to the front.
static void select_half(point *points, size_t count, int axis) {
  size_t low = 0, high = count - 1, middle = count / 2;
  while (low < high) {
    int32_t pivot = points[(low + high) / 2].at[axis];
    size_t i = low, j = high;
    for (;; i++, j--) {
      while (points[i].at[axis] < pivot)
        i++;
      while (points[j].at[axis] > pivot)
        j--;
      if (i >= j)
        break;
      swap_points(&points[i], &points[j]);
    }
    if (middle <= j)
      high = j;
    else
      low = j + 1;
  }
}

static node *build_node(point *points, size_t count) {
  node *n = allocate(1, sizeof *n);
  *n = (node){{NULL, NULL}, bounds_of(points, count), points, count};
  if (count > LEAF) {
    select_half(points, count, longest_axis(&n->bounds));
    n->halves[0] = build_node(points, count / 2);
    n->halves[1] = build_node(points + count / 2, count - count / 2);
  }
  return n;
}

static void tree_build(index *x) { x->root = build_node(x->points, x->count); }

static void drop_node(node *n) {
  if (n) {
    drop_node(n->halves[0]);
    drop_node(n->halves[1]);
    free(n);
  }
}

static void offer(search *s, const point *p) {
  uint64_t new = (uint64_t)distance(s->at, p->at) << ID_BITS | p->id;
  int place = s->count;
  for (; place > 0 && new < s->best[place - 1]; place--)
    if (place < NEAREST)
      s->best[place] = s->best[place - 1];
  if (place < NEAREST)
    s->best[place] = new;
  s->count += s->count < NEAREST;
}

static bool can_help(const search *s, int64_t away) {
  int64_t last = (int64_t)(s->best[NEAREST - 1] >> ID_BITS);
  return s->count < NEAREST || away <= last;
}

static void search_node(search *s, const node *n) {
  int64_t away[2] = {0, 0};
  if (!n->halves[0]) {
    for (size_t i = 0; i < n->count; i++)
      offer(s, &n->points[i]);
    return;
  }
  for (int i = 0; i < 2; i++)
    away[i] = distance_to_box(&n->halves[i]->bounds, s->at);
  for (int i = 0; i < 2; i++) {
    int side = (away[1] < away[0]) ^ i;
    if (can_help(s, away[side]))
      search_node(s, n->halves[side]);
  }
}

static void tree_nearest(const index *x, search *s) { search_node(s, x->root); }

static size_t count_node(const node *n, const box *b) {
  if (!overlap(&n->bounds, b))
    return 0;
  if (in_box(b, n->bounds.low) && in_box(b, n->bounds.high))
    return n->count;
  if (n->halves[0])
    return count_node(n->halves[0], b) + count_node(n->halves[1], b);
  size_t inside = 0;
  for (size_t i = 0; i < n->count; i++)
    inside += in_box(b, n->points[i].at);
  return inside;
}

static size_t tree_count(const index *x, const box *b) {
  return count_node(x->root, b);
}

static int cell_size(const index *x) { return SIDE / x->cells + 1; }

static size_t *head_at(const index *x, int column, int row) {
  return &x->heads[row * x->cells + column];
}

static void grid_build(index *x) {
  for (x->cells = 1; (size_t)(4 * x->cells * x->cells) < x->count;)
    x->cells++;
  x->heads = allocate((size_t)(x->cells * x->cells), sizeof *x->heads);
  x->next = allocate(x->count + 1, sizeof *x->next);
  for (size_t i = 1; i <= x->count; i++) {
    const int32_t *at = x->points[i - 1].at;
    size_t *head = head_at(x, at[0] / cell_size(x), at[1] / cell_size(x));
    x->next[i] = *head;
    *head = i;
  }
}

static void offer_cell(const index *x, search *s, int column, int row) {
  if (column < 0 || row < 0 || column >= x->cells || row >= x->cells)
    return;
  for (size_t i = *head_at(x, column, row); i; i = x->next[i])
    offer(s, &x->points[i - 1]);
}

// Goes around in larger and larger squares of cells.
static void grid_nearest(const index *x, search *s) {
  int size = cell_size(x), column = s->at[0] / size, row = s->at[1] / size;
  for (int r = 0; r < x->cells && can_help(s, square((r - 1) * size)); r++)
    for (int y = -r; y <= r; y++)
      for (int i = -r; i <= r; i += y == -r || y == r ? 1 : 2 * r)
        offer_cell(x, s, column + i, row + y);
}

static size_t grid_count(const index *x, const box *b) {
  size_t inside = 0;
  int size = cell_size(x);
  for (int row = b->low[1] / size; row <= b->high[1] / size; row++)
    for (int column = b->low[0] / size; column <= b->high[0] / size; column++)
      for (size_t i = *head_at(x, column, row); i; i = x->next[i])
        inside += in_box(b, x->points[i - 1].at);
  return inside;
}

static int32_t pick(kernel_rng *rng, int32_t below) {
  return (int32_t)(kernel_rng_next(rng) % (uint64_t)below);
}

// Some points are anywhere, and most near one of a few places.
static void make_points(index *x, size_t count) {
  kernel_rng rng = {29};
  x->points = allocate(count, sizeof(point));
  for (x->count = 0; x->count < count; x->count++) {
    point *p = &x->points[x->count];
    int32_t place = pick(&rng, 9), spread = place ? SIDE / 40 : SIDE;
    for (int axis = 0; axis < AXES; axis++)
      p->at[axis] = (place * 7919 * (axis + 1) + pick(&rng, spread)) % SIDE;
    p->id = (uint32_t)x->count;
  }
}

// The same queries for every index.
static uint64_t query(const index_type *type, size_t count) {
  kernel_rng rng = {31};
  index x = {0};
  uint64_t sum = KERNEL_CHECKSUM_START;
  make_points(&x, count);
  type->build(&x);
  for (size_t i = 0; i < count / 4; i++) {
    search s = {0};
    for (int axis = 0; axis < AXES; axis++)
      s.at[axis] = pick(&rng, SIDE);
    type->nearest(&x, &s);
    for (int n = 0; n < s.count; n++)
      sum = kernel_checksum_u64(sum, s.best[n]);
    box b = {{s.at[0] / 2, s.at[1] / 3}, {s.at[0], s.at[1]}};
    sum = kernel_checksum_u64(sum, type->count(&x, &b));
  }
  drop_node(x.root);
  free(x.heads);
  free(x.next);
  free(x.points);
  return sum;
}

int main(int argc, char **argv) {
  static const index_type types[] = {
      {"tree", tree_build, tree_nearest, tree_count},
      {"grid", grid_build, grid_nearest, grid_count}};
  size_t size = (size_t)kernel_size(argc, argv, 3500);
  uint64_t sums[2];
  for (int i = 0; i < 2; i++) {
    sums[i] = query(&types[i], size);
    printf("%s checksum %016llx\n", types[i].name, (unsigned long long)sums[i]);
  }
  return sums[0] != sums[1];
}
