// SPDX-License-Identifier: Apache-2.0
// Exact cover with dancing links: sudoku made and solved, queens, and boards
// tiled with random pieces.
// Sizes: 1 5 30

#include "kernel.h"

// A cell of a board is 8 * y + x, so that steps over its edge stand out.
enum { GRID = 81, WIDE = 5, HIGH = 4, BOARD = 8 * HIGH, MAX_PIECE = 4 };

typedef struct {
  int left, right, up, down, column;
  int row; // of a column header: how many rows the column has
} node;

typedef struct dlx dlx;
typedef int choose_fn(const dlx *d);
typedef void report_fn(const dlx *d);

// Node 0 is the head of the list of open columns, nodes 1 to columns are the
// column headers; optional columns are never in that list.
struct dlx {
  node *nodes;
  int count, capacity, solutions, limit, depth, chosen[GRID];
  choose_fn *choose;
  report_fn *report;
  void *context;
};

static int add_node(dlx *d, node n) {
  if (d->count == d->capacity) {
    d->capacity = 2 * d->capacity + 256;
    d->nodes = realloc(d->nodes, (size_t)d->capacity * sizeof n);
    if (!d->nodes)
      abort();
  }
  d->nodes[d->count] = n;
  return d->count++;
}

static void link_columns(dlx *d, int left, int right) {
  d->nodes[left].right = right;
  d->nodes[right].left = left;
}

static dlx dlx_new(int needed, int optional, report_fn *report, void *context) {
  dlx d = {.report = report, .context = context};
  for (int i = 0; i <= needed + optional; i++)
    add_node(&d, (node){i, i, i, i, i, 0});
  for (int i = 0; i < needed; i++)
    link_columns(&d, i, i + 1);
  link_columns(&d, needed, 0);
  return d;
}

// Columns count from 0 here, from 1 inside.
static void add_row(dlx *d, int row, const int *columns, int count) {
  int first = d->count;
  for (int i = 0; i < count; i++) {
    int column = columns[i] + 1, up = d->nodes[column].up;
    int at = add_node(d, (node){0, 0, up, column, column, row});
    d->nodes[up].down = d->nodes[column].up = at;
    d->nodes[column].row++;
    link_columns(d, i ? at - 1 : at, at);
  }
  link_columns(d, d->count - 1, first);
}

static void cover_row(dlx *d, int at) {
  node *n = d->nodes;
  for (int i = n[at].right; i != at; i = n[i].right) {
    n[n[i].up].down = n[i].down;
    n[n[i].down].up = n[i].up;
    n[n[i].column].row--;
  }
}

static void uncover_row(dlx *d, int at) {
  node *n = d->nodes;
  for (int i = n[at].left; i != at; i = n[i].left) {
    n[n[i].up].down = n[n[i].down].up = i;
    n[n[i].column].row++;
  }
}

static void cover(dlx *d, int column) {
  node *n = d->nodes;
  link_columns(d, n[column].left, n[column].right);
  for (int i = n[column].down; i != column; i = n[i].down)
    cover_row(d, i);
}

static void uncover(dlx *d, int column) {
  node *n = d->nodes;
  for (int i = n[column].up; i != column; i = n[i].up)
    uncover_row(d, i);
  n[n[column].left].right = n[n[column].right].left = column;
}

static void select_row(dlx *d, int at) {
  for (int i = d->nodes[at].right; i != at; i = d->nodes[i].right)
    cover(d, d->nodes[i].column);
  d->chosen[d->depth++] = d->nodes[at].row;
}

static void deselect_row(dlx *d, int at) {
  d->depth--;
  for (int i = d->nodes[at].left; i != at; i = d->nodes[i].left)
    uncover(d, d->nodes[i].column);
}

static int choose_first(const dlx *d) { return d->nodes[0].right; }

static int choose_smallest(const dlx *d) {
  int best = d->nodes[0].right;
  for (int c = best; c; c = d->nodes[c].right)
    if (d->nodes[c].row < d->nodes[best].row)
      best = c;
  return best;
}

static void search(dlx *d) {
  if (!d->nodes[0].right) {
    d->solutions++;
    d->report(d);
    return;
  }
  int column = d->choose(d);
  cover(d, column);
  for (int i = d->nodes[column].down; i != column && d->solutions < d->limit;
       i = d->nodes[i].down) {
    select_row(d, i);
    search(d);
    deselect_row(d, i);
  }
  uncover(d, column);
}

static int solve(dlx *d, choose_fn *choose, int limit) {
  d->choose = choose;
  d->limit = limit;
  d->solutions = d->depth = 0;
  search(d);
  return d->solutions;
}

// Counts with both rules of choice, which must agree.
static int count_all(dlx *d) {
  int smallest = solve(d, choose_smallest, 1 << 30);
  if (solve(d, choose_first, 1 << 30) != smallest)
    abort();
  free(d->nodes);
  return smallest;
}

// A sum that neither the order of solutions nor that of their rows changes.
static void report_sum(const dlx *d) {
  uint64_t *sum = d->context, rows = 0;
  for (int i = 0; i < d->depth; i++)
    rows += kernel_checksum_u64(KERNEL_CHECKSUM_START, (uint64_t)d->chosen[i]);
  *sum += rows * rows;
}

