// SPDX-License-Identifier: Apache-2.0
// Tables of Boolean functions, minimised.
// Sizes: 5 7 9

#include "app.h"

#include "espresso.h"

int main(int argc, char **argv) {
  int inputs = kernel_size(argc, argv, 5), outputs = 3;
  kernel_rng rng = {179};
  size_t room = 200 + ((size_t)1 << inputs) * (size_t)(inputs + outputs + 2);
  char *table = app_alloc(room);
  size_t at =
      (size_t)sprintf(table, ".i %d\n.o %d\n.type fd\n", inputs, outputs);
  for (unsigned row = 0; row < 1u << inputs; row++) {
    for (int bit = 0; bit < inputs; bit++)
      table[at++] = row >> bit & 1 ? '1' : '0';
    table[at++] = ' ';
    for (int i = 0; i < outputs; i++)
      table[at++] = "0011-"[app_below(&rng, 5)];
    table[at++] = '\n';
  }
  at += (size_t)sprintf(table + at, ".e\n");
  FILE *file = fmemopen(table, at, "r");
  PLA_t *pla = NULL;
  app_check(file && read_pla(file, TRUE, TRUE, FD_type, &pla) >= 0, "read");
  fclose(file);
  pla->F = espresso(pla->F, pla->D, pla->R);
  uint64_t sum = KERNEL_CHECKSUM_START;
  set *last, *p;
  foreach_set(pla->F, last, p) for (int i = 0; i < CUBE.size; i++) sum =
      kernel_checksum_u64(sum, is_in_set(p, i) != 0);
  printf("%d\n", (int)pla->F->count);
  free_PLA(pla);
  free(table);
  app_finish("espresso", sum);
  return 0;
}
