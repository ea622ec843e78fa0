// SPDX-License-Identifier: Apache-2.0
// Markdown to HTML, with and without extensions.
// Sizes: 20 100 400

#include "document.h"
#include "html.h"

#include "markdown.h"

int main(int argc, char **argv) {
  size_t size = (size_t)kernel_size(argc, argv, 20) << 10;
  kernel_rng rng = {11};
  char *text = markdown(size, &rng);
  uint64_t sum = KERNEL_CHECKSUM_START;
  for (int round = 0; round < 2; round++) {
    hoedown_renderer *renderer =
        hoedown_html_renderer_new(round ? HOEDOWN_HTML_ESCAPE : 0, 3);
    hoedown_document *document = hoedown_document_new(
        renderer,
        round ? HOEDOWN_EXT_TABLES | HOEDOWN_EXT_FENCED_CODE |
                    HOEDOWN_EXT_AUTOLINK | HOEDOWN_EXT_STRIKETHROUGH
              : 0,
        16);
    hoedown_buffer *html = hoedown_buffer_new(1024);
    hoedown_document_render(document, html, (const uint8_t *)text,
                            strlen(text));
    hoedown_buffer *smart = hoedown_buffer_new(1024);
    hoedown_html_smartypants(smart, html->data, html->size);
    sum = kernel_checksum(sum, smart->data, smart->size);
    hoedown_buffer_free(smart);
    hoedown_buffer_free(html);
    hoedown_document_free(document);
    hoedown_html_renderer_free(renderer);
  }
  free(text);
  app_finish("hoedown", sum);
  return 0;
}
