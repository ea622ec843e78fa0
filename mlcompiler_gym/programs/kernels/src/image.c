// SPDX-License-Identifier: Apache-2.0
// Filters on grey images in integers, with run-length coding and flood fill.
// Sizes: 20 40 160

#include "kernel.h"

enum { WINDOW = 9, LEVELS = 256 };

typedef struct {
  int w, h;
  uint8_t *px;
} Image;

typedef struct {
  uint8_t *data;
  size_t length, capacity;
} Bytes;

typedef uint8_t (*point_filter)(uint8_t);
typedef uint8_t (*window_filter)(const uint8_t *);

static void check(bool ok, const char *what) {
  if (!ok) {
    printf("image: check failed: %s\n", what);
    exit(1);
  }
}

static int clamp(int v, int low, int high) {
  return v < low ? low : v > high ? high : v;
}

static int area(const Image *m) { return m->w * m->h; }
static void image_free(Image *m) { free(m->px); }

static Image image_new(int w, int h) {
  Image m = {w, h, calloc((size_t)w * (size_t)h, 1)};
  check(m.px != NULL, "out of memory");
  return m;
}

static void replace(Image *m, Image next) {
  image_free(m);
  *m = next;
}

static bool same(const Image *a, const Image *b) {
  return a->w == b->w && a->h == b->h &&
         memcmp(a->px, b->px, (size_t)area(a)) == 0;
}

// Outside the image, its border goes on.
static uint8_t get(const Image *m, int x, int y) {
  return m->px[clamp(y, 0, m->h - 1) * m->w + clamp(x, 0, m->w - 1)];
}

static void set(Image *m, int x, int y, int v) {
  m->px[y * m->w + x] = (uint8_t)clamp(v, 0, LEVELS - 1);
}

static uint8_t invert(uint8_t v) { return (uint8_t)(LEVELS - 1 - v); }
static uint8_t threshold(uint8_t v) { return v < LEVELS / 2 ? 0 : LEVELS - 1; }
static uint8_t posterise(uint8_t v) { return v & 0xc0; }

static Image map(const Image *m, point_filter f) {
  Image r = image_new(m->w, m->h);
  for (int i = 0; i < area(m); i++)
    r.px[i] = f(m->px[i]);
  return r;
}

static Image slide(const Image *m, window_filter f) {
  Image r = image_new(m->w, m->h);
  uint8_t window[WINDOW];
  for (int i = 0; i < area(m); i++) {
    for (int k = 0; k < WINDOW; k++)
      window[k] = get(m, i % m->w + k % 3 - 1, i / m->w + k / 3 - 1);
    r.px[i] = f(window);
  }
  return r;
}

// The largest level after flipping the bits of `flip`, flipped back.
static uint8_t extreme(const uint8_t *w, int flip) {
  int best = 0;
  for (int i = 0; i < WINDOW; i++)
    best = (w[i] ^ flip) > best ? w[i] ^ flip : best;
  return (uint8_t)(best ^ flip);
}

static uint8_t largest(const uint8_t *w) { return extreme(w, 0); }
static uint8_t smallest(const uint8_t *w) { return extreme(w, LEVELS - 1); }

static uint8_t median(const uint8_t *w) {
  uint8_t sorted[WINDOW];
  for (int i = 0; i < WINDOW; i++) {
    int at = i;
    for (; at > 0 && sorted[at - 1] > w[i]; at--)
      sorted[at] = sorted[at - 1];
    sorted[at] = w[i];
  }
  return sorted[WINDOW / 2];
}

static int slope(const uint8_t *w, int across, int along) {
  int d = 0;
  for (int i = -1; i <= 1; i++)
    d += (i == 0 ? 2 : 1) *
         (w[4 + across + i * along] - w[4 - across + i * along]);
  return d < 0 ? -d : d;
}

static uint8_t sobel(const uint8_t *w) {
  return (uint8_t)clamp(slope(w, 1, 3) + slope(w, 3, 1), 0, LEVELS - 1);
}

// The mean of a run along one axis; two passes make a box.
static Image blur_pass(const Image *m, int radius, int dx, int dy) {
  Image r = image_new(m->w, m->h);
  for (int y = 0; y < m->h; y++)
    for (int x = 0; x < m->w; x++) {
      int total = radius;
      for (int k = -radius; k <= radius; k++)
        total += get(m, x + k * dx, y + k * dy);
      set(&r, x, y, total / (2 * radius + 1));
    }
  return r;
}

static Image blur(const Image *m, int radius) {
  Image across = blur_pass(m, radius, 1, 0);
  Image both = blur_pass(&across, radius, 0, 1);
  image_free(&across);
  return both;
}

static Image equalise(const Image *m) {
  Image r = image_new(m->w, m->h);
  int upto[LEVELS] = {0};
  for (int i = 0; i < area(m); i++)
    upto[m->px[i]]++;
  for (int v = 1; v < LEVELS; v++)
    upto[v] += upto[v - 1];
  check(upto[LEVELS - 1] == area(m), "histogram");
  for (int i = 0; i < area(m); i++)
    r.px[i] = (uint8_t)((int64_t)upto[m->px[i]] * (LEVELS - 1) / area(m));
  return r;
}

static int mix(int a, int b, int part) { return a * (256 - part) + b * part; }

