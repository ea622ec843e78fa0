// SPDX-License-Identifier: Apache-2.0
// A small machine with 16 registers: an assembler in two passes, a linker of
// units, a disassembler whose text must assemble again, and a simulator.
// Sizes: 30 200 1200

#include "kernel.h"

enum { MAX_CODE = 100, MAX_SYMBOLS = 20, NAME = 12, MEMORY = 4096, UNITS = 3 };
enum { DATA = 2000, OPERATIONS = 12 };

typedef struct {
  char name[NAME];
  int place; // below zero: in another unit
} symbol;

typedef struct {
  uint32_t code[MAX_CODE];
  symbol symbols[MAX_SYMBOLS];
  int fixups[MAX_CODE]; // what words lack: one plus the number of a symbol
  int length, symbol_count;
} unit;

typedef struct {
  unsigned op, d, a, b;
  int32_t i;
} fields;

typedef struct {
  uint32_t registers[16], memory[MEMORY], pc;
} machine;

typedef uint32_t compute_fn(uint32_t a, uint32_t b);

// Operands are registers d, a and b, and i, which is a number or a symbol.
typedef struct {
  const char *name, *operands;
  void (*run)(machine *m, const fields *f, compute_fn *compute);
  compute_fn *compute;
} operation;

static void check(bool ok) {
  if (!ok)
    abort();
}

static uint32_t add(uint32_t a, uint32_t b) { return a + b; }
static uint32_t sub(uint32_t a, uint32_t b) { return a - b; }
static uint32_t mul(uint32_t a, uint32_t b) { return a * b; }
static uint32_t equal(uint32_t a, uint32_t b) { return a == b; }
static uint32_t less(uint32_t a, uint32_t b) { return a < b; }

static uint32_t *word_at(machine *m, uint32_t place) {
  check(place < MEMORY);
  return &m->memory[place];
}

static uint32_t offset(machine *m, const fields *f, compute_fn *compute) {
  return compute(m->registers[f->a], (uint32_t)f->i);
}

static void run_registers(machine *m, const fields *f, compute_fn *compute) {
  m->registers[f->d] = compute(m->registers[f->a], m->registers[f->b]);
}

static void run_immediate(machine *m, const fields *f, compute_fn *compute) {
  m->registers[f->d] = offset(m, f, compute);
}

static void run_branch(machine *m, const fields *f, compute_fn *compute) {
  if (compute(m->registers[f->d], m->registers[f->a]))
    m->pc = (uint32_t)f->i;
}

static void run_load(machine *m, const fields *f, compute_fn *place) {
  m->registers[f->d] = *word_at(m, offset(m, f, place));
}

static void run_store(machine *m, const fields *f, compute_fn *place) {
  *word_at(m, offset(m, f, place)) = m->registers[f->d];
}

static void run_jump(machine *m, const fields *f, compute_fn *place) {
  uint32_t back = m->pc;
  m->pc = offset(m, f, place);
  m->registers[f->d] = back;
}

static const operation operations[] = {
    {".word", "i", NULL, NULL},          {"add", "dab", run_registers, add},
    {"sub", "dab", run_registers, sub},  {"mul", "dab", run_registers, mul},
    {"addi", "dai", run_immediate, add}, {"load", "dai", run_load, add},
    {"store", "dai", run_store, add},    {"beq", "dai", run_branch, equal},
    {"blt", "dai", run_branch, less},    {"jump", "dai", run_jump, add},
    {"call", "di", run_jump, add},       {"halt", "", NULL, NULL}};

static unsigned *operand(fields *f, char kind) {
  return kind == 'd' ? &f->d : kind == 'a' ? &f->a : &f->b;
}

static uint32_t encode(const fields *f) {
  if (f->op == 0)
    return (uint32_t)f->i;
  return f->op << 26 | f->d << 22 | f->a << 18 | f->b << 14 |
         ((uint32_t)f->i & 0x3ffff);
}

static int low_bit(char k) { return k == 'd' ? 22 : k == 'a' ? 18 : 14; }

