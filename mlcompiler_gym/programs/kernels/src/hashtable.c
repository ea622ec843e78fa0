// SPDX-License-Identifier: Apache-2.0
// Hash tables, one with chains and one with open addressing, used alike.
// Sizes: 4000 12000 48000

#include "kernel.h"

typedef struct entry {
  struct entry *next;
  uint64_t hash;
  int64_t value;
  char key[];
} entry;

typedef uint64_t hash_fn(const char *key);

typedef struct {
  entry **lists;
  size_t count, size;
  hash_fn *hash;
} chained;

typedef struct {
  const chained *table;
  size_t list;
  entry *at;
} chained_walk;

typedef struct {
  uint64_t key;
  int64_t value;
  bool used;
} slot;

typedef struct {
  slot *slots;
  size_t count, size;
} open_table;

typedef int64_t update_fn(int64_t old, int64_t by);

static void *allocate(size_t count, size_t size) {
  void *block = calloc(count, size);
  if (!block)
    abort();
  return block;
}

static void check(bool ok, const char *what) {
  if (!ok) {
    printf("failed: %s\n", what);
    exit(1);
  }
}

static uint64_t hash_fnv(const char *key) {
  return kernel_checksum(KERNEL_CHECKSUM_START, key, strlen(key));
}

// A poor one: keys that differ in order only are all the same to it.
static uint64_t hash_sum(const char *key) {
  uint64_t sum = strlen(key);
  while (*key)
    sum += (unsigned char)*key++;
  return sum;
}

static uint64_t hash_integer(uint64_t key) {
  key = (key ^ key >> 31) * 0x9e3779b97f4a7c15u;
  return key ^ key >> 29;
}

// The chained table has at least as many lists as entries.
static void chained_init(chained *t, hash_fn *hash) {
  *t = (chained){NULL, 0, 4, hash};
  t->lists = allocate(t->size, sizeof *t->lists);
}

static entry **chained_list(const chained *t, uint64_t hash) {
  return &t->lists[hash & (t->size - 1)];
}

static void chained_link(chained *t, entry *e) {
  entry **list = chained_list(t, e->hash);
  e->next = *list;
  *list = e;
}

static void chained_grow(chained *t) {
  entry **old = t->lists;
  size_t old_size = t->size;
  t->size *= 2;
  t->lists = allocate(t->size, sizeof *t->lists);
  for (size_t i = 0; i < old_size; i++)
    for (entry *e = old[i], *next; e; e = next) {
      next = e->next;
      chained_link(t, e);
    }
  free(old);
}

// Where the entry of a key hangs, or where its list ends.
static entry **chained_find(const chained *t, const char *key, uint64_t hash) {
  entry **at = chained_list(t, hash);
  while (*at && ((*at)->hash != hash || strcmp((*at)->key, key)))
    at = &(*at)->next;
  return at;
}

static bool chained_get(const chained *t, const char *key, int64_t *value) {
  entry *e = *chained_find(t, key, t->hash(key));
  *value = e ? e->value : 0;
  return e != NULL;
}

static entry *chained_add(chained *t, const char *key, uint64_t hash) {
  size_t length = strlen(key) + 1;
  entry *e = allocate(1, sizeof *e + length);
  memcpy(e->key, key, length);
  e->hash = hash;
  if (t->count++ == t->size)
    chained_grow(t);
  chained_link(t, e);
  return e;
}

static void chained_update(chained *t, const char *key, update_fn *update,
                           int64_t by) {
  uint64_t hash = t->hash(key);
  entry *e = *chained_find(t, key, hash);
  if (!e)
    e = chained_add(t, key, hash);
  e->value = update(e->value, by);
}

static bool chained_remove(chained *t, const char *key) {
  entry **at = chained_find(t, key, t->hash(key)), *e = *at;
  if (!e)
    return false;
  *at = e->next;
  t->count--;
  free(e);
  return true;
}

static entry *chained_next(chained_walk *w) {
  if (w->at)
    w->at = w->at->next;
  while (!w->at && w->list < w->table->size)
    w->at = w->table->lists[w->list++];
  return w->at;
}

static size_t longest_list(const chained *t) {
  size_t longest = 0;
  for (size_t i = 0, length = 0; i < t->size; i++, length = 0)
    for (entry *e = t->lists[i]; e; e = e->next)
      longest = ++length > longest ? length : longest;
  return longest;
}

