// SPDX-License-Identifier: Apache-2.0
// Graphs cut into parts by both methods, and ordered for elimination.
// Sizes: 12 30 70

#include "app.h"

#include "metis.h"

int main(int argc, char **argv) {
  idx_t side = kernel_size(argc, argv, 12), n = side * side, one = 1, parts = 7;
  kernel_rng rng = {163};
  idx_t *starts = app_alloc((size_t)(n + 1) * sizeof *starts);
  idx_t *edges = app_alloc((size_t)n * 4 * sizeof *edges);
  idx_t *part = app_alloc((size_t)n * sizeof *part);
  idx_t *inverse = app_alloc((size_t)n * sizeof *inverse);
  idx_t *weights = app_alloc((size_t)n * sizeof *weights), at = 0;
  for (idx_t y = 0; y < side; y++)
    for (idx_t x = 0; x < side; x++) {
      idx_t i = y * side + x;
      starts[i] = at;
      weights[i] = 1 + (idx_t)app_below(&rng, 4);
      if (x > 0)
        edges[at++] = i - 1;
      if (x + 1 < side)
        edges[at++] = i + 1;
      if (y > 0)
        edges[at++] = i - side;
      if (y + 1 < side)
        edges[at++] = i + side;
    }
  starts[n] = at;
  idx_t options[METIS_NOPTIONS], cut;
  METIS_SetDefaultOptions(options);
  options[METIS_OPTION_SEED] = 1;
  uint64_t sum = KERNEL_CHECKSUM_START;
  app_check(METIS_PartGraphKway(&n, &one, starts, edges, weights, NULL, NULL,
                                &parts, NULL, NULL, options, &cut,
                                part) == METIS_OK,
            "cut");
  printf("%d\n", (int)cut);
  sum = kernel_checksum(sum, part, (size_t)n * sizeof *part);
  app_check(METIS_PartGraphRecursive(&n, &one, starts, edges, weights, NULL,
                                     NULL, &parts, NULL, NULL, options, &cut,
                                     part) == METIS_OK,
            "cut again and again");
  printf("%d\n", (int)cut);
  sum = kernel_checksum(sum, part, (size_t)n * sizeof *part);
  app_check(METIS_NodeND(&n, starts, edges, NULL, options, part, inverse) ==
                METIS_OK,
            "order");
  sum = kernel_checksum(sum, part, (size_t)n * sizeof *part);
  app_finish("metis", sum);
  free(starts);
  free(edges);
  free(part);
  free(inverse);
  free(weights);
  return 0;
}
