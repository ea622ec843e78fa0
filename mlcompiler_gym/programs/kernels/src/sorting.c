// SPDX-License-Identifier: Apache-2.0
// Sorting records: six algorithms over several orders and kinds of input.
// Sizes: 150 400 1400

#include "kernel.h"

enum { SMALL = 12, NAME = 8 };

typedef struct {
  uint32_t key, place;
  char name[NAME];
} record;

typedef int compare_fn(const record *a, const record *b);
typedef uint32_t key_fn(const record *r);
typedef uint32_t fill_fn(kernel_rng *rng, uint32_t i, uint32_t count);

typedef struct {
  compare_fn *compare;
  key_fn *high, *low;
} ordering;

typedef struct {
  record *items;
  size_t count;
  const ordering *by;
  uint64_t compares, moves;
} job;

static void *allocate(size_t count, size_t size) {
  void *block = calloc(count, size);
  if (!block)
    abort();
  return block;
}

static int by_key(const record *a, const record *b) {
  return (a->key > b->key) - (a->key < b->key);
}

static int by_key_down(const record *a, const record *b) {
  return by_key(b, a);
}

static int by_name(const record *a, const record *b) {
  return strcmp(a->name, b->name);
}

// Numbers in the order of the records, for sorting without comparing.
static uint32_t place(const record *r) { return r->place; }

static uint32_t up_key(const record *r) { return r->key; }

static uint32_t down_key(const record *r) { return ~r->key; }

static uint32_t letters(const record *r, int from) {
  uint32_t word = 0;
  for (int i = from; i < from + 4; i++)
    word = word << 8 | (unsigned char)r->name[i];
  return word;
}

static uint32_t first_letters(const record *r) { return letters(r, 0); }

static uint32_t last_letters(const record *r) { return letters(r, 4); }

static bool less(job *j, const record *a, const record *b) {
  j->compares++;
  return j->by->compare(a, b) < 0;
}

static void put(job *j, record *to, const record *from) {
  j->moves++;
  *to = *from;
}

static void swap(job *j, size_t a, size_t b) {
  record held = j->items[a];
  put(j, &j->items[a], &j->items[b]);
  put(j, &j->items[b], &held);
}

// Insertion with a step: every step-th record from `from` on is put in order.
static void insert_steps(job *j, size_t from, size_t to, size_t step) {
  for (size_t i = from + step; i < to; i++) {
    record held = j->items[i];
    size_t at = i;
    for (; at >= from + step && less(j, &held, &j->items[at - step]);
         at -= step)
      put(j, &j->items[at], &j->items[at - step]);
    put(j, &j->items[at], &held);
  }
}

static void insertion_sort(job *j) { insert_steps(j, 0, j->count, 1); }

static void shell_sort(job *j) {
  size_t step = 1;
  while (step < j->count / 3)
    step = 3 * step + 1;
  for (; step > 0; step /= 3)
    insert_steps(j, 0, j->count, step);
}

static void sift_down(job *j, size_t at, size_t count) {
  for (size_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && less(j, &j->items[child], &j->items[child + 1]))
      child++;
    if (!less(j, &j->items[at], &j->items[child]))
      return;
    swap(j, at, child);
  }
}

static void heap_sort(job *j) {
  for (size_t i = j->count / 2; i-- > 0;)
    sift_down(j, i, j->count);
  for (size_t end = j->count; end-- > 1;) {
    swap(j, 0, end);
    sift_down(j, 0, end);
  }
}

static void sort_pair(job *j, size_t a, size_t b) {
  if (less(j, &j->items[b], &j->items[a]))
    swap(j, a, b);
}

// Splits around the median of three, and returns where it ends up.
static size_t split(job *j, size_t from, size_t to) {
  size_t middle = from + (to - from) / 2, low = from, high = to - 1;
  sort_pair(j, middle, from);
  sort_pair(j, from, to - 1);
  sort_pair(j, middle, from);
  record pivot = j->items[from];
  for (;;) {
    do
      low++;
    while (low < to && less(j, &j->items[low], &pivot));
    while (less(j, &pivot, &j->items[high]))
      high--;
    if (low >= high)
      break;
    swap(j, low, high--);
  }
  swap(j, from, high);
  return high;
}

static void quick_range(job *j, size_t from, size_t to) {
  while (to - from > SMALL) {
    size_t pivot = split(j, from, to);
    // The smaller part first, so that the depth stays low.
    if (pivot - from < to - pivot) {
      quick_range(j, from, pivot);
      from = pivot + 1;
    } else {
      quick_range(j, pivot + 1, to);
      to = pivot;
    }
  }
  insert_steps(j, from, to, 1);
}

static void quick_sort(job *j) { quick_range(j, 0, j->count); }

