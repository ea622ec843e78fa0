// SPDX-License-Identifier: Apache-2.0
// Gather: a table read at computed places and interpolated. The three stores
// share the two reads of the table; the pointers may overlap, and where the
// table ends is not known, so that no check at run time can clear the reads.
// Sizes: 200 1500 8000

#include "loops.h"

enum { TABLE = 257, ROUNDS = 300 };

static double *new_array(size_t size, uint64_t seed) {
  double *array = malloc(size * sizeof *array);
  if (!array)
    abort();
  loops_fill_f64(array, size, seed);
  return array;
}

LOOP static void look_up(int n, const double *table, const int32_t *place,
                         const double *part, double *base, double *slope,
                         double *value) {
  for (int i = 0; i < n; i++) {
    base[i] = table[place[i]];
    slope[i] = table[place[i] + 1] - table[place[i]];
    value[i] = 0.5 * value[i] + base[i] + part[i] * slope[i];
  }
}

// Every part stays within 0..1.
LOOP static void move_on(int n, int32_t *place, double *part, int32_t stride) {
  for (int i = 0; i < n; i++) {
    place[i] = (place[i] + stride) & (TABLE - 2);
    part[i] = part[i] < 0.75 ? part[i] + 0.25 : part[i] - 0.75;
  }
}

int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 1500);
  size_t size = (size_t)n;
  double *table = new_array(TABLE, 1), *part = new_array(size, 2);
  double *base = new_array(size, 3), *slope = new_array(size, 4);
  double *value = new_array(size, 5);
  int32_t *place = malloc(size * sizeof *place);
  if (!place)
    abort();
  loops_fill_i32(place, size, 6, TABLE - 1);
  for (size_t i = 0; i < size; i++)
    part[i] = 0.5 + 0.5 * part[i];
  for (int round = 0; round < ROUNDS; round++) {
    look_up(n, table, place, part, base, slope, value);
    move_on(n, place, part, 3 * round + 1);
  }
  uint64_t sum = loops_sum_f64(KERNEL_CHECKSUM_START, base, size);
  sum = loops_sum_f64(sum, slope, size);
  sum = loops_sum_f64(sum, part, size);
  loops_report(loops_sum_f64(sum, value, size));
  free(table);
  free(part);
  free(base);
  free(slope);
  free(value);
  free(place);
  return 0;
}
