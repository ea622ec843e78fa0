// SPDX-License-Identifier: Apache-2.0
// Ordered sets of words as a radix tree and as a crit-bit tree (PATRICIA) that
// are put through the same changes and prefix queries and must always agree.
// Sizes: 300 2000 9000

#include "kernel.h"

enum { MAX_WORD = 32, SYLLABLES = 8, TYPES = 2, PHASES = 3 };
#define NO_BIT SIZE_MAX

typedef struct {
  const char *prefix;
  uint64_t sum;
  size_t count;
  char word[MAX_WORD]; // for the walk of the radix tree
} listing;

// A node of the radix tree, with the label of the edge into it.
typedef struct edge {
  struct edge *child, *next;
  bool is_word;
  size_t length;
  char label[];
} edge;

// A node of the crit-bit tree: a leaf is a word, an inner node the first bit
// that the words below differ in, counted from the top bit of the first byte.
typedef struct branch {
  struct branch *sides[2];
  size_t bit;
  char word[];
} branch;

typedef struct {
  edge *edges;
  branch *branches;
} set;

typedef struct {
  bool (*phases[PHASES])(set *s, const char *word); // add, has, remove
  void (*list)(const set *s, listing *words);
} set_type;

static void *check(void *block) {
  if (!block)
    abort();
  return block;
}

static int byte_at(const char *word, size_t at) {
  return (unsigned char)word[at];
}

static bool starts_with(const char *word, const char *prefix) {
  return !strncmp(word, prefix, strlen(prefix));
}

static edge *make_edge(const char *label, size_t length, edge *next) {
  edge *e = check(calloc(1, sizeof *e + length));
  memcpy(e->label, label, length);
  e->length = length;
  e->next = next;
  return e;
}

// Where the child is whose label starts as the word, or where to put one.
static edge **find_child(edge *parent, const char *word) {
  edge **link = &parent->child;
  while (*link && byte_at((*link)->label, 0) < byte_at(word, 0))
    link = &(*link)->next;
  return link;
}

static size_t shared_length(const edge *e, const char *word) {
  size_t length = 0;
  while (length < e->length && e->label[length] == word[length])
    length++;
  return length;
}

// Puts a node in the middle of an edge.
static void split_edge(edge **link, size_t length) {
  edge *lower = *link;
  *link = make_edge(lower->label, length, lower->next);
  (*link)->child = lower;
  lower->next = NULL;
  lower->length -= length;
  memmove(lower->label, lower->label + length, lower->length);
}

static bool radix_add(set *s, const char *word) {
  edge **link = &s->edges;
  while (*word) {
    link = find_child(*link, word);
    size_t shared = *link ? shared_length(*link, word) : 0;
    if (shared == 0)
      *link = make_edge(word, shared = strlen(word), *link);
    else if (shared < (*link)->length)
      split_edge(link, shared);
    word += shared;
  }
  bool added = !(*link)->is_word;
  (*link)->is_word = true;
  return added;
}

static bool radix_has(set *s, const char *word) {
  edge *at = s->edges;
  while (*word) {
    at = *find_child(at, word);
    if (!at || shared_length(at, word) < at->length)
      return false;
    word += at->length;
  }
  return at->is_word;
}

// A node that is no word must have two children, or it has no reason to be.
static void tidy_edge(edge **link) {
  edge *at = *link, *child = at->child;
  if (at->is_word || (child && child->next))
    return;
  *link = at->next;
  if (child) {
    child = check(realloc(child, sizeof *child + at->length + child->length));
    memmove(child->label + at->length, child->label, child->length);
    memcpy(child->label, at->label, at->length);
    child->length += at->length;
    child->next = at->next;
    *link = child;
  }
  free(at);
}

static bool remove_below(edge **link, const char *word) {
  edge *at = *link;
  if (!at || shared_length(at, word) < at->length)
    return false;
  word += at->length;
  bool removed = *word ? remove_below(find_child(at, word), word) : at->is_word;
  if (!*word)
    at->is_word = false;
  if (removed && at->length)
    tidy_edge(link);
  return removed;
}

static bool radix_remove(set *s, const char *word) {
  return remove_below(&s->edges, word);
}

static void list_word(listing *words, const char *word) {
  words->count++;
  words->sum = kernel_checksum(words->sum, word, strlen(word) + 1);
}

static void list_edges(listing *words, size_t depth, const edge *at) {
  memcpy(words->word + depth, at->label, at->length);
  depth += at->length;
  words->word[depth] = 0;
  bool inside = starts_with(words->word, words->prefix);
  bool ahead = starts_with(words->prefix, words->word);
  if (inside && at->is_word)
    list_word(words, words->word);
  const edge *child = at->child;
  for (; child && (inside || ahead); child = child->next)
    list_edges(words, depth, child);
}

