// SPDX-License-Identifier: Apache-2.0
// Stencil, one dimension, in place: the flux of the iteration before is read
// again, and that hinders vectorising although nothing runs in a cycle. With
// the flux in a loop of its own both halves are free.
// Sizes: 200 1500 8000

#include "loops.h"

enum { MAX = 8000, STEPS = 450 };

static double heat[MAX], flux[MAX], conduct[MAX], change[MAX], activity[MAX];

// The flux through cell 0's left wall stays zero.
LOOP static void diffuse(size_t n, double dt) {
  for (size_t i = 1; i + 1 < n; i++) {
    flux[i] = conduct[i] * (heat[i + 1] - heat[i]);
    change[i] = dt * (flux[i] - flux[i - 1]);
    heat[i] += change[i];
    activity[i] = 0.75 * activity[i] + change[i] * change[i];
  }
}

// What is lost at the ends comes back as a source everywhere.
LOOP static void feed(size_t n, double amount) {
  for (size_t i = 0; i < n; i++)
    heat[i] = 0.999 * heat[i] + amount * conduct[i];
}

int main(int argc, char **argv) {
  size_t n = (size_t)kernel_size(argc, argv, 1500);
  if (n > MAX)
    n = MAX;
  loops_fill_f64(heat, n, 1);
  loops_fill_f64(conduct, n, 2);
  for (size_t i = 0; i < n; i++)
    conduct[i] = 0.5 + 0.375 * conduct[i];
  for (int step = 0; step < STEPS; step++) {
    diffuse(n, step % 2 ? 0.25 : 0.375);
    feed(n, 0.0009765625);
  }
  uint64_t sum = loops_sum_f64(KERNEL_CHECKSUM_START, heat, n);
  sum = loops_sum_f64(sum, flux, n);
  sum = loops_sum_f64(sum, change, n);
  loops_report(loops_sum_f64(sum, activity, n));
  return 0;
}
