// SPDX-License-Identifier: Apache-2.0
// What csmith's programs need of <math.h>, so that their bitcode does not
// depend on the machine's own.

#ifndef MLCOMPILER_GYM_CSMITH_MATH_H
#define MLCOMPILER_GYM_CSMITH_MATH_H

double fabs(double x);
float fabsf(float x);
double ldexp(double x, int exponent);
float ldexpf(float x, int exponent);

#endif // MLCOMPILER_GYM_CSMITH_MATH_H