static int queens(int n, uint64_t *sum) {
  dlx d = dlx_new(2 * n, 2 * (2 * n - 1), report_sum, sum);
  for (int i = 0; i < n * n; i++) {
    int x = i % n, y = i / n;
    int columns[] = {x, n + y, 2 * n + x + y, 5 * n - 2 + x - y};
    add_row(&d, i, columns, 4);
  }
  return count_all(&d);
}

// A sudoku row of the matrix is cell * 9 + digit.
static void report_grid(const dlx *d) {
  uint8_t *grid = d->context;
  for (int i = 0; i < d->depth; i++)
    grid[d->chosen[i] / 9] = (uint8_t)(d->chosen[i] % 9 + 1);
}

// The numbers of the column, row and box that a cell is in.
static void units_of(int cell, int *units) {
  int x = cell % 9, y = cell / 9;
  units[0] = x;
  units[1] = 9 + y;
  units[2] = 18 + y / 3 * 3 + x / 3;
}

// Returns the number of solutions, two at the most.
static int solve_sudoku(const uint8_t *given, uint8_t *grid) {
  dlx d = dlx_new(4 * GRID, 0, report_grid, grid);
  for (int row = 0; row < 9 * GRID; row++) {
    int cell = row / 9, digit = row % 9, columns[4] = {cell};
    units_of(cell, columns + 1);
    for (int i = 1; i < 4; i++)
      columns[i] = GRID + 9 * columns[i] + digit;
    if (!given[cell] || given[cell] == digit + 1)
      add_row(&d, row, columns, 4);
  }
  int solutions = solve(&d, choose_smallest, 2);
  free(d.nodes);
  return solutions;
}

static void check_grid(const uint8_t *grid) {
  int units[3], seen[27] = {0};
  for (int cell = 0; cell < GRID; cell++) {
    units_of(cell, units);
    for (int i = 0; i < 3; i++)
      seen[units[i]] |= 1 << grid[cell];
  }
  for (int i = 0; i < 27; i++)
    if (seen[i] != 1022)
      abort();
}

static int pick(kernel_rng *rng, int count) {
  return (int)(kernel_rng_next(rng) % (unsigned)count);
}

// Takes digits away as long as the solution stays the only one.
static void sudoku(kernel_rng *rng, int tries, uint64_t *sum) {
  uint8_t puzzle[GRID] = {0}, full[GRID] = {0}, grid[GRID];
  for (int digit = 1; digit <= 9; digit++)
    puzzle[pick(rng, GRID)] = (uint8_t)digit;
  solve_sudoku(puzzle, full);
  check_grid(full);
  memcpy(puzzle, full, sizeof puzzle);
  while (tries--) {
    int cell = pick(rng, GRID), digit = puzzle[cell];
    puzzle[cell] = 0;
    if (digit && solve_sudoku(puzzle, grid) != 1)
      puzzle[cell] = (uint8_t)digit;
  }
  if (solve_sudoku(puzzle, grid) != 1 || memcmp(grid, full, sizeof grid))
    abort();
  *sum = kernel_checksum(*sum, puzzle, sizeof puzzle);
}

static bool inside(int at) { return (unsigned)at < BOARD && at % 8 < WIDE; }

// Cuts a connected piece off the cells that are not taken.
static int grow(bool *taken, kernel_rng *rng, int at, int *cells) {
  static const int steps[] = {1, -1, 8, -8};
  int count = 0;
  for (int tries = 0; tries < 9 && count < MAX_PIECE; tries++) {
    if (inside(at) && !taken[at]) {
      cells[count++] = at;
      taken[at] = true;
    }
    at = cells[pick(rng, count)] + steps[pick(rng, 4)];
  }
  return count;
}

// Every shift of a piece that keeps it on the board.
static void place(dlx *d, int piece, const int *cells, int count) {
  for (int shift = -BOARD; shift < BOARD; shift++) {
    int columns[MAX_PIECE + 1] = {WIDE * HIGH + piece}, used = 0;
    while (used < count && inside(cells[used] + shift)) {
      int at = cells[used++] + shift;
      columns[used] = at / 8 * WIDE + at % 8;
    }
    if (used == count)
      add_row(d, d->count, columns, used + 1);
  }
}

static int tilings(kernel_rng *rng, uint64_t *sum) {
  int cells[BOARD][MAX_PIECE], counts[BOARD], pieces = 0;
  bool taken[BOARD] = {0};
  for (int at = 0; at < BOARD; at++)
    if (inside(at) && !taken[at]) {
      counts[pieces] = grow(taken, rng, at, cells[pieces]);
      pieces++;
    }
  dlx d = dlx_new(WIDE * HIGH + pieces, 0, report_sum, sum);
  for (int i = 0; i < pieces; i++)
    place(&d, i, cells[i], counts[i]);
  return count_all(&d);
}

int main(int argc, char **argv) {
  static const int queen_counts[] = {1, 0, 0, 2, 10, 4, 40, 92};
  int size = kernel_size(argc, argv, 5);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {5};
  for (int n = 1; n <= 8 && n < size + 5; n++)
    if (queens(n, &sum) != queen_counts[n - 1])
      abort();
  for (int i = 0; i < size; i++) {
    sudoku(&rng, 20, &sum);
    printf("tilings: %d\n", tilings(&rng, &sum));
  }
  printf("dlx checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
