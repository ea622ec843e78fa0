// SPDX-License-Identifier: Apache-2.0
// A device tree: written, searched, changed in place, and walked.
// Sizes: 10 40 120

#include "app.h"

#include "libfdt.h"

int main(int argc, char **argv) {
  int count = kernel_size(argc, argv, 10);
  kernel_rng rng = {41};
  int room = 4096 + count * 2000;
  void *tree = app_alloc((size_t)room);
  app_check(!fdt_create(tree, room) && !fdt_finish_reservemap(tree) &&
                !fdt_begin_node(tree, ""),
            "create");
  for (int i = 0; i < count; i++) {
    char name[32];
    snprintf(name, sizeof name, "bus@%x", i * 4096);
    app_check(!fdt_begin_node(tree, name) &&
                  !fdt_property_u32(tree, "#address-cells", 1) &&
                  !fdt_property_string(tree, "compatible", "simple-bus"),
              name);
    for (int j = 0; j < 8; j++) {
      char word[16] = {0};
      app_word(word, &rng);
      snprintf(name, sizeof name, "%s@%x", word, j);
      app_check(
          !fdt_begin_node(tree, name) &&
              !fdt_property_u32(tree, "phandle", (uint32_t)(i * 8 + j + 1)) &&
              !fdt_property_u32(tree, "reg", (uint32_t)j) &&
              !fdt_property_string(tree, "compatible", word) &&
              !fdt_end_node(tree),
          name);
    }
    fdt_end_node(tree);
  }
  app_check(!fdt_end_node(tree) && !fdt_finish(tree), "finish");
  app_check(!fdt_open_into(tree, tree, room), "open");
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int i = 0; i < count * 4; i++) {
    unsigned handle = 1 + app_below(&rng, (unsigned)count * 8);
    int node = fdt_node_offset_by_phandle(tree, handle);
    char path[128];
    app_check(node >= 0 && !fdt_get_path(tree, node, path, sizeof path),
              "find");
    app_check(fdt_path_offset(tree, path) == node, path);
    sum = kernel_checksum(sum, path, strlen(path));
    if (i % 3 == 0)
      app_check(
          !fdt_setprop_string(tree, node, "status", i % 2 ? "okay" : "off"),
          "set");
    if (i % 7 == 0)
      fdt_delprop(tree, node, "reg");
    if (i % 11 == 0)
      fdt_nop_property(tree, node, "compatible");
  }
  app_check(!fdt_pack(tree), "pack");
  int depth = 0;
  for (int node = 0; node >= 0; node = fdt_next_node(tree, node, &depth)) {
    int at;
    fdt_for_each_property_offset(at, tree, node) {
      const char *name;
      int length;
      const void *value = fdt_getprop_by_offset(tree, at, &name, &length);
      sum = kernel_checksum(sum, name, strlen(name));
      sum = kernel_checksum(sum, value, (size_t)length);
    }
  }
  app_check(!fdt_check_full(tree, (size_t)room), "check");
  app_finish("fdt", sum);
  free(tree);
  return 0;
}
