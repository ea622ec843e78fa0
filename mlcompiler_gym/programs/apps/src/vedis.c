// SPDX-License-Identifier: Apache-2.0
// Commands to a data store in memory: strings, counters, hashes, lists, sets.
// Sizes: 100 500 2000

#include "app.h"

#include "vedis.h"

static const char *const commands[] = {
    "SET %s%u '%s'",   "GET %s%u",      "HSET h%s f%u %s", "HGET h%s f%u",
    "LPUSH l%s %u %s", "LLEN l%s",      "INCR c%s",        "APPEND %s%u %s",
    "SADD s%s %u %s",  "SCARD s%s",     "STRLEN %s%u",     "EXISTS %s%u",
    "HLEN h%s",        "LINDEX l%s %u", "DEL %s%u",        "SISMEMBER s%s %u",
};

int main(int argc, char **argv) {
  int count = kernel_size(argc, argv, 100) * 4;
  kernel_rng rng = {127};
  vedis *store;
  app_check(vedis_open(&store, ":mem:") == VEDIS_OK, "open");
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int i = 0; i < count; i++) {
    char a[16] = {0}, b[16] = {0}, command[96];
    app_word(a, &rng);
    app_word(b, &rng);
    snprintf(command, sizeof command, commands[app_below(&rng, 16)], a,
             app_below(&rng, 8), b);
    app_check(vedis_exec(store, command, -1) == VEDIS_OK, command);
    vedis_value *result;
    if (vedis_exec_result(store, &result) == VEDIS_OK) {
      int length;
      const char *text = vedis_value_to_string(result, &length);
      sum = kernel_checksum(sum, text, (size_t)length);
    }
  }
  vedis_close(store);
  app_finish("vedis", sum);
  return 0;
}