static void radix_list(const set *s, listing *words) {
  list_edges(words, 0, s->edges);
}

static branch **next_link(branch *b, const char *word) {
  bool ends = strlen(word) <= b->bit / 8;
  return &b->sides[!ends && (byte_at(word, b->bit / 8) << b->bit % 8 & 128)];
}

static branch *nearest(branch *at, const char *word) {
  while (at && at->bit != NO_BIT)
    at = *next_link(at, word);
  return at;
}

static branch *make_leaf(const char *word) {
  branch *leaf = check(calloc(1, sizeof *leaf + strlen(word) + 1));
  memcpy(leaf->word, word, strlen(word));
  leaf->bit = NO_BIT;
  return leaf;
}

static void insert_leaf(set *s, branch *leaf, size_t bit) {
  branch **link = &s->branches, *fork = check(calloc(1, sizeof *fork));
  while ((*link)->bit < bit)
    link = next_link(*link, leaf->word);
  fork->bit = bit;
  fork->sides[0] = fork->sides[1] = *link;
  *next_link(fork, leaf->word) = leaf;
  *link = fork;
}

static bool crit_add(set *s, const char *word) {
  const branch *near = nearest(s->branches, word);
  size_t bit = 0;
  if (!near)
    return (s->branches = make_leaf(word)) != NULL;
  while (word[bit / 8] && near->word[bit / 8] == word[bit / 8])
    bit += 8;
  int differ = byte_at(near->word, bit / 8) ^ byte_at(word, bit / 8);
  while (differ && !(differ << bit % 8 & 128))
    bit++;
  if (differ)
    insert_leaf(s, make_leaf(word), bit);
  return differ;
}

static bool crit_has(set *s, const char *word) {
  const branch *leaf = nearest(s->branches, word);
  return leaf && !strcmp(leaf->word, word);
}

static bool crit_remove(set *s, const char *word) {
  branch **link = &s->branches, **above = link;
  for (; *link && (*link)->bit != NO_BIT; link = next_link(*link, word))
    above = link;
  branch *leaf = *link, *fork = *above;
  if (!leaf || strcmp(leaf->word, word))
    return false;
  *above = fork->sides[fork->sides[0] == leaf];
  if (fork != leaf)
    free(fork);
  free(leaf);
  return true;
}

static void list_branches(listing *words, const branch *at) {
  if (at->bit == NO_BIT && starts_with(at->word, words->prefix))
    list_word(words, at->word);
  for (int side = 0; at->bit != NO_BIT && side < 2; side++)
    list_branches(words, at->sides[side]);
}

// Everything that starts with the prefix is below one node.
static void crit_list(const set *s, listing *words) {
  branch *at = s->branches;
  while (at && at->bit / 8 < strlen(words->prefix))
    at = *next_link(at, words->prefix);
  if (at)
    list_branches(words, at);
}

static const set_type types[TYPES] = {
    {{radix_add, radix_has, radix_remove}, radix_list},
    {{crit_add, crit_has, crit_remove}, crit_list}};

static void make_word(kernel_rng *rng, char *word, int syllables) {
  static const char *const all[SYLLABLES] = {"a",  "an",  "con", "\303\251",
                                             "er", "ing", "in",  "\303\266"};
  for (*word = 0; syllables > 0; syllables--) {
    const char *next = all[kernel_rng_next(rng) % SYLLABLES];
    memcpy(word + strlen(word), next, strlen(next) + 1);
  }
}

static listing list_both(set *sets, const char *prefix) {
  listing words[TYPES];
  for (int i = 0; i < TYPES; i++) {
    words[i] = (listing){prefix, KERNEL_CHECKSUM_START, 0, ""};
    types[i].list(&sets[i], &words[i]);
  }
  if (words[0].sum != words[1].sum || words[0].count != words[1].count)
    abort();
  return words[0];
}

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 2000);
  uint64_t sum = KERNEL_CHECKSUM_START;
  set sets[TYPES] = {{make_edge("", 0, NULL), NULL}, {NULL, NULL}};
  for (int phase = 0; phase < PHASES; phase++) {
    kernel_rng rng = {phase == 1 ? 8 : 9}; // removes the words it has added
    for (int i = 0; i < size; i++) {
      char word[MAX_WORD];
      make_word(&rng, word, 1 + i % 6);
      bool changed = types[0].phases[phase](&sets[0], word);
      if (types[1].phases[phase](&sets[1], word) != changed)
        abort();
      sum = kernel_checksum_u64(sum, changed);
      word[1 + i % 3] = 0;
      if (i % 32 == 0)
        sum = kernel_checksum_u64(sum, list_both(sets, word).sum);
    }
    printf("phase %d: %zu words\n", phase, list_both(sets, "").count);
  }
  free(sets[0].edges);
  printf("trie checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
