// SPDX-License-Identifier: Apache-2.0
// A stack machine: a two-pass assembler and an interpreter of small programs.
// Sizes: 60 200 1500

#include "kernel.h"

enum { STACK = 256, CODE = 256, LABELS = 16, OPS = 19 };

typedef struct {
  int32_t code[CODE];
  int length;
} program;

typedef struct {
  const program *program;
  int64_t stack[STACK], *memory, printed;
  int pc, top, frame, memory_size;
  const char *trap;
  uint64_t steps;
} machine;

typedef struct {
  const char *name;
  int operands;
  void (*run)(machine *m, int operand);
} operation;

typedef struct {
  const char *start;
  size_t length;
  int address;
} token;

typedef struct {
  const char *rest, *error;
  token labels[LABELS];
  int label_count, second_pass;
} assembler;

// A trap stops the machine.
static void trap(machine *m, const char *why) {
  m->trap = m->trap ? m->trap : why;
}

static void push(machine *m, int64_t value) {
  if (m->top == STACK)
    trap(m, "stack overflow");
  else
    m->stack[m->top++] = value;
}

static int64_t pop(machine *m) {
  if (m->top > 0)
    return m->stack[--m->top];
  trap(m, "stack underflow");
  return 0;
}

static int64_t *cell(machine *m, int64_t address) {
  if (address >= 0 && address < m->memory_size)
    return &m->memory[address];
  trap(m, "address out of range");
  return &m->memory[0];
}

static int64_t divisor(machine *m, int64_t value) {
  if (value > 0)
    return value;
  trap(m, "divisor not above zero");
  return 1;
}

#define OPERATION(name, body)                                                  \
  static void name(machine *m, int operand) {                                  \
    (void)operand;                                                             \
    body;                                                                      \
  }
// An operation on two values, the upper one of which is b.
#define BINARY(name, result)                                                   \
  OPERATION(name, int64_t b = pop(m); int64_t a = pop(m); push(m, result))

BINARY(op_add, (int64_t)((uint64_t)a + (uint64_t)b))
BINARY(op_sub, (int64_t)((uint64_t)a - (uint64_t)b))
BINARY(op_mul, (int64_t)((uint64_t)a * (uint64_t)b))
BINARY(op_div, a / divisor(m, b))
BINARY(op_mod, a % divisor(m, b))
BINARY(op_lt, a < b)
BINARY(op_eq, a == b)
OPERATION(op_push, push(m, operand))
OPERATION(op_load, push(m, *cell(m, operand)))
OPERATION(op_store, int64_t *to = cell(m, operand); *to = pop(m))
OPERATION(op_get, push(m, *cell(m, pop(m))))
OPERATION(op_put, int64_t *to = cell(m, pop(m)); *to = pop(m))
OPERATION(op_jmp, m->pc = operand)
OPERATION(op_jz, if (pop(m) == 0) m->pc = operand)
OPERATION(op_print, m->printed = pop(m))
OPERATION(op_halt, trap(m, "halt"))

// Below a frame: the arguments, the address to return to, the caller's frame.
static void op_call(machine *m, int target) {
  push(m, m->pc);
  push(m, m->frame);
  m->frame = m->top;
  m->pc = target;
}

static void op_arg(machine *m, int number) {
  int at = m->frame - 2 - number;
  if (at < 0 || at >= m->top)
    trap(m, "no such argument");
  else
    push(m, m->stack[at]);
}

static void op_ret(machine *m, int arguments) {
  int64_t result = pop(m);
  if (m->frame < 0 || m->frame > m->top)
    trap(m, "broken frame");
  else
    m->top = m->frame;
  m->frame = (int)pop(m);
  m->pc = (int)pop(m);
  while (arguments-- > 0)
    pop(m);
  push(m, result);
}

static const operation operations[OPS] = {
    {"push", 1, op_push}, {"load", 1, op_load}, {"store", 1, op_store},
    {"get", 0, op_get},   {"put", 0, op_put},   {"add", 0, op_add},
    {"sub", 0, op_sub},   {"mul", 0, op_mul},   {"div", 0, op_div},
    {"mod", 0, op_mod},   {"lt", 0, op_lt},     {"eq", 0, op_eq},
    {"jmp", 1, op_jmp},   {"jz", 1, op_jz},     {"call", 1, op_call},
    {"arg", 1, op_arg},   {"ret", 1, op_ret},   {"print", 0, op_print},
    {"halt", 0, op_halt}};

static bool same_token(token t, const char *text, size_t length) {
  return t.length == length && !memcmp(t.start, text, length);
}

static token next_token(assembler *a) {
  while (*a->rest == ' ' || *a->rest == '\n')
    a->rest++;
  token t = {a->rest, 0, 0};
  while (*a->rest && *a->rest != ' ' && *a->rest != '\n')
    a->rest++;
  t.length = (size_t)(a->rest - t.start);
  return t;
}

static int find_operation(token t) {
  int op = 0;
  for (; op < OPS; op++)
    if (same_token(t, operations[op].name, strlen(operations[op].name)))
      break;
  return op;
}

static void fail(assembler *a, const char *why) {
  a->error = a->error ? a->error : why;
}

