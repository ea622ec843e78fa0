// SPDX-License-Identifier: Apache-2.0
// JSON: a parser to a tree, a printer, walks over the tree and path queries.
// Sizes: 30 150 500

#include "kernel.h"

typedef enum { WORD, NUMBER, STRING, ARRAY, OBJECT } kind;

// Leaves keep their text as it was read, quotes and escapes included. Members
// of arrays and objects are a list, by `next`; those of an object have a key.
typedef struct value {
  kind kind;
  char *key, *text;
  struct value *child, *next;
} value;

typedef struct {
  char *data;
  size_t length, capacity;
} buffer;

typedef struct {
  const char *cursor, *error;
} parser;

typedef void visit_fn(const value *v, int depth, uint64_t *data);

static void put_char(buffer *b, char c) {
  if (b->length == b->capacity) {
    b->capacity = 2 * b->capacity + 16;
    b->data = realloc(b->data, b->capacity);
    if (!b->data)
      abort();
  }
  b->data[b->length++] = c;
}

static void put_text(buffer *b, const char *text) {
  while (*text)
    put_char(b, *text++);
}

static char *take_text(buffer *b) {
  put_char(b, 0);
  return b->data;
}

static value *new_value(kind kind, char *text) {
  value *v = malloc(sizeof *v);
  if (!v)
    abort();
  *v = (value){.kind = kind, .text = text};
  return v;
}

static void free_value(value *v) {
  for (value *next; v; v = next) {
    next = v->next;
    free_value(v->child);
    free(v->key);
    free(v->text);
    free(v);
  }
}

// After an error the parser stands still, at the character that it is about.
static void fail(parser *p, const char *message) {
  p->error = p->error ? p->error : message;
}

static bool next_in(const parser *p, char from, char to) {
  return !p->error && *p->cursor >= from && *p->cursor <= to;
}

static bool take(parser *p, char c) {
  bool same = next_in(p, c, c);
  p->cursor += same;
  return same;
}

static void skip_space(parser *p) {
  while (take(p, ' ') || take(p, '\n'))
    continue;
}

static bool accept(parser *p, char c) {
  skip_space(p);
  return take(p, c);
}

static void expect(parser *p, char c, const char *message) {
  if (!accept(p, c))
    fail(p, message);
}

static void skip_word(parser *p) {
  static const char *const words[] = {"null", "true", "false"};
  for (int i = 0; i < 3; i++)
    if (!strncmp(p->cursor, words[i], strlen(words[i]))) {
      p->cursor += strlen(words[i]);
      return;
    }
  fail(p, "unknown word");
}

static void skip_digits(parser *p) {
  if (!next_in(p, '0', '9'))
    fail(p, "digit expected");
  while (next_in(p, '0', '9'))
    p->cursor++;
}

static void skip_number(parser *p) {
  take(p, '-');
  skip_digits(p);
  if (take(p, '.'))
    skip_digits(p);
  if (take(p, 'e')) {
    take(p, '-');
    skip_digits(p);
  }
}

static void skip_string(parser *p) {
  expect(p, '"', "string expected");
  while (!p->error && *p->cursor && *p->cursor != '"')
    if (!take(p, '\\'))
      p->cursor++;
    else if (!take(p, '"') && !take(p, '\\') && !take(p, 'n'))
      fail(p, "unknown escape");
  expect(p, '"', "string without an end");
}

static char *parse_text(parser *p, kind kind) {
  static void (*const skip[])(parser *) = {skip_word, skip_number, skip_string};
  buffer b = {0};
  skip_space(p);
  const char *from = p->cursor;
  skip[kind](p);
  while (from < p->cursor)
    put_char(&b, *from++);
  return take_text(&b);
}

static value *parse_value(parser *p);

// The members of an array or an object, up to the bracket that closes it.
static value *parse_members(parser *p, value *parent, char close) {
  value **end = &parent->child;
  if (accept(p, close))
    return parent;
  do {
    char *key = parent->kind == OBJECT ? parse_text(p, STRING) : NULL;
    if (key)
      expect(p, ':', "colon expected");
    *end = parse_value(p);
    (*end)->key = key;
    end = &(*end)->next;
  } while (accept(p, ','));
  expect(p, close, "comma or bracket expected");
  return parent;
}

static value *parse_value(parser *p) {
  if (accept(p, '{'))
    return parse_members(p, new_value(OBJECT, NULL), '}');
  if (accept(p, '['))
    return parse_members(p, new_value(ARRAY, NULL), ']');
  kind kind = next_in(p, '"', '"')   ? STRING
              : next_in(p, 'a', 'z') ? WORD
                                     : NUMBER;
  return new_value(kind, parse_text(p, kind));
}

