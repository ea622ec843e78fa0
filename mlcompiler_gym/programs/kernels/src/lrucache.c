// SPDX-License-Identifier: Apache-2.0
// LRU, LFU and ARC caches behind one interface on traces of several kinds; LRU
// and LFU against slow models, ARC by its invariants.
// Sizes: 300 3000 15000

#include "kernel.h"

enum { CAPACITY = 60, BUCKETS = 64, LISTS = 16, POLICIES = 3, TRACES = 3 };

// The lists of ARC: used once, used again, and the ghosts of both, which are
// entries that have lost their values. LFU has a list for each number of uses.
enum { ONCE, AGAIN, GHOST_ONCE, GHOST_AGAIN };

typedef struct cache cache;
typedef uint32_t trace_fn(kernel_rng *rng, uint32_t time);

typedef struct entry {
  struct entry *older, *newer, *chain;
  struct list *home;
  uint32_t key;
  uint64_t *value;
} entry;

typedef struct list {
  entry *oldest, *newest;
  size_t count;
} list;

typedef struct {
  uint32_t key;
  int uses;
  size_t last; // 0 if the slot is free
} slot;

// A miss is told the ghost of the key, if there is one.
typedef struct {
  const char *name;
  void (*hit)(cache *c, entry *e);
  void (*miss)(cache *c, entry *ghost, uint32_t key);
  bool (*model_order)(const slot *a, const slot *b);
} policy;

struct cache {
  const policy *policy;
  list lists[LISTS];
  entry *buckets[BUCKETS];
  size_t resident, once_target, hits, evictions;
};

static void require(bool fact, const char *what) {
  if (!fact) {
    printf("wrong: %s\n", what);
    exit(1);
  }
}

static void *allocate(size_t size) {
  void *block = calloc(1, size);
  require(block, "out of memory");
  return block;
}

static void unlink_entry(entry *e) {
  list *l = e->home;
  *(e->older ? &e->older->newer : &l->oldest) = e->newer;
  *(e->newer ? &e->newer->older : &l->newest) = e->older;
  l->count--;
}

static void append(list *l, entry *e) {
  e->home = l;
  e->older = l->newest;
  e->newer = NULL;
  *(l->newest ? &l->newest->newer : &l->oldest) = e;
  l->newest = e;
  l->count++;
}

static void move_to(list *l, entry *e) {
  unlink_entry(e);
  append(l, e);
}

// The link to the entry of a key, or to where it would be.
static entry **find(cache *c, uint32_t key) {
  entry **link = &c->buckets[key * 2654435761u >> 16 & (BUCKETS - 1)];
  while (*link && (*link)->key != key)
    link = &(*link)->chain;
  return link;
}

static uint64_t load(uint32_t key) {
  return kernel_checksum_u64(KERNEL_CHECKSUM_START, key);
}

static void fill(cache *c, entry *e) {
  e->value = allocate(sizeof *e->value);
  *e->value = load(e->key);
  c->resident++;
}

static void evict(cache *c, entry *e) {
  free(e->value);
  e->value = NULL;
  c->resident--;
  c->evictions++;
}

static void add_entry(cache *c, uint32_t key, list *l) {
  entry *e = *find(c, key) = allocate(sizeof *e);
  e->key = key;
  fill(c, e);
  append(l, e);
}

static void forget(cache *c, entry *e) {
  if (e->value)
    evict(c, e);
  *find(c, e->key) = e->chain;
  unlink_entry(e);
  free(e);
}

static void lru_hit(cache *c, entry *e) { move_to(&c->lists[0], e); }

static void lru_miss(cache *c, entry *ghost, uint32_t key) {
  (void)ghost;
  if (c->resident == CAPACITY)
    forget(c, c->lists[0].oldest);
  add_entry(c, key, &c->lists[0]);
}

static void lfu_hit(cache *c, entry *e) {
  move_to(e->home < &c->lists[LISTS - 1] ? e->home + 1 : e->home, e);
}

static void lfu_miss(cache *c, entry *ghost, uint32_t key) {
  const list *l = c->lists;
  while (c->resident && !l->count)
    l++;
  if (c->resident == CAPACITY)
    forget(c, l->oldest);
  lru_miss(c, ghost, key);
}

static void arc_hit(cache *c, entry *e) { move_to(&c->lists[AGAIN], e); }

// Makes room by turning an entry into a ghost.
static void arc_replace(cache *c, bool prefer_once) {
  size_t once = c->lists[ONCE].count, target = c->once_target + !prefer_once;
  bool from_once = (once && once >= target) || !c->lists[AGAIN].count;
  entry *e = c->lists[from_once ? ONCE : AGAIN].oldest;
  evict(c, e);
  move_to(&c->lists[from_once ? GHOST_ONCE : GHOST_AGAIN], e);
}

