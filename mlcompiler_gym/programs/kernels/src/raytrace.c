// SPDX-License-Identifier: Apache-2.0
// A ray tracer: spheres, boxes and planes in a tree of bounds, with shadows
// and mirrors; what a camera ray meets is looked up without the tree as well.
// Sizes: 10 30 80

#include "kernel.h"

enum { SHAPES = 40, CLUSTER = 5, MAX_DEPTH = 4, NODES = 100 };
#define NEAR 1e-6

typedef struct {
  double x, y, z;
} vec;

typedef struct {
  vec from, along; // `along` has length one
} ray;

typedef vec paint_fn(vec place);
typedef struct node node;

// The place is in the shape's own space, which may be a moved one.
typedef struct {
  double at;
  vec normal, place;
  const node *shape;
} hit;

// Enters a hit if it is nearer than the one in there.
typedef bool meet_fn(const node *n, const ray *r, hit *h);

struct node {
  meet_fn *meet;
  paint_fn *paint;
  double mirror; // how much of the light behind is seen
  vec place, size, low, high;
  const node *kid[2];
};

typedef struct {
  node nodes[NODES];
  int count;
  const node *all[SHAPES], *top;
} scene;

static vec vector(double x, double y, double z) { return (vec){x, y, z}; }
static vec same(double x) { return vector(x, x, x); }
static vec add(vec a, vec b) { return vector(a.x + b.x, a.y + b.y, a.z + b.z); }
static vec mix(vec a, vec b) { return vector(a.x * b.x, a.y * b.y, a.z * b.z); }
static vec scale(vec a, double by) { return mix(a, same(by)); }
static vec sub(vec a, vec b) { return add(a, scale(b, -1)); }
static double dot(vec a, vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static double square(double a) { return a * a; }
static double lesser(double a, double b) { return a < b ? a : b; }
static double size_of(double a) { return a < 0 ? -a : a; }

static vec lowest(vec a, vec b) {
  return vector(lesser(a.x, b.x), lesser(a.y, b.y), lesser(a.z, b.z));
}

static vec highest(vec a, vec b) {
  return scale(lowest(scale(a, -1), scale(b, -1)), -1);
}

// Newton's method from above, which comes down until it is there.
static double root(double x) {
  double guess = x > 1 ? x : 1, last = 2 * guess;
  while (x > 0 && guess < last) {
    last = guess;
    guess = 0.5 * (last + x / last);
  }
  return x > 0 ? last : 0;
}

static vec unit(vec a) { return scale(a, 1 / root(dot(a, a))); }

static vec point(const ray *r, double at) {
  return add(r->from, scale(r->along, at));
}

static bool enter(hit *h, const node *n, const ray *r, double at, vec normal) {
  if (at < NEAR || at >= h->at)
    return false;
  *h = (hit){at, normal, point(r, at), n};
  return true;
}

static bool meet_sphere(const node *n, const ray *r, hit *h) {
  vec to = sub(n->place, r->from);
  double middle = dot(to, r->along), radius = n->size.x;
  double left = square(radius) - dot(to, to) + square(middle);
  if (left <= 0)
    return false;
  double at = middle - root(left);
  return enter(h, n, r, at, unit(sub(point(r, at), n->place)));
}

// The place is the one nearest to the origin.
static bool meet_plane(const node *n, const ray *r, hit *h) {
  vec normal = unit(n->place);
  double slope = dot(normal, r->along);
  if (size_of(slope) < NEAR)
    return false;
  double at = dot(normal, sub(n->place, r->from)) / slope;
  return enter(h, n, r, at, scale(normal, slope < 0 ? 1 : -1));
}

// Narrows down where the ray goes in, and by which side, and out again.
static bool clip(hit *in, double *out, double from, double along, double low,
                 double high, vec axis) {
  if (size_of(along) < 1e-12)
    return low <= from && from <= high;
  double near = ((along > 0 ? low : high) - from) / along;
  if (near > in->at) {
    in->at = near;
    in->normal = scale(axis, along > 0 ? -1 : 1);
  }
  *out = lesser(*out, ((along > 0 ? high : low) - from) / along);
  return in->at <= *out;
}

static bool clip_all(hit *in, double out, const node *n, const ray *r) {
  vec f = r->from, a = r->along, low = n->low, high = n->high;
  return clip(in, &out, f.x, a.x, low.x, high.x, vector(1, 0, 0)) &&
         clip(in, &out, f.y, a.y, low.y, high.y, vector(0, 1, 0)) &&
         clip(in, &out, f.z, a.z, low.z, high.z, vector(0, 0, 1));
}

static bool meet_box(const node *n, const ray *r, hit *h) {
  hit in = {.at = 0};
  return clip_all(&in, h->at, n, r) && enter(h, n, r, in.at, in.normal);
}

static bool meet_group(const node *n, const ray *r, hit *h) {
  hit in = {.at = 0};
  if (!clip_all(&in, h->at, n, r))
    return false;
  bool first = n->kid[0]->meet(n->kid[0], r, h);
  return n->kid[1]->meet(n->kid[1], r, h) || first;
}

static bool meet_moved(const node *n, const ray *r, hit *h) {
  ray back = {sub(r->from, n->place), r->along};
  return n->kid[0]->meet(n->kid[0], &back, h);
}

static vec paint_tiles(vec p) {
  bool odd = ((int)(p.x + 999) + (int)(p.z + 999)) & 1;
  return odd ? vector(0.9, 0.9, 0.8) : vector(0.2, 0.3, 0.2);
}

static vec paint_red(vec p) { return vector(0.9, 0.2, p.y > 1 ? 0.4 : 0.1); }
static vec paint_blue(vec p) { return vector(0.2, p.x < 0 ? 0.6 : 0.3, 0.9); }

static node *make(scene *s, meet_fn *meet, vec place, vec size) {
  node *n = &s->nodes[s->count++];
  *n = (node){.meet = meet, .place = place, .size = size};
  n->paint = s->count % 3 ? paint_red : paint_blue;
  n->mirror = s->count % 3 ? 0 : 0.5;
  n->low = sub(place, size);
  n->high = add(place, size);
  return n;
}

static const node *make_group(scene *s, const node *a, const node *b) {
  node *n = make(s, meet_group, same(0), same(0));
  // What rounding takes away from the bounds is less than this.
  n->low = sub(lowest(a->low, b->low), same(NEAR));
  n->high = add(highest(a->high, b->high), same(NEAR));
  n->kid[0] = a;
  n->kid[1] = b;
  return n;
}

static node *make_moved(scene *s, const node *kid, vec by) {
  node *n = make(s, meet_moved, by, same(0));
  n->low = add(kid->low, by);
  n->high = add(kid->high, by);
  n->kid[0] = kid;
  return n;
}

static void sort_along(const node **list, int count, vec axis) {
  for (int i = 1; i < count; i++) {
    const node *n = list[i];
    int to = i;
    for (; to && dot(list[to - 1]->low, axis) > dot(n->low, axis); to--)
      list[to] = list[to - 1];
    list[to] = n;
  }
}

static const node *build(scene *s, const node **list, int count, vec axis) {
  int half = count / 2;
  if (count == 1)
    return list[0];
  sort_along(list, count, axis);
  axis = vector(axis.y, axis.z, axis.x);
  const node *low = build(s, list, half, axis);
  return make_group(s, low, build(s, list + half, count - half, axis));
}

static vec pick_vec(kernel_rng *rng, double low, double high) {
  double v[3];
  for (int i = 0; i < 3; i++)
    v[i] = low + (high - low) * (int)(kernel_rng_next(rng) >> 40) / (1 << 24);
  return vector(v[0], v[1], v[2]);
}

static void make_scene(scene *s, kernel_rng *rng) {
  const node *cluster[CLUSTER];
  for (int i = 0; i < CLUSTER; i++)
    cluster[i] = make(s, meet_sphere, pick_vec(rng, -1, 1), same(0.4));
  const node *shared = build(s, cluster, CLUSTER, vector(1, 0, 0));
  for (int i = 0; i < SHAPES; i++) {
    vec place = add(pick_vec(rng, -4, 4), vector(0, 4, 9));
    vec size = pick_vec(rng, 0.2, 0.8);
    s->all[i] = i % 8 == 0   ? make_moved(s, shared, place)
                : i % 2 == 0 ? make(s, meet_box, place, size)
                             : make(s, meet_sphere, place, same(size.x));
  }
  node *floor = make(s, meet_plane, vector(0, -1, 0), same(1e30));
  floor->paint = paint_tiles;
  s->top = make_group(s, floor, build(s, s->all, SHAPES, vector(1, 0, 0)));
}

static hit nearest(const scene *s, const ray *r) {
  hit h = {.at = 500};
  s->top->meet(s->top, r, &h);
  return h;
}

static vec reflect(vec along, vec normal) {
  return sub(along, scale(normal, 2 * dot(along, normal)));
}

static vec light_at(const scene *s, const hit *h, vec place, vec along) {
  static const vec lights[] = {{-6, 12, -4}, {9, 7, 3}};
  vec colour = h->shape->paint(h->place), sum = scale(colour, 0.15);
  for (int i = 0; i < 2; i++) {
    vec to = sub(lights[i], place);
    ray shadow = {add(place, scale(h->normal, 1e-4)), unit(to)};
    double slope = dot(shadow.along, h->normal);
    if (slope <= 0 || nearest(s, &shadow).at < root(dot(to, to)))
      continue;
    double shine = dot(reflect(along, h->normal), shadow.along);
    shine = shine > 0 ? square(square(square(shine))) : 0;
    sum = add(sum, scale(colour, 0.5 * slope));
    sum = add(sum, same(0.3 * shine));
  }
  return sum;
}

static vec trace(const scene *s, const ray *r, int depth) {
  hit h = nearest(s, r);
  if (!h.shape || depth == MAX_DEPTH)
    return vector(0.3, 0.4, 0.5 + 0.4 * size_of(r->along.y));
  vec place = point(r, h.at), sum = light_at(s, &h, place, r->along);
  if (h.shape->mirror > 0) {
    vec back = reflect(r->along, h.normal);
    ray next = {add(place, scale(back, 1e-4)), back};
    sum = add(sum, scale(trace(s, &next, depth + 1), h.shape->mirror));
  }
  return sum;
}

// The tree must find what a search through all shapes finds.
static void check_hit(const scene *s, const ray *r) {
  hit fast = nearest(s, r), slow = {.at = 500};
  s->top->kid[0]->meet(s->top->kid[0], r, &slow);
  for (int i = 0; i < SHAPES; i++)
    s->all[i]->meet(s->all[i], r, &slow);
  if (fast.at < slow.at || fast.at > slow.at)
    abort();
}

static uint64_t pack(vec colour) {
  vec c = add(scale(lowest(colour, same(1)), 255), same(0.5));
  return (uint64_t)c.x << 16 | (uint64_t)c.y << 8 | (uint64_t)c.z;
}

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 30);
  static scene s;
  kernel_rng rng = {11};
  uint64_t sum = KERNEL_CHECKSUM_START;
  make_scene(&s, &rng);
  for (int i = 0; i < size * size; i++) {
    double x = (i % size + 0.5) / size - 0.5, y = 0.5 - (i / size + 0.5) / size;
    ray r = {vector(0, 4, -4), unit(vector(x, y, 0.8))};
    check_hit(&s, &r);
    sum = kernel_checksum_u64(sum, pack(trace(&s, &r, 0)));
  }
  printf("%d nodes, %d rays\n", s.count, size * size);
  printf("raytrace checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
