// SPDX-License-Identifier: Apache-2.0
// Natural numbers of any size: arithmetic, decimal text, and well-known
// identities that the results have to satisfy.
// Sizes: 100 250 1000

#include "kernel.h"

// Limbs from the lowest on; the highest is not zero, and zero has none.
typedef struct {
  uint32_t *limbs;
  size_t length, capacity;
} big;

typedef void binary_fn(big *out, const big *a, const big *b);
typedef void test_fn(big *v, uint64_t n);

static void check(bool ok, const char *what) {
  if (!ok) {
    printf("failed: %s\n", what);
    exit(1);
  }
}

// Sets the length; limbs that are new are zero.
static void resize(big *n, size_t length) {
  if (length > n->capacity) {
    n->capacity = length + length / 2 + 4;
    n->limbs = realloc(n->limbs, n->capacity * sizeof *n->limbs);
    if (!n->limbs)
      abort();
  }
  for (; n->length < length; n->length++)
    n->limbs[n->length] = 0;
  n->length = length;
}

static void trim(big *n) {
  while (n->length && n->limbs[n->length - 1] == 0)
    n->length--;
}

static void release(big *n) {
  free(n->limbs);
  *n = (big){0};
}

// Gives a result to its place, which may have been an operand until now.
static void move(big *to, big *from) {
  release(to);
  *to = *from;
  *from = (big){0};
}

static big from_u64(uint64_t value) {
  big n = {0};
  resize(&n, 2);
  n.limbs[0] = (uint32_t)(value & 0xffffffff);
  n.limbs[1] = (uint32_t)(value >> 32);
  trim(&n);
  return n;
}

static big copy(const big *from) {
  big n = {0};
  resize(&n, from->length);
  for (size_t i = 0; i < n.length; i++)
    n.limbs[i] = from->limbs[i];
  return n;
}

static uint32_t limb(const big *n, size_t i) {
  return i < n->length ? n->limbs[i] : 0;
}

static bool is_zero(const big *n) { return n->length == 0; }

static int compare(const big *a, const big *b) {
  size_t i = a->length > b->length ? a->length : b->length;
  while (i-- > 0)
    if (limb(a, i) != limb(b, i))
      return limb(a, i) < limb(b, i) ? -1 : 1;
  return 0;
}

static void add(big *out, const big *a, const big *b) {
  big sum = {0};
  uint64_t carry = 0;
  resize(&sum, (a->length > b->length ? a->length : b->length) + 1);
  for (size_t i = 0; i < sum.length; i++) {
    carry += (uint64_t)limb(a, i) + limb(b, i);
    sum.limbs[i] = (uint32_t)(carry & 0xffffffff);
    carry >>= 32;
  }
  trim(&sum);
  move(out, &sum);
}

static void take_times(uint32_t *rest, const big *n, uint64_t times) {
  uint64_t carry = 0;
  for (size_t i = 0; i < n->length || carry; i++) {
    carry += times * limb(n, i);
    uint64_t part = (uint64_t)rest[i] - (carry & 0xffffffff);
    rest[i] = (uint32_t)(part & 0xffffffff);
    carry = (carry >> 32) + (part >> 63);
  }
}

static void subtract(big *out, const big *a, const big *b) {
  big rest = copy(a);
  check(compare(a, b) >= 0, "difference below zero");
  take_times(rest.limbs, b, 1);
  trim(&rest);
  move(out, &rest);
}

static void multiply(big *out, const big *a, const big *b) {
  big product = {0};
  resize(&product, a->length + b->length);
  for (size_t i = 0; i < a->length; i++) {
    uint64_t carry = 0;
    for (size_t j = 0; j < b->length || carry; j++) {
      carry += (uint64_t)a->limbs[i] * limb(b, j) + product.limbs[i + j];
      product.limbs[i + j] = (uint32_t)(carry & 0xffffffff);
      carry >>= 32;
    }
  }
  trim(&product);
  move(out, &product);
}

// Divides in place and returns the remainder.
static uint32_t divide_small(big *n, uint32_t divisor) {
  uint64_t rest = 0;
  for (size_t i = n->length; i-- > 0;) {
    rest = rest << 32 | n->limbs[i];
    n->limbs[i] = (uint32_t)(rest / divisor);
    rest %= divisor;
  }
  trim(n);
  return (uint32_t)rest;
}

// Whether the limbs from `rest` on, one more than the divisor has, are not
// less.
static bool has_divisor(const uint32_t *rest, const big *divisor) {
  for (size_t i = divisor->length + 1; i-- > 0;)
    if (rest[i] != limb(divisor, i))
      return rest[i] > limb(divisor, i);
  return true;
}

