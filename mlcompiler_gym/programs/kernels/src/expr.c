// SPDX-License-Identifier: Apache-2.0
// Algebra modulo a prime: tokens, a parser, a simplifier and derivatives.
// Sizes: 20 60 2400

#include "kernel.h"

enum { PRIME = 1000000007, MAX_TEXT = 1 << 14, MAX_NODES = 1 << 16 };

// Leaves first, then operators from loose to tight.
typedef enum { NUM, VAR, ADD, SUB, MUL, DIV, POW } Kind;

typedef struct Expr {
  Kind kind;
  uint32_t value; // of a NUM, or the index of a VAR
  const struct Expr *a, *b;
} Expr;

typedef struct {
  Expr nodes[MAX_NODES];
  size_t used;
} Arena;

typedef struct {
  const char *at;
  int token; // '0' for a number, 'x' for a variable, or the character
  uint32_t value;
} Lexer;

typedef struct {
  char data[MAX_TEXT];
  size_t length;
} Text;

typedef struct {
  uint32_t v, d; // a value and its derivative, evaluated together
} Dual;

typedef uint32_t Zp; // a number modulo PRIME
typedef const Expr *(*parser)(Arena *, Lexer *);

static void check(bool ok, const char *what) {
  if (!ok) {
    printf("expr: check failed: %s\n", what);
    exit(1);
  }
}

static Zp add(Zp a, Zp b) { return (a + b) % PRIME; }
static Zp sub(Zp a, Zp b) { return add(a, PRIME - b); }
static Zp mul(Zp a, Zp b) { return (Zp)((uint64_t)a * b % PRIME); }

static Zp power(Zp base, Zp e) {
  Zp r = 1;
  for (; e; e >>= 1, base = mul(base, base))
    if (e & 1)
      r = mul(r, base);
  return r;
}

// Dividing by zero gives zero, so every operator is total; all below agrees.
static Zp quo(Zp a, Zp b) { return mul(a, power(b, PRIME - 2)); }

static const Expr *make(Arena *m, Kind kind, uint32_t value, const Expr *a,
                        const Expr *b) {
  check(m->used < MAX_NODES, "arena full");
  m->nodes[m->used] = (Expr){kind, value, a, b};
  return &m->nodes[m->used++];
}

static const Expr *number(Arena *m, uint32_t v) {
  return make(m, NUM, v % PRIME, NULL, NULL);
}

static const Expr *binary(Arena *m, Kind kind, const Expr *a, const Expr *b) {
  return make(m, kind, 0, a, b);
}

