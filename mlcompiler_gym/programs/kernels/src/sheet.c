// SPDX-License-Identifier: Apache-2.0
// A spreadsheet: what depends on a change is recalculated, and then everything.
// Sizes: 150 700 4000

#include "kernel.h"

enum { COLUMNS = 9, ROWS = 10, CELLS = COLUMNS * ROWS };
enum { OK, TOO_LARGE, DIVIDED_BY_ZERO, BAD_FORMULA, CYCLE }; // worst last
enum { DONE, STALE };

// The kind is an operator, or 'n' for a number, 'c' for a cell, '#' for what is
// not understood, or 'S', 'L' or 'H' for the sum, lowest or highest of a range.
typedef struct node {
  int kind, from, to;
  double number;
  struct node *left, *right;
} node;

typedef struct {
  double number;
  int error;
} value;

typedef struct {
  node *formula;
  value value;
  int state, waiting;
  uint8_t references[CELLS]; // how often it refers to each other cell
} cell;

static node *new_node(int kind, node *left, node *right) {
  node *n = calloc(1, sizeof *n);
  if (!n)
    abort();
  *n = (node){.kind = kind, .left = left, .right = right};
  return n;
}

static void free_node(node *n) {
  if (n) {
    free_node(n->left);
    free_node(n->right);
    free(n);
  }
}

static node *parse_level(const char **at, int level);

