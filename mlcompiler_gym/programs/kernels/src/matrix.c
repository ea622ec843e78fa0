// SPDX-License-Identifier: Apache-2.0
// Dense matrices: products and determinants modulo a prime, LU over doubles.
// Sizes: 10 20 70

#include "kernel.h"

#pragma STDC FP_CONTRACT OFF

enum { PRIME = 998244353, BLOCK = 8, CUTOFF = 4 };

typedef uint32_t (*field_op)(uint32_t, uint32_t);

// A window on the storage of a matrix: `stride` lets Strassen work on quadrants
// without copying them out.
typedef struct {
  uint32_t *data;
  size_t rows, cols, stride;
} Mat;

static void check(bool ok, const char *what) {
  if (ok)
    return;
  printf("matrix: check failed: %s\n", what);
  exit(1);
}

static void *grab(size_t count, size_t each) {
  void *p = calloc(count, each);
  check(p != NULL, "out of memory");
  return p;
}

static uint32_t field_add(uint32_t a, uint32_t b) {
  uint32_t s = a + b;
  return s >= PRIME ? s - PRIME : s;
}

static uint32_t field_sub(uint32_t a, uint32_t b) {
  return a >= b ? a - b : a + PRIME - b;
}

static uint32_t field_mul(uint32_t a, uint32_t b) {
  return (uint32_t)((uint64_t)a * b % PRIME);
}

static uint32_t field_pow(uint32_t base, uint32_t e) {
  uint32_t r = 1;
  for (; e; e >>= 1) {
    if (e & 1)
      r = field_mul(r, base);
    base = field_mul(base, base);
  }
  return r;
}

static Mat mat_new(size_t rows, size_t cols) {
  Mat m = {grab(rows * cols, sizeof(uint32_t)), rows, cols, cols};
  return m;
}

static void mat_free(Mat *m, size_t count) {
  for (size_t i = 0; i < count; i++)
    free(m[i].data);
}

static uint32_t *mat_at(const Mat *m, size_t i, size_t j) {
  return &m->data[i * m->stride + j];
}

static Mat mat_window(const Mat *m, size_t i, size_t j, size_t rows,
                      size_t cols) {
  Mat w = {mat_at(m, i, j), rows, cols, m->stride};
  return w;
}

static Mat mat_random(kernel_rng *rng, size_t rows, size_t cols) {
  Mat m = mat_new(rows, cols);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < cols; j++)
      *mat_at(&m, i, j) = (uint32_t)(kernel_rng_next(rng) % PRIME);
  return m;
}

static void mat_copy(Mat *dst, const Mat *src) {
  for (size_t i = 0; i < src->rows; i++)
    memcpy(mat_at(dst, i, 0), mat_at(src, i, 0), src->cols * sizeof(uint32_t));
}

static Mat mat_clone(const Mat *src) {
  Mat m = mat_new(src->rows, src->cols);
  mat_copy(&m, src);
  return m;
}

static bool mat_equal(const Mat *a, const Mat *b) {
  for (size_t i = 0; i < a->rows; i++)
    for (size_t j = 0; j < a->cols; j++)
      if (*mat_at(a, i, j) != *mat_at(b, i, j))
        return false;
  return true;
}

static void mat_zip(Mat *dst, const Mat *a, const Mat *b, field_op op) {
  for (size_t i = 0; i < a->rows; i++)
    for (size_t j = 0; j < a->cols; j++)
      *mat_at(dst, i, j) = op(*mat_at(a, i, j), *mat_at(b, i, j));
}

static Mat mat_transpose(const Mat *a) {
  Mat t = mat_new(a->cols, a->rows);
  for (size_t i = 0; i < a->rows; i++)
    for (size_t j = 0; j < a->cols; j++)
      *mat_at(&t, j, i) = *mat_at(a, i, j);
  return t;
}

// dst += a * b; the caller clears dst, which is what lets blocks accumulate.
static void mat_mul_add(Mat *dst, const Mat *a, const Mat *b) {
  for (size_t i = 0; i < a->rows; i++)
    for (size_t k = 0; k < a->cols; k++) {
      uint32_t f = *mat_at(a, i, k);
      for (size_t j = 0; j < b->cols; j++) {
        uint32_t *d = mat_at(dst, i, j);
        *d = field_add(*d, field_mul(f, *mat_at(b, k, j)));
      }
    }
}