// With an indent below zero everything goes on one line.
static void put_newline(buffer *b, int indent) {
  if (indent >= 0)
    put_char(b, '\n');
  for (int i = 0; i < indent; i++)
    put_text(b, "  ");
}

static void put_value(buffer *b, const value *v, int indent) {
  int inner = indent < 0 ? indent : indent + 1;
  put_text(b, v->text ? v->text : v->kind == ARRAY ? "[" : "{");
  for (const value *child = v->child; child; child = child->next) {
    put_newline(b, inner);
    if (child->key) {
      put_text(b, child->key);
      put_text(b, indent < 0 ? ":" : ": ");
    }
    put_value(b, child, inner);
    put_text(b, child->next ? "," : "");
  }
  if (v->child)
    put_newline(b, indent);
  put_text(b, v->text ? "" : v->kind == ARRAY ? "]" : "}");
}

static bool has_name(const value *v, int index, const char *name, size_t size) {
  if (!v->key)
    return index == atoi(name);
  return strlen(v->key) == size + 2 && !memcmp(v->key + 1, name, size);
}

// The value at a path like "b/2/name", or NULL.
static const value *find(const value *v, const char *path) {
  while (v && *path) {
    size_t size = 0;
    int index = 0;
    while (path[size] && path[size] != '/')
      size++;
    for (v = v->child; v && !has_name(v, index, path, size); v = v->next)
      index++;
    path += size + (path[size] == '/');
  }
  return v;
}

static void walk(const value *v, int depth, visit_fn *visit, uint64_t *data) {
  if (v)
    visit(v, depth, data);
  for (const value *child = v ? v->child : v; child; child = child->next)
    walk(child, depth + 1, visit, data);
}

static void count_kind(const value *v, int depth, uint64_t *data) {
  data[v->kind] += depth > 0;
}

static void sum_text(const value *v, int depth, uint64_t *data) {
  *data = kernel_checksum_u64(*data, (uint64_t)depth);
  if (v->text)
    *data = kernel_checksum(*data, v->text, strlen(v->text));
}

// Reads a text and prints it again, or the error that it has.
static char *reprint(const char *text, int indent, uint64_t *counts,
                     uint64_t *sum) {
  static const char *const paths[] = {"a", "b/1", "b/2/b/0/a"};
  parser p = {text, NULL};
  buffer b = {0};
  value *v = parse_value(&p);
  expect(&p, 0, "text after the value");
  walk(v, 0, count_kind, counts);
  for (int i = 0; i < 3; i++)
    walk(find(v, paths[i]), i, sum_text, sum);
  if (p.error)
    put_text(&b, p.error);
  else
    put_value(&b, v, indent);
  free_value(v);
  return take_text(&b);
}

// A question mark is a value to be made up.
static void put_random(buffer *b, kernel_rng *rng, int depth) {
  static const char *const leaves[] = {"\n true", "[1, \"\\\\\"]", "\"\\\"\"",
                                       "-0.5e-7"};
  static const char *const trees[] = {"{\"a\":?,\"b\":[?, ?,?]}", "[ ?,\n?]",
                                      "{\"b\" :[?], \"a\": ?}", "{ }"};
  const char *text = (depth > 0 ? trees : leaves)[kernel_rng_next(rng) % 4];
  for (; *text; text++)
    if (*text == '?')
      put_random(b, rng, depth - 1);
    else
      put_char(b, *text);
}

int main(int argc, char **argv) {
  static const char *const bad[] = {"[1 2]", "{\"a\" 1}", "nul", "\"\\q\"",
                                    "-"};
  int size = kernel_size(argc, argv, 150);
  uint64_t sum = KERNEL_CHECKSUM_START, counts[OBJECT + 1] = {0};
  kernel_rng rng = {1};
  for (int i = 0; i < 5; i++) {
    char *error = reprint(bad[i], 0, counts, &sum);
    printf("%s: %s\n", bad[i], error);
    free(error);
  }
  for (int i = 0; i < size; i++) {
    buffer b = {0};
    put_random(&b, &rng, 7 - i % 8);
    char *text = take_text(&b), *line = reprint(text, -1, counts, &sum);
    char *pretty = reprint(text, 0, counts, &sum);
    char *again = reprint(pretty, -1, counts, &sum);
    char *all[] = {text, line, pretty, again};
    sum = kernel_checksum(sum, pretty, strlen(pretty));
    if (strcmp(line, again)) {
      printf("not the same: %s and %s\n", line, again);
      exit(1);
    }
    for (int k = 0; k < 4; k++)
      free(all[k]);
  }
  for (kind k = WORD; k <= OBJECT; k++)
    printf("kind %d: %d\n", (int)k, (int)counts[k]);
  printf("json checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
