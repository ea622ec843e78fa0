# SPDX-License-Identifier: Apache-2.0
"""Values that cross loops in arrays are what they are in one loop."""

import json
from pathlib import Path

import pytest
from support.partitions import outputs, partitions, random_partitions, unoptimised
from support.regalloc import MakeEnv

PROGRAM = """
#include <stdint.h>
int printf(const char *, ...);
static int32_t a[600], b[600], c[600];
static double d[600];
static int16_t e[600];
__attribute__((noinline)) static void f(long n) {
  n = n < 200 ? n : 200;
  double u = 0;
  for (long i = 0; i < n; i++) { BODY }
  d[599] += u;
}
int main(int argc, char **argv) {
  for (int i = 0; i < 600; i++) {
    a[i] = i * 7919 % 1000; b[i] = i * 31 % 77; c[i] = i * i % 511;
    d[i] = i * 0.5; e[i] = (int16_t)(i * 173);
  }
  for (int n = 0; n < 210; n += 19) f(n);
  uint64_t h = 7;
  for (int i = 0; i < 600; i++) {
    h = h * 31 + (uint32_t)a[i]; h = h * 31 + (uint32_t)b[i];
    h = h * 31 + (uint32_t)c[i]; h = h * 31 + (uint64_t)(d[i] * 8);
    h = h * 31 + (uint16_t)e[i];
  }
  printf("%llx\\n", (unsigned long long)h);
  return 0;
}
"""

BODIES = {
    "swap": "int32_t t = a[i]; a[i] = b[i]; b[i] = t;",
    "rotation": "int32_t t = a[i]; a[i] = b[i]; b[i] = c[i] * 3; c[i] = t;",
    "types": "double t = d[i]; int16_t s = e[i]; d[i] = b[i]; e[i] = c[i];"
    " b[i] = (int)t; c[i] = s * 5;",
    "branch": "int32_t t = a[i]; a[i] = b[i] + 1; if (t & 1) b[i] = t; else c[i] = t;",
    "guarded": "if (c[i] & 3) { int32_t t = a[i]; a[i] = b[i]; b[i] = t * 3; }"
    " c[i] = b[i + 300];",
    "ahead": "int32_t t = a[i + 1]; a[i] = b[i] * 3; b[i] = t + c[i]; c[i] = i;",
    "indirect": "int32_t t = a[c[i]]; c[i] = (c[i] + 5) % 300; b[i] = t; a[i] = i;",
    "used later": "u = d[i] * 2; int32_t t = a[i]; a[i] = d[i]; d[i] = t;",
    "distance": "int32_t t = a[i + 3]; a[i] = c[i]; c[i] = b[i + 2]; b[i] = t;",
}


@pytest.mark.parametrize("agents", [1, 2])
@pytest.mark.parametrize("pipeline", ["default<O0>", "default<O3>"])
@pytest.mark.parametrize("name", BODIES)
def test_partitions_with_arrays_compute_the_same(
    make_env: MakeEnv, tmp_path: Path, name: str, pipeline: str, agents: int
) -> None:
    source = tmp_path / "arrays.c"
    source.write_text(PROGRAM.replace("BODY", BODIES[name]))
    env = make_env(
        "mlcompiler/LoopDistribution-v0",
        programs=str(source),
        pipeline=pipeline,
        level="O2",
        objective="ir_instructions",
        agents=agents,
    )
    env.reset()
    original = unoptimised(env)
    arrays = 0
    modules: dict[str, None] = {}
    made = partitions(env, 0) if agents == 1 else random_partitions(env, 8)
    for twin in made:
        modules[twin.observe("ir")["ir"]] = None
        arrays += sum(
            loop.get("arrays", 0) for loop in json.loads(twin.observe("loops")["loops"])
        )
    if name not in ("guarded", "ahead") and agents == 1:
        assert arrays
    for sanitize in (False, True):
        expected, *printed = outputs(
            [original, *modules], [()], tmp_path, sanitize=sanitize
        )
        for text, each in zip(modules, printed, strict=True):
            assert each == expected, text