static void chained_free(chained *t) {
  for (size_t i = 0; i < t->size; i++)
    while (t->lists[i]) {
      entry *e = t->lists[i];
      t->lists[i] = e->next;
      free(e);
    }
  free(t->lists);
}

static void open_init(open_table *t) {
  *t = (open_table){NULL, 0, 8};
  t->slots = allocate(t->size, sizeof *t->slots);
}

static size_t open_home(const open_table *t, uint64_t key) {
  return hash_integer(key) & (t->size - 1);
}

static size_t distance(const open_table *t, size_t from, size_t to) {
  return (to - from) & (t->size - 1);
}

// The slot of a key, or the free one where it belongs.
static slot *open_find(const open_table *t, uint64_t key) {
  size_t at = open_home(t, key);
  while (t->slots[at].used && t->slots[at].key != key)
    at = distance(t, 0, at + 1);
  return &t->slots[at];
}

static void open_grow(open_table *t) {
  open_table old = *t;
  t->size *= 2;
  t->slots = allocate(t->size, sizeof *t->slots);
  for (size_t i = 0; i < old.size; i++)
    if (old.slots[i].used)
      *open_find(t, old.slots[i].key) = old.slots[i];
  free(old.slots);
}

static bool open_get(const open_table *t, uint64_t key, int64_t *value) {
  const slot *s = open_find(t, key);
  *value = s->used ? s->value : 0;
  return s->used;
}

static void open_update(open_table *t, uint64_t key, update_fn *update,
                        int64_t by) {
  slot *s = open_find(t, key);
  if (!s->used) {
    if (4 * ++t->count > 3 * t->size) {
      open_grow(t);
      s = open_find(t, key);
    }
    *s = (slot){key, 0, true};
  }
  s->value = update(s->value, by);
}

// Moves up what follows, so that the gap does not cut a run of slots in two.
static bool open_remove(open_table *t, uint64_t key) {
  slot *gap = open_find(t, key);
  if (!gap->used)
    return false;
  size_t hole = (size_t)(gap - t->slots), at = hole;
  while (t->slots[at = distance(t, 0, at + 1)].used) {
    // A key may move up unless its home lies behind the hole.
    size_t home = open_home(t, t->slots[at].key);
    if (distance(t, home, at) >= distance(t, hole, at)) {
      t->slots[hole] = t->slots[at];
      hole = at;
    }
  }
  t->slots[hole].used = false;
  t->count--;
  return true;
}

static int64_t update_add(int64_t old, int64_t by) { return old + by; }

static int64_t update_mix(int64_t old, int64_t by) {
  return (old * 31 + by) % 1000003;
}

static const char *spell(char *text, uint64_t number) {
  char *end = text;
  for (; number; number /= 10)
    *end++ = (char)('a' + number % 10);
  *end = 0;
  return text;
}

static uint64_t exercise(chained *c, open_table *o, uint64_t n, update_fn *f) {
  uint64_t range = n / 3 + 2, sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {n};
  char text[32];
  for (uint64_t i = 0; i < n; i++) {
    uint64_t key = kernel_rng_next(&rng) % range;
    spell(text, key);
    if (i % 4 == 3) {
      check(chained_remove(c, text) == open_remove(o, key), "removal");
    } else {
      chained_update(c, text, f, (int64_t)i);
      open_update(o, key, f, (int64_t)i);
    }
  }
  for (uint64_t key = 0; key < range; key++) {
    int64_t a, b;
    bool same = chained_get(c, spell(text, key), &a) == open_get(o, key, &b);
    check(same && a == b, "look-up");
    sum = kernel_checksum_u64(sum, (uint64_t)a);
  }
  return sum;
}

int main(int argc, char **argv) {
  static hash_fn *const hashes[] = {hash_fnv, hash_sum};
  static update_fn *const updates[] = {update_add, update_mix};
  int size = kernel_size(argc, argv, 12000);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int i = 0; i < 2; i++) {
    chained words;
    chained_walk walk = {&words, 0, NULL};
    open_table numbers;
    int64_t total = 0;
    chained_init(&words, hashes[i]);
    open_init(&numbers);
    sum += exercise(&words, &numbers, (uint64_t)size, updates[i]);
    for (entry *e; (e = chained_next(&walk));)
      total += e->value;
    printf("%zu keys, %zu lists, longest %zu, total %lld\n", words.count,
           words.size, longest_list(&words), (long long)total);
    check(words.count == numbers.count, "count");
    chained_free(&words);
    free(numbers.slots);
  }
  printf("hashtable checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
