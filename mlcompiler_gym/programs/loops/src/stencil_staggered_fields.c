// SPDX-License-Identifier: Apache-2.0
// Stencil, two dimensions, three fields on staggered grids in one nest: the
// third field follows one row and one column behind the other two and reads
// what they wrote an iteration before. Legal to split, in this order only.
// Sizes: 16 48 110

#include "loops.h"

enum { STEPS = 180 };

static double *new_field(size_t size, uint64_t seed) {
  double *field = malloc(size * sizeof *field);
  if (!field)
    abort();
  loops_fill_f64(field, size, seed);
  return field;
}

LOOP static void advance(size_t n, double (*ex)[n], double (*ey)[n],
                         double (*hz)[n], const double (*gain)[n]) {
  for (size_t i = 1; i < n; i++)
    for (size_t j = 1; j < n; j++) {
      ex[i][j] = 0.996 * ex[i][j] + gain[i][j] * (hz[i][j] - hz[i - 1][j]);
      ey[i][j] = 0.996 * ey[i][j] - gain[i][j] * (hz[i][j] - hz[i][j - 1]);
      hz[i - 1][j - 1] += 0.375 * (ex[i][j - 1] - ex[i - 1][j - 1] -
                                   ey[i - 1][j] + ey[i - 1][j - 1]);
    }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 48), size = n * n;
  double *ex = new_field(size, 1), *ey = new_field(size, 2);
  double *hz = new_field(size, 3), *gain = new_field(size, 4);
  for (size_t at = 0; at < size; at++)
    gain[at] = 0.25 + 0.125 * gain[at];
  for (int step = 0; step < STEPS; step++) {
    advance(n, (double (*)[n])ex, (double (*)[n])ey, (double (*)[n])hz,
            (const double (*)[n])gain);
    hz[size / 2] = step % 4 ? -0.5 : 1.0;
  }
  uint64_t sum = loops_sum_f64(KERNEL_CHECKSUM_START, ex, size);
  sum = loops_sum_f64(sum, ey, size);
  loops_report(loops_sum_f64(sum, hz, size));
  free(ex);
  free(ey);
  free(hz);
  free(gain);
  return 0;
}
