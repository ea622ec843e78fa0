// SPDX-License-Identifier: Apache-2.0
// Strings: a builder, a formatter, searches, edit distance, suffixes, UTF-8.
// Sizes: 100 300 2000

#include "kernel.h"

enum { MAX_PATTERN = 16 };

// Bytes, so that nothing depends on the sign of char.
typedef struct {
  uint8_t *data;
  size_t length, capacity;
} Text;

typedef struct {
  bool left, zero;
  size_t width;
} Spec;

// The first match at or after `from`, or the length of the text.
typedef size_t (*search)(const Text *t, const Text *p, size_t from);

static void check(bool ok, const char *what) {
  if (!ok) {
    printf("strings: check failed: %s\n", what);
    exit(1);
  }
}

static void append_byte(Text *t, uint8_t b) {
  if (t->length == t->capacity) {
    t->capacity = 2 * t->capacity + 16;
    t->data = realloc(t->data, t->capacity);
    check(t->data != NULL, "out of memory");
  }
  t->data[t->length++] = b;
}

static void append_fill(Text *t, uint8_t b, size_t n) {
  while (n-- > 0)
    append_byte(t, b);
}

static void append_padded(Text *t, Spec s, const char *p, size_t n) {
  size_t gap = s.width > n ? s.width - n : 0;
  append_fill(t, s.zero ? '0' : ' ', s.left ? 0 : gap);
  for (size_t i = 0; i < n; i++)
    append_byte(t, (uint8_t)p[i]);
  append_fill(t, ' ', s.left ? gap : 0);
}

static void append_number(Text *t, Spec s, size_t v, size_t base, bool minus) {
  char digits[24];
  size_t at = sizeof digits;
  for (; v > 0 || at == sizeof digits; v /= base)
    digits[--at] = "0123456789abcdef"[v % base];
  s.width -= minus && s.zero && s.width > 0;
  if (minus && s.zero)
    append_byte(t, '-'); // ahead of the zeros
  else if (minus)
    digits[--at] = '-';
  append_padded(t, s, digits + at, sizeof digits - at);
}

static Spec parse_spec(const char **f) {
  Spec s = {false, false, 0};
  for (; **f == '-' || **f == '0'; ++*f)
    *(**f == '-' ? &s.left : &s.zero) = true;
  for (; **f >= '0' && **f <= '9'; ++*f)
    s.width = s.width * 10 + (size_t)(**f - '0');
  return s;
}

static void format(Text *t, const char *f, ...) {
  va_list args;
  va_start(args, f);
  for (; *f; f++) {
    if (*f != '%' || *++f == '%') {
      append_byte(t, (uint8_t)*f);
      continue;
    }
    Spec s = parse_spec(&f);
    if (*f == 'd') {
      int v = va_arg(args, int);
      append_number(t, s, v < 0 ? -(size_t)v : (size_t)v, 10, v < 0);
    } else if (*f == 'u' || *f == 'x') {
      append_number(t, s, va_arg(args, size_t), *f == 'u' ? 10 : 16, false);
    } else if (*f == 'c') {
      append_byte(t, (uint8_t)va_arg(args, int));
    } else if (*f == 's') {
      const char *text = va_arg(args, const char *);
      append_padded(t, s, text, strlen(text));
    }
  }
  va_end(args);
}

static size_t kmp_step(const Text *p, const size_t *border, size_t k,
                       uint8_t b) {
  while (k > 0 && p->data[k] != b)
    k = border[k];
  return k + (p->data[k] == b);
}

// Knuth, Morris and Pratt: of i bytes that fit, border[i] fit once more.
static size_t search_kmp(const Text *t, const Text *p, size_t from) {
  size_t border[MAX_PATTERN + 1] = {0}, k = 0;
  for (size_t i = 1; i < p->length; i++)
    border[i + 1] = kmp_step(p, border, border[i], p->data[i]);
  for (size_t i = from; i < t->length; i++)
    if ((k = kmp_step(p, border, k, t->data[i])) == p->length)
      return i + 1 - k;
  return t->length;
}

