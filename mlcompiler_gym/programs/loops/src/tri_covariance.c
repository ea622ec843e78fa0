// SPDX-License-Identifier: Apache-2.0
// Triangular: covariances of the columns of a table in float, summed up in
// double. Centring is a loop of two types; the upper triangle is filled with
// the point in the middle loop, so that the inner loop carries nothing.
// Sizes: 12 32 80

#include "loops.h"

enum { POINTS = 60, ROUNDS = 26 };

static double *new_array(size_t size) {
  double *array = calloc(size, sizeof *array);
  if (!array)
    abort();
  return array;
}

LOOP static void add_means(size_t n, const float *table, double *mean,
                           double *power) {
  for (size_t p = 0; p < POINTS; p++)
    for (size_t j = 0; j < n; j++) {
      mean[j] += (double)table[p * n + j] / POINTS;
      power[j] += (double)table[p * n + j] * (double)table[p * n + j];
    }
}

LOOP static void centre(size_t n, float *table, const double *mean,
                        double *off) {
  for (size_t p = 0; p < POINTS; p++)
    for (size_t j = 0; j < n; j++) {
      off[p * n + j] = (double)table[p * n + j] - mean[j];
      table[p * n + j] = (float)(0.5 * off[p * n + j]);
    }
}

LOOP static void add_products(size_t n, const double *off, double *cov,
                              double *cubes) {
  for (size_t i = 0; i < n; i++)
    for (size_t p = 0; p < POINTS; p++) {
      double own = off[p * n + i];
      for (size_t j = i; j < n; j++) {
        double product = own * off[p * n + j];
        cov[i * n + j] += product;
        cubes[i * n + j] += own * product;
      }
    }
}

LOOP static void finish(size_t n, double *restrict cov) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = i; j < n; j++) {
      cov[i * n + j] /= POINTS - 1;
      cov[j * n + i] = cov[i * n + j];
    }
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 32);
  float *table = malloc(POINTS * n * sizeof *table);
  if (!table)
    abort();
  double *mean = new_array(n), *power = new_array(n);
  double *off = new_array(POINTS * n);
  double *cov = new_array(n * n), *cubes = new_array(n * n);
  for (uint64_t round = 0; round < ROUNDS; round++) {
    loops_fill_f32(table, POINTS * n, round);
    memset(mean, 0, n * sizeof *mean);
    add_means(n, table, mean, power);
    centre(n, table, mean, off);
    add_products(n, off, cov, cubes);
    finish(n, cov);
  }
  uint64_t sum = loops_sum_f32(KERNEL_CHECKSUM_START, table, POINTS * n);
  sum = loops_sum_f64(sum, mean, n);
  sum = loops_sum_f64(sum, power, n);
  sum = loops_sum_f64(sum, off, POINTS * n);
  sum = loops_sum_f64(sum, cov, n * n);
  loops_report(loops_sum_f64(sum, cubes, n * n));
  free(table);
  free(mean);
  free(power);
  free(off);
  free(cov);
  free(cubes);
  return 0;
}