static bool is_number(const Expr *e, uint32_t v) {
  return e->kind == NUM && e->value == v;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static void advance(Lexer *l) {
  while (*l->at == ' ')
    l->at++;
  char c = *l->at;
  l->token = is_digit(c) ? '0' : c >= 'x' && c <= 'z' ? 'x' : c;
  l->value = l->token == 'x' ? (uint32_t)(c - 'x') : 0;
  if (l->token != '0')
    l->at += c != 0;
  while (l->token == '0' && is_digit(*l->at))
    l->value = l->value * 10 + (uint32_t)(*l->at++ - '0');
}

static bool accept(Lexer *l, int token) {
  if (l->token != token)
    return false;
  advance(l);
  return true;
}

static uint32_t expect(Lexer *l, int token) {
  uint32_t value = l->value;
  check(accept(l, token), "syntax");
  return value;
}

static const Expr *parse_sum(Arena *m, Lexer *l);

static const Expr *parse_atom(Arena *m, Lexer *l) {
  if (accept(l, '(')) {
    const Expr *e = parse_sum(m, l);
    expect(l, ')');
    return e;
  }
  if (l->token == 'x')
    return make(m, VAR, expect(l, 'x'), NULL, NULL);
  return number(m, expect(l, '0'));
}

static const Expr *parse_power(Arena *m, Lexer *l) {
  const Expr *e = parse_atom(m, l);
  while (accept(l, '^'))
    e = binary(m, POW, e, number(m, expect(l, '0')));
  return e;
}

static const Expr *parse_unary(Arena *m, Lexer *l) {
  if (accept(l, '-'))
    return binary(m, SUB, number(m, 0), parse_unary(m, l));
  return parse_power(m, l);
}

// A left-associative level with two operators, whose kinds are neighbours.
static const Expr *parse_left(Arena *m, Lexer *l, parser next, const char *ops,
                              Kind first) {
  const Expr *e = next(m, l);
  while (l->token == ops[0] || l->token == ops[1]) {
    Kind kind = first + (l->token == ops[1]);
    advance(l);
    e = binary(m, kind, e, next(m, l));
  }
  return e;
}

static const Expr *parse_product(Arena *m, Lexer *l) {
  return parse_left(m, l, parse_unary, "*/", MUL);
}

static const Expr *parse_sum(Arena *m, Lexer *l) {
  return parse_left(m, l, parse_product, "+-", ADD);
}

static const Expr *parse(Arena *m, const char *text) {
  Lexer l = {text, 0, 0};
  advance(&l);
  const Expr *e = parse_sum(m, &l);
  expect(&l, 0);
  return e;
}

static Zp apply(Kind kind, Zp a, Zp b) {
  static Zp (*const ops[])(Zp, Zp) = {add, sub, mul, quo, power};
  return ops[kind - ADD](a, b);
}

static Dual evaluate(const Expr *e, const Dual *vars) {
  if (e->kind == VAR)
    return vars[e->value];
  if (e->kind == NUM)
    return (Dual){e->value, 0};
  Dual a = evaluate(e->a, vars), b = evaluate(e->b, vars), r;
  uint32_t ab = mul(a.v, b.d), ba = mul(a.d, b.v);
  r.v = apply(e->kind, a.v, b.v);
  if (e->kind == MUL)
    r.d = add(ba, ab);
  else if (e->kind == DIV)
    r.d = quo(sub(ba, ab), mul(b.v, b.v));
  else if (e->kind == POW)
    r.d = mul(ba, power(a.v, sub(b.v, 1)));
  else
    r.d = apply(e->kind, a.d, b.d);
  return r;
}

// Like binary, but folds constants and drops neutral and absorbing operands.
static const Expr *build(Arena *m, Kind kind, const Expr *a, const Expr *b) {
  if (a->kind == NUM && b->kind == NUM)
    return number(m, apply(kind, a->value, b->value));
  if (is_number(b, kind >= MUL))
    return a;
  if ((kind == ADD || kind == MUL) && is_number(a, kind == MUL))
    return b;
  if ((kind == MUL || kind == DIV) && (is_number(a, 0) || is_number(b, 0)))
    return number(m, 0);
  return kind == POW && is_number(b, 0) ? number(m, 1) : binary(m, kind, a, b);
}

static const Expr *simplify(Arena *m, const Expr *e) {
  if (e->kind <= VAR)
    return e;
  return build(m, e->kind, simplify(m, e->a), simplify(m, e->b));
}

static const Expr *derive(Arena *m, const Expr *e, uint32_t var) {
  if (e->kind <= VAR)
    return number(m, e->kind == VAR && e->value == var);
  const Expr *da = derive(m, e->a, var), *db = derive(m, e->b, var);
  if (e->kind == ADD || e->kind == SUB)
    return build(m, e->kind, da, db);
  const Expr *ba = build(m, MUL, da, e->b), *ab = build(m, MUL, e->a, db);
  if (e->kind == MUL)
    return build(m, ADD, ba, ab);
  if (e->kind == DIV)
    return build(m, DIV, build(m, SUB, ba, ab), build(m, MUL, e->b, e->b));
  const Expr *less = number(m, sub(e->b->value, 1));
  return build(m, MUL, build(m, MUL, e->b, build(m, POW, e->a, less)), da);
}

static void put(Text *t, char c) {
  check(t->length + 1 < MAX_TEXT, "text full");
  t->data[t->length++] = c;
  t->data[t->length] = 0;
}

static void put_number(Text *t, uint32_t v) {
  if (v >= 10)
    put_number(t, v / 10);
  put(t, (char)('0' + v % 10));
}

static void print(Text *t, const Expr *e, int outer) {
  static const int ranks[] = {4, 4, 1, 1, 2, 2, 3};
  int rank = ranks[e->kind];
  if (rank < outer)
    put(t, '(');
  if (e->kind == NUM) {
    put_number(t, e->value);
  } else if (e->kind == VAR) {
    put(t, (char)('x' + e->value));
  } else {
    print(t, e->a, rank);
    put(t, "+-*/^"[e->kind - ADD]);
    print(t, e->b, rank + 1);
  }
  if (rank < outer)
    put(t, ')');
}

static const char *show(Text *t, const Expr *e) {
  t->length = 0;
  print(t, e, 0);
  return t->data;
}

static const Expr *generate(Arena *m, kernel_rng *rng, int depth) {
  uint32_t pick = (uint32_t)(kernel_rng_next(rng) >> 40);
  if (depth == 0)
    return pick % 4 ? make(m, VAR, pick % 3, NULL, NULL) : number(m, pick % 7);
  const Expr *a = generate(m, rng, depth - 1);
  if (pick % 8 == 0)
    return binary(m, POW, a, number(m, pick % 5));
  return binary(m, ADD + pick % 4, a, generate(m, rng, depth - 1));
}

static bool same(Dual a, Dual b) { return a.v == b.v && a.d == b.d; }

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 60);
  kernel_rng rng = {31};
  uint64_t sum = KERNEL_CHECKSUM_START;
  static Arena m; // too big for the stack
  static Text t;
  const Expr *known = simplify(&m, parse(&m, "x^3 + 2*x*y - (z + 0) / 1"));
  printf("d/dx %s = ", show(&t, known));
  printf("%s\n", show(&t, derive(&m, known, 0)));
  check(strcmp(t.data, "3*x^2+2*y") == 0, "known derivative");
  for (int i = 0; i < n; i++) {
    m.used = 0;
    uint32_t var = (uint32_t)i % 3;
    Dual vars[3] = {{0, var == 0}, {0, var == 1}, {0, var == 2}};
    for (int j = 0; j < 3; j++)
      vars[j].v = (uint32_t)(kernel_rng_next(&rng) % PRIME);
    const Expr *raw = generate(&m, &rng, 4), *e = simplify(&m, raw);
    Dual value = evaluate(raw, vars);
    check(same(value, evaluate(e, vars)), "simplified value");
    check(same(value, evaluate(parse(&m, show(&t, e)), vars)), "parsed value");
    const Expr *d = derive(&m, e, var), *dd = derive(&m, d, var);
    Dual slope = evaluate(d, vars), curve = evaluate(dd, vars);
    check(slope.v == value.d && slope.d == curve.v, "derivatives");
    sum = kernel_checksum(sum, t.data, t.length);
    sum = kernel_checksum_u64(sum, curve.v);
    if (i % (n / 4 + 1) == 0)
      printf("%s -> %u, %u\n", t.data, value.v, value.d);
  }
  printf("expr checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
