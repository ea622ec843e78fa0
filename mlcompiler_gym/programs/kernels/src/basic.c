// SPDX-License-Identifier: Apache-2.0
// BASIC with line numbers, and programs checked by what they leave in R.
// Sizes: 1 6 30

#include "kernel.h"

enum { LINES = 40, SIZE = 200, DEPTH = 20, LETTERS = 26 };

typedef struct {
  int number;
  const char *text; // goes on to its newline
} line;

typedef struct {
  int line; // the one after the FOR
  int64_t *variable, limit, step;
} loop;

// `next` is the index of the line to go on with, which jumps change. Each
// letter is the name of a variable and of an array.
typedef struct {
  line lines[LINES];
  loop loops[DEPTH];
  int returns[DEPTH], line_count, loop_count, return_count, next;
  int64_t variables[LETTERS], arrays[LETTERS][SIZE];
  const char *at, *error;
  uint64_t printed;
  kernel_rng rng;
} basic;

static void fail(basic *b, const char *message) {
  b->error = b->error ? b->error : message;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static char peek(basic *b) {
  while (*b->at == ' ')
    b->at++;
  return *b->at;
}

static bool accept(basic *b, const char *text) {
  size_t length = strlen(text);
  bool same = peek(b) && !strncmp(b->at, text, length);
  b->at += same ? length : 0;
  return same;
}

static void expect(basic *b, const char *text) {
  if (!accept(b, text))
    fail(b, text);
}

static int64_t scan_number(const char **text) {
  int64_t value = 0;
  while (is_digit(**text) && value < 100000000)
    value = value * 10 + (*(*text)++ - '0');
  return value;
}

static int64_t expression(basic *b);

static int64_t parenthesis(basic *b) {
  expect(b, "(");
  int64_t value = expression(b);
  expect(b, ")");
  return value;
}

// Where the value is of a variable or an element of an array.
static int64_t *place(basic *b) {
  int letter = peek(b) >= 'A' && *b->at <= 'Z' ? *b->at++ - 'A' : 0;
  if (peek(b) != '(')
    return &b->variables[letter];
  int64_t at = parenthesis(b);
  if (at >= 0 && at < SIZE)
    return &b->arrays[letter][at];
  fail(b, "bad index");
  return &b->variables[letter];
}

static int64_t absolute(int64_t value) { return value < 0 ? -value : value; }

static int64_t factor(basic *b) {
  if (accept(b, "-"))
    return -factor(b);
  if (accept(b, "ABS"))
    return absolute(parenthesis(b));
  if (accept(b, "RND"))
    return (int64_t)(kernel_rng_next(&b->rng) % 1000);
  if (peek(b) == '(')
    return parenthesis(b);
  return is_digit(*b->at) ? scan_number(&b->at) : *place(b);
}

// Values stay below 2^31, so that no product overflows.
static int64_t limited(basic *b, int64_t value) {
  if (absolute(value) >> 31)
    fail(b, "overflow");
  return absolute(value) >> 31 ? 0 : value;
}

static int64_t divide(basic *b, int64_t left, int64_t right) {
  if (!right)
    fail(b, "division by zero");
  return right ? left / right : 0;
}

static int64_t term(basic *b) {
  int64_t value = factor(b);
  for (;;) {
    if (accept(b, "*"))
      value = limited(b, value * factor(b));
    else if (accept(b, "/"))
      value = divide(b, value, factor(b));
    else
      return value;
  }
}

static int64_t sum(basic *b) {
  int64_t value = term(b);
  for (;;) {
    if (accept(b, "+"))
      value = limited(b, value + term(b));
    else if (accept(b, "-"))
      value = limited(b, value - term(b));
    else
      return value;
  }
}

static int64_t expression(basic *b) {
  static const char *const signs[] = {"<=", ">=", "<>", "<", ">", "="};
  static const int less_equal_more[] = {3, 6, 5, 1, 4, 2};
  int64_t left = sum(b);
  for (int i = 0; i < 6; i++)
    if (accept(b, signs[i])) {
      int64_t right = sum(b);
      return less_equal_more[i] >> (1 + (left > right) - (left < right)) & 1;
    }
  return left;
}

static void statement(basic *b);

static void do_print(basic *b) {
  do
    b->printed = kernel_checksum_u64(b->printed, (uint64_t)expression(b));
  while (accept(b, ";"));
}

static void do_goto(basic *b) {
  int64_t number = expression(b);
  int i = 0;
  while (i < b->line_count && b->lines[i].number != number)
    i++;
  if (i == b->line_count)
    fail(b, "no such line");
  b->next = i;
}

static void do_gosub(basic *b) {
  if (b->return_count == DEPTH)
    fail(b, "GOSUB too deep");
  else
    b->returns[b->return_count++] = b->next;
  do_goto(b);
}

static void do_return(basic *b) {
  if (b->return_count)
    b->next = b->returns[--b->return_count];
  else
    fail(b, "RETURN without GOSUB");
}

static void do_if(basic *b) {
  bool holds = expression(b);
  expect(b, "THEN");
  if (holds && is_digit(peek(b)))
    do_goto(b);
  else if (holds)
    statement(b);
  else
    b->at = "\n";
}

static void do_let(basic *b) {
  int64_t *to = place(b);
  expect(b, "=");
  *to = expression(b);
}

static void do_for(basic *b) {
  if (b->loop_count == DEPTH) {
    fail(b, "FOR too deep");
    return;
  }
  loop *l = &b->loops[b->loop_count++];
  *l = (loop){.line = b->next, .variable = place(b)};
  expect(b, "=");
  *l->variable = expression(b);
  expect(b, "TO");
  l->limit = expression(b);
  l->step = accept(b, "STEP") ? expression(b) : 1;
}

static void do_next(basic *b) {
  int64_t *variable = place(b);
  loop *l = b->loop_count ? &b->loops[b->loop_count - 1] : 0;
  if (!l || l->variable != variable) {
    fail(b, "NEXT without FOR");
    return;
  }
  *variable = limited(b, *variable + l->step);
  if (l->step < 0 ? *variable >= l->limit : *variable <= l->limit)
    b->next = l->line;
  else
    b->loop_count--;
}

static void do_end(basic *b) { b->next = b->line_count; }

static void statement(basic *b) {
  static const struct {
    const char *word;
    void (*function)(basic *b);
  } words[] = {{"PRINT", do_print}, {"IF", do_if},         {"GOTO", do_goto},
               {"GOSUB", do_gosub}, {"FOR", do_for},       {"NEXT", do_next},
               {"END", do_end},     {"RETURN", do_return}, {"", do_let}};
  int i = 0;
  while (!accept(b, words[i].word))
    i++;
  words[i].function(b);
}

static void load(basic *b, const char *source) {
  while (*source && b->line_count < LINES) {
    int number = (int)scan_number(&source);
    b->lines[b->line_count++] = (line){number, source};
    while (*source++ != '\n')
      ;
  }
}

static const char *run(basic *b) {
  while (b->next < b->line_count && !b->error) {
    b->at = b->lines[b->next++].text;
    statement(b);
    if (!b->error && peek(b) != '\n')
      b->error = "end of line";
  }
  return b->error ? b->error : "ok";
}

// The variable R is number 17.
static const char *const programs[] = {
    "10 N = 150\n20 FOR I = 2 TO N\n30 IF S(I) THEN 80\n40 R = R + 1\n"
    "50 FOR J = I TO N STEP I\n60 S(J) = 1\n70 NEXT J\n80 NEXT I\n",
    "10 FOR A = 1 TO 12\n20 FOR B = 1 TO 12\n30 X = A\n40 Y = B\n50 GOSUB 100\n"
    "60 R = R + X\n70 NEXT B\n80 NEXT A\n90 END\n100 IF Y = 0 THEN RETURN\n"
    "110 T = X - X / Y * Y\n120 X = Y\n130 Y = T\n140 GOTO 100\n",
    "10 FOR I = 1 TO 30\n20 A(I) = RND\n30 NEXT I\n40 FOR I = 2 TO 30\n"
    "50 J = I\n60 IF A(J) >= A(J - 1) THEN 120\n70 T = A(J)\n"
    "80 A(J) = A(J - 1)\n90 A(J - 1) = T\n100 J = J - 1\n110 IF J > 1 THEN 60\n"
    "120 NEXT I\n130 FOR I = 2 TO 30\n140 R = R + (A(I) < A(I - 1))\n"
    "150 PRINT I; A(I)\n160 NEXT I\n",
    "10 N = 5\n20 K = 1\n30 Q(K) = 0\n40 Q(K) = Q(K) + 1\n"
    "50 IF Q(K) > N THEN 120\n60 GOSUB 200\n70 IF F THEN 40\n"
    "80 IF K = N THEN 110\n90 K = K + 1\n100 GOTO 30\n110 R = R + 1\n"
    "115 GOTO 40\n120 K = K - 1\n130 IF K > 0 THEN 40\n140 END\n200 F = 0\n"
    "210 FOR I = 0 TO K - 1\n220 D = ABS(Q(I) - Q(K))\n"
    "230 IF I * D * (K - I - D) = 0 THEN F = F + (I > 0)\n240 NEXT I\n"
    "250 RETURN\n",
    "10 FOR I = 9 TO 0 STEP -1\n20 R = R + 100 / I\n30 NEXT I\n",
    "10 R = R + 1\n20 GOSUB 10\n"};
static const char *const ends[] = {
    "ok", "ok", "ok", "ok", "division by zero", "GOSUB too deep"};
static const int64_t results[] = {35, 288, 0, 10, 281, 21};

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 6);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {31};
  for (int i = 0; i < 6 * size; i++) {
    static basic b;
    b = (basic){.printed = sum, .rng = {kernel_rng_next(&rng)}};
    load(&b, programs[i % 6]);
    if (strcmp(run(&b), ends[i % 6]) || b.variables[17] != results[i % 6])
      abort();
    sum = b.printed;
  }
  printf("%d programs\n", 6 * size);
  printf("basic checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
