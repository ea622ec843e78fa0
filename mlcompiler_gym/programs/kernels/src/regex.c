// SPDX-License-Identifier: Apache-2.0
// Regular expressions: a compiler to bytecode and a Pike VM that rewrites text.
// Sizes: 40 200 800

#include "kernel.h"

enum { MAX_SLOTS = 8, MAX_CODE = 100, MAX_LINE = 400, CASES = 7, BAD = 6 };
enum { OP_SET, OP_SPLIT, OP_JUMP, OP_SAVE, OP_EDGE, OP_MATCH };

// The targets x and y of a jump or split count from the instruction itself, so
// that code can be moved to make room in front of it.
typedef struct {
  int op, x, y;
  uint32_t set[8];
} inst;

// Threads by falling preference; seen[pc] is the stamp if pc is among them.
typedef struct {
  int count, stamp, seen[MAX_CODE];
  int pc[MAX_CODE], slots[MAX_CODE][MAX_SLOTS];
} thread_list;

typedef struct {
  int length;
  char text[MAX_LINE];
} line;

typedef struct {
  const char *cursor, *error;
  const line *in;
  inst code[MAX_CODE];
  int count, group_count;
  thread_list lists[2];
} regex;

typedef void rewrite_fn(line *out, const line *in, const int *slots);

static void fail(regex *re, const char *message) {
  re->error = re->error ? re->error : message;
}

static inst *emit(regex *re, int op, int x, int y) {
  re->code[re->count] = (inst){op, x, y, {0}};
  return &re->code[re->count++];
}

static void insert_split(regex *re, int at, int skip) {
  size_t moved = (size_t)(re->count++ - at);
  memmove(&re->code[at + 1], &re->code[at], moved * sizeof(inst));
  re->code[at] = (inst){OP_SPLIT, 1, skip, {0}};
}

static int peek(const regex *re) { return (unsigned char)*re->cursor; }

static bool accept(regex *re, int c) {
  bool same = peek(re) == c;
  re->cursor += same;
  return same;
}

static int next_char(regex *re) {
  if (!peek(re))
    fail(re, "ends too early");
  return peek(re) ? (unsigned char)*re->cursor++ : 0;
}

static void set_add(uint32_t *set, int from, int to) {
  for (int c = from; c <= to; c++)
    set[c >> 5] |= (uint32_t)1 << (c & 31);
}

static void parse_set(regex *re, uint32_t *set) {
  bool negated = accept(re, '^');
  do {
    int from = next_char(re);
    set_add(set, from, accept(re, '-') ? next_char(re) : from);
  } while (!re->error && !accept(re, ']'));
  for (int i = 0; negated && i < 8; i++)
    set[i] = ~set[i];
}

static void parse_escape(regex *re, uint32_t *set) {
  int c = next_char(re);
  set_add(set, c == 'd' ? '0' : c, c == 'd' ? '9' : c);
}

static void parse_alternatives(regex *re);

static void parse_group(regex *re) {
  int slot = 2 * ++re->group_count;
  if (slot + 1 >= MAX_SLOTS)
    fail(re, "too many groups");
  emit(re, OP_SAVE, slot, 0);
  parse_alternatives(re);
  emit(re, OP_SAVE, slot + 1, 0);
  if (!accept(re, ')'))
    fail(re, "missing )");
}

static void parse_atom(regex *re) {
  int c = next_char(re);
  if (c == '*' || c == '+' || c == '?')
    fail(re, "nothing to repeat");
  if (c == '(') {
    parse_group(re);
  } else if (c == '^' || c == '$') {
    emit(re, OP_EDGE, c == '$', 0);
  } else {
    uint32_t *set = emit(re, OP_SET, 0, 0)->set;
    if (c == '[')
      parse_set(re, set);
    else if (c == '\\')
      parse_escape(re, set);
    else
      set_add(set, c == '.' ? 0 : c, c == '.' ? 255 : c);
  }
}

static void parse_repeat(regex *re) {
  int start = re->count;
  parse_atom(re);
  int length = re->count - start;
  if (accept(re, '*')) {
    insert_split(re, start, length + 2);
    emit(re, OP_JUMP, -length - 1, 0);
  } else if (accept(re, '+')) {
    emit(re, OP_SPLIT, -length, 1);
  } else if (accept(re, '?')) {
    insert_split(re, start, length + 1);
  }
}

static void parse_sequence(regex *re) {
  while (!re->error && peek(re) && peek(re) != '|' && peek(re) != ')')
    parse_repeat(re);
}

static void parse_alternatives(regex *re) {
  int start = re->count;
  parse_sequence(re);
  while (!re->error && accept(re, '|')) {
    insert_split(re, start, re->count - start + 2);
    inst *jump = emit(re, OP_JUMP, 0, 0);
    parse_sequence(re);
    jump->x = (int)(&re->code[re->count] - jump);
  }
}

static bool regex_compile(regex *re, const char *pattern) {
  *re = (regex){.cursor = pattern};
  // No character of a pattern makes more than two instructions.
  if (2 * strlen(pattern) + 3 > MAX_CODE)
    fail(re, "too long");
  emit(re, OP_SAVE, 0, 0);
  parse_alternatives(re);
  if (peek(re))
    fail(re, "unmatched )");
  emit(re, OP_SAVE, 1, 0);
  emit(re, OP_MATCH, 0, 0);
  return !re->error;
}

static void list_clear(thread_list *list) {
  list->count = 0;
  list->stamp++;
}

