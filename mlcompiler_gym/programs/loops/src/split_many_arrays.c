// SPDX-License-Identifier: Apache-2.0
// Eight stores into eight arrays and twelve arrays in all, behind pointers that
// may overlap: more address streams and more run-time checks than one loop
// bears well. The statements fall into three groups.
// Sizes: 1000 6000 40000

#include "loops.h"

enum { ARRAYS = 12, STORED = 8, MAX = 1 << 16, REPEATS = 50 };

static LOOP void sweep(float *const *arrays, size_t n, float weight) {
  float *a = arrays[0], *b = arrays[1], *c = arrays[2], *d = arrays[3];
  float *e = arrays[4], *f = arrays[5], *g = arrays[6], *h = arrays[7];
  const float *p = arrays[8], *q = arrays[9], *s = arrays[10], *t = arrays[11];
  for (size_t i = 1; i < n; i++) {
    a[i] = p[i] * weight + q[i];
    b[i] = p[i] - q[i] * weight;
    c[i] = 0.5f * c[i] + a[i] * b[i];
    d[i] = s[i] * 0.5f + d[i] * 0.25f;
    e[i] = d[i] * t[i] + e[i - 1] * 0.5f;
    f[i] = 0.5f * (f[i] + t[i]);
    g[i] = f[i] * f[i] - s[i];
    h[i] = 0.5f * h[i] + g[i] * weight;
  }
}

int main(int argc, char **argv) {
  static float pool[ARRAYS * MAX];
  float *arrays[ARRAYS];
  size_t n = (size_t)kernel_size(argc, argv, 6000);
  n = n > MAX ? MAX : n;
  for (uint64_t k = 0; k < ARRAYS; k++) {
    arrays[k] = pool + k * n;
    loops_fill_f32(arrays[k], n, 110 + k);
  }
  for (int r = 0; r < REPEATS; r++)
    sweep(arrays, n, 1.0f / (float)(r % 16 + 2));
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int k = 0; k < STORED; k++)
    sum = loops_sum_f32(sum, arrays[k], n);
  loops_report(sum);
  return 0;
}