static size_t block_len(size_t at, size_t end) {
  return end - at < BLOCK ? end - at : BLOCK;
}

static Mat mat_mul_blocked(const Mat *a, const Mat *b) {
  Mat c = mat_new(a->rows, b->cols);
  for (size_t i = 0; i < a->rows; i += BLOCK)
    for (size_t k = 0; k < a->cols; k += BLOCK)
      for (size_t j = 0; j < b->cols; j += BLOCK) {
        size_t ni = block_len(i, a->rows), nk = block_len(k, a->cols);
        size_t nj = block_len(j, b->cols);
        Mat wa = mat_window(a, i, k, ni, nk), wb = mat_window(b, k, j, nk, nj);
        Mat wc = mat_window(&c, i, j, ni, nj);
        mat_mul_add(&wc, &wa, &wb);
      }
  return c;
}

// dst += each parts[i] by its sign: '+', '-', or '.' to leave it out.
static void mat_combine(Mat *dst, const Mat *parts, const char *signs) {
  for (; *signs; signs++, parts++)
    if (*signs != '.')
      mat_zip(dst, dst, parts, *signs == '+' ? field_add : field_sub);
}

// Which quadrants make up each factor, and which products each quadrant.
static const char *const LEFT[] = {"+..+", "..++", "+...", "...+",
                                   "++..", "-.+.", ".+.-"};
static const char *const RIGHT[] = {"+..+", "+...", ".+.-", "-.+.",
                                    "...+", "++..", "..++"};
static const char *const RESULT[] = {"+..+-.+", "..+.+..", ".+.+...",
                                     "+-+..+."};

static void strassen(Mat *dst, const Mat *a, const Mat *b) {
  size_t h = a->rows / 2;
  if (a->rows <= CUTOFF) {
    mat_mul_add(dst, a, b);
    return;
  }
  Mat qa[4], qb[4], products[7];
  for (size_t q = 0; q < 4; q++) {
    qa[q] = mat_window(a, q / 2 * h, q % 2 * h, h, h);
    qb[q] = mat_window(b, q / 2 * h, q % 2 * h, h, h);
  }
  for (size_t i = 0; i < 7; i++) {
    Mat f[2] = {mat_new(h, h), mat_new(h, h)};
    products[i] = mat_new(h, h);
    mat_combine(&f[0], qa, LEFT[i]);
    mat_combine(&f[1], qb, RIGHT[i]);
    strassen(&products[i], &f[0], &f[1]);
    mat_free(f, 2);
  }
  for (size_t q = 0; q < 4; q++) {
    Mat qc = mat_window(dst, q / 2 * h, q % 2 * h, h, h);
    mat_combine(&qc, products, RESULT[q]);
  }
  mat_free(products, 7);
}

// Strassen halves, so pad to a power of two and cut the answer back out.
static Mat mat_mul_strassen(const Mat *a, const Mat *b) {
  size_t n = 1;
  while (n < a->rows)
    n *= 2;
  Mat pad[3] = {mat_new(n, n), mat_new(n, n), mat_new(n, n)};
  mat_copy(&pad[0], a);
  mat_copy(&pad[1], b);
  strassen(&pad[2], &pad[0], &pad[1]);
  Mat cut = mat_window(&pad[2], 0, 0, a->rows, b->cols), c = mat_clone(&cut);
  mat_free(pad, 3);
  return c;
}

// Determinant by elimination.  A zero pivot is mended by adding a lower row,
// which, unlike a swap, keeps the sign.
static uint32_t mat_det(const Mat *a) {
  Mat m = mat_clone(a);
  uint32_t det = 1;
  for (size_t c = 0; c < m.cols && det; c++) {
    size_t p = c;
    while (p < m.rows && *mat_at(&m, p, c) == 0)
      p++;
    if (p != c && p < m.rows) {
      Mat to = mat_window(&m, c, 0, 1, m.cols);
      Mat from = mat_window(&m, p, 0, 1, m.cols);
      mat_zip(&to, &to, &from, field_add);
    }
    det = field_mul(det, *mat_at(&m, c, c));
    uint32_t inv = field_pow(*mat_at(&m, c, c), PRIME - 2);
    for (size_t r = c + 1; r < m.rows; r++) {
      uint32_t f = field_mul(inv, *mat_at(&m, r, c));
      for (size_t j = c; f && j < m.cols; j++) {
        uint32_t *d = mat_at(&m, r, j);
        *d = field_sub(*d, field_mul(f, *mat_at(&m, c, j)));
      }
    }
  }
  mat_free(&m, 1);
  return det;
}

