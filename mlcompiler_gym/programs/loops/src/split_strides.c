// SPDX-License-Identifier: Apache-2.0
// Two groups of statements that walk at different strides: three at every
// element, three at every fourth. Nothing crosses between the groups; split,
// the first is vectorised without gathers.
// Sizes: 500 3000 20000

#include "loops.h"

enum { MAX = 1 << 15, REPEATS = 160 };

static float near_x[MAX], near_y[MAX], near_z[MAX], near_w[MAX];
static int32_t far_p[4 * MAX], far_q[4 * MAX], far_r[4 * MAX];

static LOOP void walk(size_t n, float shift, int32_t mask) {
  for (size_t i = 0; i < n; i++) {
    near_x[i] = near_y[i] * 0.5f + shift;
    far_p[4 * i] = (far_q[4 * i] + far_r[4 * i + 1]) & mask;
    near_y[i] = near_y[i] * near_z[i] - near_x[i] * 0.25f;
    far_q[4 * i + 2] = far_p[4 * i] ^ far_r[4 * i];
    near_w[i] = near_x[i] + near_y[i] * 0.5f;
    far_r[4 * i] = (far_q[4 * i + 2] * 3 + far_p[4 * i]) & mask;
  }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 3000);
  n = n > MAX ? MAX : n;
  loops_fill_f32(near_y, n, 31);
  loops_fill_f32(near_z, n, 32);
  loops_fill_i32(far_q, 4 * n, 33, 1 << 16);
  loops_fill_i32(far_r, 4 * n, 34, 1 << 16);
  for (int r = 0; r < REPEATS; r++)
    walk(n, (float)(r % 64) / 128, (1 << 20) - 1);
  uint64_t sum = KERNEL_CHECKSUM_START;
  sum = loops_sum_f32(sum, near_x, n);
  sum = loops_sum_f32(sum, near_y, n);
  sum = loops_sum_f32(sum, near_w, n);
  sum = loops_sum_i32(sum, far_p, 4 * n);
  sum = loops_sum_i32(sum, far_q, 4 * n);
  sum = loops_sum_i32(sum, far_r, 4 * n);
  loops_report(sum);
  return 0;
}
