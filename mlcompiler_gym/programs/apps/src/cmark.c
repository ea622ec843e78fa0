// SPDX-License-Identifier: Apache-2.0
// Markdown to a tree, and the tree to HTML, XML, LaTeX, man and Markdown.
// Sizes: 20 80 300

#include "markdown.h"

#include "cmark-gfm-core-extensions.h"
#include "cmark-gfm.h"
#include "registry.h"

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 20) << 10;
  kernel_rng rng = {12};
  char *text = markdown(size, &rng);
  cmark_gfm_core_extensions_ensure_registered();
  cmark_parser *parser = cmark_parser_new(CMARK_OPT_SMART);
  static const char *const names[] = {"table", "strikethrough", "autolink"};
  for (int i = 0; i < 3; i++)
    app_check(cmark_parser_attach_syntax_extension(
                  parser, cmark_find_syntax_extension(names[i])),
              names[i]);
  cmark_parser_feed(parser, text, strlen(text));
  cmark_node *tree = cmark_parser_finish(parser);
  cmark_llist *extensions = cmark_parser_get_syntax_extensions(parser);
  char *made[] = {
      cmark_render_html(tree, CMARK_OPT_DEFAULT, extensions),
      cmark_render_xml(tree, CMARK_OPT_DEFAULT),
      cmark_render_latex(tree, CMARK_OPT_DEFAULT, 72),
      cmark_render_man(tree, CMARK_OPT_DEFAULT, 72),
      cmark_render_commonmark(tree, CMARK_OPT_DEFAULT, 72),
  };
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
    sum = kernel_checksum(sum, made[i], strlen(made[i]));
    free(made[i]);
  }
  cmark_node_free(tree);
  cmark_parser_free(parser);
  cmark_release_plugins();
  free(text);
  app_finish("cmark", sum);
  return 0;
}
