// SPDX-License-Identifier: Apache-2.0
// A query engine: parsed plans of operators that hand on rows, hashed or not.
// Sizes: 60 300 1000

#include "kernel.h"

enum { COLUMNS = 9, SLOTS = 1 << 6, MAX_PLANS = 16, MAX_TESTS = 4 };

typedef struct {
  int64_t at[COLUMNS];
  int next; // in a chain of rows, counted from one
} row;

typedef struct {
  const char *name, *columns; // each column is named by a letter
  row *rows;
  int count, capacity;
} table;

// Compares two columns or, if `right` is below zero, one with a number, ~right.
typedef struct {
  bool (*compare)(int64_t a, int64_t b);
  int left, right;
} test;

// An operator gives its rows one by one; `held` are the rows that it must keep.
typedef struct plan {
  bool (*next)(struct plan *p, row *out);
  struct plan *left, *right;
  test tests[MAX_TESTS];
  const table *from;
  table held;
  int heads[SLOTS], test_count, at, match, width, key, other;
  bool hashed; // otherwise all rows are in one chain
  row outer;
} plan;

typedef struct {
  const char *at;
  const table *tables;
  bool hashed;
  char columns[2 * COLUMNS]; // of the rows that the plan so far gives
  int width, plan_count;
  plan plans[MAX_PLANS];
} query;

static void check(bool ok) {
  if (!ok)
    abort();
}

static void append(table *t, const row *r) {
  if (t->count == t->capacity) {
    t->capacity = 2 * t->capacity + 16;
    t->rows = realloc(t->rows, (size_t)t->capacity * sizeof *t->rows);
    check(t->rows);
  }
  t->rows[t->count++] = *r;
}

static bool less(int64_t a, int64_t b) { return a < b; }
static bool equal(int64_t a, int64_t b) { return a == b; }

static bool passes(const plan *p, const row *r) {
  for (const test *t = p->tests; t < p->tests + p->test_count; t++)
    if (!t->compare(r->at[t->left], t->right < 0 ? ~t->right : r->at[t->right]))
      return false;
  return true;
}

static bool next_scan(plan *p, row *out) {
  if (p->at == p->from->count)
    return false;
  *out = p->from->rows[p->at++];
  return true;
}

static bool next_filter(plan *p, row *out) {
  while (p->left->next(p->left, out))
    if (passes(p, out))
      return true;
  return false;
}

static bool start(plan *p, plan *from) {
  row r;
  if (p->from)
    return false; // all rows have been read in already
  p->from = &p->held;
  while (from->next(from, &r))
    append(&p->held, &r);
  return true;
}

static void sort_rows(row *rows, int count, int key) {
  for (int gap = count / 2; gap; gap /= 2)
    for (int i = gap; i < count; i++) {
      row r = rows[i];
      int to = i;
      for (; to >= gap && rows[to - gap].at[key] > r.at[key]; to -= gap)
        rows[to] = rows[to - gap];
      rows[to] = r;
    }
}

static bool next_sort(plan *p, row *out) {
  if (start(p, p->left))
    sort_rows(p->held.rows, p->held.count, p->key);
  return next_scan(p, out);
}

// Over sorted rows: each key with the number of its rows and a sum.
static bool next_group(plan *p, row *out) {
  row r;
  if (!next_sort(p, &r))
    return false;
  *out = (row){{r.at[p->key], 0, 0}, 0};
  do {
    out->at[1]++;
    out->at[2] += r.at[p->other];
  } while (next_sort(p, &r) && r.at[p->key] == out->at[0]);
  p->at -= r.at[p->key] != out->at[0];
  return true;
}

static int *head_of(plan *p, int64_t key) {
  return &p->heads[p->hashed ? (uint64_t)key * 0x9e3779b97f4a7c15u >> 58 : 0];
}

static void build_chains(plan *p) {
  for (int i = p->held.count; i > 0; i--) {
    row *r = &p->held.rows[i - 1];
    int *head = head_of(p, r->at[p->other]);
    r->next = *head;
    *head = i;
  }
}

static bool next_join(plan *p, row *out) {
  if (start(p, p->right))
    build_chains(p);
  for (;;) {
    for (; !p->match; p->match = *head_of(p, p->outer.at[p->key]))
      if (!p->left->next(p->left, &p->outer))
        return false;
    const row *inner = &p->held.rows[p->match - 1];
    p->match = inner->next;
    *out = p->outer;
    for (int i = p->width; i < COLUMNS; i++)
      out->at[i] = inner->at[i - p->width];
    if (inner->at[p->other] == p->outer.at[p->key])
      return true;
  }
}

static bool accept(query *q, const char *word) {
  while (*q->at == ' ')
    q->at++;
  bool there = !strncmp(q->at, word, strlen(word));
  q->at += there ? strlen(word) : 0;
  return there;
}

