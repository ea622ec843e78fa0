# SPDX-License-Identifier: Apache-2.0
"""Random loops, over memory that overlaps in all ways, compute what they did."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from support.partitions import outputs, partitions, random_partitions
from support.regalloc import MakeEnv

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Of each program so many partitions are run.
PARTITIONS = 16

HEAD = """
#include <stdint.h>
int printf(const char *, ...);
#define APART __attribute__((noinline)) static
static uint8_t bytes[8192] __attribute__((aligned(16)));
static int32_t A[512], B[512], C[512];
static int16_t D[512];
static uint32_t state;
static uint32_t next(void) { return (state = state * 1664525u + 1013904223u) >> 8; }
APART void fill(void) {
  for (int i = 0; i < 8192; i++) bytes[i] = next();
  for (int i = 0; i < 512; i++) {
    A[i] = next() % 1000; B[i] = next(); C[i] = next() % 64; D[i] = next();
  }
}
APART uint64_t sum(void) {
  uint64_t h = 14695981039346656037u;
  for (int i = 0; i < 8192; i++) h = (h ^ bytes[i]) * 1099511628211u;
  for (int i = 0; i < 512; i++) {
    h = (h ^ (uint32_t)A[i]) * 1099511628211u;
    h = (h ^ (uint32_t)B[i]) * 1099511628211u;
    h = (h ^ (uint32_t)C[i]) * 1099511628211u;
    h = (h ^ (uint16_t)D[i]) * 1099511628211u;
  }
  return h;
}
"""


class Body:
    """The statements of one loop: arrays of their own, and three pointers."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.arrays = rng.sample(["A", "B", "C", "D", "p", "q", "r"], rng.randint(3, 7))

    def access(self) -> str:
        array = self.rng.choice(self.arrays)
        index = self.rng.choices(
            [self._affine(), "C[i] & 63", "4"], weights=[86, 7, 7]
        )[0]
        return f"{array}[{index}]"

    def _affine(self) -> str:
        index = self.rng.choice(["i", "i", "i", "i", "2 * i", "(100 - i)"])
        return f"{index} + {8 + self.rng.choice([0, 0, 1, -1, 2, -2, 3, 5, 8, -8])}"

    def value(self, depth: int = 0) -> str:
        kind = self.rng.random()
        if depth > 1 or kind < 0.6:
            return f"(uint32_t){self.access()}"
        if kind < 0.75:
            return self.rng.choice(["s", "t", "u", "(uint32_t)i", "7"])
        operator = self.rng.choice("+-*^&|")
        return f"({self.value(depth + 1)} {operator} {self.value(depth + 1)})"

    def statement(self, depth: int = 0) -> str:
        kind = self.rng.random()
        if kind < 0.1:
            return f"u = {self.value()};"
        if kind < 0.2:
            scalar = self.rng.choice("st")
            return f"{scalar} = {scalar} {self.rng.choice('+*^')} {self.value()};"
        if kind < 0.35 and depth < 2:
            inner = [self.statement(depth + 1) for _ in range(3)]
            other = f" else {{ {inner[2]} }}" if self.rng.random() < 0.4 else ""
            return f"if ({self.value()} & 2) {{ {inner[0]} {inner[1]} }}{other}"
        return f"{self.access()} = {self.value()};"


def program(seed: int) -> str:
    """One loop, run over pointers that lie apart, next to, and in each other."""
    rng = random.Random(seed)
    # Others than of one size must not overlap, but for bytes.
    one = rng.choice(["int32_t", "int16_t", "int64_t", "uint8_t"])
    kinds = [rng.choice([one, one, one, "uint8_t"]) for _ in "pqr"]
    body = Body(rng)
    statements = " ".join(body.statement() for _ in range(rng.randint(2, 6)))
    step = rng.choice([1, 1, 1, 2, 3])
    head = f"long i = 0; i <= n; i += {step}"
    if rng.random() < 0.2:
        head = f"long i = n; i >= 0; i -= {step}"
    # Loops that are known to be short may put values into arrays.
    short = "" if seed % 2 == 0 else "  n = n < 100 ? n : 100;\n"
    runs = []
    for _ in range(8):
        first = rng.randrange(0, 512) * 8
        near = [max(0, first + 8 * rng.randint(-8, 8)) for _ in range(2)]
        far = rng.choice([near[1], rng.randrange(0, 600) * 8])
        runs.append((first, near[0], far, rng.choice([0, 1, 2, 7, 31, 64, 100])))
    runs += [(0, 2048, 4096, 100), (0, 448, 896, 100)]
    calls = "".join(
        "  fill();\n"
        f"  h = h * 31 + f((void *)(bytes + {a}), (void *)(bytes + {b}), "
        f"(void *)(bytes + {c}), {n}, 1, 2);\n"
        "  h = h * 31 + sum();\n"
        for a, b, c, n in runs
    )
    return (
        f"{HEAD}APART uint32_t f({kinds[0]} *p, {kinds[1]} *q, {kinds[2]} *r, long n,"
        f" uint32_t s, uint32_t t) {{\n  uint32_t u = 5;\n{short}"
        f"  for ({head}) {{ {statements} }}\n  return s ^ (t * 3) ^ u;\n}}\n"
        "int main(int argc, char **argv) {\n  uint64_t h = 0;\n  state = 7;\n"
        f'{calls}  printf("%llx\\n", (unsigned long long)h);\n  return 0;\n}}\n'
    )


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", ["default<O0>", "default<O3>"])
@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("agents", [1, 2])
def test_random_loops_compute_the_same(
    make_env: MakeEnv, tmp_path: Path, agents: int, seed: int, pipeline: str
) -> None:
    seed += 1000 * (agents - 1)
    source = tmp_path / "random.c"
    source.write_text(program(seed))
    env = make_env(
        "mlcompiler/LoopDistribution-v0",
        programs=str(source),
        pipeline=pipeline,
        level="O2",
        objective="ir_instructions",
        agents=agents,
    )
    env.reset()
    unoptimised = env.setup.service.open(pb.Open(pipeline="verify"), env.program)
    original = unoptimised.observe("ir")["ir"]
    unoptimised.close()
    if agents == 1:
        made: Iterator[CompilerEnv] = islice(
            partitions(env, random=8, seed=seed), PARTITIONS
        )
    else:
        made = random_partitions(env, PARTITIONS, seed)
    modules = dict.fromkeys(twin.observe("ir")["ir"] for twin in made)
    expected, *printed = outputs([original, *modules], [()], tmp_path)
    for text, each in zip(modules, printed, strict=True):
        assert each == expected, f"seed {seed} {pipeline}:\n{text}"
