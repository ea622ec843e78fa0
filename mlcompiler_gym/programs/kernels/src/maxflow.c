// SPDX-License-Identifier: Apache-2.0
// Maximum flows by Dinic's algorithm and by push-relabel, compared with minimum
// cuts, and with the matchings of bipartite graphs by augmenting paths.
// Sizes: 60 250 1000

#include "kernel.h"

enum { NONE = -1, ROUNDS = 6 };

// Arc i and arc i ^ 1 are the two directions of one pipe: what flows along one
// can be sent back along the other.
typedef struct {
  int to, next;
  int64_t room, capacity;
} arc;

typedef struct {
  int head;  // the first arc
  int at;    // the arc to try next
  int level; // distance from the source, height over the sink, or last visit
  int partner;
  int64_t excess;
} vertex;

typedef struct {
  int *items, first, count, size;
} queue;

typedef struct {
  int count, arc_count, source, sink;
  int *at_level; // how many vertices each level has
  arc *arcs;
  vertex *vertices;
  queue queue;
} network;

static void require(bool fact, const char *what) {
  if (!fact) {
    printf("wrong: %s\n", what);
    exit(1);
  }
}

static void *allocate(int count, size_t size) {
  void *block = calloc((size_t)count, size);
  require(block, "out of memory");
  return block;
}

static int pick(kernel_rng *rng, int below) {
  return (int)(kernel_rng_next(rng) % (uint64_t)below);
}

static void add_arc(network *net, int from, int to, int64_t capacity) {
  net->arcs[net->arc_count] =
      (arc){to, net->vertices[from].head, capacity, capacity};
  net->vertices[from].head = net->arc_count++;
}

static void connect(network *net, int from, int to, int64_t capacity) {
  add_arc(net, from, to, capacity);
  add_arc(net, to, from, 0);
}

static network make_network(int inner, int pipes) {
  network net = {.count = inner + 2, .source = inner, .sink = inner + 1};
  net.at_level = allocate(2 * net.count + 2, sizeof *net.at_level);
  net.arcs = allocate(2 * pipes, sizeof *net.arcs);
  net.vertices = allocate(net.count, sizeof *net.vertices);
  net.queue = (queue){allocate(net.count, sizeof(int)), 0, 0, net.count};
  for (int i = 0; i < net.count; i++)
    net.vertices[i].head = NONE;
  return net;
}

static void drop_network(network *net) {
  free(net->at_level);
  free(net->arcs);
  free(net->vertices);
  free(net->queue.items);
}

static void send(network *net, int i, int64_t amount) {
  net->arcs[i].room -= amount;
  net->arcs[i ^ 1].room += amount;
}

static void enqueue(queue *q, int item) {
  q->items[(q->first + q->count++) % q->size] = item;
}

static int dequeue(queue *q) {
  int item = q->items[q->first];
  q->first = (q->first + 1) % q->size;
  q->count--;
  return item;
}

