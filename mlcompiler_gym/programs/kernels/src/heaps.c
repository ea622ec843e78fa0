// SPDX-License-Identifier: Apache-2.0
// Event simulation of queues with impatient customers on a binary, a pairing
// and a leftist heap, which must all give the same history.
// Sizes: 400 2500 12000

#include "kernel.h"

enum { SERVERS = 6, TYPES = 3, TRIES = 3, SERVICE = 40 };

typedef struct simulation simulation;
typedef void happen_fn(simulation *sim, int owner);

// The links are to the children in the leftist heap, and to the first child
// and the next sibling in the pairing heap.
typedef struct event {
  uint64_t time, serial;
  happen_fn *happen;
  int owner, rank;
  size_t place;
  struct event *left, *right, *up;
} event;

typedef struct {
  event *root, **items;
  size_t count;
} heap;

typedef struct {
  const char *name;
  void (*push)(heap *h, event *e);
  void (*remove)(heap *h, event *e);
} heap_type;

// The event is the arrival, and then the end of the patience.
typedef struct customer {
  event event;
  struct customer *next, *previous;
  struct server *server;
  int tries;
} customer;

typedef struct server {
  event done;
  bool busy;
  customer *head, *tail;
} server;

struct simulation {
  const heap_type *type;
  heap heap;
  kernel_rng rng;
  uint64_t now, serial, sum;
  size_t served, lost;
  customer *customers;
  server servers[SERVERS];
};

static void require(bool fact, const char *what) {
  if (!fact) {
    printf("wrong: %s\n", what);
    exit(1);
  }
}

// No two events have the same serial number, so the order is total.
static bool before(const event *a, const event *b) {
  return a->time != b->time ? a->time < b->time : a->serial < b->serial;
}

static void set_item(heap *h, size_t place, event *e) {
  h->items[place] = e;
  e->place = place;
  h->root = h->items[1];
}

static void sift_up(heap *h, size_t place, event *e) {
  for (; place > 1 && before(e, h->items[place / 2]); place /= 2)
    set_item(h, place, h->items[place / 2]);
  set_item(h, place, e);
}

static void sift_down(heap *h, size_t place, event *e) {
  for (size_t child; (child = 2 * place) <= h->count; place = child) {
    child += child < h->count && before(h->items[child + 1], h->items[child]);
    if (before(e, h->items[child]))
      break;
    set_item(h, place, h->items[child]);
  }
  set_item(h, place, e);
}

static void binary_push(heap *h, event *e) { sift_up(h, ++h->count, e); }

static void binary_remove(heap *h, event *e) {
  event *last = h->items[h->count--];
  size_t place = e->place;
  if (last == e)
    h->root = h->count ? h->root : NULL;
  else if (place > 1 && before(last, h->items[place / 2]))
    sift_up(h, place, last);
  else
    sift_down(h, place, last);
}

// Puts another event, or none, in the place of one among the links.
static void relink(heap *h, const event *e, event *other) {
  event *up = e->up;
  if (other)
    other->up = up;
  *(!up ? &h->root : up->left == e ? &up->left : &up->right) = other;
}

// Both are roots without siblings. From here on, `up` is the parent of a first
// child and the sibling before any other one.
static event *pairing_meld(event *a, event *b) {
  if (!a || !b)
    return a ? a : b;
  if (before(b, a))
    return pairing_meld(b, a);
  b->up = a;
  b->right = a->left;
  if (b->right)
    b->right->up = b;
  a->left = b;
  return a;
}

static event *detach_first(event **list) {
  event *first = *list;
  if (first) {
    *list = first->right;
    first->right = first->up = NULL;
  }
  return first;
}

// Melds siblings two by two, and then the pairs from the last to the first.
static event *meld_pairs(event *list) {
  event *pairs = NULL, *root = NULL;
  while (list) {
    event *a = detach_first(&list), *b = detach_first(&list);
    event *pair = pairing_meld(a, b);
    pair->right = pairs;
    pairs = pair;
  }
  while (pairs)
    root = pairing_meld(detach_first(&pairs), root);
  return root;
}

static void pairing_push(heap *h, event *e) {
  h->root = pairing_meld(h->root, e);
}

static void pairing_remove(heap *h, event *e) {
  relink(h, e, e->right);
  h->root = pairing_meld(h->root, meld_pairs(e->left));
}

static int rank_of(const event *e) { return e ? e->rank : 0; }