// A ghost that comes back shows which of the two lists is too short.
static void arc_revive(cache *c, entry *ghost) {
  bool again = ghost->home == &c->lists[GHOST_AGAIN];
  size_t own = ghost->home->count;
  size_t other = c->lists[again ? GHOST_ONCE : GHOST_AGAIN].count;
  size_t step = other > own ? other / own : 1;
  size_t room = again ? c->once_target : CAPACITY - c->once_target;
  step = step < room ? step : room;
  c->once_target += again ? 0 - step : step;
  arc_replace(c, again);
  fill(c, ghost);
  move_to(&c->lists[AGAIN], ghost);
}

static void arc_add(cache *c, uint32_t key) {
  list *once = &c->lists[ONCE], *ghosts = &c->lists[GHOST_ONCE];
  list *other_ghosts = &c->lists[GHOST_AGAIN];
  if (once->count + ghosts->count == CAPACITY)
    forget(c, ghosts->count ? ghosts->oldest : once->oldest);
  else if (c->resident + ghosts->count + other_ghosts->count == 2 * CAPACITY)
    forget(c, other_ghosts->oldest);
  if (c->resident == CAPACITY)
    arc_replace(c, false);
  add_entry(c, key, once);
}

static void arc_miss(cache *c, entry *ghost, uint32_t key) {
  if (ghost)
    arc_revive(c, ghost);
  else
    arc_add(c, key);
}

static bool cache_get(cache *c, uint32_t key) {
  entry *e = *find(c, key);
  bool hit = e && e->value;
  if (hit)
    c->policy->hit(c, e);
  else
    c->policy->miss(c, e, key);
  require(*(*find(c, key))->value == load(key), "value");
  c->hits += hit;
  return hit;
}

static void verify(const cache *c) {
  size_t resident = 0;
  for (int i = 0; i < LISTS; i++) {
    size_t count = 0;
    for (const entry *e = c->lists[i].oldest; e; e = e->newer, count++)
      resident += e->value != NULL;
    require(count == c->lists[i].count && count <= CAPACITY, "count");
  }
  require(resident == c->resident && resident <= CAPACITY, "resident");
}

static void cache_drop(cache *c) {
  for (int i = 0; i < LISTS; i++)
    while (c->lists[i].oldest)
      forget(c, c->lists[i].oldest);
  free(c);
}

static bool order_time(const slot *a, const slot *b) {
  return a->last < b->last;
}

static bool order_uses(const slot *a, const slot *b) {
  return a->uses != b->uses ? a->uses < b->uses : order_time(a, b);
}

// Does the same as a cache by looking at everything.
static bool model_get(slot *slots, const policy *p, uint32_t key, size_t now) {
  slot *victim = slots;
  for (slot *s = slots; s < slots + CAPACITY; s++) {
    if (s->last && s->key == key) {
      s->uses += s->uses < LISTS - 1;
      s->last = now;
      return true;
    }
    if (p->model_order(s, victim))
      victim = s;
  }
  *victim = (slot){key, 0, now};
  return false;
}

static uint32_t pick(kernel_rng *rng, uint32_t below) {
  return (uint32_t)(kernel_rng_next(rng) % below);
}

static uint32_t trace_loop(kernel_rng *rng, uint32_t time) {
  return time % (CAPACITY + 9) + (pick(rng, 50) == 0);
}

static uint32_t trace_skewed(kernel_rng *rng, uint32_t time) {
  (void)time;
  return pick(rng, pick(rng, pick(rng, 20 * CAPACITY) + 1) + 1);
}

// Popular keys that change, between scans of keys that never come back.
static uint32_t trace_scans(kernel_rng *rng, uint32_t time) {
  bool scan = time % 300 < 2 * CAPACITY;
  return scan ? 9999 + time : time / 2000 * 50 + trace_skewed(rng, time) % 200;
}

static uint64_t run(const policy *p, trace_fn *trace, uint32_t size) {
  cache *c = allocate(sizeof *c);
  slot slots[CAPACITY] = {{0, 0, 0}};
  kernel_rng rng = {41};
  c->policy = p;
  for (uint32_t time = 1; time <= size; time++) {
    uint32_t key = trace(&rng, time);
    bool hit = cache_get(c, key);
    if (p->model_order)
      require(hit == model_get(slots, p, key, time), "model");
    if (time % 64 == 0)
      verify(c);
  }
  printf("  %s: %zu hits, %zu evictions\n", p->name, c->hits, c->evictions);
  uint64_t result = c->hits << 32 | c->evictions;
  cache_drop(c);
  return result;
}

int main(int argc, char **argv) {
  static const policy policies[POLICIES] = {
      {"lru", lru_hit, lru_miss, order_time},
      {"lfu", lfu_hit, lfu_miss, order_uses},
      {"arc", arc_hit, arc_miss, NULL}};
  static trace_fn *const traces[TRACES] = {trace_loop, trace_skewed,
                                           trace_scans};
  uint32_t size = (uint32_t)kernel_size(argc, argv, 3000);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int i = 0; i < TRACES; i++) {
    printf("trace %d\n", i);
    for (int j = 0; j < POLICIES; j++)
      sum = kernel_checksum_u64(sum, run(&policies[j], traces[i], size));
  }
  printf("lrucache checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