// Levels of what is reached from a vertex over arcs that have room.
static bool find_levels(network *net, int from, int to, bool backwards) {
  for (vertex *v = net->vertices; v < net->vertices + net->count; v++) {
    v->level = NONE;
    v->at = v->head;
  }
  net->vertices[from].level = 0;
  enqueue(&net->queue, from);
  while (net->queue.count) {
    int at = dequeue(&net->queue);
    for (int i = net->vertices[at].head; i != NONE; i = net->arcs[i].next) {
      vertex *next = &net->vertices[net->arcs[i].to];
      if (next->level == NONE && net->arcs[i ^ backwards].room > 0) {
        next->level = net->vertices[at].level + 1;
        enqueue(&net->queue, net->arcs[i].to);
      }
    }
  }
  return net->vertices[to].level != NONE;
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Fills the arcs from one level to the next; returns what has got through.
static int64_t augment(network *net, int from, int64_t limit) {
  vertex *v = &net->vertices[from];
  int64_t sent = 0;
  if (from == net->sink)
    return limit;
  while (v->at != NONE && sent < limit) {
    const arc *a = &net->arcs[v->at];
    int64_t amount = 0;
    if (a->room > 0 && net->vertices[a->to].level == v->level + 1)
      amount = augment(net, a->to, smaller(limit - sent, a->room));
    send(net, v->at, amount);
    sent += amount;
    if (sent < limit)
      v->at = a->next;
  }
  return sent;
}

static int64_t dinic(network *net) {
  int64_t flow = 0;
  while (find_levels(net, net->source, net->sink, false))
    flow += augment(net, net->source, INT64_MAX);
  return flow;
}

static void push(network *net, int from, int i, int64_t amount) {
  int to = net->arcs[i].to;
  vertex *v = &net->vertices[to];
  send(net, i, amount);
  net->vertices[from].excess -= amount;
  if (v->excess == 0 && to != net->source && to != net->sink)
    enqueue(&net->queue, to);
  v->excess += amount;
}

static void set_level(network *net, int at, int level) {
  vertex *v = &net->vertices[at];
  v->at = net->vertices[at].head;
  net->at_level[v->level]--;
  net->at_level[v->level = level]++;
}

// Nothing above an empty level can reach the sink any more.
static void lift_over_gap(network *net, int gap) {
  for (int i = 0; i < net->count; i++) {
    int level = net->vertices[i].level;
    if (level > gap && level < net->count)
      set_level(net, i, net->count + 1);
  }
}

static void relabel(network *net, int at) {
  int64_t lowest = 2 * net->count;
  int old = net->vertices[at].level;
  for (int i = net->vertices[at].head; i != NONE; i = net->arcs[i].next)
    if (net->arcs[i].room > 0)
      lowest = smaller(lowest, net->vertices[net->arcs[i].to].level);
  set_level(net, at, (int)lowest + 1);
  if (net->at_level[old] == 0 && old < net->count)
    lift_over_gap(net, old);
}

static void discharge(network *net, int at) {
  vertex *v = &net->vertices[at];
  while (v->excess > 0) {
    const arc *a = v->at == NONE ? NULL : &net->arcs[v->at];
    if (!a)
      relabel(net, at);
    else if (a->room > 0 && v->level == net->vertices[a->to].level + 1)
      push(net, at, v->at, smaller(v->excess, a->room));
    else
      v->at = a->next;
  }
}

static int64_t push_relabel(network *net) {
  find_levels(net, net->sink, net->source, true);
  memset(net->at_level, 0,
         (size_t)(2 * net->count + 2) * sizeof *net->at_level);
  for (int i = 0; i < net->count; i++) {
    vertex *v = &net->vertices[i];
    if (v->level == NONE || i == net->source)
      v->level = net->count + (i != net->source);
    net->at_level[v->level]++;
    v->excess = 0;
  }
  for (int i = net->vertices[net->source].head; i != NONE;
       i = net->arcs[i].next)
    if (net->arcs[i].room > 0)
      push(net, net->source, i, net->arcs[i].room);
  while (net->queue.count)
    discharge(net, dequeue(&net->queue));
  return net->vertices[net->sink].excess;
}

static void verify(network *net, int64_t flow) {
  int64_t cut = 0;
  require(!find_levels(net, net->source, net->sink, false), "flow can grow");
  for (int v = 0; v < net->count; v++) {
    int64_t out = 0;
    for (int i = net->vertices[v].head; i != NONE; i = net->arcs[i].next) {
      const arc *a = &net->arcs[i];
      out += a->capacity - a->room;
      if (net->vertices[v].level != NONE && net->vertices[a->to].level == NONE)
        cut += a->capacity;
    }
    require(out == (v == net->source ? flow
                    : v == net->sink ? -flow
                                     : 0),
            "conservation");
  }
  require(cut == flow, "cut");
}

static int64_t solve(network *net, int64_t (*algorithm)(network *)) {
  for (int i = 0; i < net->arc_count; i++)
    net->arcs[i].room = net->arcs[i].capacity;
  int64_t flow = algorithm(net);
  verify(net, flow);
  return flow;
}

static network make_graph(kernel_rng *rng, int inner, bool bipartite) {
  network net = make_network(inner, 5 * inner);
  int half = inner / 2, ends = bipartite ? half : inner / 8;
  for (int i = 0; bipartite && i < 3 * half; i++)
    connect(&net, i % half, half + pick(rng, half), 1);
  for (int i = 0; !bipartite && i < 4 * inner; i++)
    connect(&net, i % inner, pick(rng, inner), 1 + i * 37 % 100);
  for (int i = 0; i < ends; i++) {
    connect(&net, net.source, i, bipartite ? 1 : 200);
    connect(&net, inner - 1 - i, net.sink, bipartite ? 1 : 200);
  }
  return net;
}

// Finds a partner for a vertex, if need be by finding another one for its.
static bool find_partner(network *net, int at, int visit) {
  for (int i = net->vertices[at].head; i != NONE; i = net->arcs[i].next) {
    vertex *to = &net->vertices[net->arcs[i].to];
    if (net->arcs[i].capacity == 0 || to->level == visit)
      continue;
    to->level = visit;
    if (to->partner == NONE || find_partner(net, to->partner, visit)) {
      to->partner = at;
      return true;
    }
  }
  return false;
}

static int match(network *net, int half) {
  int matched = 0;
  for (int i = 0; i < net->count; i++)
    net->vertices[i].partner = net->vertices[i].level = NONE;
  for (int i = 0; i < half; i++)
    matched += find_partner(net, i, i);
  return matched;
}

int main(int argc, char **argv) {
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {37};
  for (int i = 0; i < ROUNDS; i++) {
    int inner = 2 * kernel_size(argc, argv, 250) + 16 * i;
    network net = make_graph(&rng, inner, i % 2 == 0);
    int64_t flow = solve(&net, dinic);
    require(solve(&net, push_relabel) == flow, "another flow");
    require(i % 2 || match(&net, inner / 2) == flow, "another matching");
    printf("%d vertices: %d\n", inner, (int)flow);
    sum = kernel_checksum_u64(sum, (uint64_t)flow);
    drop_network(&net);
  }
  printf("maxflow checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
