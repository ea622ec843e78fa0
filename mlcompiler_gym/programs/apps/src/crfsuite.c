// SPDX-License-Identifier: Apache-2.0
// Conditional random fields learn to label sequences, by four methods.
// Sizes: 10 40 150

#include "app.h"

#include "crfsuite.h"
#include <stdarg.h>

static uint64_t sum = KERNEL_CHECKSUM_START;

// The checksum covers the lines of the log that hold no times.
static int on_message(void *user, const char *format, va_list values) {
  char text[400];
  (void)user;
  int length = vsnprintf(text, sizeof text, format, values);
  if (!strncmp(text, "Loss", 4) || !strncmp(text, "Number", 6))
    sum = kernel_checksum(sum, text,
                          (size_t)length < sizeof text ? (size_t)length
                                                       : sizeof text - 1);
  return 0;
}

int main(int argc, char **argv) {
  int sequences = kernel_size(argc, argv, 10);
  static const char *const methods[] = {
      "train/crf1d/lbfgs", "train/crf1d/averaged-perceptron",
      "train/crf1d/passive-aggressive", "train/crf1d/arow"};
  for (size_t which = 0; which < sizeof methods / sizeof *methods; which++) {
    kernel_rng rng = {181};
    crfsuite_data_t data;
    crfsuite_data_init(&data);
    app_check(crfsuite_create_instance("dictionary", (void **)&data.attrs) &&
                  crfsuite_create_instance("dictionary", (void **)&data.labels),
              "make dictionaries");
    for (int i = 0; i < sequences; i++) {
      crfsuite_instance_t sequence;
      crfsuite_instance_init(&sequence);
      int label = 0;
      for (unsigned j = 5 + app_below(&rng, 10); j > 0; j--) {
        crfsuite_item_t item;
        crfsuite_item_init(&item);
        label = (label + (int)app_below(&rng, 2)) % 4;
        char name[16];
        for (int k = 0; k < 3; k++) {
          crfsuite_attribute_t attribute;
          snprintf(name, sizeof name, "a%u",
                   (unsigned)label * 5 + app_below(&rng, 8));
          crfsuite_attribute_set(&attribute, data.attrs->get(data.attrs, name),
                                 1);
          crfsuite_item_append_attribute(&item, &attribute);
        }
        snprintf(name, sizeof name, "label%d", label);
        crfsuite_instance_append(&sequence, &item,
                                 data.labels->get(data.labels, name));
        crfsuite_item_finish(&item);
      }
      crfsuite_data_append(&data, &sequence);
      crfsuite_instance_finish(&sequence);
    }
    crfsuite_trainer_t *trainer;
    app_check(crfsuite_create_instance(methods[which], (void **)&trainer),
              methods[which]);
    crfsuite_params_t *parameters = trainer->params(trainer);
    parameters->set(parameters, "max_iterations", "12");
    parameters->release(parameters);
    trainer->set_message_callback(trainer, NULL, on_message);
    app_check(trainer->train(trainer, &data, "", -1) == 0, "train");
    trainer->release(trainer);
    data.attrs->release(data.attrs);
    data.labels->release(data.labels);
    crfsuite_data_finish(&data);
  }
  app_finish("crfsuite", sum);
  return 0;
}