// Words that are no instruction, or have bits where it has none, are data.
static fields decode(uint32_t word) {
  fields f = {word >> 26, 0, 0, 0, 0}, data = {0, 0, 0, 0, (int32_t)word};
  if (f.op >= OPERATIONS)
    return data;
  for (const char *kind = operations[f.op].operands; *kind; kind++)
    if (*kind != 'i')
      *operand(&f, *kind) = word >> low_bit(*kind) & 15;
    else
      f.i = (int32_t)((word & 0x3ffff) ^ 0x20000) - 0x20000;
  return f.op && encode(&f) == word ? f : data;
}

static int find_symbol(unit *u, const char *name) {
  int at = 0;
  while (at < u->symbol_count && strcmp(u->symbols[at].name, name))
    at++;
  check(at < MAX_SYMBOLS);
  if (at == u->symbol_count) {
    memcpy(u->symbols[u->symbol_count++].name, name, NAME);
    u->symbols[at].place = -1;
  }
  return at;
}

// The next word of a line, cut off at what a name has room for.
static void get_word(const char **at, char *out) {
  int length = 0;
  while (**at == ' ')
    ++*at;
  for (; **at > ' '; ++*at)
    if (length < NAME - 1)
      out[length++] = **at;
  memset(out + length, 0, (size_t)(NAME - length));
}

static void statement(unit *u, const char *name, const char **at) {
  char word[NAME];
  fields f = {0, 0, 0, 0, 0};
  while (f.op < OPERATIONS && strcmp(operations[f.op].name, name))
    f.op++;
  check(f.op < OPERATIONS && u->length < MAX_CODE);
  for (const char *kind = operations[f.op].operands; *kind; kind++) {
    get_word(at, word);
    if (*kind != 'i')
      *operand(&f, *kind) = (unsigned)atoi(word + 1) & 15;
    else if (*word < 'A')
      f.i = atoi(word);
    else
      u->fixups[u->length] = find_symbol(u, word) + 1;
  }
  u->code[u->length++] = encode(&f);
}

// The first pass sets the labels, the second one makes the code.
static void assemble(unit *u, const char *source) {
  *u = (unit){.length = 0};
  for (int pass = 0; pass < 2; pass++) {
    u->length = 0;
    for (const char *at = source; *at; at += *at == '\n') {
      char word[NAME];
      get_word(&at, word);
      size_t length = strlen(word);
      if (length && word[length - 1] == ':') {
        word[length - 1] = 0;
        u->symbols[find_symbol(u, word)].place = u->length;
        get_word(&at, word);
      }
      if (*word && pass)
        statement(u, word, &at);
      else
        u->length += *word != 0;
      while (*at && *at != '\n')
        at++;
    }
  }
}

static uint32_t resolve(const unit *units, const int *bases, const symbol *s) {
  for (int i = 0; i < UNITS; i++)
    for (int n = 0; n < units[i].symbol_count; n++) {
      const symbol *other = &units[i].symbols[n];
      bool same = s->place < 0 ? !strcmp(other->name, s->name) : s == other;
      if (same && other->place >= 0)
        return (uint32_t)(bases[i] + other->place);
    }
  abort();
}

static int link_units(unit *units, uint32_t *image) {
  int bases[UNITS], length = 0;
  for (int i = 0; i < UNITS; i++) {
    bases[i] = length;
    memcpy(image + length, units[i].code,
           (size_t)units[i].length * sizeof *image);
    length += units[i].length;
  }
  for (int i = 0; i < UNITS; i++)
    for (int n = 0; n < units[i].length; n++)
      if (units[i].fixups[n])
        image[bases[i] + n] |=
            resolve(units, bases, &units[i].symbols[units[i].fixups[n] - 1]);
  return length;
}

static void put(char **to, const char *word) {
  while (*word)
    *(*to)++ = *word++;
}

static void put_number(char **to, uint32_t number) {
  if (number >= 10)
    put_number(to, number / 10);
  *(*to)++ = (char)('0' + number % 10);
}

