// SPDX-License-Identifier: Apache-2.0
// Red-black tree of intervals with order statistics and overlap queries.
// Sizes: 500 1500 20000

#include "kernel.h"

typedef enum { RED, BLACK } Color;

typedef struct Node {
  struct Node *parent, *kid[2];
  Color color;
  uint32_t lo, hi;        // the interval; nodes are ordered by (lo, hi)
  uint32_t max_hi, count; // largest hi and number of nodes in the subtree
} Node;

// `nil` is every leaf and the root's parent, which saves the null tests.
typedef struct {
  Node nil, *root;
  void (*augment)(Node *);
} Tree;

typedef void (*visitor)(const Node *, void *);

typedef struct {
  uint64_t sum;
  uint32_t count;
} Tally;

static void check(bool ok, const char *what) {
  if (!ok) {
    printf("rbtree: check failed: %s\n", what);
    exit(1);
  }
}

static void augment_interval(Node *n) {
  n->count = n->kid[0]->count + n->kid[1]->count + 1;
  n->max_hi = n->hi;
  for (int side = 0; side < 2; side++)
    if (n->kid[side]->max_hi > n->max_hi)
      n->max_hi = n->kid[side]->max_hi;
}

static void tree_init(Tree *t) {
  memset(t, 0, sizeof *t);
  t->nil.color = BLACK;
  t->nil.parent = t->nil.kid[0] = t->nil.kid[1] = &t->nil;
  t->root = &t->nil;
  t->augment = augment_interval;
}

static bool is_nil(const Tree *t, const Node *n) { return n == &t->nil; }
static int side_of(const Node *n) { return n->parent->kid[1] == n; }

static int node_compare(const Node *n, uint32_t lo, uint32_t hi) {
  uint64_t a = (uint64_t)n->lo << 32 | n->hi, b = (uint64_t)lo << 32 | hi;
  return b < a ? -1 : b > a;
}

// Puts `n` where `old` hangs, leaving old's own links alone.
static void replace_kid(Tree *t, Node *old, Node *n) {
  if (is_nil(t, old->parent))
    t->root = n;
  else
    old->parent->kid[side_of(old)] = n;
  n->parent = old->parent;
}

static void rotate(Tree *t, Node *x, int side) {
  Node *y = x->kid[!side];
  x->kid[!side] = y->kid[side];
  if (!is_nil(t, y->kid[side]))
    y->kid[side]->parent = x;
  replace_kid(t, x, y);
  y->kid[side] = x;
  x->parent = y;
  t->augment(x);
  t->augment(y);
}

static void augment_up(Tree *t, Node *n) {
  for (; !is_nil(t, n); n = n->parent)
    t->augment(n);
}

static Node *extreme(const Tree *t, Node *n, int side) {
  while (!is_nil(t, n->kid[side]))
    n = n->kid[side];
  return n;
}

// The in-order neighbour on `side`: 1 is the successor, 0 the predecessor.
static Node *neighbour(const Tree *t, Node *n, int side) {
  if (!is_nil(t, n->kid[side]))
    return extreme(t, n->kid[side], !side);
  while (!is_nil(t, n->parent) && side_of(n) == side)
    n = n->parent;
  return n->parent;
}

static Node *node_new(Tree *t, uint32_t lo, uint32_t hi, Node *parent) {
  Node *n = malloc(sizeof *n);
  check(n != NULL, "out of memory");
  *n = (Node){parent, {&t->nil, &t->nil}, RED, lo, hi, 0, 0};
  return n;
}

static void insert_repair(Tree *t, Node *n) {
  while (n->parent->color == RED) {
    Node *grand = n->parent->parent;
    int side = side_of(n->parent);
    Node *uncle = grand->kid[!side];
    if (uncle->color == RED) {
      n->parent->color = uncle->color = BLACK;
      grand->color = RED;
      n = grand;
      continue;
    }
    if (side_of(n) != side) {
      n = n->parent;
      rotate(t, n, side);
    }
    n->parent->color = BLACK;
    grand->color = RED;
    rotate(t, grand, !side);
  }
  t->root->color = BLACK;
}

// The link that holds (lo, hi), or the empty one where it belongs.
static Node **tree_link(Tree *t, uint32_t lo, uint32_t hi, Node **parent) {
  Node **link = &t->root;
  *parent = &t->nil;
  for (int c; !is_nil(t, *link); link = &(*link)->kid[c > 0]) {
    if ((c = node_compare(*link, lo, hi)) == 0)
      break;
    *parent = *link;
  }
  return link;
}

static bool tree_insert(Tree *t, uint32_t lo, uint32_t hi) {
  Node *parent, **link = tree_link(t, lo, hi, &parent);
  if (!is_nil(t, *link))
    return false;
  Node *n = *link = node_new(t, lo, hi, parent);
  augment_up(t, n);
  insert_repair(t, n);
  return true;
}

static void delete_repair(Tree *t, Node *n) {
  while (n != t->root && n->color == BLACK) {
    int side = side_of(n);
    Node *sib = n->parent->kid[!side];
    if (sib->color == RED) {
      sib->color = BLACK;
      n->parent->color = RED;
      rotate(t, n->parent, side);
      sib = n->parent->kid[!side];
    }
    if (sib->kid[0]->color == BLACK && sib->kid[1]->color == BLACK) {
      sib->color = RED;
      n = n->parent;
      continue;
    }
    if (sib->kid[!side]->color == BLACK) {
      sib->kid[side]->color = BLACK;
      sib->color = RED;
      rotate(t, sib, !side);
      sib = n->parent->kid[!side];
    }
    sib->color = n->parent->color;
    n->parent->color = sib->kid[!side]->color = BLACK;
    rotate(t, n->parent, side);
    n = t->root;
  }
  n->color = BLACK;
}

