// SPDX-License-Identifier: Apache-2.0
// A document in Markdown, of about as many bytes as asked for.

#include "app.h"

static inline char *markdown(size_t size, kernel_rng *rng) {
  char *text = app_alloc(size + 256);
  size_t at = 0;
  while (at < size) {
    char words[4][16] = {{0}};
    for (int i = 0; i < 4; i++)
      app_word(words[i], rng);
    const char *form;
    switch (app_below(rng, 12)) {
    case 0:
      form = "\n\n## %s %s\n\n%s %s ";
      break;
    case 1:
      form = "\n\n- %s\n- *%s*\n  1. %s\n  2. `%s`\n\n";
      break;
    case 2:
      form = "\n\n> %s **%s**\n> %s\n\n%s ";
      break;
    case 3:
      form = "\n\n```\n%s %s(%s);\n%s\n```\n\n";
      break;
    case 4:
      form = "[%s](http://example.org/%s \"%s\") %s ";
      break;
    case 5:
      form = "\n\n| %s | %s |\n|---|:-:|\n| %s | %s |\n\n";
      break;
    case 6:
      form = "~~%s~~ <b>%s</b> &amp; %s_%s ";
      break;
    default:
      form = "%s %s, %s %s ";
    }
    at += (size_t)snprintf(text + at, 128, form, words[0], words[1], words[2],
                           words[3]);
  }
  return text;
}
