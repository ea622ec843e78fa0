// SPDX-License-Identifier: Apache-2.0
// Documents in JSON: parsed, walked, patched, and written in two forms.
// Sizes: 20 100 500

#include "app.h"

#include "yyjson.h"

static yyjson_mut_val *value(yyjson_mut_doc *doc, kernel_rng *rng, int depth) {
  char word[16] = {0};
  switch (app_below(rng, depth > 0 ? 8 : 5)) {
  case 0:
    return yyjson_mut_real(doc, app_real(rng) * 1e6);
  case 1:
    return yyjson_mut_sint(doc,
                           (int64_t)kernel_rng_next(rng) >> app_below(rng, 60));
  case 2:
    return yyjson_mut_bool(doc, app_below(rng, 2));
  case 3:
    return yyjson_mut_null(doc);
  case 4:
    app_word(word, rng);
    return yyjson_mut_strcpy(doc, word);
  case 5: {
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    for (unsigned i = app_below(rng, 6); i > 0; i--)
      yyjson_mut_arr_append(list, value(doc, rng, depth - 1));
    return list;
  }
  default: {
    yyjson_mut_val *object = yyjson_mut_obj(doc);
    for (unsigned i = app_below(rng, 6); i > 0; i--) {
      app_word(word, rng);
      yyjson_mut_obj_add(object, yyjson_mut_strcpy(doc, word),
                         value(doc, rng, depth - 1));
    }
    return object;
  }
  }
}

int main(int argc, char **argv) {
  int count = kernel_size(argc, argv, 20);
  kernel_rng rng = {131};
  uint64_t sum = KERNEL_CHECKSUM_START;
  yyjson_mut_doc *made = yyjson_mut_doc_new(NULL);
  yyjson_mut_val *list = yyjson_mut_arr(made);
  yyjson_mut_doc_set_root(made, list);
  for (int i = 0; i < count; i++)
    yyjson_mut_arr_append(list, value(made, &rng, 6));
  size_t length;
  char *text = yyjson_mut_write(made, YYJSON_WRITE_PRETTY, &length);
  app_check(text != NULL, "write");
  yyjson_doc *doc = yyjson_read(text, length, 0);
  app_check(doc != NULL, "read");
  size_t index, limit;
  yyjson_val *each;
  yyjson_arr_foreach(yyjson_doc_get_root(doc), index, limit, each) {
    sum = kernel_checksum_u64(sum, yyjson_get_type(each) * 64 +
                                       yyjson_get_len(each));
  }
  size_t small;
  char *minified = yyjson_write(doc, YYJSON_WRITE_ESCAPE_UNICODE, &small);
  app_check(minified && small < length, "minify");
  sum = kernel_checksum(sum, minified, small);
  yyjson_mut_doc *copy = yyjson_doc_mut_copy(doc, NULL);
  size_t again;
  char *copied = yyjson_mut_write(copy, YYJSON_WRITE_ESCAPE_UNICODE, &again);
  app_check(copied && again == small && !memcmp(minified, copied, small),
            "copy");
  free(copied);
  yyjson_mut_doc_free(copy);
  yyjson_mut_doc_free(made);
  yyjson_doc_free(doc);
  free(text);
  free(minified);
  app_finish("yyjson", sum);
  return 0;
}
