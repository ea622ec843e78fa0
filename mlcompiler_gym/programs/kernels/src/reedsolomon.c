// SPDX-License-Identifier: Apache-2.0
// Reed-Solomon codes over GF(256): systematic encoding, errors and erasures put
// in, and decoding with two solvers of the key equation that have to agree.
// Sizes: 8 40 250

#include "kernel.h"

enum { FIELD = 255, MAX_CHECKS = 32, MAX_TERMS = 2 * MAX_CHECKS + 2 };

// The lowest term first, and zeros past the degree.
typedef struct {
  int degree;
  uint8_t term[MAX_TERMS];
} poly;

typedef struct {
  int length, checks;
  uint8_t generator[MAX_CHECKS + 1];
} code;

typedef struct {
  int count;
  uint8_t places[FIELD];
} place_list;

typedef bool solver_fn(const poly *syndromes, int erasures, int checks,
                       poly *locator, poly *evaluator);

static uint8_t powers[2 * FIELD], logs[FIELD + 1];

static void fill_field(void) {
  unsigned x = 1;
  for (int i = 0; i < FIELD; i++) {
    powers[i] = powers[i + FIELD] = (uint8_t)x;
    logs[x] = (uint8_t)i;
    x = x << 1 ^ (x & 0x80 ? 0x11d : 0);
  }
}

static uint8_t multiply(uint8_t a, uint8_t b) {
  return a && b ? powers[logs[a] + logs[b]] : 0;
}

static uint8_t divide(uint8_t a, uint8_t b) {
  return a ? powers[logs[a] + FIELD - logs[b]] : 0;
}

static uint8_t power(int exponent) {
  return powers[(exponent % FIELD + FIELD) % FIELD];
}

static void trim(poly *p) {
  p->degree = MAX_TERMS - 1;
  while (p->degree > 0 && p->term[p->degree] == 0)
    p->degree--;
}

static bool is_zero(const poly *p) { return p->degree == 0 && !p->term[0]; }

static uint8_t evaluate(const poly *p, uint8_t x) {
  uint8_t value = 0;
  for (int i = p->degree; i >= 0; i--)
    value = multiply(value, x) ^ p->term[i];
  return value;
}

// Adds `b` times `factor` times x to the `shift`.
static void add_scaled(poly *a, const poly *b, uint8_t factor, int shift) {
  for (int i = 0; i <= b->degree && i + shift < MAX_TERMS; i++)
    a->term[i + shift] ^= multiply(b->term[i], factor);
  trim(a);
}

// The product up to the term before `limit`.
static poly product(const poly *a, const poly *b, int limit) {
  poly p = {0};
  for (int i = 0; i <= a->degree; i++)
    for (int k = 0; k <= b->degree && i + k < limit; k++)
      p.term[i + k] ^= multiply(a->term[i], b->term[k]);
  trim(&p);
  return p;
}

// Takes the remainder and returns the quotient.
static poly divide_poly(poly *a, const poly *b) {
  poly quotient = {0};
  while (!is_zero(a) && a->degree >= b->degree) {
    int shift = a->degree - b->degree;
    uint8_t factor = divide(a->term[a->degree], b->term[b->degree]);
    quotient.term[shift] = factor;
    add_scaled(a, b, factor, shift);
  }
  trim(&quotient);
  return quotient;
}

static poly derivative(const poly *p) {
  poly d = {0};
  for (int i = 1; i <= p->degree; i += 2)
    d.term[i - 1] = p->term[i];
  trim(&d);
  return d;
}

static void make_code(code *c, int length, int checks) {
  poly generator = {0, {1}};
  *c = (code){.length = length, .checks = checks};
  for (int i = 0; i < checks; i++) {
    poly factor = {1, {power(i), 1}};
    generator = product(&generator, &factor, MAX_TERMS);
  }
  memcpy(c->generator, generator.term, sizeof c->generator);
}

// The checks are what a shift register holds after the data went through it;
// the first byte of a word is its highest term.
static void encode(const code *c, uint8_t *word) {
  int data = c->length - c->checks;
  uint8_t held[MAX_CHECKS] = {0};
  for (int i = 0; i < data; i++) {
    uint8_t feedback = word[i] ^ held[c->checks - 1];
    for (int k = c->checks - 1; k > 0; k--)
      held[k] = held[k - 1] ^ multiply(feedback, c->generator[k]);
    held[0] = multiply(feedback, c->generator[0]);
  }
  for (int k = 0; k < c->checks; k++)
    word[c->length - 1 - k] = held[k];
}

static poly syndromes_of(const code *c, const uint8_t *word) {
  poly s = {0};
  for (int i = 0; i < c->checks; i++)
    for (int k = 0; k < c->length; k++)
      s.term[i] = multiply(s.term[i], power(i)) ^ word[k];
  trim(&s);
  return s;
}

// Berlekamp and Massey: the shortest register that makes the syndromes, which
// begins as the locator of the erasures.
static bool solve_massey(const poly *syndromes, int erasures, int checks,
                         poly *locator, poly *evaluator) {
  poly before = *locator;
  int length = erasures;
  for (int i = erasures; i < checks; i++) {
    poly old = *locator;
    uint8_t wrong = 0;
    for (int k = 0; k <= locator->degree && k <= i; k++)
      wrong ^= multiply(locator->term[k], syndromes->term[i - k]);
    poly moved = {0};
    add_scaled(&moved, &before, 1, 1);
    before = moved;
    if (wrong == 0)
      continue;
    add_scaled(locator, &before, wrong, 0);
    if (2 * length <= i + erasures) {
      length = i + erasures + 1 - length;
      before = (poly){0};
      add_scaled(&before, &old, divide(1, wrong), 0);
    }
  }
  *evaluator = product(locator, syndromes, checks);
  return locator->degree == length;
}