static bool accept(const char **at, const char *text) {
  size_t length = strlen(text);
  bool same = !strncmp(*at, text, length);
  *at += same ? length : 0;
  return same;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static int parse_int(const char **at) {
  int number = 0;
  while (is_digit(**at) && number < 1000000)
    number = 10 * number + (*(*at)++ - '0');
  return number;
}

// The number of a cell such as B7, or -1.
static int parse_cell(const char **at) {
  if (**at < 'A' || **at >= 'A' + COLUMNS || !is_digit((*at)[1]))
    return -1;
  int column = *(*at)++ - 'A';
  return (*(*at)++ - '0') * COLUMNS + column;
}

static node *parse_range(const char **at, int kind) {
  node *n = new_node(kind, 0, 0);
  n->from = parse_cell(at);
  n->to = accept(at, ":") ? parse_cell(at) : n->from;
  if (n->from < 0 || n->to < 0 || !accept(at, ")"))
    n->kind = '#';
  return n;
}

static node *parse_primary(const char **at) {
  static const char *const names[] = {"SUM(", "MIN(", "MAX("};
  for (int i = 0; i < 3; i++)
    if (accept(at, names[i]))
      return parse_range(at, "SLH"[i]);
  if (accept(at, "-"))
    return new_node('-', new_node('n', 0, 0), parse_primary(at));
  if (accept(at, "(")) {
    node *n = parse_level(at, 0);
    return accept(at, ")") ? n : new_node('#', n, 0);
  }
  node *n = new_node(is_digit(**at) ? 'n' : 'c', 0, 0);
  n->number = parse_int(at);
  n->from = n->to = n->kind == 'c' ? parse_cell(at) : 0;
  n->kind = n->from < 0 ? '#' : n->kind;
  return n;
}

// Operators of a level, from the loosest on, associate to the left.
static node *parse_level(const char **at, int level) {
  static const char *const operators[] = {"+-", "*/"};
  if (level == 2)
    return parse_primary(at);
  node *left = parse_level(at, level + 1);
  while (**at && (**at == operators[level][0] || **at == operators[level][1])) {
    int kind = *(*at)++;
    left = new_node(kind, left, parse_level(at, level + 1));
  }
  return left;
}

static node *parse_formula(const char *text) {
  node *n = parse_level(&text, 0);
  return *text ? new_node('#', n, 0) : n;
}

static value checked(double number, int error) {
  if (!error && !(number > -1e15 && number < 1e15))
    error = TOO_LARGE;
  return (value){error ? 0 : number, error};
}

static int max(int a, int b) { return a > b ? a : b; }

static bool is_range(const node *n) {
  return n->kind == 'c' || n->kind == 'S' || n->kind == 'L' || n->kind == 'H';
}

// The cell that comes next in a range, row by row, or -1 at the end.
static int next_in_range(const node *n, int at) {
  if (at % COLUMNS < n->to % COLUMNS)
    return at + 1;
  at += COLUMNS - at % COLUMNS + n->from % COLUMNS;
  return at <= n->to ? at : -1;
}

static value fold_range(const cell *cells, const node *n) {
  value total = cells[n->from].value;
  for (int at = next_in_range(n, n->from); at >= 0; at = next_in_range(n, at)) {
    value v = cells[at].value;
    if (n->kind == 'S')
      total.number += v.number;
    else if (n->kind == 'L' ? v.number < total.number : v.number > total.number)
      total.number = v.number;
    total.error = max(total.error, v.error);
  }
  return checked(total.number, total.error);
}

static value apply(int kind, value x, value y) {
  int error = max(x.error, y.error);
  switch (kind) {
  case '+':
    return checked(x.number + y.number, error);
  case '-':
    return checked(x.number - y.number, error);
  case '*':
    return checked(x.number * y.number, error);
  case '/':
    error = error || y.number != 0 ? error : DIVIDED_BY_ZERO;
    return checked(error ? 0 : x.number / y.number, error);
  }
  return checked(0, max(error, BAD_FORMULA));
}

static value eval(const cell *cells, const node *n) {
  if (!n || n->kind == 'n')
    return checked(n ? n->number : 0, OK);
  if (is_range(n))
    return fold_range(cells, n);
  return apply(n->kind, eval(cells, n->left), eval(cells, n->right));
}

static void count_references(cell *c, const node *n, int change) {
  if (!n)
    return;
  for (int to = is_range(n) ? n->from : -1; to >= 0; to = next_in_range(n, to))
    c->references[to] = (uint8_t)(c->references[to] + change);
  count_references(c, n->left, change);
  count_references(c, n->right, change);
}

static void set_formula(cell *c, node *formula) {
  count_references(c, c->formula, -1);
  free_node(c->formula);
  c->formula = formula;
  count_references(c, c->formula, 1);
}

static void mark_stale(cell *cells, int at) {
  if (cells[at].state == STALE)
    return;
  cells[at].state = STALE;
  cells[at].value = checked(0, CYCLE);
  for (int i = 0; i < CELLS; i++)
    if (cells[i].references[at])
      mark_stale(cells, i);
}

static int count_stale_references(const cell *cells, int at) {
  int count = 0;
  for (int i = 0; i < CELLS; i++)
    count += cells[i].state == STALE && cells[at].references[i];
  return count;
}

// Evaluates a cell once it refers to nothing stale, if it ever comes to that.
static void recalculate(cell *cells, int changed) {
  int queue[CELLS], count = 0;
  mark_stale(cells, changed);
  for (int i = 0; i < CELLS; i++)
    if (cells[i].state == STALE &&
        !(cells[i].waiting = count_stale_references(cells, i)))
      queue[count++] = i;
  for (int *at = queue; at < queue + count; at++) {
    cells[*at].value = eval(cells, cells[*at].formula);
    cells[*at].state = DONE;
    for (int i = 0; i < CELLS; i++)
      if (cells[i].state == STALE && cells[i].references[*at] &&
          --cells[i].waiting == 0)
        queue[count++] = i;
  }
  for (int i = 0; i < CELLS; i++)
    cells[i].state = DONE;
}

// Evaluates what a cell refers to first; a stale one is under way or done.
static void settle(cell *cells, int at) {
  if (cells[at].state == STALE)
    return;
  cells[at].value = checked(0, CYCLE);
  cells[at].state = STALE;
  for (int i = 0; i < CELLS; i++)
    if (cells[at].references[i])
      settle(cells, i);
  cells[at].value = eval(cells, cells[at].formula);
}

static uint64_t verify(const cell *cells, uint64_t sum) {
  static cell fresh[CELLS];
  memcpy(fresh, cells, sizeof fresh);
  for (int i = 0; i < CELLS; i++) {
    settle(fresh, i);
    value v = fresh[i].value, expected = cells[i].value;
    if (v.number != expected.number || v.error != expected.error)
      abort();
    sum = kernel_checksum_u64(sum, (uint64_t)(int64_t)(v.number * 64) +
                                       (unsigned)v.error);
  }
  return sum;
}

static int pick(kernel_rng *rng, int count) {
  return (int)(kernel_rng_next(rng) % (unsigned)count);
}

// Puts an expression in place of @, a cell for $ and a digit for #.
static char *put(char *out, const char *from, kernel_rng *rng, int depth,
                 int cells) {
  static const char *const samples[] = {
      "(@+@)", "@*@-#", "@/@", "SUM($:$)", "MIN($:$)+@", "MAX($:$)", "##", "$"};
  for (; *from; from++)
    if (*from == '@') {
      int sample = depth ? pick(rng, 8) : 6 + pick(rng, 2);
      out = put(out, samples[sample], rng, depth - 1, cells);
    } else if (*from == '$') {
      int at = pick(rng, cells);
      *out++ = (char)('A' + at % COLUMNS);
      *out++ = (char)('0' + at / COLUMNS);
    } else {
      *out++ = (char)(*from == '#' ? '0' + pick(rng, 10) : *from);
    }
  *out = 0;
  return out;
}

int main(int argc, char **argv) {
  static cell cells[CELLS];
  int size = kernel_size(argc, argv, 700), cyclic = 0;
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {41};
  for (int i = 0; i < size; i++) {
    char text[200];
    int at = 1 + pick(&rng, CELLS - 1), known = pick(&rng, 90) ? at : CELLS;
    put(text, pick(&rng, 99) ? "@" : "@+", &rng, 2, known);
    set_formula(&cells[at], parse_formula(text));
    recalculate(cells, at);
    cyclic += cells[at].value.error == CYCLE;
    if (i % 8 == 0 || i == size - 1)
      sum = verify(cells, sum);
  }
  for (int i = 0; i < CELLS; i++)
    set_formula(&cells[i], 0);
  printf("%d edits, %d of them on cycles\nsheet checksum %016llx\n", size,
         cyclic, (unsigned long long)sum);
  return 0;
}
