// SPDX-License-Identifier: Apache-2.0
// A small Lisp: a reader, closures, primitives and a mark-sweep collector.
// Sizes: 15 40 500

#include "kernel.h"

enum { CELLS = 12000, ROOTS = 20000, NAME = 16 };

// From SYM on, the collector follows car and cdr.
typedef enum { NIL, NUM, BRANCH, SPECIAL, PRIM, ARITH, SYM, PAIR, LAMBDA } Type;

typedef struct Obj Obj;
typedef struct Vm Vm;
typedef Obj *(*Fn)(Vm *vm, Obj *a, Obj *b);
typedef int64_t (*Op)(int64_t a, int64_t b);

// A SYM has its global value in car and the next symbol in cdr; a LAMBDA has
// (parameters body) in car and its environment in cdr.
struct Obj {
  Type type;
  bool marked;
  Obj *car, *cdr;
  int64_t num;
  Fn fn;
  Op op;
  char name[NAME];
};

struct Vm {
  Obj cells[CELLS], nil, *roots[ROOTS], *free, *symbols;
  size_t depth, collections;
};

static void check(bool ok, const char *what) {
  if (!ok) {
    printf("lisp: check failed: %s\n", what);
    exit(1);
  }
}

static bool is_nil(const Obj *o) { return o->type == NIL; }

static void mark(Obj *o) {
  for (; !o->marked; o = o->cdr) {
    o->marked = true;
    if (o->type < SYM)
      return;
    mark(o->car);
  }
}

static void collect(Vm *vm) {
  vm->collections++;
  vm->free = NULL;
  mark(vm->symbols);
  for (size_t i = 0; i < vm->depth; i++)
    mark(vm->roots[i]);
  for (Obj *o = vm->cells; o < vm->cells + CELLS; o++) {
    if (!o->marked) {
      o->car = vm->free;
      vm->free = o;
    }
    o->marked = false;
  }
  vm->nil.marked = false;
}

// Every new cell is a root until its C frame keeps nothing but its result.
static Obj *keep(Vm *vm, size_t depth, Obj *o) {
  check(depth < ROOTS, "too many roots");
  vm->roots[depth] = o;
  vm->depth = depth + 1;
  return o;
}

static Obj *alloc(Vm *vm, Type type, Obj *car, Obj *cdr) {
  if (!vm->free)
    collect(vm);
  Obj *o = vm->free;
  check(o != NULL, "out of cells");
  vm->free = o->car;
  *o = (Obj){.type = type, .car = car, .cdr = cdr};
  return keep(vm, vm->depth, o);
}

static Obj *cons(Vm *vm, Obj *a, Obj *b) { return alloc(vm, PAIR, a, b); }

static Obj *number(Vm *vm, int64_t n) {
  Obj *o = alloc(vm, NUM, NULL, NULL);
  o->num = n;
  return o;
}

static Obj *intern(Vm *vm, const char *text, size_t length) {
  for (Obj *s = vm->symbols; !is_nil(s); s = s->cdr)
    if (strncmp(s->name, text, length) == 0 && !s->name[length])
      return s;
  check(length < NAME, "symbol too long");
  vm->symbols = alloc(vm, SYM, &vm->nil, vm->symbols);
  memcpy(vm->symbols->name, text, length);
  return vm->symbols;
}

static void set_global(Vm *vm, const char *name, Obj *value) {
  intern(vm, name, strlen(name))->car = value;
}

static Obj *read(Vm *vm, const char **at);

static Obj *read_list(Vm *vm, const char **at) {
  Obj *first = read(vm, at);
  return first ? cons(vm, first, read_list(vm, at)) : &vm->nil;
}

