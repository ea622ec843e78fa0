// SPDX-License-Identifier: Apache-2.0
// A Forth: threaded code, compile mode and immediate words that make up its own
// control structures.
// Sizes: 2 10 60

#include "kernel.h"

enum { MEMORY = 4096, STACK = 100, WORDS = 100, NAME = 12 };

typedef struct forth forth;
typedef void action_fn(forth *f);

typedef struct {
  char name[NAME];
  action_fn *action;
  int body; // where its code or data is
  bool immediate;
} word;

typedef struct {
  int64_t items[STACK];
  int count;
} stack;

// Code is the numbers of words. Place 0 of the memory is out of use, so that an
// ip of 0 tells that there is nothing to go on with.
struct forth {
  word words[WORDS];
  int64_t memory[MEMORY];
  stack data, returns;
  char token[NAME];
  const char *input, *error;
  int word_count, here, ip, current;
  bool compiling;
  kernel_rng rng;
};

static void fail(forth *f, const char *message) {
  f->error = f->error ? f->error : message;
}

static void stack_push(forth *f, stack *s, int64_t value) {
  if (s->count == STACK)
    fail(f, "stack overflow");
  else
    s->items[s->count++] = value;
}

// The item at a place from the top, or one to spare if there is none.
static int64_t *stack_at(forth *f, stack *s, int64_t place) {
  if (place >= 0 && place < s->count)
    return &s->items[s->count - 1 - place];
  fail(f, "stack underflow");
  return &f->memory[0];
}

static int64_t stack_pop(forth *f, stack *s) {
  int64_t value = *stack_at(f, s, 0);
  s->count -= s->count > 0;
  return value;
}

static void push(forth *f, int64_t value) { stack_push(f, &f->data, value); }
static int64_t pop(forth *f) { return stack_pop(f, &f->data); }

static int64_t *cell(forth *f, int64_t at) {
  if (at > 0 && at < MEMORY)
    return &f->memory[at];
  fail(f, "bad address");
  return &f->memory[0];
}

static void comma(forth *f, int64_t value) { *cell(f, f->here++) = value; }

static bool next_token(forth *f) {
  int length = 0;
  while (*f->input == ' ')
    f->input++;
  for (; *f->input && *f->input != ' '; f->input++)
    if (length < NAME - 1)
      f->token[length++] = *f->input;
  f->token[length] = 0;
  return length > 0;
}

// The latest word of the name, or -1.
static int find(const forth *f, const char *name) {
  int w = f->word_count - 1;
  while (w >= 0 && strcmp(f->words[w].name, name))
    w--;
  return w;
}

static void define(forth *f, action_fn *action) {
  if (!next_token(f) || f->word_count == WORDS) {
    fail(f, "cannot define");
    return;
  }
  word *w = &f->words[f->word_count++];
  *w = (word){.action = action, .body = f->here};
  memcpy(w->name, f->token, NAME);
}

static void call(forth *f, int64_t w) {
  if (w < 0 || w >= f->word_count)
    fail(f, "not a word");
  if (f->error)
    return;
  f->current = (int)w;
  f->words[w].action(f);
}

static void execute(forth *f, int w) {
  f->ip = 0;
  for (call(f, w); f->ip && !f->error;)
    call(f, *cell(f, f->ip++));
}

static bool parse_number(const char *text, int64_t *value) {
  for (*value = 0; *text >= '0' && *text <= '9'; text++)
    *value = *value * 10 + (*text - '0');
  return !*text;
}

static void literal(forth *f, int64_t value) {
  comma(f, find(f, "(lit)"));
  comma(f, value);
}

static void interpret(forth *f, const char *source) {
  for (f->input = source; !f->error && next_token(f);) {
    int64_t value;
    int w = find(f, f->token);
    if (w >= 0 && f->compiling && !f->words[w].immediate)
      comma(f, w);
    else if (w >= 0)
      execute(f, w);
    else if (!parse_number(f->token, &value))
      fail(f, "unknown word");
    else if (f->compiling)
      literal(f, value);
    else
      push(f, value);
  }
}

#define BINARY(name, result)                                                   \
  static void name(forth *f) {                                                 \
    int64_t b = pop(f), a = pop(f);                                            \
    push(f, (int64_t)(result));                                                \
  }

BINARY(do_add, (uint64_t)a + (uint64_t)b)
BINARY(do_minus, (uint64_t)a - (uint64_t)b)
BINARY(do_times, (uint64_t)a *(uint64_t)b)
BINARY(do_less, -(a < b))
BINARY(do_equal, -(a == b))

static void do_divide(forth *f) {
  int64_t b = pop(f), a = pop(f);
  if (b <= 0)
    fail(f, "bad divisor");
  push(f, b > 0 ? a % b : 0);
  push(f, b > 0 ? a / b : 0);
}

static void do_swap(forth *f) {
  int64_t b = pop(f), a = pop(f);
  push(f, b);
  push(f, a);
}

static void do_store(forth *f) {
  int64_t *to = cell(f, pop(f));
  *to = pop(f);
}

