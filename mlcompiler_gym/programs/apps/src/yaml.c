// SPDX-License-Identifier: Apache-2.0
// A document in YAML to events and to a tree, and the tree to YAML again.
// Sizes: 8 40 160

#include "app.h"

#include "yaml.h"

static char *document(size_t size, kernel_rng *rng) {
  char *text = app_alloc(size + 512);
  size_t at = 0;
  for (unsigned item = 0; at < size; item++) {
    char a[16] = {0}, b[16] = {0}, c[16] = {0};
    app_word(a, rng);
    app_word(b, rng);
    app_word(c, rng);
    static const char *const forms[] = {
        "%s_%u: {%s: [1, 2.5, %s], ~: 'it''s'}\n",
        "%s_%u:\n  - %s\n  - \"%s\\n\\u00e9\"\n  - - deeper\n    - still\n",
        "%s_%u: |\n  %s\n    %s\n  end\n",
        "? %s_%u\n: >-\n  %s\n  %s\n",
        "# a comment\n%s_%u: !!str %s %s\n",
    };
    at += (size_t)snprintf(text + at, 256, forms[app_below(rng, 5)], a, item, b,
                           c);
  }
  return text;
}

static uint64_t sum = KERNEL_CHECKSUM_START;

static int write_out(void *data, unsigned char *buffer, size_t size) {
  (void)data;
  sum = kernel_checksum(sum, buffer, size);
  return 1;
}

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 8) << 10;
  kernel_rng rng = {5};
  char *text = document(size, &rng);
  yaml_parser_t parser;
  app_check(yaml_parser_initialize(&parser), "a parser");
  yaml_parser_set_input_string(&parser, (unsigned char *)text, strlen(text));
  for (bool more = true; more;) {
    yaml_event_t event;
    app_check(yaml_parser_parse(&parser, &event), "parse");
    more = event.type != YAML_STREAM_END_EVENT;
    sum = kernel_checksum_u64(sum, event.type * 4096 + event.start_mark.column);
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);

  app_check(yaml_parser_initialize(&parser), "a parser");
  yaml_parser_set_input_string(&parser, (unsigned char *)text, strlen(text));
  yaml_document_t tree;
  app_check(yaml_parser_load(&parser, &tree), "load");
  yaml_emitter_t emitter;
  app_check(yaml_emitter_initialize(&emitter), "an emitter");
  yaml_emitter_set_output(&emitter, write_out, NULL);
  yaml_emitter_set_unicode(&emitter, 1);
  app_check(yaml_emitter_open(&emitter) && yaml_emitter_dump(&emitter, &tree) &&
                yaml_emitter_close(&emitter),
            "dump");
  yaml_emitter_delete(&emitter);
  yaml_parser_delete(&parser);
  free(text);
  app_finish("yaml", sum);
  return 0;
}
