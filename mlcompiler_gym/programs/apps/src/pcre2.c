// SPDX-License-Identifier: Apache-2.0
// Patterns compiled, and looked for in text by both of the matchers.
// Sizes: 4 20 80

#include "app.h"

#include "pcre2.h"

static const char *const patterns[] = {
    "\\b(ka|to)(\\w*?)(\\2|ren)\\b",
    "(?<first>[aeiou]+)[^aeiou\\s]{1,3}\\k<first>",
    "^(?:(\\w+)[ ,]+){3,6}\\w+\\.$",
    "(?i)MI(?=SA|LO)|(?<!t)or\\w",
    "(?:dun(?!ti)|ve(?>\\w+))\\s(?1)?(x|[k-p]+)",
    "(\\w)(?:(\\w)\\2?)*\\1",
};

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 4) << 10;
  kernel_rng rng = {53};
  char *text = app_alloc(size);
  app_text(text, size, &rng);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    int error;
    PCRE2_SIZE where;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)patterns[i], PCRE2_ZERO_TERMINATED,
                      PCRE2_MULTILINE | PCRE2_UTF, &error, &where, NULL);
    app_check(code != NULL, patterns[i]);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    PCRE2_SIZE *found = pcre2_get_ovector_pointer(data);
    unsigned matches = 0;
    for (PCRE2_SIZE at = 0; at < size;) {
      int count = pcre2_match(code, (PCRE2_SPTR)text, size, at, 0, data, NULL);
      if (count < 0)
        break;
      matches++;
      for (int j = 0; j < 2 * count; j++)
        sum = kernel_checksum_u64(sum, found[j]);
      at = found[1] > at ? found[1] : at + 1;
    }
    int workspace[200];
    if (pcre2_dfa_match(code, (PCRE2_SPTR)text, size, size / 2, 0, data, NULL,
                        workspace, 200) > 0)
      sum = kernel_checksum_u64(sum, found[1]);
    printf("%u\n", matches);
    pcre2_match_data_free(data);
    pcre2_code_free(code);
  }
  free(text);
  app_finish("pcre2", sum);
  return 0;
}
