// SPDX-License-Identifier: Apache-2.0
// What csmith's programs need of <stdio.h>, so that their bitcode does not
// depend on the machine's own.

#ifndef MLCOMPILER_GYM_CSMITH_STDIO_H
#define MLCOMPILER_GYM_CSMITH_STDIO_H

int printf(const char *format, ...);
int putchar(int c);

#endif // MLCOMPILER_GYM_CSMITH_STDIO_H