static void disassemble(char **to, uint32_t word) {
  fields f = decode(word);
  put(to, operations[f.op].name);
  for (const char *kind = operations[f.op].operands; *kind; kind++) {
    bool below = *kind == 'i' && f.i < 0;
    uint32_t number = *kind == 'i' ? (uint32_t)f.i : *operand(&f, *kind);
    put(to, below ? " -" : *kind == 'i' ? " " : " r");
    put_number(to, below ? 0 - number : number);
  }
  put(to, "\n");
}

static uint64_t simulate(machine *m) {
  for (uint64_t steps = 1;; steps++) {
    fields f = decode(*word_at(m, m->pc++));
    check(f.op != 0);
    if (!operations[f.op].run)
      return steps;
    operations[f.op].run(m, &f, operations[f.op].compute);
    m->registers[0] = 0;
  }
}

// What the first unit makes up and the second sorts lies behind all code.
static const char *const sources[UNITS] = {
    "main: addi r15 r0 4000\nload r4 r0 count\naddi r1 r0 2000\nadd r2 r1 r4\n"
    "load r3 r0 seed\nload r8 r0 factor\nloop: beq r1 r2 full\nmul r3 r3 r8\n"
    "addi r3 r3 12345\nstore r3 r1 0\naddi r1 r1 1\njump r0 r0 loop\n"
    "full: addi r1 r0 2000\ncall r14 sort\nhalt\nfactor: .word 1103515245\n",
    "sort: sub r5 r2 r1\naddi r6 r0 2\nblt r5 r6 back\naddi r2 r2 -1\n"
    "load r7 r2 0\nadd r3 r1 r0\nadd r9 r1 r0\nloop: beq r9 r2 place\n"
    "load r5 r9 0\nblt r7 r5 next\nload r6 r3 0\nstore r5 r3 0\n"
    "store r6 r9 0\naddi r3 r3 1\nnext: addi r9 r9 1\njump r0 r0 loop\n"
    "place: load r6 r3 0\nstore r7 r3 0\nstore r6 r2 0\naddi r15 r15 -3\n"
    "store r14 r15 0\nstore r3 r15 1\nstore r2 r15 2\nadd r2 r3 r0\n"
    "call r14 sort\nload r1 r15 1\naddi r1 r1 1\nload r2 r15 2\naddi r2 r2 1\n"
    "call r14 sort\nload r14 r15 0\naddi r15 r15 3\nback: jump r0 r14 0\n",
    "count: .word 30\nseed: .word 7\n"};

static void test_text(const uint32_t *image, int length) {
  static unit again;
  char text[MAX_CODE * 40], *end = text;
  for (int i = 0; i < length; i++)
    disassemble(&end, image[i]);
  *end = 0;
  assemble(&again, text);
  check(again.length == length);
  check(!memcmp(again.code, image, (size_t)length * sizeof *image));
}

int main(int argc, char **argv) {
  static unit units[UNITS];
  static machine m;
  int size = kernel_size(argc, argv, 200);
  uint64_t sum = KERNEL_CHECKSUM_START, steps = 0;
  for (int round = 0; round < size; round++) {
    memset(&m, 0, sizeof m);
    for (int i = 0; i < UNITS; i++)
      assemble(&units[i], sources[i]);
    int length = link_units(units, m.memory);
    test_text(m.memory, length);
    uint32_t count = 10 + (uint32_t)round % 50;
    *word_at(&m, (uint32_t)length - 2) = count;
    *word_at(&m, (uint32_t)length - 1) = (uint32_t)round;
    steps += simulate(&m);
    for (uint32_t i = 0; i < count; i++) {
      check(i == 0 || m.memory[DATA + i - 1] <= m.memory[DATA + i]);
      sum = kernel_checksum_u64(sum, m.memory[DATA + i]);
    }
  }
  printf("%d runs, %llu steps\n", size, (unsigned long long)steps);
  printf("assembler checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
