// SPDX-License-Identifier: Apache-2.0
// Linear programs with a second-order cone, by an interior-point method.
// Sizes: 8 24 60

#include "app.h"

#include "ecos.h"

// Minimise c x over A x <= b, x >= 0 and |x| <= r.
int main(int argc, char **argv) {
  int n = kernel_size(argc, argv, 8), rows = n / 2, m = rows + n + n + 1;
  kernel_rng rng = {67};
  size_t room = (size_t)n * (size_t)(rows + 2);
  pfloat *values = app_alloc(room * sizeof *values);
  idxint *indices = app_alloc(room * sizeof *indices);
  idxint *columns = app_alloc(((size_t)n + 1) * sizeof *columns);
  pfloat *c = app_alloc((size_t)n * sizeof *c);
  pfloat *h = app_alloc((size_t)m * sizeof *h);
  idxint at = 0, cone = n + 1;
  for (int j = 0; j < n; j++) {
    columns[j] = at;
    for (int i = 0; i < rows; i++)
      if (app_below(&rng, 3) == 0) {
        values[at] = 0.1 + app_real(&rng);
        indices[at++] = i;
      }
    values[at] = -1;
    indices[at++] = rows + j;
    values[at] = -1;
    indices[at++] = rows + n + 1 + j;
    c[j] = -app_real(&rng);
  }
  columns[n] = at;
  for (int i = 0; i < rows; i++)
    h[i] = 1 + app_real(&rng);
  h[rows + n] = 2;
  pwork *work = ECOS_setup(n, m, 0, rows + n, 1, &cone, 0, values, columns,
                           indices, NULL, NULL, NULL, c, h, NULL);
  app_check(work != NULL, "set up");
  work->stgs->verbose = 0;
  app_check(ECOS_solve(work) == ECOS_OPTIMAL, "solve");
  printf("%.4g\n", work->info->pcost);
  for (int j = 0; j < n; j += 5)
    printf("%.3f\n", work->x[j] + 1e-5);
  ECOS_cleanup(work, 0);
  free(values);
  free(indices);
  free(columns);
  free(c);
  free(h);
  return 0;
}