// Null for a closing parenthesis, which only read_list expects.
static Obj *read(Vm *vm, const char **at) {
  while (**at == ' ')
    ++*at;
  const char *start = (*at)++;
  check(*start != 0, "text ends too soon");
  if (*start == ')')
    return NULL;
  if (*start == '(')
    return read_list(vm, at);
  while (**at && **at != ' ' && **at != '(' && **at != ')')
    ++*at;
  if (*start >= '0' && *start <= '9')
    return number(vm, atoi(start));
  return intern(vm, start, (size_t)(*at - start));
}

static void print(const Obj *o) {
  if (o->type == NUM) {
    printf("%lld", (long long)o->num);
    return;
  }
  for (char c = '('; o->type == PAIR; o = o->cdr, c = ' ') {
    putchar(c);
    print(o->car);
  }
  putchar(')');
}

static uint64_t hash(const Obj *o, uint64_t sum) {
  for (; o->type == PAIR; o = o->cdr)
    sum = hash(o->car, sum);
  return kernel_checksum_u64(sum, o->type == NUM ? (uint64_t)o->num : ~0ULL);
}

// A missing argument is (), because () is its own car and cdr.
static Obj *arg(Obj *args, int i) {
  check(args->type == PAIR || is_nil(args), "list expected");
  return i == 0 ? args->car : arg(args->cdr, i - 1);
}

static Obj *lookup(const Obj *env, const Obj *name) {
  for (; !is_nil(env); env = env->cdr)
    if (env->car->car == name)
      return env->car->cdr;
  return name->car;
}

static Obj *eval(Vm *vm, Obj *x, Obj *env);

static Obj *eval_all(Vm *vm, Obj *xs, Obj *env) {
  if (is_nil(xs))
    return xs;
  Obj *first = eval(vm, xs->car, env);
  return cons(vm, first, eval_all(vm, xs->cdr, env));
}

static Obj *apply(Vm *vm, const Obj *f, Obj *args) {
  Obj *a = arg(args, 0), *b = arg(args, 1);
  if (f->type == PRIM)
    return f->fn(vm, a, b);
  check(f->type == ARITH && a->type == NUM && b->type == NUM, "bad call");
  return number(vm, f->op(a->num, b->num));
}

static Obj *bind(Vm *vm, const Obj *f, Obj *args) {
  Obj *env = f->cdr;
  for (Obj *p = arg(f->car, 0); !is_nil(p); p = p->cdr, args = args->cdr)
    env = cons(vm, cons(vm, p->car, arg(args, 0)), env);
  return env;
}

// A loop for tail calls.  Code is always in reach, from the form or a global.
static Obj *eval(Vm *vm, Obj *x, Obj *env) {
  size_t depth = vm->depth;
  while (x->type == PAIR) {
    Obj *f = eval(vm, x->car, env);
    if (f->type == SPECIAL)
      return keep(vm, depth, f->fn(vm, x->cdr, env));
    if (f->type == BRANCH) {
      x = f->fn(vm, x->cdr, env);
      continue;
    }
    Obj *args = eval_all(vm, x->cdr, env);
    if (f->type != LAMBDA)
      return keep(vm, depth, apply(vm, f, args));
    env = keep(vm, depth, bind(vm, f, args));
    x = arg(f->car, 1);
  }
  return keep(vm, depth, x->type == SYM ? lookup(env, x) : x);
}

// Quote when it gets its arguments as they are, car when evaluated.
static Obj *do_first(Vm *vm, Obj *list, Obj *b) {
  (void)vm, (void)b;
  return arg(list, 0);
}

// Picks what to evaluate next; both 0 and () are false.
static Obj *do_if(Vm *vm, Obj *args, Obj *env) {
  const Obj *test = eval(vm, arg(args, 0), env);
  bool no = is_nil(test) || (test->type == NUM && test->num == 0);
  return arg(args, no ? 2 : 1);
}

static Obj *do_lambda(Vm *vm, Obj *args, Obj *env) {
  return alloc(vm, LAMBDA, args, env);
}

static Obj *do_def(Vm *vm, Obj *args, Obj *env) {
  return arg(args, 0)->car = do_lambda(vm, args->cdr, env);
}

