// SPDX-License-Identifier: Apache-2.0
// What every kernel shares: the few libc functions it may call, a generator of
// pseudo-random numbers, a checksum, and the reading of the size argument.
//
// No system header is included, only the ones the compiler brings itself, so
// that the bitcode of a kernel does not depend on the machine it was made on.

#ifndef MLCOMPILER_GYM_KERNEL_H
#define MLCOMPILER_GYM_KERNEL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int putchar(int c);
int puts(const char *text);

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);
void free(void *block);

_Noreturn void exit(int status);
_Noreturn void abort(void);

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t strlen(const char *text);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t size);
int atoi(const char *text);

// The state of a splitmix64 generator; any seed will do, zero included.
typedef struct {
  uint64_t state;
} kernel_rng;

static inline uint64_t kernel_rng_next(kernel_rng *rng) {
  rng->state += 0x9e3779b97f4a7c15u;
  uint64_t z = rng->state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// The checksum of no bytes at all: where every FNV-1a sum starts.
#define KERNEL_CHECKSUM_START 0xcbf29ce484222325u

static inline uint64_t kernel_checksum(uint64_t sum, const void *data,
                                       size_t size) {
  const unsigned char *bytes = data;
  for (size_t i = 0; i < size; i++)
    sum = (sum ^ bytes[i]) * 0x100000001b3u;
  return sum;
}

// Lowest byte first, whatever the byte order of the machine.
static inline uint64_t kernel_checksum_u64(uint64_t sum, uint64_t value) {
  for (int i = 0; i < 8; i++)
    sum = (sum ^ ((value >> (8 * i)) & 0xff)) * 0x100000001b3u;
  return sum;
}

// The size to run at: argv[1] if it is a positive integer, or the default.
static inline int kernel_size(int argc, char **argv, int default_size) {
  int size = argc > 1 ? atoi(argv[1]) : 0;
  return size > 0 ? size : default_size;
}

#endif // MLCOMPILER_GYM_KERNEL_H