// In-place LU of a diagonally dominant matrix, which needs no pivoting.
static void lu_factor(double *a, size_t n) {
  for (size_t k = 0; k < n; k++)
    for (size_t i = k + 1; i < n; i++) {
      double f = a[i * n + k] = a[i * n + k] / a[k * n + k];
      for (size_t j = k + 1; j < n; j++)
        a[i * n + j] = a[i * n + j] - f * a[k * n + j];
    }
}

static double dot(const double *row, const double *x, size_t from, size_t to) {
  double s = 0;
  for (size_t i = from; i < to; i++)
    s = s + row[i] * x[i];
  return s;
}

static void lu_solve(const double *lu, const double *rhs, double *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    x[i] = rhs[i] - dot(lu + i * n, x, 0, i);
  for (size_t i = n; i-- > 0;)
    x[i] = (x[i] - dot(lu + i * n, x, i + 1, n)) / lu[i * n + i];
}

static uint64_t run_solver(kernel_rng *rng, size_t n, uint64_t sum) {
  double *a = grab(2 * n * n + 2 * n, sizeof *a), *lu = a + n * n;
  double *rhs = lu + n * n, *x = rhs + n;
  for (size_t i = 0; i < n * n; i++)
    a[i] = (double)(kernel_rng_next(rng) % 2001) / 1000.0 - 1.0;
  for (size_t i = 0; i < n; i++) {
    a[i * n + i] = a[i * n + i] + 2.0 * (double)n;
    rhs[i] = (double)(kernel_rng_next(rng) % 1000);
  }
  memcpy(lu, a, n * n * sizeof *a); // the residual needs the original
  lu_factor(lu, n);
  lu_solve(lu, rhs, x, n);
  for (size_t i = 0; i < n; i++) {
    double miss = dot(a + i * n, x, 0, n) - rhs[i];
    uint64_t bits;
    check(miss < 1e-6 && miss > -1e-6, "LU residual");
    memcpy(&bits, &x[i], sizeof bits);
    sum = kernel_checksum_u64(sum, bits);
  }
  printf("lu solve: %zu unknowns, x0 = %lld e-9\n", n, (long long)(x[0] * 1e9));
  free(a);
  return sum;
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 20);
  kernel_rng rng = {2024};
  uint64_t sum = KERNEL_CHECKSUM_START;
  Mat a = mat_random(&rng, n, n), b = mat_random(&rng, n, n);
  Mat ta = mat_transpose(&a), tb = mat_transpose(&b);
  Mat c = mat_mul_blocked(&a, &b), s = mat_mul_strassen(&a, &b);
  Mat tc = mat_mul_blocked(&tb, &ta), ctt = mat_transpose(&tc);
  check(mat_equal(&c, &s), "Strassen agrees with blocks");
  check(mat_equal(&c, &ctt), "(B'A')' = AB");
  uint32_t da = mat_det(&a), db = mat_det(&b), dc = mat_det(&c);
  check(mat_det(&ta) == da, "det A' = det A");
  check(field_mul(da, db) == dc, "det AB = det A det B");
  for (size_t i = 0; i < n * n; i++)
    sum = kernel_checksum_u64(sum, c.data[i]);
  printf("product %zux%zu, corner %u\n", n, n, *mat_at(&c, n - 1, 0));
  printf("determinants %u %u %u\n", da, db, dc);
  sum = run_solver(&rng, n, kernel_checksum_u64(sum, dc));
  Mat all[] = {a, b, ta, tb, c, s, tc, ctt};
  mat_free(all, 8);
  printf("matrix checksum %016llx\n", (unsigned long long)sum);
  return 0;
}