static void divide(big *quotient, big *remainder, const big *a, const big *b) {
  big q = {0}, rest = copy(a);
  check(b->length > 0, "division by zero");
  uint64_t above = (uint64_t)limb(b, b->length - 1) + 1;
  resize(&rest, a->length + 1);
  if (a->length >= b->length)
    resize(&q, a->length - b->length + 1);
  for (size_t i = q.length; i-- > 0;) {
    uint32_t *low = rest.limbs + i, *high = low + b->length;
    while (has_divisor(low, b)) {
      // Never too many, since the divisor is rounded up; perhaps none.
      uint64_t times = ((uint64_t)high[0] << 32 | high[-1]) / above;
      times += times == 0;
      take_times(low, b, times);
      q.limbs[i] += (uint32_t)times;
    }
  }
  trim(&q);
  trim(&rest);
  move(quotient, &q);
  move(remainder, &rest);
}

static void modulo(big *out, const big *a, const big *b) {
  big quotient = {0};
  divide(&quotient, out, a, b);
  release(&quotient);
}

static void gcd(big *out, const big *a, const big *b) {
  big x = copy(a), y = copy(b), rest = {0};
  while (!is_zero(&y)) {
    modulo(&rest, &x, &y);
    move(&x, &y);
    move(&y, &rest);
  }
  release(&y);
  move(out, &x);
}

// base to the power of exponent, modulo another number unless that is zero.
static void power(big *out, const big *base, const big *exponent,
                  const big *modulus) {
  big result = from_u64(1);
  for (size_t i = 32 * exponent->length; i-- > 0;) {
    multiply(&result, &result, &result);
    if (limb(exponent, i / 32) >> i % 32 & 1)
      multiply(&result, &result, base);
    if (!is_zero(modulus))
      modulo(&result, &result, modulus);
  }
  move(out, &result);
}

// Combines all of from, from + 1, ... to.
static void combine(big *out, uint64_t from, uint64_t to, binary_fn *function) {
  big result = from_u64(from);
  while (from++ < to) {
    big next = from_u64(from);
    function(&result, &result, &next);
    release(&next);
  }
  move(out, &result);
}

static bool same(const big *a, const big *b) { return compare(a, b) == 0; }

// Every test leaves a number to be printed in the first of its variables.

static void factorial(big *v, uint64_t n) {
  combine(&v[1], 1, n, multiply);
  combine(&v[2], n + 1, 2 * n, multiply);
  multiply(&v[0], &v[1], &v[2]);
  divide(&v[3], &v[4], &v[0], &v[1]);
  check(same(&v[3], &v[2]) && is_zero(&v[4]), "factorial");
}

static void fibonacci(big *v, uint64_t n) {
  v[1] = from_u64(1);
  for (; n > 0; n--) {
    add(&v[2], &v[0], &v[1]);
    move(&v[0], &v[1]);
    move(&v[1], &v[2]);
  }
  gcd(&v[2], &v[0], &v[1]);
  check(v[2].length == 1 && limb(&v[2], 0) == 1, "fibonacci");
}

static void mersenne(big *v, uint64_t n) {
  v[1] = from_u64(1);
  v[2] = from_u64(2);
  v[3] = from_u64(127);
  power(&v[0], &v[2], &v[3], &v[4]);
  subtract(&v[0], &v[0], &v[1]);
  v[5] = from_u64(n + 2);
  power(&v[6], &v[5], &v[0], &v[0]);
  check(same(&v[6], &v[5]), "mersenne");
}

static void division(big *v, uint64_t n) {
  kernel_rng rng = {n};
  uint64_t a = kernel_rng_next(&rng) >> 8, b = kernel_rng_next(&rng) >> 8;
  combine(&v[0], a, a + n, multiply);
  combine(&v[1], b, b + n / 2, multiply);
  divide(&v[2], &v[3], &v[0], &v[1]);
  multiply(&v[4], &v[2], &v[1]);
  add(&v[4], &v[4], &v[3]);
  check(same(&v[4], &v[0]) && compare(&v[3], &v[1]) < 0, "division");
}

// Prints the number in decimal, without what lies between the first and the
// last group of nine digits.
static uint64_t print(const char *name, const big *n, uint64_t sum) {
  big rest = copy(n);
  uint32_t group = 0, last = 0;
  int groups = 0;
  for (; !is_zero(&rest); groups++) {
    group = divide_small(&rest, 1000000000);
    last = groups ? last : group;
    sum = kernel_checksum_u64(sum, group);
  }
  printf("%s: %u...%09u, %d groups\n", name, group, last, groups);
  release(&rest);
  return sum;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    test_fn *run;
  } tests[] = {{"factorial", factorial},
               {"fibonacci", fibonacci},
               {"mersenne", mersenne},
               {"division", division}};
  int size = kernel_size(argc, argv, 250);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int i = 0; i < 4; i++) {
    big v[7] = {{0}};
    tests[i].run(v, (uint64_t)size);
    sum = print(tests[i].name, &v[0], sum);
    for (int k = 0; k < 7; k++)
      release(&v[k]);
  }
  printf("bigint checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