static void merge(job *j, record *spare, size_t from, size_t mid, size_t to) {
  size_t left = 0, count = mid - from, right = mid;
  for (size_t i = 0; i < count; i++)
    put(j, &spare[i], &j->items[from + i]);
  for (; left < count; from++)
    if (right < to && less(j, &j->items[right], &spare[left]))
      put(j, &j->items[from], &j->items[right++]);
    else
      put(j, &j->items[from], &spare[left++]);
}

static void merge_range(job *j, record *spare, size_t from, size_t to) {
  if (to - from <= SMALL) {
    insert_steps(j, from, to, 1);
    return;
  }
  size_t middle = from + (to - from) / 2;
  merge_range(j, spare, from, middle);
  merge_range(j, spare, middle, to);
  merge(j, spare, from, middle, to);
}

static void merge_sort(job *j) {
  record *spare = allocate(j->count, sizeof *spare);
  merge_range(j, spare, 0, j->count);
  free(spare);
}

static void count_pass(job *j, record *spare, key_fn *key, int shift) {
  size_t starts[257] = {0};
  for (size_t i = 0; i < j->count; i++)
    starts[(key(&j->items[i]) >> shift & 0xff) + 1]++;
  for (int i = 0; i < 256; i++)
    starts[i + 1] += starts[i];
  for (size_t i = 0; i < j->count; i++)
    put(j, &spare[starts[key(&j->items[i]) >> shift & 0xff]++], &j->items[i]);
  for (size_t i = 0; i < j->count; i++)
    put(j, &j->items[i], &spare[i]);
}

static void radix_sort(job *j) {
  record *spare = allocate(j->count, sizeof *spare);
  for (int shift = 0; shift < 32; shift += 8)
    count_pass(j, spare, j->by->low, shift);
  for (int shift = 0; shift < 32; shift += 8)
    count_pass(j, spare, j->by->high, shift);
  free(spare);
}

static uint32_t random_key(kernel_rng *rng, uint32_t i, uint32_t count) {
  return (uint32_t)kernel_rng_next(rng) ^ i ^ count;
}

static uint32_t few_keys(kernel_rng *rng, uint32_t i, uint32_t count) {
  return random_key(rng, i, count) % 9;
}

static uint32_t rising_key(kernel_rng *rng, uint32_t i, uint32_t count) {
  return i / 2 + few_keys(rng, i, count);
}

static uint32_t organ_key(kernel_rng *rng, uint32_t i, uint32_t count) {
  (void)rng;
  return i < count / 2 ? i : count - i;
}

static const ordering orderings[] = {{by_key, up_key, place},
                                     {by_key_down, down_key, place},
                                     {by_name, first_letters, last_letters}};
static fill_fn *const fillings[] = {random_key, few_keys, rising_key,
                                    organ_key};
static const struct {
  const char *name;
  void (*sort)(job *j);
  bool stable;
} algorithms[] = {
    {"insertion", insertion_sort, true}, {"shell", shell_sort, false},
    {"heap", heap_sort, false},          {"quick", quick_sort, false},
    {"merge", merge_sort, true},         {"radix", radix_sort, true}};

static void fill(job *j, fill_fn *key) {
  kernel_rng rng = {j->count};
  for (size_t i = 0; i < j->count; i++) {
    record *r = &j->items[i];
    *r = (record){key(&rng, (uint32_t)i, (uint32_t)j->count), (uint32_t)i, {0}};
    uint32_t rest = r->key;
    for (int k = 0; k < NAME - 1 && rest; k++, rest /= 5)
      r->name[k] = (char)('a' + rest % 5);
  }
}

static uint64_t content(const job *j) {
  uint64_t sum = 0;
  for (size_t i = 0; i < j->count; i++)
    sum += kernel_checksum(KERNEL_CHECKSUM_START, &j->items[i], sizeof(record));
  return sum;
}

static bool in_order(const job *j, bool stable) {
  for (size_t i = 1; i < j->count; i++) {
    const record *a = &j->items[i - 1], *b = &j->items[i];
    int order = j->by->compare(a, b);
    if (order > 0 || (order == 0 && stable && a->place > b->place))
      return false;
  }
  return true;
}

int main(int argc, char **argv) {
  uint64_t sum = KERNEL_CHECKSUM_START;
  size_t size = (size_t)kernel_size(argc, argv, 400);
  record *items = allocate(size, sizeof *items);
  for (int a = 0; a < 6; a++) {
    job j = {items, size, NULL, 0, 0};
    for (int c = 0; c < 12; c++) {
      j.by = &orderings[c % 3];
      fill(&j, fillings[c / 3]);
      uint64_t before = content(&j);
      algorithms[a].sort(&j);
      if (!in_order(&j, algorithms[a].stable) || content(&j) != before) {
        printf("%s is wrong\n", algorithms[a].name);
        exit(1);
      }
      for (size_t i = 0; i < size; i++)
        sum = kernel_checksum_u64(sum, items[i].place);
    }
    printf("%s: %llu compares, %llu moves\n", algorithms[a].name,
           (unsigned long long)j.compares, (unsigned long long)j.moves);
  }
  free(items);
  printf("sorting checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
