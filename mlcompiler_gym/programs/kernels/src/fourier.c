// SPDX-License-Identifier: Apache-2.0
// Fourier transforms in mixed radices and number theoretic ones; convolutions
// by each of them and by hand have to agree.
// Sizes: 60 200 500

#include "kernel.h"

typedef struct {
  double re, im;
} cpx;

typedef struct {
  size_t n;
  cpx *roots; // the n-th roots of unity
} circle;

typedef void convolve(uint64_t *out, const uint64_t *a, const uint64_t *b,
                      size_t n);

static void *zeroed(size_t count, size_t size) {
  void *block = calloc(count + 1, size);
  if (!block)
    abort();
  return block;
}

static cpx add(cpx a, cpx b) { return (cpx){a.re + b.re, a.im + b.im}; }
static cpx sub(cpx a, cpx b) { return (cpx){a.re - b.re, a.im - b.im}; }
static cpx mirror(cpx a) { return (cpx){a.re, -a.im}; }
static cpx turn(cpx a) { return (cpx){-a.im, a.re}; }
static double norm(cpx a) { return a.re * a.re + a.im * a.im; }
static cpx scale(cpx a, double by) { return (cpx){a.re * by, a.im * by}; }

static cpx mul(cpx a, cpx b) {
  return (cpx){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

// exp(i * angle) by its series, for an angle from zero to an eighth of a turn.
static cpx small_angle(double angle) {
  cpx sum = {1, 0}, term = {1, 0};
  for (int i = 1; i < 18; i++) {
    term = scale(turn(term), angle / i);
    sum = add(sum, term);
  }
  return sum;
}

// The k-th of n: the circle's symmetries bring the angle down to an eighth.
static cpx unit_root(size_t k, size_t n) {
  if (2 * k > n)
    return mirror(unit_root(n - k, n));
  if (4 * k > n)
    return turn(unit_root(4 * k - n, 4 * n));
  if (8 * k > n)
    return turn(mirror(unit_root(n - 4 * k, 4 * n)));
  return small_angle(6.283185307179586477 * (double)k / (double)n);
}

static circle make_circle(size_t n) {
  circle c = {n, zeroed(n, sizeof(cpx))};
  for (size_t k = 0; k < n; k++)
    c.roots[k] = mirror(unit_root(k, n));
  return c;
}

// A butterfly joins `radix` transforms of a `part` of the length, of which the
// one at j * part has been turned for its place already.
static void butterfly2(cpx *out, size_t part) {
  cpx a = out[0], b = out[part];
  out[0] = add(a, b);
  out[part] = sub(a, b);
}

static void butterfly3(cpx *out, size_t part, double sine) {
  cpx b = out[part], d = out[2 * part], sum = add(b, d);
  cpx side = scale(turn(sub(b, d)), sine);
  cpx middle = sub(out[0], scale(sum, 0.5));
  out[0] = add(out[0], sum);
  out[part] = add(middle, side);
  out[2 * part] = sub(middle, side);
}

static void butterfly4(cpx *out, size_t part) {
  cpx sum = add(out[0], out[2 * part]), apart = sub(out[0], out[2 * part]);
  cpx odd = add(out[part], out[3 * part]);
  cpx side = turn(sub(out[part], out[3 * part]));
  out[0] = add(sum, odd);
  out[part] = sub(apart, side);
  out[2 * part] = sub(sum, odd);
  out[3 * part] = add(apart, side);
}

static void butterfly_any(cpx *out, size_t part, size_t radix,
                          const circle *c) {
  cpx *all = zeroed(radix, sizeof *all);
  for (size_t k = 0; k < radix; k++)
    for (size_t i = 0; i < radix; i++)
      all[k] = add(
          all[k], mul(out[i * part], c->roots[c->n / radix * (k * i % radix)]));
  for (size_t k = 0; k < radix; k++)
    out[k * part] = all[k];
  free(all);
}

static void join(cpx *out, size_t part, size_t radix, const circle *c) {
  if (radix == 2)
    butterfly2(out, part);
  else if (radix == 3)
    butterfly3(out, part, c->roots[c->n / 3].im);
  else if (radix == 4)
    butterfly4(out, part);
  else
    butterfly_any(out, part, radix, c);
}

static size_t find_radix(size_t n) {
  size_t radix = n % 4 == 0 ? 4 : 2;
  while (n % radix)
    radix++;
  return radix;
}

// Every `stride`-th of the input, n of them.
static void mixed_step(cpx *out, const cpx *in, size_t n, size_t stride,
                       const circle *c) {
  *out = *in;
  if (n == 1)
    return;
  size_t radix = find_radix(n), part = n / radix;
  for (size_t j = 0; j < radix; j++)
    mixed_step(out + j * part, in + j * stride, part, stride * radix, c);
  for (size_t k = 0; k < part; k++) {
    for (size_t j = 1; j < radix; j++)
      out[j * part + k] = mul(out[j * part + k], c->roots[stride * j * k]);
    join(out + k, part, radix, c);
  }
}

// By the definition, as one butterfly of parts of length one.
static void plain(cpx *out, const cpx *in, size_t n) {
  circle c = make_circle(n);
  memcpy(out, in, n * sizeof *out);
  butterfly_any(out, 1, n, &c);
  free(c.roots);
}

static void mixed(cpx *out, const cpx *in, size_t n) {
  circle c = make_circle(n);
  mixed_step(out, in, n, 1, &c);
  free(c.roots);
}

static void backwards(cpx *out, cpx *in, size_t n) {
  for (size_t i = 0; i < n; i++)
    in[i] = mirror(in[i]);
  mixed(out, in, n);
  for (size_t i = 0; i < n; i++)
    out[i] = scale(mirror(out[i]), 1 / (double)n);
}

static void by_hand(uint64_t *out, const uint64_t *a, const uint64_t *b,
                    size_t n) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      out[i + j] += a[i] * b[j];
}

// Both at once: the imaginary part of the square of a + ib is 2ab.
static void by_fourier(uint64_t *out, const uint64_t *a, const uint64_t *b,
                       size_t n) {
  cpx *in = zeroed(4 * n, sizeof *in), *spectrum = in + 2 * n;
  for (size_t i = 0; i < n; i++)
    in[i] = (cpx){(double)a[i], (double)b[i]};
  mixed(spectrum, in, 2 * n);
  for (size_t i = 0; i < 2 * n; i++)
    spectrum[i] = mul(spectrum[i], spectrum[i]);
  backwards(in, spectrum, 2 * n);
  for (size_t i = 0; i < 2 * n; i++)
    out[i] = (uint64_t)(in[i].im / 2 + 0.5);
  free(in);
}

static uint64_t power(uint64_t base, uint64_t exponent, uint64_t prime) {
  uint64_t out = 1;
  for (; exponent; exponent >>= 1, base = base * base % prime)
    if (exponent & 1)
      out = out * base % prime;
  return out;
}

static void reverse_bits(uint64_t *data, size_t n) {
  for (size_t i = 1, j = 0; i < n; i++) {
    size_t bit = n;
    do
      j ^= bit >>= 1;
    while (!(j & bit));
    uint64_t old = data[i];
    if (i < j) {
      data[i] = data[j];
      data[j] = old;
    }
  }
}

// In place, n a power of two, `root` an n-th root of unity.
static void number_transform(uint64_t *data, size_t n, uint64_t root,
                             uint64_t prime) {
  reverse_bits(data, n);
  for (size_t half = 1; half < n; half *= 2) {
    uint64_t step = power(root, n / (2 * half), prime), w = 1;
    for (size_t j = 0; j < half; j++, w = w * step % prime)
      for (size_t i = j; i < n; i += 2 * half) {
        uint64_t a = data[i], b = data[i + half] * w % prime;
        data[i] = (a + b) % prime;
        data[i + half] = (a + prime - b) % prime;
      }
  }
}

static uint64_t *modulo_prime(const uint64_t *a, const uint64_t *b, size_t n,
                              uint64_t prime) {
  size_t m = 1;
  while (m < 2 * n)
    m *= 2;
  uint64_t *x = zeroed(m, sizeof *x), *y = zeroed(m, sizeof *y);
  uint64_t root = power(3, (prime - 1) / m, prime);
  memcpy(x, a, n * sizeof *x);
  memcpy(y, b, n * sizeof *y);
  number_transform(x, m, root, prime);
  number_transform(y, m, root, prime);
  for (size_t i = 0; i < m; i++)
    x[i] = x[i] * y[i] % prime * power(m, prime - 2, prime) % prime;
  number_transform(x, m, power(root, prime - 2, prime), prime);
  free(y);
  return x;
}

// Modulo two primes, put together by the Chinese remainder theorem.
static void by_primes(uint64_t *out, const uint64_t *a, const uint64_t *b,
                      size_t n) {
  const uint64_t p = 998244353, q = 469762049;
  uint64_t *x = modulo_prime(a, b, n, p), *y = modulo_prime(a, b, n, q);
  for (size_t i = 0; i < 2 * n; i++) {
    uint64_t apart = (y[i] + q - x[i] % q) % q;
    out[i] = x[i] + p * (apart * power(p, q - 2, q) % q);
  }
  free(x);
  free(y);
}

static void expect_close(const cpx *a, const cpx *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (norm(sub(a[i], b[i])) > 1e-12)
      abort();
}

static void test_transforms(size_t n, kernel_rng *rng) {
  cpx *in = zeroed(3 * n, sizeof *in), *want = in + n, *out = want + n;
  for (size_t i = 0; i < n; i++) {
    in[i].re = (int)(kernel_rng_next(rng) % 2001) / 1000.0 - 1;
    in[i].im = (int)(kernel_rng_next(rng) % 2001) / 1000.0 - 1;
  }
  plain(want, in, n);
  mixed(out, in, n);
  expect_close(out, want, n);
  backwards(want, out, n);
  expect_close(want, in, n);
  free(in);
}

static uint64_t test_convolutions(size_t n, kernel_rng *rng) {
  static convolve *const others[] = {by_fourier, by_primes};
  uint64_t *in = zeroed(6 * n, sizeof *in), *want = in + 2 * n;
  uint64_t *out = want + 2 * n, sum = KERNEL_CHECKSUM_START;
  for (size_t i = 0; i < 2 * n; i++)
    in[i] = kernel_rng_next(rng) % 32768;
  by_hand(want, in, in + n, n);
  for (size_t way = 0; way < 2; way++) {
    others[way](out, in, in + n, n);
    if (memcmp(out, want, 2 * n * sizeof *out))
      abort();
  }
  for (size_t i = 0; i < 2 * n; i++)
    sum = kernel_checksum_u64(sum, want[i]);
  free(in);
  return sum;
}

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 200);
  kernel_rng rng = {5};
  for (size_t n = size; n < size + 3; n++) {
    test_transforms(n, &rng);
    printf("length %zu: %016llx\n", n,
           (unsigned long long)test_convolutions(n, &rng));
  }
  return 0;
}
