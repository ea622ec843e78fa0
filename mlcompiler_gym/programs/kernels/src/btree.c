// SPDX-License-Identifier: Apache-2.0
// B-trees as the two indices of a small table, by id and by score: insertion,
// deletion and range scans, all checked against a plain array.
// Sizes: 400 2500 12000

#include "kernel.h"

enum { DEGREE = 5, MIN_KEYS = DEGREE - 1, MAX_KEYS = 2 * DEGREE - 1 };
enum { SCORES = 500, NO_SCORE = -1 };

typedef struct {
  uint32_t id;
  int32_t score;
} row;

// The child has the rows before the key; the last item of a node is only a
// child, with what comes after all the keys.
typedef struct {
  struct node *child;
  row key;
} item;

typedef struct node {
  int count;
  item items[MAX_KEYS + 1];
} node;

typedef int order_fn(const row *a, const row *b);

typedef struct {
  node *root;
  order_fn *order;
} tree;

typedef void visit_fn(void *context, const row *r);

// `scores` is what both indices should hold: a score by id, or NO_SCORE.
typedef struct {
  tree indices[2];
  int32_t *scores;
  uint32_t ids;
} table;

static int compare(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int order_id(const row *a, const row *b) {
  return compare(a->id, b->id);
}

static int order_score(const row *a, const row *b) {
  int order = compare(a->score, b->score);
  return order ? order : order_id(a, b);
}

static void require(bool fact, const char *what) {
  if (!fact) {
    printf("wrong: %s\n", what);
    exit(1);
  }
}

static node *make_node(void) {
  node *n = calloc(1, sizeof *n);
  require(n, "out of memory");
  return n;
}

static bool is_leaf(const node *n) { return !n->items[0].child; }
static bool can_spare(const node *n) { return n->count > MIN_KEYS; }

// The first place whose key is not before r.
static int lower_bound(const tree *t, const node *n, const row *r) {
  int place = 0;
  while (place < n->count && t->order(&n->items[place].key, r) < 0)
    place++;
  return place;
}

static bool key_at(const tree *t, const node *n, int place, const row *r) {
  return place < n->count && t->order(&n->items[place].key, r) == 0;
}

static void move_items(item *to, const item *from, int count) {
  memmove(to, from, (size_t)count * sizeof *to);
}

static void open_item(node *n, int place, node *child, row key) {
  item *at = &n->items[place];
  move_items(at + 1, at, ++n->count - place);
  *at = (item){child, key};
}

static item close_item(node *n, int place) {
  item *at = &n->items[place], old = *at;
  move_items(at, at + 1, n->count-- - place);
  return old;
}

// The first half of a full child becomes a node of its own.
static void split_child(node *parent, int place) {
  node *full = parent->items[place].child, *left = make_node();
  row middle = full->items[MIN_KEYS].key;
  move_items(left->items, full->items, DEGREE);
  move_items(full->items, full->items + DEGREE, DEGREE);
  left->count = full->count = MIN_KEYS;
  open_item(parent, place, left, middle);
}

static bool insert_below(tree *t, node *n, row r) {
  int place = lower_bound(t, n, &r);
  if (key_at(t, n, place, &r))
    return false;
  if (is_leaf(n)) {
    open_item(n, place, NULL, r);
    return true;
  }
  if (n->items[place].child->count == MAX_KEYS) {
    split_child(n, place);
    return insert_below(t, n, r);
  }
  return insert_below(t, n->items[place].child, r);
}

static bool tree_insert(tree *t, row r) {
  if (!t->root)
    t->root = make_node();
  if (t->root->count == MAX_KEYS) {
    node *root = make_node();
    root->items[0].child = t->root;
    t->root = root;
  }
  return insert_below(t, t->root, r);
}

static void borrow_left(node *parent, int place) {
  item *between = &parent->items[place - 1];
  node *from = between->child, *to = parent->items[place].child;
  open_item(to, 0, from->items[from->count].child, between->key);
  between->key = from->items[--from->count].key;
}

static void borrow_right(node *parent, int place) {
  item *between = &parent->items[place];
  node *to = between->child;
  item first = close_item(parent->items[place + 1].child, 0);
  to->items[to->count++].key = between->key;
  to->items[to->count].child = first.child;
  between->key = first.key;
}

// Makes one node of two neighbours and the key between them.
static void merge_children(node *parent, int place) {
  item old = close_item(parent, place);
  node *left = old.child, *right = parent->items[place].child;
  move_items(right->items + left->count + 1, right->items, right->count + 1);
  move_items(right->items, left->items, left->count + 1);
  right->items[left->count].key = old.key;
  right->count += left->count + 1;
  free(left);
}

// The child at a place, after seeing to it that it can lose a key.
static node *refill(node *n, int place) {
  if (can_spare(n->items[place].child))
    return n->items[place].child;
  if (place > 0 && can_spare(n->items[place - 1].child)) {
    borrow_left(n, place);
  } else if (place < n->count && can_spare(n->items[place + 1].child)) {
    borrow_right(n, place);
  } else {
    place -= place == n->count;
    merge_children(n, place);
  }
  return n->items[place].child;
}

static row take_last(node *n) {
  while (!is_leaf(n))
    n = refill(n, n->count);
  return close_item(n, n->count - 1).key;
}

static bool remove_below(tree *t, node *n, const row *r) {
  int place = lower_bound(t, n, r);
  bool here = key_at(t, n, place, r);
  if (is_leaf(n)) {
    if (here)
      close_item(n, place);
    return here;
  }
  // The refill may move the key that is here into the child.
  node *child = refill(n, place);
  if (!key_at(t, n, place, r))
    return remove_below(t, child, r);
  n->items[place].key = take_last(child);
  return true;
}

static bool tree_remove(tree *t, row r) {
  node *root = t->root;
  bool removed = root && remove_below(t, root, &r);
  if (root && root->count == 0) {
    t->root = root->items[0].child;
    free(root);
  }
  return removed;
}

// Visits all rows from `from` up to, but without, `to`.
static bool scan(const tree *t, const node *n, const row *from, const row *to,
                 visit_fn *visit, void *context) {
  for (int place = n ? lower_bound(t, n, from) : 0; n; place++) {
    const item *at = &n->items[place];
    if (!scan(t, at->child, from, to, visit, context))
      return false;
    if (place == n->count)
      break;
    if (t->order(&at->key, to) >= 0)
      return false;
    visit(context, &at->key);
  }
  return true;
}

static void add_row(void *context, const row *r) {
  uint64_t *sum = context;
  *sum += r->id * (uint64_t)SCORES + (uint64_t)r->score;
}

// Returns the height, which must be the same below every child.
static int verify(const tree *t, const node *n, const row **last) {
  int height = n ? verify(t, n->items[0].child, last) : 0;
  require(!n || n == t->root || n->count >= MIN_KEYS, "too few keys");
  for (int i = 0; n && i < n->count; i++) {
    const row *key = &n->items[i].key;
    require(!*last || t->order(*last, key) < 0, "out of order");
    *last = key;
    require(verify(t, n->items[i + 1].child, last) == height, "uneven");
  }
  return height + (n != NULL);
}

static void set_score(table *t, uint32_t id, int32_t score) {
  row old = {id, t->scores[id]}, new = {id, score};
  for (tree *index = t->indices; index < t->indices + 2; index++) {
    bool removed = tree_remove(index, old);
    require(removed == (old.score != NO_SCORE), "removed");
    if (score != NO_SCORE)
      require(tree_insert(index, new) && !tree_insert(index, new), "inserted");
  }
  t->scores[id] = score;
}

// The same sum of a range from an index and from the array.
static uint64_t query(const table *t, const tree *index, row from, row to) {
  uint64_t sum = 0, expected = 0;
  scan(index, index->root, &from, &to, add_row, &sum);
  for (row r = {0, 0}; r.id < t->ids; r.id++) {
    r.score = t->scores[r.id];
    if (r.score != NO_SCORE && index->order(&r, &from) >= 0 &&
        index->order(&r, &to) < 0)
      add_row(&expected, &r);
  }
  require(sum == expected, "range");
  return sum;
}

static int pick(kernel_rng *rng, uint32_t below) {
  return (int)(kernel_rng_next(rng) % below);
}

int main(int argc, char **argv) {
  uint32_t size = (uint32_t)kernel_size(argc, argv, 2500);
  table t = {{{NULL, order_id}, {NULL, order_score}}, NULL, size};
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {11};
  t.scores = malloc(size * sizeof *t.scores);
  require(t.scores, "out of memory");
  memset(t.scores, 0xff, size * sizeof *t.scores); // NO_SCORE
  for (int phase = 0; phase < 3; phase++) {
    for (uint32_t i = 0; i < size; i++) {
      uint32_t id = phase < 2 ? (uint32_t)pick(&rng, size) : i;
      bool drop = phase == 2 || (phase == 1 && pick(&rng, 2));
      set_score(&t, id, drop ? NO_SCORE : pick(&rng, SCORES));
      const tree *index = &t.indices[i & 1];
      row from = {id, pick(&rng, SCORES)}, to = {id + 99, from.score + 9};
      if (i % 128 < 2)
        sum = kernel_checksum_u64(sum, query(&t, index, from, to));
      const row *last = NULL;
      if (i % (size / 2 + 1) < 2)
        printf("height %d\n", verify(index, index->root, &last));
    }
  }
  require(!t.indices[0].root && !t.indices[1].root, "emptied");
  free(t.scores);
  printf("btree checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