// Sugiyama: Euclid's algorithm until the remainder is small enough.
static bool solve_euclid(const poly *syndromes, int erasures, int checks,
                         poly *locator, poly *evaluator) {
  poly last = {0}, now = product(syndromes, locator, checks);
  poly last_factor = {0}, factor = {0, {1}};
  last.term[checks] = 1;
  trim(&last);
  while (!is_zero(&now) && 2 * now.degree >= checks + erasures) {
    poly next = last, next_factor = last_factor;
    poly quotient = divide_poly(&next, &now);
    poly step = product(&quotient, &factor, MAX_TERMS);
    add_scaled(&next_factor, &step, 1, 0);
    last = now, now = next;
    last_factor = factor, factor = next_factor;
  }
  if (factor.term[0] == 0)
    return false;
  poly unit = {0, {divide(1, factor.term[0])}};
  *evaluator = product(&now, &unit, MAX_TERMS);
  factor = product(&factor, &unit, MAX_TERMS);
  *locator = product(locator, &factor, MAX_TERMS);
  return true;
}

// Chien's search: the places whose inverse power is a root.
static bool find_places(const code *c, const poly *locator, place_list *found) {
  found->count = 0;
  for (int i = 0; i < c->length; i++)
    if (evaluate(locator, power(i - c->length + 1)) == 0)
      found->places[found->count++] = (uint8_t)i;
  return found->count == locator->degree;
}

// Forney's formula.
static void repair(const code *c, const poly *locator, const poly *evaluator,
                   const place_list *found, uint8_t *word) {
  poly slope = derivative(locator);
  for (int i = 0; i < found->count; i++) {
    int exponent = c->length - 1 - found->places[i];
    uint8_t top = evaluate(evaluator, power(-exponent));
    uint8_t bottom = evaluate(&slope, power(-exponent));
    word[found->places[i]] ^= multiply(power(exponent), divide(top, bottom));
  }
}

// How many bytes were repaired, or -1 if the word cannot be.
static int decode(const code *c, solver_fn *solve, const place_list *erased,
                  uint8_t *word) {
  poly syndromes = syndromes_of(c, word), locator = {0, {1}}, evaluator;
  place_list found;
  if (is_zero(&syndromes))
    return 0;
  for (int i = 0; i < erased->count; i++) {
    poly factor = {1, {1, power(c->length - 1 - erased->places[i])}};
    locator = product(&locator, &factor, MAX_TERMS);
  }
  if (!solve(&syndromes, erased->count, c->checks, &locator, &evaluator) ||
      !find_places(c, &locator, &found) ||
      2 * found.count - erased->count > c->checks)
    return -1;
  repair(c, &locator, &evaluator, &found, word);
  syndromes = syndromes_of(c, word);
  return is_zero(&syndromes) ? found.count : -1;
}

// Errors at places that all differ; the first ones are known as erasures.
static void corrupt(const code *c, kernel_rng *rng, int errors,
                    place_list *known, uint8_t *word) {
  bool hit[FIELD] = {false};
  for (int i = 0; i < known->count + errors; i++) {
    unsigned place;
    do
      place = (unsigned)(kernel_rng_next(rng) % (unsigned)c->length);
    while (hit[place]);
    hit[place] = true;
    word[place] ^= (uint8_t)(1 + kernel_rng_next(rng) % FIELD);
    if (i < known->count)
      known->places[i] = (uint8_t)place;
  }
}

static void run(const code *c, kernel_rng *rng, int erasures, int errors,
                uint64_t *sum) {
  static solver_fn *const solvers[] = {solve_massey, solve_euclid};
  uint8_t sent[FIELD] = {0}, received[FIELD], repaired[FIELD];
  place_list known = {.count = erasures};
  for (int i = 0; i < c->length; i++)
    sent[i] = (uint8_t)kernel_rng_next(rng);
  encode(c, sent);
  memcpy(received, sent, sizeof sent);
  corrupt(c, rng, errors, &known, received);
  for (int i = 0; i < 2; i++) {
    memcpy(repaired, received, sizeof received);
    int count = decode(c, solvers[i], &known, repaired);
    bool same = count >= 0 && !memcmp(repaired, sent, (size_t)c->length);
    // More than the code can stand must not come back as what was sent.
    if (same != (erasures + 2 * errors <= c->checks))
      exit(1);
  }
  *sum = kernel_checksum(*sum, received, sizeof received);
}

static void check_known(void) {
  uint8_t word[26] = {32, 91, 11,  120, 209, 114, 220, 77,
                      67, 64, 236, 17,  236, 17,  236, 17};
  static const uint8_t checks[10] = {196, 35,  39,  119, 235,
                                     215, 231, 226, 93,  23};
  code c; // of QR codes, for HELLO WORLD
  make_code(&c, 26, 10);
  encode(&c, word);
  if (memcmp(word + 16, checks, sizeof checks))
    exit(2);
}

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 40);
  uint64_t sum = KERNEL_CHECKSUM_START;
  kernel_rng rng = {23};
  code codes[3];
  fill_field();
  check_known();
  make_code(&codes[0], 255, 32);
  make_code(&codes[1], 204, 16);
  make_code(&codes[2], 40, 7);
  for (int i = 0; i < size; i++) {
    const code *c = &codes[i % 3];
    int erasures = i % (c->checks + 1);
    int errors = (c->checks - erasures) / 2 + (i % 8 == 7);
    run(c, &rng, erasures, errors, &sum);
  }
  printf("reedsolomon checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