static void emit(assembler *a, program *p, int word) {
  if (p->length == CODE)
    fail(a, "program too long");
  else
    p->code[p->length++] = word;
}

static void add_label(assembler *a, token t, int address) {
  if (a->label_count == LABELS) {
    fail(a, "too many labels");
  } else if (!a->second_pass) {
    t.length--;
    t.address = address;
    a->labels[a->label_count++] = t;
  }
}

// A number, or a label, which has to be known in the second pass.
static int operand(assembler *a, token t) {
  if (t.length && *t.start >= '0' && *t.start <= '9')
    return atoi(t.start);
  for (int i = 0; i < a->label_count; i++)
    if (same_token(a->labels[i], t.start, t.length))
      return a->labels[i].address;
  if (a->second_pass)
    fail(a, "no such label");
  return 0;
}

static void assemble_pass(assembler *a, const char *text, program *p) {
  a->rest = text;
  p->length = 0;
  for (token t; (t = next_token(a)).length && !a->error;) {
    int op = find_operation(t);
    if (t.start[t.length - 1] == ':')
      add_label(a, t, p->length);
    else if (op == OPS)
      fail(a, "no such operation");
    else
      emit(a, p, op);
    if (op < OPS && operations[op].operands)
      emit(a, p, operand(a, next_token(a)));
  }
}

static const char *assemble(program *p, const char *text) {
  assembler a = {0};
  assemble_pass(&a, text, p);
  a.second_pass = 1;
  assemble_pass(&a, text, p);
  return a.error;
}

static int fetch(machine *m) {
  if (m->pc >= 0 && m->pc < m->program->length)
    return m->program->code[m->pc++];
  trap(m, "left the program");
  return OPS;
}

static void step(machine *m) {
  int op = fetch(m);
  m->steps++;
  if (op < 0 || op >= OPS)
    trap(m, "no such operation");
  else
    operations[op].run(m, operations[op].operands ? fetch(m) : 0);
}

// Runs a program with its size in the first cell.
static machine run(const program *p, int size) {
  machine m = {.program = p, .memory_size = size + 200};
  m.memory = calloc((size_t)m.memory_size, sizeof *m.memory);
  if (!m.memory)
    abort();
  m.memory[0] = size;
  while (!m.trap)
    step(&m);
  free(m.memory);
  m.memory = NULL;
  return m;
}

// Programs and what they print for a size of thirty.
static const struct {
  const char *name;
  int expected;
  const char *text;
} programs[] = {
    {"fib", 484,
     "more: load 0 jz done load 0 push 12 mod call fib load 1 add store 1 "
     "load 0 push 1 sub store 0 jmp more done: load 1 print halt "
     "fib: arg 1 push 2 lt jz deep arg 1 ret 1 "
     "deep: arg 1 push 1 sub call fib arg 1 push 2 sub call fib add ret 1"},
    {"gcd", 135,
     "load 0 store 2 next: load 2 jz done load 2 load 0 call gcd load 1 add "
     "store 1 load 2 push 1 sub store 2 jmp next done: load 1 print halt "
     "gcd: arg 1 jz one arg 1 arg 2 arg 1 mod call gcd ret 2 one: arg 2 ret 2"},
    {"sieve", 10,
     "push 2 store 1 outer: load 0 load 1 lt jz test load 3 print halt "
     "test: load 1 push 100 add get jz prime "
     "step: load 1 push 1 add store 1 jmp outer "
     "prime: load 3 push 1 add store 3 load 1 store 2 "
     "inner: load 2 load 1 add store 2 load 0 load 2 lt jz mark jmp step "
     "mark: push 1 load 2 push 100 add put jmp inner"},
    {"collatz", 111,
     "next: load 0 jz done load 0 store 1 push 0 store 2 "
     "loop: load 1 push 1 eq jz step load 3 load 2 lt jz skip load 2 store 3 "
     "skip: load 0 push 1 sub store 0 jmp next "
     "step: load 2 push 1 add store 2 load 1 push 2 mod jz even "
     "load 1 push 3 mul push 1 add store 1 jmp loop "
     "even: load 1 push 2 div store 1 jmp loop done: load 3 print halt"}};

static const char *const faulty[] = {
    "add", "push 1 push 0 div", "x: push 1 jmp x", "jmp nowhere", "jmp 99"};

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 200);
  uint64_t sum = KERNEL_CHECKSUM_START;
  program p;
  for (int i = 0; i < 4; i++) {
    const char *error = assemble(&p, programs[i].text);
    machine test = run(&p, 30), m = run(&p, size);
    if (error || test.printed != programs[i].expected) {
      printf("%s: wrong\n", programs[i].name);
      exit(1);
    }
    printf("%s: %lld in %llu steps, then %s\n", programs[i].name,
           (long long)m.printed, (unsigned long long)m.steps, m.trap);
    sum = kernel_checksum_u64(sum, (uint64_t)m.printed ^ m.steps << 32);
  }
  for (int i = 0; i < 5; i++) {
    const char *error = assemble(&p, faulty[i]);
    printf("%s: %s\n", faulty[i], error ? error : run(&p, size).trap);
  }
  printf("vm checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
