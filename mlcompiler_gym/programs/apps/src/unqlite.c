// SPDX-License-Identifier: Apache-2.0
// A key-value store in memory, and scripts in its own language over documents.
// Sizes: 100 500 2000

#include "app.h"

#include "unqlite.h"

static uint64_t sum = KERNEL_CHECKSUM_START;

static int add_output(const void *output, unsigned int length, void *data) {
  (void)data;
  sum = kernel_checksum(sum, output, length);
  return UNQLITE_OK;
}

static const char script[] =
    "function fib($n) { return $n < 2 ? $n : fib($n - 1) + fib($n - 2); }\n"
    "print fib(11), \"\\n\";\n"
    "$made = [];\n"
    "for ($i = 0; $i < $size; $i++) {\n"
    "  $made[] = { id: $i, name: \"n\" .. ($i * 7919 % 1009), odd: $i % 2 == 1 "
    "};\n"
    "}\n"
    "$total = 0; $text = '';\n"
    "foreach ($made as $each) {\n"
    "  if ($each.odd) { $total += strlen($each.name) * $each.id; }\n"
    "  else { $text = substr($text .. $each.name, 0, 200); }\n"
    "}\n"
    "print $total, ' ', $text, ' ', strtoupper(substr($text, 3, 9)), \"\\n\";\n"
    "db_create('people');\n"
    "for ($i = 0; $i < 20; $i++) { db_store('people', $made[$i]); }\n"
    "print db_total_records('people'), \"\\n\";\n"
    "while (($each = db_fetch('people')) != NULL) { print $each.name, ','; }\n";

int main(int argc, char **argv) {
  int size = kernel_size(argc, argv, 100);
  kernel_rng rng = {113};
  unqlite *store;
  app_check(unqlite_open(&store, ":mem:", UNQLITE_OPEN_CREATE) == UNQLITE_OK,
            "open");
  for (int i = 0; i < size; i++) {
    char key[16], value[200];
    int length = snprintf(key, sizeof key, "key %d", i * 31 % size);
    size_t bytes = 20 + app_below(&rng, 170);
    app_text(value, bytes, &rng);
    app_check(unqlite_kv_store(store, key, length, value, (long long)bytes) ==
                  UNQLITE_OK,
              "store");
    if (i % 5 == 4)
      unqlite_kv_delete(store, key, length);
  }
  for (int i = 0; i < size; i++) {
    char key[16], value[200];
    int length = snprintf(key, sizeof key, "key %d", i);
    unqlite_int64 bytes = sizeof value;
    if (unqlite_kv_fetch(store, key, length, value, &bytes) == UNQLITE_OK)
      sum = kernel_checksum(sum, value, (size_t)bytes);
  }
  unqlite_vm *machine;
  app_check(unqlite_compile(store, script, (int)strlen(script), &machine) ==
                UNQLITE_OK,
            "compile");
  unqlite_value *number = unqlite_vm_new_scalar(machine);
  unqlite_value_int(number, size < 20 ? 20 : size);
  unqlite_vm_config(machine, UNQLITE_VM_CONFIG_CREATE_VAR, "size", number);
  unqlite_vm_config(machine, UNQLITE_VM_CONFIG_OUTPUT, add_output, NULL);
  app_check(unqlite_vm_exec(machine) == UNQLITE_OK, "run");
  unqlite_vm_release(machine);
  unqlite_close(store);
  app_finish("unqlite", sum);
  return 0;
}