// Bilinear, at positions in units of 1/256 pixel.
static Image resize(const Image *m, int w, int h) {
  Image r = image_new(w, h);
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++) {
      int sx = x * m->w * 256 / w, sy = y * m->h * 256 / h;
      int cx = sx >> 8, cy = sy >> 8, px = sx & 255, py = sy & 255;
      int top = mix(get(m, cx, cy), get(m, cx + 1, cy), px);
      int bottom = mix(get(m, cx, cy + 1), get(m, cx + 1, cy + 1), px);
      set(&r, x, y, mix(top, bottom, py) >> 16);
    }
  return r;
}

static Image rotate(const Image *m) {
  Image r = image_new(m->h, m->w);
  for (int y = 0; y < r.h; y++)
    for (int x = 0; x < r.w; x++)
      set(&r, x, y, get(m, y, m->h - 1 - x));
  return r;
}

static void put_byte(Bytes *b, uint8_t v) {
  if (b->length == b->capacity) {
    b->capacity = 2 * b->capacity + 16;
    b->data = realloc(b->data, b->capacity);
    check(b->data != NULL, "out of memory");
  }
  b->data[b->length++] = v;
}

static Bytes run_lengths(const Image *m) {
  Bytes b = {NULL, 0, 0};
  for (int i = 0, run; i < area(m); i += run) {
    for (run = 1; run < 255 && i + run < area(m) && m->px[i + run] == m->px[i];)
      run++;
    put_byte(&b, (uint8_t)run);
    put_byte(&b, m->px[i]);
  }
  return b;
}

static Image from_run_lengths(const Bytes *b, int w, int h) {
  Image m = image_new(w, h);
  int at = 0;
  for (size_t i = 0; i < b->length; i += 2) {
    check(at + b->data[i] <= area(&m), "runs fit the image");
    memset(m.px + at, b->data[i + 1], b->data[i]);
    at += b->data[i];
  }
  check(at == area(&m), "runs fill the image");
  return m;
}

// Marks the region of one level around pixel `start`; returns its size.
static int flood(const Image *m, int start, uint8_t *seen, int *stack) {
  int depth = 0, size = 0;
  stack[depth++] = start;
  seen[start] = 1;
  while (depth > 0) {
    int at = stack[--depth], x = at % m->w, y = at / m->w;
    size++;
    for (int k = 0; k < 4; k++) {
      int nx = clamp(x + (k == 0) - (k == 1), 0, m->w - 1);
      int ny = clamp(y + (k == 2) - (k == 3), 0, m->h - 1);
      int next = ny * m->w + nx;
      if (!seen[next] && m->px[next] == m->px[start]) {
        seen[next] = 1;
        stack[depth++] = next;
      }
    }
  }
  return size;
}

static int count_regions(const Image *m) {
  Image seen = image_new(m->w, m->h);
  int *stack = calloc((size_t)area(m), sizeof *stack), regions = 0, total = 0;
  check(stack != NULL, "out of memory");
  for (int i = 0; i < area(m); i++)
    if (!seen.px[i]) {
      total += flood(m, i, seen.px, stack);
      regions++;
    }
  check(total == area(m), "regions fill the image");
  free(stack);
  image_free(&seen);
  return regions;
}

// A gradient with a disc cut out of it and some noise on top.
static Image paint(kernel_rng *rng, int w, int h) {
  Image m = image_new(w, h);
  for (int i = 0; i < area(&m); i++) {
    int x = i % w, y = i / w, dx = 2 * x - w, dy = 2 * y - h;
    int v = 200 * x / w + (int)(kernel_rng_next(rng) % 32);
    set(&m, x, y, dx * dx + dy * dy < h * h / 2 ? 255 - v : v);
  }
  return m;
}

// Takes the image over, and adds it to the checksum.
static uint64_t report(const char *name, Image m, uint64_t sum) {
  int64_t total = 0;
  for (int i = 0; i < area(&m); i++)
    total += m.px[i];
  printf("%s %dx%d, mean %d\n", name, m.w, m.h, (int)(total / area(&m)));
  sum = kernel_checksum(sum, m.px, (size_t)area(&m));
  image_free(&m);
  return sum;
}

int main(int argc, char **argv) {
  static const char *const names[] = {"dilate", "erode", "median", "sobel"};
  static const window_filter filters[] = {largest, smallest, median, sobel};
  int n = kernel_size(argc, argv, 40);
  kernel_rng rng = {64};
  uint64_t sum = KERNEL_CHECKSUM_START;
  Image m = paint(&rng, n + n / 2, n), r = map(&m, invert);
  for (int i = 0; i < 4; i++)
    sum = report(names[i], slide(&m, filters[i]), sum);
  replace(&r, slide(&r, smallest));
  replace(&r, map(&r, invert));
  Image wide = slide(&m, largest);
  check(same(&r, &wide), "dilating is eroding the inverse");
  sum = report("blur", blur(&m, 2), report("equalise", equalise(&m), sum));
  sum = report("resize", resize(&m, n, 2 * n), sum);
  sum = report("rotate", rotate(&m), sum);
  replace(&r, resize(&m, m.w, m.h));
  check(same(&r, &m), "resize to the same size");
  for (int i = 0; i < 4; i++)
    replace(&r, rotate(&r));
  check(same(&r, &m), "four quarter turns");
  replace(&r, map(&m, posterise));
  Bytes runs = run_lengths(&r);
  replace(&wide, from_run_lengths(&runs, r.w, r.h));
  check(same(&r, &wide), "run lengths come back");
  printf("%zu bytes, %d regions\n", runs.length, count_regions(&r));
  sum = kernel_checksum(sum, runs.data, runs.length);
  sum = report("threshold", map(&m, threshold), sum);
  free(runs.data);
  image_free(&wide);
  image_free(&r);
  image_free(&m);
  printf("image checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