static Obj *do_rest(Vm *vm, Obj *list, Obj *b) {
  return is_nil(b) ? list->cdr : &vm->nil;
}

// With one argument it is null?, the missing one being ().
static Obj *do_same(Vm *vm, Obj *a, Obj *b) { return number(vm, a == b); }

static int64_t op_add(int64_t a, int64_t b) { return a + b; }
static int64_t op_sub(int64_t a, int64_t b) { return a - b; }
static int64_t op_mul(int64_t a, int64_t b) { return a * b; }
static int64_t op_rem(int64_t a, int64_t b) { return b ? a % b : a; }
static int64_t op_less(int64_t a, int64_t b) { return a < b; }

static const struct {
  const char *name;
  Type type;
  Fn fn;
  Op op;
} BUILTINS[] = {
    {"quote", SPECIAL, do_first, NULL},   {"if", BRANCH, do_if, NULL},
    {"lambda", SPECIAL, do_lambda, NULL}, {"def", SPECIAL, do_def, NULL},
    {"car", PRIM, do_first, NULL},        {"cdr", PRIM, do_rest, NULL},
    {"cons", PRIM, cons, NULL},           {"null?", PRIM, do_same, NULL},
    {"+", ARITH, NULL, op_add},           {"-", ARITH, NULL, op_sub},
    {"*", ARITH, NULL, op_mul},           {"rem", ARITH, NULL, op_rem},
    {"<", ARITH, NULL, op_less},
};

// Forms and what the last of each row has to give, unless the size decides.
static const char *const FORMS[][2] = {
    {"(def map (f l) (if (null? l) l (cons (f (car l)) (map f (cdr l)))))"
     "(def fold (f a l) (if (null? l) a (fold f (f a (car l)) (cdr l))))"
     "(def range (a b) (if (< a b) (cons a (range (+ a 1) b))))"
     "(def compose (f g) (lambda (x) (f (g x))))"
     "(def put (x l) (if (if (null? l) 1 (< x (car l))) (cons x l)"
     "  (cons (car l) (put x (cdr l)))))"
     "(def sort (l) (fold (lambda (a x) (put x a)) () l))"
     "(def fib (k) (if (< k 2) k (+ (fib (- k 1)) (fib (- k 2))))) (fib 12)",
     "144"},
    {"(sort (quote (3 1 4 1 5 9 2 6)))", "(1 1 2 3 4 5 6 9)"},
    {"(map (compose (lambda (x) (* x x)) (lambda (x) (- x 3))) (range 0 6))",
     "(9 4 1 0 1 4)"},
    {"(fold + 0 (range 0 n))", NULL},
    {"(sort (map (lambda (x) (rem (* x 7919) 1009)) (range 0 n)))", NULL},
};

int main(int argc, char **argv) {
  static Vm vm; // too big for the stack
  uint64_t sum = KERNEL_CHECKSUM_START;
  vm.nil.car = vm.nil.cdr = vm.symbols = &vm.nil;
  for (size_t i = 0; i < sizeof BUILTINS / sizeof BUILTINS[0]; i++) {
    Obj *o = alloc(&vm, BUILTINS[i].type, NULL, NULL);
    o->fn = BUILTINS[i].fn;
    o->op = BUILTINS[i].op;
    set_global(&vm, BUILTINS[i].name, o);
  }
  set_global(&vm, "n", number(&vm, kernel_size(argc, argv, 40)));
  for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
    const char *at = FORMS[i][0], *expected = FORMS[i][1];
    const Obj *value = NULL;
    for (; *at; value = eval(&vm, read(&vm, &at), &vm.nil))
      vm.depth = 0;
    printf("row %zu: ", i);
    print(value);
    putchar('\n');
    check(!expected || hash(value, 0) == hash(read(&vm, &expected), 0), "row");
    sum = hash(value, sum);
  }
  printf("%zu collections\n", vm.collections);
  printf("lisp checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