// Boyer, Moore and Horspool: shift by the last byte under the pattern.
static size_t search_horspool(const Text *t, const Text *p, size_t from) {
  size_t skip[256];
  for (int b = 0; b < 256; b++)
    skip[b] = p->length;
  for (size_t i = 0; i + 1 < p->length; i++)
    skip[p->data[i]] = p->length - 1 - i;
  while (from + p->length <= t->length &&
         memcmp(t->data + from, p->data, p->length) != 0)
    from += skip[t->data[from + p->length - 1]];
  return from + p->length <= t->length ? from : t->length;
}

static size_t count_matches(search find, const Text *t, const Text *p) {
  size_t count = 0;
  for (size_t at = find(t, p, 0); at < t->length; at = find(t, p, at + 1))
    count++;
  return count;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static bool is_scalar(uint32_t c) { return c < 0x110000 && c >> 11 != 0x1b; }

static size_t edit_distance(const Text *a, const Text *b) {
  size_t *row = malloc((b->length + 1) * sizeof *row);
  check(row != NULL, "out of memory");
  for (size_t j = 0; j <= b->length; j++)
    row[j] = j;
  for (size_t i = 1; i <= a->length; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b->length; j++) {
      size_t change = diagonal + (a->data[i - 1] != b->data[j - 1]);
      diagonal = row[j];
      row[j] = least(change, 1 + least(row[j], row[j - 1]));
    }
  }
  size_t distance = row[b->length];
  free(row);
  return distance;
}

// Orders the suffix at `at` against a pattern, of which it may be longer.
static int compare_prefix(const Text *t, size_t at, const Text *p) {
  size_t n = least(t->length - at, p->length);
  int order = memcmp(t->data + at, p->data, n);
  return order != 0 ? order : n < p->length ? -1 : 0;
}

static int compare_suffixes(const Text *t, size_t a, size_t b) {
  Text tail = {t->data + b, t->length - b, 0};
  int order = compare_prefix(t, a, &tail);
  return order != 0 ? order : a < b ? 1 : -1;
}

static void merge_sort(size_t *a, size_t *spare, size_t n, const Text *t) {
  size_t half = n / 2, i = 0, j = half;
  if (n < 2)
    return;
  merge_sort(a, spare, half, t);
  merge_sort(a + half, spare, n - half, t);
  for (size_t k = 0; k < n; k++)
    spare[k] = i < half && (j == n || compare_suffixes(t, a[i], a[j]) < 0)
                   ? a[i++]
                   : a[j++];
  memcpy(a, spare, n * sizeof *a);
}

static size_t *suffix_array(const Text *t) {
  size_t *suffix = malloc(2 * t->length * sizeof *suffix);
  check(suffix != NULL, "out of memory");
  for (size_t i = 0; i < t->length; i++)
    suffix[i] = i;
  merge_sort(suffix, suffix + t->length, t->length, t);
  return suffix;
}

// How many suffixes come before the pattern, or also start with it.
static size_t suffix_bound(const Text *t, const size_t *suffix, const Text *p,
                           int after) {
  size_t low = 0, high = t->length;
  while (low < high) {
    size_t mid = (low + high) / 2;
    bool beyond = compare_prefix(t, suffix[mid], p) < after;
    low = beyond ? mid + 1 : low;
    high = beyond ? high : mid;
  }
  return low;
}

static void utf8_encode(Text *t, uint32_t c) {
  c = is_scalar(c) ? c : 0xfffd;
  int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
  append_byte(t, (uint8_t)(lead[more] | c >> (6 * more)));
  while (more-- > 0)
    append_byte(t, (uint8_t)(0x80 | (c >> (6 * more) & 0x3f)));
}

