// SPDX-License-Identifier: Apache-2.0
// What csmith's programs need of <string.h>, so that their bitcode does not
// depend on the machine's own.

#ifndef MLCOMPILER_GYM_CSMITH_STRING_H
#define MLCOMPILER_GYM_CSMITH_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int strcmp(const char *left, const char *right);

#endif // MLCOMPILER_GYM_CSMITH_STRING_H
