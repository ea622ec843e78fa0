// SPDX-License-Identifier: Apache-2.0
// What every driver shares: what kernels share, inputs made of pseudo-random
// numbers, and a way to give up.

#ifndef MLCOMPILER_GYM_APP_H
#define MLCOMPILER_GYM_APP_H

#include "kernel.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Ends the program where a library does not do what it is asked for.
static inline void app_check(bool holds, const char *what) {
  if (!holds) {
    printf("failed: %s\n", what);
    exit(1);
  }
}

static inline void *app_alloc(size_t size) {
  void *block = calloc(size ? size : 1, 1);
  app_check(block != NULL, "calloc");
  return block;
}

static inline unsigned app_below(kernel_rng *rng, unsigned limit) {
  return (unsigned)(kernel_rng_next(rng) % limit);
}

// From 0 to below 1.
static inline double app_real(kernel_rng *rng) {
  return (double)(kernel_rng_next(rng) >> 11) * 0x1p-53;
}

// A word of a made-up language in which some words are much more frequent than
// others; returns its length, 12 at most. It is not terminated.
static inline size_t app_word(char *to, kernel_rng *rng) {
  static const char *const syllables[] = {"ka", "to", "mi", "ren",
                                          "sa", "lo", "ve", "dun",
                                          "ti", "or", "pa", "shi"};
  unsigned rank = app_below(rng, 1 + app_below(rng, 900));
  size_t length = 0;
  do {
    const char *syllable = syllables[rank % 12];
    size_t size = strlen(syllable);
    memcpy(to + length, syllable, size);
    length += size;
    rank /= 12;
  } while (rank);
  return length;
}

// Words in sentences and paragraphs, without an end.
static inline void app_text(char *to, size_t size, kernel_rng *rng) {
  size_t at = 0;
  while (at + 16 < size) {
    at += app_word(to + at, rng);
    switch (app_below(rng, 40)) {
    case 0:
      to[at++] = '.';
      to[at++] = '\n';
      break;
    case 1:
    case 2:
      to[at++] = ',';
      to[at++] = ' ';
      break;
    default:
      to[at++] = ' ';
    }
  }
  memset(to + at, '\n', size - at);
}

static inline void app_bytes(void *to, size_t size, kernel_rng *rng) {
  unsigned char *bytes = to;
  for (size_t i = 0; i < size; i++)
    bytes[i] = (unsigned char)kernel_rng_next(rng);
}

static inline void app_finish(const char *name, uint64_t sum) {
  printf("%s %016llx\n", name, (unsigned long long)sum);
}

#endif // MLCOMPILER_GYM_APP_H