// The next code point, or -1 where the bytes are not one.
static int32_t utf8_decode(const Text *t, size_t *at) {
  static const uint32_t lowest[] = {0, 0x80, 0x800, 0x10000};
  uint8_t b = t->data[(*at)++];
  int more = b < 0x80 ? 0 : b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
  uint32_t c = more ? b & (0x3fu >> more) : b;
  bool good = b < 0x80 || (b >= 0xc0 && b < 0xf8);
  for (int i = 0; good && i < more; i++) {
    good = *at < t->length && (t->data[*at] & 0xc0) == 0x80;
    c = good ? c << 6 | (t->data[(*at)++] & 0x3f) : 0;
  }
  return good && c >= lowest[more] && is_scalar(c) ? (int32_t)c : -1;
}

static size_t utf8_errors(const Text *t) {
  size_t errors = 0;
  for (size_t at = 0; at < t->length;)
    errors += utf8_decode(t, &at) < 0;
  return errors;
}

static size_t pick(kernel_rng *rng, size_t below) {
  return (size_t)(kernel_rng_next(rng) % below);
}

static size_t check_searches(const Text *t, const size_t *suffix,
                             kernel_rng *rng) {
  size_t total = 0;
  for (size_t i = 1; i < MAX_PATTERN; i++) {
    size_t at = pick(rng, t->length);
    Text p = {t->data + at, least(i, t->length - at), 0};
    size_t low = suffix_bound(t, suffix, &p, 0);
    size_t found = suffix_bound(t, suffix, &p, 1) - low;
    check(found == count_matches(search_kmp, t, &p), "KMP");
    check(found == count_matches(search_horspool, t, &p), "Horspool");
    total += found;
  }
  return total;
}

// Leaves some bytes out and changes others; returns how many in all.
static size_t spoil(Text *to, const Text *from, kernel_rng *rng) {
  size_t edits = 0;
  for (size_t i = to->length = 0; i < from->length; i++) {
    size_t chance = pick(rng, 24);
    if (chance != 0)
      append_byte(to, chance == 1 ? 0xff : from->data[i]);
    edits += chance < 2;
  }
  return edits;
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 300);
  kernel_rng rng = {123};
  Text t = {0}, u = {0}, report = {0};
  format(&report, "[%5d|%-5d|%05d]", -42, 7, -42);
  format(&report, "%x %3s|%-3s|%%%c", (size_t)0xbeef, "a", "b", 0);
  check(strcmp((const char *)report.data,
               "[  -42|7    |-0042]beef   a|b  |%") == 0,
        "format");
  report.length = 0;
  for (size_t i = 0; i < n; i++)
    append_byte(&t, (uint8_t)('a' + pick(&rng, 3)));
  size_t *suffix = suffix_array(&t), found = check_searches(&t, suffix, &rng);
  format(&report, "%u matches, first suffix %x\n", found, suffix[0]);
  size_t edits = spoil(&u, &t, &rng), distance = edit_distance(&t, &u);
  check(distance <= edits && distance == edit_distance(&u, &t), "distance");
  format(&report, "%u edits, distance %u\n", edits, distance);
  for (size_t i = t.length = u.length = 0; i < n; i++)
    utf8_encode(&t, (uint32_t)pick(&rng, (size_t)1 << (7 + pick(&rng, 15))));
  for (size_t at = 0; at < t.length;)
    utf8_encode(&u, (uint32_t)utf8_decode(&t, &at));
  check(u.length == t.length && memcmp(t.data, u.data, t.length) == 0, "UTF-8");
  spoil(&u, &t, &rng);
  format(&report, "%u bytes, %5u errors\n%c", u.length, utf8_errors(&u), 0);
  uint64_t sum = kernel_checksum(KERNEL_CHECKSUM_START, t.data, t.length);
  sum = kernel_checksum(sum, report.data, report.length);
  printf("%sstrings checksum %016llx\n", (const char *)report.data,
         (unsigned long long)sum);
  free(suffix);
  free(t.data);
  free(u.data);
  free(report.data);
  return 0;
}
