// SPDX-License-Identifier: Apache-2.0
// A SAT solver that learns clauses from conflicts: watched literals, restarts,
// activities; models are verified, refutations of small formulas too.
// Sizes: 2 10 70

#include "kernel.h"

enum { NONE = -1, MAX_VARS = 63 };

typedef struct {
  int *data, count, capacity;
} ints;

// Literals are 2 * variable, plus one if negated. A clause, here and in the
// arena of a solver, is its length followed by its literals.
typedef struct {
  ints clauses;
  int vars;
} formula;

typedef struct {
  int value, level, reason, activity;
  bool phase, seen;
} variable;

// limits has the length of the trail at the start of each level.
typedef struct {
  variable vars[MAX_VARS];
  ints arena, watches[2 * MAX_VARS];
  int trail[MAX_VARS], limits[MAX_VARS], learnt[MAX_VARS];
  int var_count, trail_count, learnt_count, level, head, conflicts;
} solver;

static void push(ints *list, int value) {
  if (list->count == list->capacity) {
    list->capacity = 2 * list->capacity + 4;
    size_t size = (size_t)list->capacity * sizeof value;
    list->data = realloc(list->data, size);
    if (!list->data)
      abort();
  }
  list->data[list->count++] = value;
}

static void push_clause(ints *list, const int *lits, int count) {
  push(list, count);
  for (int i = 0; i < count; i++)
    push(list, lits[i]);
}

static void swap(int *a, int *b) {
  int old = *a;
  *a = *b;
  *b = old;
}

static variable *var_of(solver *s, int lit) { return &s->vars[lit >> 1]; }

// 1 if true, -1 if false, 0 if not assigned.
static int value_of(solver *s, int lit) {
  return lit & 1 ? -var_of(s, lit)->value : var_of(s, lit)->value;
}

static void assign(solver *s, int lit, int reason) {
  variable *v = var_of(s, lit);
  v->value = lit & 1 ? -1 : 1;
  v->level = s->level;
  v->reason = reason;
  s->trail[s->trail_count++] = lit;
}

static void backtrack(solver *s, int level) {
  while (s->trail_count > s->limits[level]) {
    int lit = s->trail[--s->trail_count];
    var_of(s, lit)->phase = lit & 1;
    var_of(s, lit)->value = 0;
  }
  s->level = level;
  s->head = s->trail_count;
}

// Keeps the first two literals watched, and returns the place of the clause.
static int attach(solver *s, const int *lits, int count) {
  int clause = s->arena.count;
  push_clause(&s->arena, lits, count);
  push(&s->watches[lits[0]], clause);
  push(&s->watches[lits[1]], clause);
  return clause;
}

// Finds another literal to watch instead of one that became false.
static bool rewatch(solver *s, int *lits, int count, int clause, int lit) {
  if (lits[0] == lit)
    swap(&lits[0], &lits[1]);
  if (value_of(s, lits[0]) > 0)
    return false;
  for (int i = 2; i < count; i++)
    if (value_of(s, lits[i]) >= 0) {
      swap(&lits[1], &lits[i]);
      push(&s->watches[lits[1]], clause);
      return true;
    }
  return false;
}

// Returns a clause that is false under the trail, or NONE.
static int propagate(solver *s) {
  int conflict = NONE;
  while (conflict == NONE && s->head < s->trail_count) {
    int lit = s->trail[s->head++] ^ 1, kept = 0;
    ints *watch = &s->watches[lit];
    for (int i = 0; i < watch->count; i++) {
      int clause = watch->data[i], *lits = s->arena.data + clause + 1;
      if (conflict == NONE && rewatch(s, lits, lits[-1], clause, lit))
        continue;
      watch->data[kept++] = clause;
      if (conflict == NONE && value_of(s, lits[0]) < 0)
        conflict = clause;
      else if (conflict == NONE && value_of(s, lits[0]) == 0)
        assign(s, lits[0], clause);
    }
    watch->count = kept;
  }
  return conflict;
}

// Marks the literals of a clause; returns how many are of the present level.
static int mark(solver *s, int clause, int skipped) {
  int fresh = 0;
  for (int i = skipped; i < s->arena.data[clause]; i++) {
    int lit = s->arena.data[clause + 1 + i];
    variable *v = var_of(s, lit);
    if (v->seen || v->level == 0)
      continue;
    v->seen = true;
    v->activity += s->conflicts + 1;
    if (v->level == s->level)
      fresh++;
    else
      s->learnt[s->learnt_count++] = lit;
  }
  return fresh;
}