static void do_drop(forth *f) { pop(f); }
static void do_pick(forth *f) { push(f, *stack_at(f, &f->data, pop(f))); }
static void do_to_r(forth *f) { stack_push(f, &f->returns, pop(f)); }
static void do_from_r(forth *f) { push(f, stack_pop(f, &f->returns)); }
static void do_i(forth *f) { push(f, *stack_at(f, &f->returns, 0)); }
static void do_j(forth *f) { push(f, *stack_at(f, &f->returns, 2)); }
static void do_fetch(forth *f) { push(f, *cell(f, pop(f))); }
static void do_comma(forth *f) { comma(f, pop(f)); }
static void do_here(forth *f) { push(f, f->here); }
static void do_allot(forth *f) { f->here += (int)(pop(f) % MEMORY); }
static void do_random(forth *f) { push(f, kernel_rng_next(&f->rng) >> 40); }
static void do_hasten(forth *f) { f->words[f->word_count - 1].immediate = 1; }
static void do_lit(forth *f) { push(f, *cell(f, f->ip++)); }
static void do_branch(forth *f) { f->ip = (int)*cell(f, f->ip); }
static void do_unless(forth *f) {
  f->ip = pop(f) ? f->ip + 1 : (int)*cell(f, f->ip);
}
static void do_exit(forth *f) { f->ip = (int)stack_pop(f, &f->returns); }
static void do_recurse(forth *f) { comma(f, f->word_count - 1); }

static void do_loop(forth *f) {
  if (++*stack_at(f, &f->returns, 0) < *stack_at(f, &f->returns, 1)) {
    do_branch(f);
  } else {
    f->returns.count -= 2;
    f->ip++;
  }
}

static void enter(forth *f) {
  stack_push(f, &f->returns, f->ip);
  f->ip = f->words[f->current].body;
}

static void do_colon(forth *f) {
  define(f, enter);
  f->compiling = true;
}

static void do_end(forth *f) {
  comma(f, find(f, "exit"));
  f->compiling = false;
}

static void push_body(forth *f) { push(f, f->words[f->current].body); }
static void do_create(forth *f) { define(f, push_body); }

static void do_tick(forth *f) {
  if (!next_token(f) || find(f, f->token) < 0)
    fail(f, "unknown word");
  literal(f, find(f, f->token));
}

// The words that interpret() has to execute while it compiles come first.
static const char names[] =
    "; ['] recurse (lit) (branch) (0branch) (loop) exit + - * /mod < = "
    "drop swap pick >r r> i j @ ! , here allot random create : immediate";
static action_fn *const actions[] = {
    do_end,    do_tick,  do_recurse, do_lit,    do_branch, do_unless,
    do_loop,   do_exit,  do_add,     do_minus,  do_times,  do_divide,
    do_less,   do_equal, do_drop,    do_swap,   do_pick,   do_to_r,
    do_from_r, do_i,     do_j,       do_fetch,  do_store,  do_comma,
    do_here,   do_allot, do_random,  do_create, do_colon,  do_hasten};
enum { IMMEDIATES = 3, ACTIONS = sizeof actions / sizeof *actions };

static const char prelude[] =
    ": if ['] (0branch) , here 0 , ; immediate : then here swap ! ; immediate "
    ": else ['] (branch) , here 0 , swap here swap ! ; immediate "
    ": begin here ; immediate : until ['] (0branch) , , ; immediate "
    ": while ['] (0branch) , here 0 , swap ; immediate "
    ": repeat ['] (branch) , , here swap ! ; immediate "
    ": do ['] swap , ['] >r , ['] >r , here ; immediate : loop ['] (loop) , , "
    "; immediate "
    ": dup 0 pick ; : over 1 pick ; : rot >r swap r> swap ; "
    ": 2dup over over ; : 0= 0 = ; : > swap < ; : variable create 0 , ; "
    ": / /mod swap drop ; : mod /mod drop ; : even 2 mod 0= ; ";

static const char *const programs[] = {
    ": fib dup 2 < if exit then dup 1 - recurse swap 2 - recurse + ; 11 fib",
    "create flags 500 allot : clear 500 0 do 0 flags i + ! loop ; "
    ": strike dup dup + begin dup 500 < while 1 over flags + ! over + repeat "
    "drop drop ; variable count : sieve clear 500 2 do flags i + @ 0= if "
    "i strike count @ 1 + count ! then loop ; sieve count @",
    ": gcd begin dup while swap over mod repeat drop ; variable sum "
    ": table 13 1 do 13 1 do i j gcd sum @ + sum ! loop loop ; table sum @",
    ": length 0 swap begin dup 1 > while dup even if 2 / else 3 * 1 + then "
    "swap 1 + swap repeat drop ; 27 length",
    "create items 40 allot : at items + ; : fill 40 0 do random i at ! loop ; "
    ": order 2dup @ swap @ < if 2dup @ swap @ rot ! swap ! else drop drop then "
    "; : sort 40 0 do 40 0 do j i < if j at i at order then loop loop ; "
    ": wrong 0 39 0 do i at @ i 1 + at @ > if 1 + then loop ; fill sort wrong",
    ": forever recurse ; forever"};
static const int64_t results[] = {89, 95, 288, 111, 0, -1};

// The result of a program, or -1 if it goes wrong.
static int64_t run(const char *source, uint64_t seed, uint64_t *sum) {
  static forth f;
  f = (forth){.here = 1, .rng = {seed}, .input = names};
  while (f.word_count < ACTIONS) {
    define(&f, actions[f.word_count]);
    if (f.word_count <= IMMEDIATES)
      do_hasten(&f);
  }
  interpret(&f, prelude);
  interpret(&f, source);
  for (int i = 0; i < f.here && i < MEMORY; i++)
    *sum = kernel_checksum_u64(*sum, (uint64_t)f.memory[i]);
  return f.error ? -1 : pop(&f);
}

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 10);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {29};
  for (int i = 0; i < 6 * size; i++)
    if (run(programs[i % 6], kernel_rng_next(&rng), &sum) != results[i % 6])
      abort();
  printf("%d programs\n", 6 * size);
  printf("forth checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