// Restores the shape of one node; returns whether its rank has changed.
static bool leftist_fix(event *e) {
  int old = e->rank;
  if (rank_of(e->left) < rank_of(e->right)) {
    event *left = e->left;
    e->left = e->right;
    e->right = left;
  }
  e->rank = rank_of(e->right) + 1;
  return e->rank != old;
}

static event *leftist_meld(event *a, event *b) {
  if (!a || !b)
    return a ? a : b;
  if (before(b, a))
    return leftist_meld(b, a);
  a->right = leftist_meld(a->right, b);
  a->right->up = a;
  leftist_fix(a);
  return a;
}

static void leftist_push(heap *h, event *e) {
  e->rank = 1;
  h->root = leftist_meld(h->root, e);
}

static void leftist_remove(heap *h, event *e) {
  relink(h, e, leftist_meld(e->left, e->right));
  for (event *up = e->up; up && leftist_fix(up);)
    up = up->up;
}

static uint64_t pick(simulation *sim, uint64_t mean) {
  return kernel_rng_next(&sim->rng) % (2 * mean) + 1;
}

static void schedule(simulation *sim, event *e, uint64_t delay,
                     happen_fn *happen) {
  e->time = sim->now + delay;
  e->serial = ++sim->serial;
  e->happen = happen;
  e->left = e->right = e->up = NULL;
  sim->type->push(&sim->heap, e);
}

static void enqueue(server *s, customer *c) {
  c->previous = s->tail;
  c->next = NULL;
  *(s->tail ? &s->tail->next : &s->head) = c;
  s->tail = c;
}

static void dequeue(server *s, customer *c) {
  *(c->previous ? &c->previous->next : &s->head) = c->next;
  *(c->next ? &c->next->previous : &s->tail) = c->previous;
}

static happen_fn on_done, on_impatient;

static void serve_next(simulation *sim, server *s) {
  customer *c = s->head;
  if (s->busy || !c)
    return;
  dequeue(s, c);
  sim->type->remove(&sim->heap, &c->event);
  s->busy = true;
  schedule(sim, &s->done, pick(sim, SERVICE), on_done);
}

static void on_done(simulation *sim, int owner) {
  sim->servers[owner].busy = false;
  sim->served++;
  serve_next(sim, &sim->servers[owner]);
}

static void join_queue(simulation *sim, int owner) {
  customer *c = &sim->customers[owner];
  c->server = &sim->servers[pick(sim, SERVERS / 2) - 1];
  enqueue(c->server, c);
  schedule(sim, &c->event, pick(sim, 30 * SERVICE), on_impatient);
  serve_next(sim, c->server);
}

static void on_impatient(simulation *sim, int owner) {
  customer *c = &sim->customers[owner];
  dequeue(c->server, c);
  if (++c->tries < TRIES)
    join_queue(sim, owner);
  else
    sim->lost++;
}

static void run(simulation *sim) {
  for (event *e; (e = sim->heap.root);) {
    require(e->time >= sim->now, "time goes back");
    sim->now = e->time;
    sim->type->remove(&sim->heap, e);
    sim->sum = kernel_checksum_u64(sim->sum, e->time ^ e->serial << 32);
    e->happen(sim, e->owner);
  }
}

static uint64_t simulate(const heap_type *type, size_t count) {
  simulation sim = {.type = type, .rng = {17}, .sum = KERNEL_CHECKSUM_START};
  sim.customers = calloc(count, sizeof *sim.customers);
  sim.heap.items = calloc(count + SERVERS + 1, sizeof(event *));
  require(sim.customers && sim.heap.items, "out of memory");
  for (int i = 0; i < SERVERS; i++)
    sim.servers[i].done.owner = i;
  for (size_t i = 0; i < count; i++) {
    event *e = &sim.customers[i].event;
    e->owner = (int)i;
    schedule(&sim, e, pick(&sim, count * SERVICE / SERVERS / 3), join_queue);
  }
  run(&sim);
  require(sim.served + sim.lost == count, "customers");
  printf("%s: %zu served, %zu lost\n", type->name, sim.served, sim.lost);
  free(sim.customers);
  free(sim.heap.items);
  return sim.sum;
}

int main(int argc, char **argv) {
  static const heap_type types[TYPES] = {
      {"binary", binary_push, binary_remove},
      {"pairing", pairing_push, pairing_remove},
      {"leftist", leftist_push, leftist_remove}};
  size_t size = (size_t)kernel_size(argc, argv, 2500);
  uint64_t sum = simulate(&types[0], size);
  for (int i = 1; i < TYPES; i++)
    require(simulate(&types[i], size) == sum, "another history");
  printf("heaps checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