// Learns the clause of the first unique implication point, its literal first
// and one of the highest other level next. Returns that level.
static int analyse(solver *s, int clause) {
  int at = s->trail_count, level = 0;
  s->learnt_count = 1;
  for (int open = mark(s, clause, 0); open--;) {
    while (!var_of(s, s->trail[--at])->seen)
      ;
    variable *v = var_of(s, s->trail[at]);
    v->seen = false;
    s->learnt[0] = s->trail[at] ^ 1;
    if (open)
      open += mark(s, v->reason, 1);
  }
  for (int i = 1, *lits = s->learnt; i < s->learnt_count; i++) {
    variable *v = var_of(s, lits[i]);
    v->seen = false;
    if (v->level > level) {
      level = v->level;
      swap(&lits[1], &lits[i]);
    }
  }
  return level;
}

static void learn(solver *s, int conflict) {
  int level = analyse(s, conflict), count = s->learnt_count;
  const int *lits = s->learnt;
  backtrack(s, level);
  assign(s, lits[0], count > 1 ? attach(s, lits, count) : NONE);
  s->conflicts++;
}

static bool decide(solver *s) {
  int best = NONE;
  for (int i = 0; i < s->var_count; i++)
    if (!s->vars[i].value &&
        (best == NONE || s->vars[i].activity > s->vars[best].activity))
      best = i;
  if (best == NONE)
    return false;
  s->limits[s->level++] = s->trail_count;
  assign(s, 2 * best + s->vars[best].phase, NONE);
  return true;
}

// Tells whether there is a model, which is then in the variables.
static bool solve(solver *s) {
  for (int patience = 30, restart = patience;;) {
    int conflict = propagate(s);
    if (conflict != NONE && s->level == 0)
      return false;
    if (conflict != NONE) {
      learn(s, conflict);
    } else if (s->level && s->conflicts > restart) {
      backtrack(s, 0);
      restart += patience += 10;
    } else if (!decide(s)) {
      return true;
    }
  }
}

static void load(solver *s, const formula *f) {
  s->var_count = f->vars;
  for (int i = 0; i < f->clauses.count; i += f->clauses.data[i] + 1)
    attach(s, f->clauses.data + i + 1, f->clauses.data[i]);
}

static uint64_t model_of(const solver *s) {
  uint64_t model = 0;
  for (int i = 0; i < s->var_count; i++)
    model |= (uint64_t)(s->vars[i].value > 0) << i;
  return model;
}

static bool is_model(const formula *f, uint64_t model) {
  const int *lits = f->clauses.data, *end = lits + f->clauses.count;
  for (bool held = true; held && lits < end;) {
    held = false;
    for (int left = *lits++; left--; lits++)
      held |= (model >> (*lits >> 1) & 1) != (*lits & 1u);
    if (!held)
      return false;
  }
  return true;
}

static bool has_model(const formula *f) {
  uint64_t model = 0;
  while (!is_model(f, model) && model >> f->vars == 0)
    model++;
  return model >> f->vars == 0;
}

static int pick(kernel_rng *rng, int count) {
  return (int)(kernel_rng_next(rng) % (unsigned)count);
}

static void make_random(formula *f, kernel_rng *rng, int vars) {
  f->vars = vars;
  for (int i = 0; i < vars * 17 / 4; i++) {
    int lits[3], var = pick(rng, vars);
    for (int k = 0; k < 3; k++) {
      lits[k] = 2 * var + pick(rng, 2);
      var = (var + 1 + pick(rng, (vars - 1) / 2)) % vars;
    }
    push_clause(&f->clauses, lits, 3);
  }
}

// One pigeon more than there are holes, so that there is no model.
static void make_pigeons(formula *f, kernel_rng *rng, int vars) {
  int holes = 2 + vars / 14 + pick(rng, 2), lits[8];
  f->vars = holes * (holes + 1);
  for (int var = 0; var < f->vars; var++) {
    lits[var % holes] = 2 * var;
    if (var % holes == holes - 1)
      push_clause(&f->clauses, lits, holes);
    for (int other = var + holes; other < f->vars; other += holes)
      push_clause(&f->clauses, (int[]){2 * var + 1, 2 * other + 1}, 2);
  }
}

typedef void make_fn(formula *f, kernel_rng *rng, int vars);

static void run(make_fn *make, kernel_rng *rng, int vars, uint64_t *sum) {
  formula f = {0};
  solver s = {0};
  make(&f, rng, vars);
  load(&s, &f);
  bool found = solve(&s);
  uint64_t model = found ? model_of(&s) : 0;
  if (found ? !is_model(&f, model) : f.vars <= 12 && has_model(&f))
    abort();
  printf("%d variables: %d after %d conflicts\n", f.vars, found, s.conflicts);
  *sum = kernel_checksum_u64(*sum, model + (unsigned)s.conflicts);
  free(f.clauses.data);
  free(s.arena.data);
  for (int i = 0; i < 2 * f.vars; i++)
    free(s.watches[i].data);
}

int main(int argc, char **argv) {
  static make_fn *const makers[] = {make_random, make_pigeons};
  int size = kernel_size(argc, argv, 10);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {17};
  for (int i = 0; i < 2 * size; i++)
    run(makers[i % 2], &rng, 12 + i / 2 % 4 * 14, &sum);
  printf("sat checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
