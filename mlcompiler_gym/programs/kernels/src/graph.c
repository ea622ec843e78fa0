// SPDX-License-Identifier: Apache-2.0
// Graph algorithms on adjacency lists, each checked against another one.
// Sizes: 150 400 15000

#include "kernel.h"

enum { NONE = -1 };

typedef struct {
  int from, to, next; // `next` is the following arc out of the same vertex
  uint32_t weight;
} Arc;

typedef struct {
  int n, arcs, *head;
  Arc *arc;
} Graph;

// A binary heap of vertices by key; `where` finds a vertex to move it up.
typedef struct {
  int *items, *where, count;
  uint64_t *key;
} Heap;

typedef struct {
  const Graph *g;
  int *order, *low, *stack, *component;
  int clock, depth, components;
} Tarjan;

static void check(bool ok, const char *what) {
  if (!ok) {
    printf("graph: check failed: %s\n", what);
    exit(1);
  }
}

static void *grab(int count, size_t each) {
  void *p = calloc((size_t)count + 1, each);
  check(p != NULL, "out of memory");
  return p;
}

static int *ints(int count, int value) {
  int *p = grab(count, sizeof *p);
  memset(p, value, (size_t)count * sizeof *p); // right for 0 and NONE
  return p;
}

static Graph graph_new(int n, int capacity) {
  return (Graph){n, 0, ints(n, NONE), grab(capacity, sizeof(Arc))};
}

static void graph_free(Graph *g) {
  free(g->head);
  free(g->arc);
}

static void graph_arc(Graph *g, int from, int to, uint32_t weight) {
  g->arc[g->arcs] = (Arc){from, to, g->head[from], weight};
  g->head[from] = g->arcs++;
}

static const Arc *arc_at(const Graph *g, int i) {
  return i == NONE ? NULL : &g->arc[i];
}

static const Arc *first(const Graph *g, int v) { return arc_at(g, g->head[v]); }

static int pick(kernel_rng *rng, int below) {
  return (int)(kernel_rng_next(rng) % (uint64_t)below);
}

// A connected graph has its edges both ways, and a random tree among them.
static Graph graph_random(kernel_rng *rng, int n, int edges, bool connected) {
  Graph g = graph_new(n, connected ? 2 * edges : edges);
  for (int i = 1; i <= edges; i++) {
    bool tree = connected && i < n;
    int from = tree ? i : pick(rng, n), to = pick(rng, tree ? i : n);
    uint32_t weight = (uint32_t)pick(rng, 1000);
    graph_arc(&g, from, to, weight);
    if (connected)
      graph_arc(&g, to, from, weight);
  }
  return g;
}

static int *bfs(const Graph *g, int source) {
  int *depth = ints(g->n, NONE), *queue = ints(g->n, 0), tail = 0;
  depth[source] = 0;
  queue[tail++] = source;
  for (int at = 0; at < tail; at++)
    for (const Arc *a = first(g, queue[at]); a; a = arc_at(g, a->next))
      if (depth[a->to] == NONE) {
        depth[a->to] = depth[queue[at]] + 1;
        queue[tail++] = a->to;
      }
  free(queue);
  return depth;
}

// Appends to `done` each vertex in reach when the search leaves it.
static void dfs(const Graph *g, int v, int *label, int *done, int *count) {
  label[v] = 0;
  for (const Arc *a = first(g, v); a; a = arc_at(g, a->next))
    if (label[a->to] == NONE)
      dfs(g, a->to, label, done, count);
  done[(*count)++] = v;
}

// An order where every arc of an acyclic graph goes forward, as positions.
static int *topological(const Graph *g) {
  int *done = ints(g->n, 0), *position = ints(g->n, NONE), count = 0;
  for (int v = 0; v < g->n; v++)
    if (position[v] == NONE)
      dfs(g, v, position, done, &count);
  for (int i = 0; i < count; i++)
    position[done[i]] = count - 1 - i;
  free(done);
  return position;
}

static int least(int a, int b) { return a < b ? a : b; }

static void tarjan_visit(Tarjan *t, int v) {
  t->order[v] = t->low[v] = t->clock++;
  t->stack[t->depth++] = v;
  for (const Arc *a = first(t->g, v); a; a = arc_at(t->g, a->next))
    if (t->order[a->to] == NONE) {
      tarjan_visit(t, a->to);
      t->low[v] = least(t->low[v], t->low[a->to]);
    } else if (t->component[a->to] == NONE) {
      t->low[v] = least(t->low[v], t->order[a->to]);
    }
  if (t->low[v] != t->order[v])
    return;
  for (int w = NONE; w != v;) {
    w = t->stack[--t->depth];
    t->component[w] = t->components;
  }
  t->components++;
}

static int *tarjan(const Graph *g, int *components) {
  int n = g->n, *block = ints(3 * n, NONE);
  Tarjan t = {g, block, block + n, block + 2 * n, ints(n, NONE), 0, 0, 0};
  for (int v = 0; v < n; v++)
    if (t.order[v] == NONE)
      tarjan_visit(&t, v);
  free(block);
  *components = t.components;
  return t.component;
}

static void heap_put(Heap *h, int slot, int v) {
  h->items[slot] = v;
  h->where[v] = slot;
}

