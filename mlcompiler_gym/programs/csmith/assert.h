// SPDX-License-Identifier: Apache-2.0
// What csmith's programs need of <assert.h>, so that their bitcode does not
// depend on the machine's own.

#ifndef MLCOMPILER_GYM_CSMITH_ASSERT_H
#define MLCOMPILER_GYM_CSMITH_ASSERT_H

#define assert(condition) ((void)0)

#endif // MLCOMPILER_GYM_CSMITH_ASSERT_H