// Follows everything that takes no text, in order of preference.
static void add_thread(regex *re, thread_list *list, int pc, int at,
                       int *slots) {
  const inst *code = &re->code[pc];
  if (list->seen[pc] == list->stamp)
    return;
  list->seen[pc] = list->stamp;
  if (code->op == OP_JUMP || code->op == OP_SPLIT)
    add_thread(re, list, pc + code->x, at, slots);
  if (code->op == OP_SPLIT)
    add_thread(re, list, pc + code->y, at, slots);
  if (code->op == OP_EDGE && at == (code->x ? re->in->length : 0))
    add_thread(re, list, pc + 1, at, slots);
  if (code->op == OP_SAVE) {
    int old = slots[code->x];
    slots[code->x] = at;
    add_thread(re, list, pc + 1, at, slots);
    slots[code->x] = old;
  }
  if (code->op == OP_SET || code->op == OP_MATCH) {
    memcpy(list->slots[list->count], slots, sizeof list->slots[0]);
    list->pc[list->count++] = pc;
  }
}

static bool regex_search(regex *re, const line *in, int at, int *slots) {
  bool found = false;
  re->in = in;
  for (list_clear(&re->lists[at & 1]); at <= in->length; at++) {
    thread_list *now = &re->lists[at & 1], *next = &re->lists[~at & 1];
    int fresh[MAX_SLOTS] = {0}, c = (unsigned char)in->text[at];
    list_clear(next);
    if (!found)
      add_thread(re, now, 0, at, fresh);
    for (int i = 0; i < now->count; i++) {
      const inst *code = &re->code[now->pc[i]];
      if (code->op == OP_MATCH) {
        // Whatever comes later in the list is less preferred than this.
        memcpy(slots, now->slots[i], sizeof now->slots[i]);
        found = true;
        break;
      }
      if (at < in->length && (code->set[c >> 5] >> (c & 31)) & 1)
        add_thread(re, next, now->pc[i] + 1, at + 1, now->slots[i]);
    }
  }
  return found;
}

static void put(line *out, const char *text, int length) {
  for (int i = 0; i < length && out->length < MAX_LINE - 1; i++)
    out->text[out->length++] = text[i];
}

static void put_group(line *out, const line *in, const int *slots, int group) {
  int from = slots[2 * group];
  put(out, in->text + from, slots[2 * group + 1] - from);
}

static void rewrite_mark(line *out, const line *in, const int *slots) {
  put(out, "<", 1);
  put_group(out, in, slots, 0);
  put(out, ">", 1);
}

static void rewrite_swap(line *out, const line *in, const int *slots) {
  put_group(out, in, slots, 2);
  put(out, ":", 1);
  put_group(out, in, slots, 1);
}

// Copies a line with every match rewritten, and returns how many there were.
static int rewrite(regex *re, const line *in, line *out, rewrite_fn *function) {
  int slots[MAX_SLOTS], at = 0, matches = 0;
  out->length = 0;
  for (; at <= in->length && regex_search(re, in, at, slots); matches++) {
    // An empty match must not be found again: a character is let pass.
    int pass = slots[0] == slots[1] && slots[1] < in->length;
    put(out, in->text + at, slots[0] - at);
    function(out, in, slots);
    put(out, in->text + slots[1], pass);
    at = slots[1] + (slots[0] == slots[1]);
  }
  put(out, in->text + at, in->length - at);
  return matches;
}

static const struct {
  const char *pattern, *text, *expected;
  rewrite_fn *function;
} cases[CASES] = {
    {"(a*)*b?|c", "aabc", "<aab><>c<>", rewrite_mark},
    {"([a-z]+)=([a-z0-9]*)", "k=v, s=10", "v:k, 10:s", rewrite_swap},
    {"[a-z.]+@(ab|cd)\\.(org|com)", "a.b@cd.com!", "com:cd!", rewrite_swap},
    {"\"([^\"]*)(, )?\"", "\"a, \" and \"c\"", ":a,  and :c", rewrite_swap},
    {"^(get|put) (/[^ ]*)", "get /a.b get /", "/a.b:get get /", rewrite_swap},
    {"(a+a+)+$", "aaaab aaaa", "aaaab <aaaa>", rewrite_mark},
    {"0x[0-9a-f]+|\\d\\d?\\d?", "0xfg 1234", "<0xf>g <123><4>", rewrite_mark},
};
static const char *const bad[BAD] = {"a(b", "a)", "*a", "[a", "\\", "()()()()"};
static const char log_text[] =
    "get /aa.gif u=x@ab.com n=12 \"aa\" 0xfa put /i 123 \"u=aa\" y@cd.org aa";

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 200);
  uint64_t sum = KERNEL_CHECKSUM_START;
  static regex re;
  static line in, out;
  for (int i = 0; i < CASES; i++) {
    kernel_rng rng = {7};
    int matches = 0;
    in.length = 0;
    put(&in, cases[i].text, (int)strlen(cases[i].text));
    if (regex_compile(&re, cases[i].pattern))
      rewrite(&re, &in, &out, cases[i].function);
    put(&out, "", 1);
    if (re.error || strcmp(out.text, cases[i].expected)) {
      printf("%s: wrong: %s\n", cases[i].pattern, out.text);
      exit(1);
    }
    for (int n = 0; n < size; n++) {
      for (in.length = 0; in.length < 99;)
        put(&in, log_text + kernel_rng_next(&rng) % 50, 16);
      matches += rewrite(&re, &in, &out, cases[i].function);
      sum = kernel_checksum(sum, out.text, (size_t)out.length);
    }
    printf("%s: %d matches\n", cases[i].pattern, matches);
  }
  for (int i = 0; i < BAD; i++)
    printf("%s: %s\n", bad[i], regex_compile(&re, bad[i]) ? "ok" : re.error);
  printf("regex checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