static int parse_number(query *q) {
  int number = atoi(q->at);
  while (*q->at >= '0' && *q->at <= '9')
    q->at++;
  return number;
}

static int parse_column(query *q) {
  int at = 0;
  for (accept(q, ""); q->columns[at] != *q->at; at++)
    check(q->columns[at]);
  q->at++;
  return at;
}

static test parse_test(query *q) {
  test made = {NULL, parse_column(q), 0};
  made.compare = accept(q, "<") ? less : equal;
  check(made.compare == less || accept(q, "="));
  made.right =
      accept(q, "") && *q->at < 'A' ? ~parse_number(q) : parse_column(q);
  return made;
}

static plan *make_plan(query *q, bool (*next)(plan *, row *), plan *left) {
  check(q->plan_count < MAX_PLANS);
  plan *p = &q->plans[q->plan_count++];
  *p = (plan){
      .next = next, .left = left, .width = q->width, .hashed = q->hashed};
  return p;
}

static void set_columns(query *q, const char *columns, int at) {
  q->width = at + (int)strlen(columns);
  memcpy(q->columns + at, columns, strlen(columns) + 1);
}

static plan *parse_table(query *q, int at) {
  const table *t = q->tables;
  while (!accept(q, t->name))
    check(++t < q->tables + 3);
  plan *p = make_plan(q, next_scan, NULL);
  p->from = t;
  set_columns(q, t->columns, at);
  return p;
}

static plan *parse_join(query *q, plan *left) {
  plan *p = make_plan(q, next_join, left);
  p->right = parse_table(q, p->width);
  check(accept(q, "on"));
  p->key = parse_column(q);
  check(accept(q, "="));
  p->other = parse_column(q) - p->width;
  check(p->other >= 0 && q->width <= COLUMNS);
  return p;
}

static plan *parse_group(query *q, plan *left) {
  plan *p = make_plan(q, next_group, left);
  p->key = parse_column(q);
  check(accept(q, "sum"));
  p->other = parse_column(q);
  set_columns(q, "kns", 0);
  return p;
}

static plan *parse_query(query *q) {
  check(accept(q, "from"));
  plan *p = parse_table(q, 0);
  while (*q->at)
    if (accept(q, "join")) {
      p = parse_join(q, p);
    } else if (accept(q, "where")) {
      p = make_plan(q, next_filter, p);
      do
        p->tests[p->test_count++] = parse_test(q);
      while (p->test_count < MAX_TESTS && accept(q, ","));
    } else if (accept(q, "group")) {
      p = parse_group(q, p);
    } else {
      check(accept(q, "sort"));
      p = make_plan(q, next_sort, p);
      p->key = parse_column(q);
    }
  return p;
}

static uint64_t run(const table *tables, const char *text, bool hashed) {
  query q = {.at = text, .tables = tables, .hashed = hashed};
  uint64_t sum = KERNEL_CHECKSUM_START;
  row r;
  plan *p = parse_query(&q);
  while (p->next(p, &r))
    for (int i = 0; i < q.width; i++)
      sum = kernel_checksum_u64(sum, (uint64_t)r.at[i]);
  for (int i = 0; i < q.plan_count; i++)
    free(q.plans[i].held.rows);
  return sum;
}

static void fill(table *t, int count, int keys, kernel_rng *rng) {
  for (int i = 0; i < count; i++) {
    uint64_t random = kernel_rng_next(rng);
    row r = {{i, (int)(random >> 40) % keys, (int)(random & 0xffff) % 99}, 0};
    append(t, &r);
  }
}

int main(int argc, char **argv) {
  static const char *const queries[] = {
      "from people where a < 30, c = 3 sort a",
      "from orders join people on p = i where m < a group c sum m sort s",
      "from people join cities on c = t group z sum a where n < k",
      "from orders join people on p = i join cities on c = t group a sum z"};
  table tables[] = {{"people", "ica", NULL, 0, 0},
                    {"orders", "opm", NULL, 0, 0},
                    {"cities", "tyz", NULL, 0, 0}};
  int size = kernel_size(argc, argv, 300);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {23};
  fill(&tables[0], size, 10, &rng);
  fill(&tables[1], 3 * size, size, &rng);
  fill(&tables[2], 10, 4, &rng);
  for (int i = 0; i < 4; i++) {
    uint64_t rows = run(tables, queries[i], true);
    check(rows == run(tables, queries[i], false));
    printf("%s: %016llx\n", queries[i], (unsigned long long)rows);
    sum = kernel_checksum_u64(sum, rows);
  }
  for (int i = 0; i < 3; i++)
    free(tables[i].rows);
  printf("sql checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