// With two children the successor's interval moves up and the successor's
// node goes instead; nothing outside the tree holds on to nodes.
static bool tree_delete(Tree *t, uint32_t lo, uint32_t hi) {
  Node *parent, *n = *tree_link(t, lo, hi, &parent);
  if (is_nil(t, n))
    return false;
  if (!is_nil(t, n->kid[0]) && !is_nil(t, n->kid[1])) {
    Node *next = neighbour(t, n, 1);
    n->lo = next->lo;
    n->hi = next->hi;
    n = next;
  }
  Node *kid = n->kid[is_nil(t, n->kid[0])];
  replace_kid(t, n, kid);
  augment_up(t, n->parent);
  if (n->color == BLACK)
    delete_repair(t, kid);
  free(n);
  return true;
}

static Node *tree_select(const Tree *t, uint32_t rank) {
  Node *n = t->root;
  while (!is_nil(t, n) && rank != n->kid[0]->count) {
    bool right = rank > n->kid[0]->count;
    rank -= right ? n->kid[0]->count + 1 : 0;
    n = n->kid[right];
  }
  return n;
}

// How many stored intervals come before (lo, hi).
static uint32_t tree_rank(const Tree *t, uint32_t lo, uint32_t hi) {
  uint32_t rank = 0;
  for (const Node *n = t->root; !is_nil(t, n);) {
    bool right = node_compare(n, lo, hi) > 0;
    rank += right ? n->kid[0]->count + 1 : 0;
    n = n->kid[right];
  }
  return rank;
}

static void visit_overlaps(const Tree *t, const Node *n, uint32_t lo,
                           uint32_t hi, visitor visit, void *context) {
  if (is_nil(t, n) || n->max_hi < lo)
    return;
  visit_overlaps(t, n->kid[0], lo, hi, visit, context);
  if (n->lo <= hi && n->hi >= lo)
    visit(n, context);
  if (n->lo <= hi)
    visit_overlaps(t, n->kid[1], lo, hi, visit, context);
}

static void tally_visit(const Node *n, void *context) {
  Tally *tally = context;
  tally->count++;
  tally->sum = kernel_checksum_u64(tally->sum, n->lo * 8ULL + n->hi);
}

// Returns the black height; every broken rule ends the program.
static int verify(const Tree *t, const Node *n) {
  if (is_nil(t, n))
    return 1;
  check(n->count == n->kid[0]->count + n->kid[1]->count + 1, "subtree count");
  for (int side = 0; side < 2; side++) {
    const Node *k = n->kid[side];
    check(n->color == BLACK || k->color == BLACK, "no red child of a red");
    check(is_nil(t, k) || (node_compare(n, k->lo, k->hi) > 0) == side, "order");
  }
  int height = verify(t, n->kid[0]);
  check(height == verify(t, n->kid[1]), "equal black heights");
  return height + (n->color == BLACK);
}

// In-order walk from one end, checked against rank and select on the way.
static void walk(const Tree *t, int side, Tally *tally) {
  uint32_t seen = 0, total = t->root->count;
  for (Node *n = extreme(t, t->root, !side); !is_nil(t, n); seen++) {
    uint32_t rank = side ? seen : total - 1 - seen;
    check(tree_select(t, rank) == n, "select");
    check(tree_rank(t, n->lo, n->hi) == rank, "rank");
    tally_visit(n, tally);
    n = neighbour(t, n, side);
  }
}

int main(int argc, char **argv) {
  uint32_t n = (uint32_t)kernel_size(argc, argv, 1500), inserted = 0,
           deleted = 0;
  kernel_rng rng = {77};
  Tally tally = {KERNEL_CHECKSUM_START, 0};
  Tree tree;
  tree_init(&tree);
  for (uint32_t step = 0; step < 3 * n; step++) {
    uint32_t lo = (uint32_t)(kernel_rng_next(&rng) % n);
    uint32_t hi = lo + (uint32_t)(kernel_rng_next(&rng) % 8);
    if (step > n && step % 3 != 0 && tree.root->count > 0) {
      const Node *victim = tree_select(&tree, lo % tree.root->count);
      deleted += tree_delete(&tree, victim->lo, victim->hi);
    } else {
      inserted += tree_insert(&tree, lo, hi);
    }
    if (step % (n / 4 + 1) == 0)
      verify(&tree, tree.root);
  }
  int height = verify(&tree, tree.root);
  check(tree.root->count == inserted - deleted, "node count");
  printf("inserted %u, deleted %u, height %d\n", inserted, deleted, height);
  walk(&tree, 0, &tally);
  walk(&tree, 1, &tally);
  for (uint32_t at = 0; at < n; at += 1 + n / 16)
    visit_overlaps(&tree, tree.root, at, at + 2, tally_visit, &tally);
  printf("overlaps found %u\n", tally.count - 2 * tree.root->count);
  for (; !is_nil(&tree, tree.root);
       tree_delete(&tree, tree.root->lo, tree.root->hi))
    if (tree.root->count == n / 4)
      verify(&tree, tree.root);
  printf("rbtree checksum %016llx\n", (unsigned long long)tally.sum);
  return 0;
}