static Heap heap_new(int n) {
  int *block = ints(2 * n, NONE);
  Heap h = {block, block + n, 0, grab(n, sizeof(uint64_t))};
  memset(h.key, 0xff, (size_t)n * sizeof *h.key);
  return h;
}

// Gives `v` a smaller key, and a place in the heap if it has none.
static void heap_lower(Heap *h, int v, uint64_t key) {
  int slot = h->where[v] == NONE ? h->count++ : h->where[v], up;
  h->key[v] = key;
  for (; slot > 0 && h->key[h->items[up = (slot - 1) / 2]] > key; slot = up)
    heap_put(h, slot, h->items[up]);
  heap_put(h, slot, v);
}

static int heap_pop(Heap *h) {
  int top = h->items[0], last = h->items[--h->count], slot = 0, kid;
  while ((kid = 2 * slot + 1) < h->count) {
    if (kid + 1 < h->count && h->key[h->items[kid + 1]] < h->key[h->items[kid]])
      kid++;
    if (h->key[last] <= h->key[h->items[kid]])
      break;
    heap_put(h, slot, h->items[kid]);
    slot = kid;
  }
  heap_put(h, slot, last);
  h->where[top] = NONE;
  return top;
}

static uint64_t path_cost(uint64_t key, uint32_t w) { return key + w; }

static uint64_t tree_cost(uint64_t key, uint32_t w) {
  (void)key;
  return w;
}

// Dijkstra with path_cost, Prim with tree_cost.
static uint64_t *best_first(const Graph *g, int source,
                            uint64_t (*cost)(uint64_t, uint32_t)) {
  Heap h = heap_new(g->n);
  heap_lower(&h, source, 0);
  while (h.count > 0) {
    int v = heap_pop(&h);
    for (const Arc *a = first(g, v); a; a = arc_at(g, a->next)) {
      uint64_t key = cost(h.key[v], a->weight);
      bool closed = h.where[a->to] == NONE && h.key[a->to] != UINT64_MAX;
      if (!closed && key < h.key[a->to])
        heap_lower(&h, a->to, key);
    }
  }
  free(h.items);
  return h.key;
}

static int find(int *parent, int v) {
  while (parent[v] != v)
    v = parent[v] = parent[parent[v]];
  return v;
}

static uint64_t kruskal(const Graph *g) {
  int *parent = ints(g->n, 0);
  uint64_t total = 0;
  Heap h = heap_new(g->arcs);
  for (int v = 0; v < g->n; v++)
    parent[v] = v;
  for (int i = 0; i < g->arcs; i++)
    heap_lower(&h, i, g->arc[i].weight);
  while (h.count > 0) {
    const Arc *arc = &g->arc[heap_pop(&h)];
    int a = find(parent, arc->from), b = find(parent, arc->to);
    total += a == b ? 0 : arc->weight;
    parent[a] = b;
  }
  free(h.items);
  free(h.key);
  free(parent);
  return total;
}

static Graph condense(const Graph *g, const int *component, int components) {
  Graph c = graph_new(components, g->arcs);
  for (const Arc *a = g->arc; a < g->arc + g->arcs; a++)
    if (component[a->from] != component[a->to])
      graph_arc(&c, component[a->from], component[a->to], a->weight);
  return c;
}

// Distances by both searches, which also tell whether components are strong.
static uint64_t check_reach(const Graph *g, const int *component, int from,
                            uint64_t sum) {
  uint64_t *far = best_first(g, from, path_cost);
  int *depth = bfs(g, from), reached = 0;
  for (int v = 0; v < g->n; v++) {
    check((depth[v] == NONE) == (far[v] == UINT64_MAX), "same reach");
    check(depth[v] != NONE || component[v] != component[from], "strong");
    reached += depth[v] != NONE;
    sum = kernel_checksum_u64(sum, far[v] ^ (uint32_t)depth[v]);
  }
  for (const Arc *a = g->arc; a < g->arc + g->arcs; a++)
    if (depth[a->from] != NONE)
      check(far[a->to] <= far[a->from] + a->weight, "no shortcut");
  printf("%d reaches %d of %d\n", from, reached, g->n);
  free(far);
  free(depth);
  return sum;
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 400), components;
  kernel_rng rng = {9};
  Graph g = graph_random(&rng, n, 3 * n / 2, false);
  Graph u = graph_random(&rng, n, 3 * n, true);
  uint64_t sum = KERNEL_CHECKSUM_START, prim = 0;
  int *component = tarjan(&g, &components);
  for (int i = 0; i < 4; i++)
    sum = check_reach(&g, component, pick(&rng, n), sum);
  Graph c = condense(&g, component, components);
  int *position = topological(&c);
  for (const Arc *a = c.arc; a < c.arc + c.arcs; a++)
    check(position[a->from] < position[a->to], "topological order");
  for (int v = 0; v < n; v++)
    sum = kernel_checksum_u64(sum, (uint32_t)position[component[v]]);
  printf("%d strong components, %d arcs between\n", components, c.arcs);
  uint64_t *key = best_first(&u, 0, tree_cost), total = kruskal(&u);
  for (int v = 0; v < n; v++)
    prim += key[v];
  check(prim == total, "Prim and Kruskal agree");
  printf("spanning tree %llu\n", (unsigned long long)total);
  free(key);
  free(position);
  free(component);
  graph_free(&c);
  graph_free(&u);
  graph_free(&g);
  sum = kernel_checksum_u64(sum, total);
  printf("graph checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
