# SPDX-License-Identifier: Apache-2.0
"""Evictions of AArch64's scalable vectors, whose hints repeat themselves."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from support.regalloc import EVICTION, NOTHING, MakeEnv

FLAGS = ["-march=armv9-a+sve2", "-ffreestanding"]


def source(seed: int, vectors: int = 36, steps: int = 6) -> str:
    """A loop over more vectors than there are registers, added up behind it."""
    rng = random.Random(seed)

    def some() -> str:
        return f"v{rng.randrange(vectors)}"

    lines = ["#include <arm_sve.h>", "svfloat32_t f(float *p, float *q, long n) {"]
    lines += ["svbool_t pg = svwhilelt_b32(0L, n);"]
    lines += [f"svfloat32_t v{i} = svld1_f32(pg, p + {4 * i});" for i in range(vectors)]
    lines += ["for (long j = 0; j < n; j++) {"]
    for _ in range(steps):
        lines += [f"{some()} = svmla_f32_x(pg, {some()}, {some()}, {some()});"]
        lines += [f"{some()} = svadd_f32_x(pg, {some()}, {some()});"]
    lines += ["}", "svfloat32_t s = v0;"]
    lines += [f"s = svadd_f32_x(pg, s, v{i});" for i in range(1, vectors)]
    return "\n".join([*lines, "return s;", "}", ""])


@pytest.mark.parametrize("seed", range(4))
def test_no_register_has_two_columns(
    make_env: MakeEnv, tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "sve.c"
    path.write_text(source(seed))
    env = make_env(
        EVICTION,
        programs=path,
        target="aarch64-linux-gnu",
        clang_flags=FLAGS,
        observation="dict",
        eviction_default=True,
        interference_weights=True,
    )
    observation, info = env.reset(seed=0)
    over, decisions, full = False, 0, 0
    while not over:
        decision = json.loads(str(env.observe("decision")["decision"]))
        columns = [column["register"] for column in decision["columns"]]
        assert len(set(columns)) == len(columns) <= NOTHING
        full += len(columns) == NOTHING
        heuristic = int(observation["eviction_default"].item())
        mask = info["action_mask"]
        assert mask[heuristic]
        assert not mask[len(columns) : NOTHING].any()
        hints = np.array([column["hint"] for column in decision["columns"]])
        legal = mask[: len(columns)].astype(bool)
        shown = observation["is_hint"][: len(columns)]
        assert (shown[legal] == hints[legal]).all()
        observation, reward, over, truncated, info = env.step(heuristic)
        assert not truncated, info
        decisions += 1
    assert decisions > 10
    assert full
    assert reward == 0.0


def test_any_legal_answer_is_survived(make_env: MakeEnv, tmp_path: Path) -> None:
    path = tmp_path / "sve.c"
    path.write_text(source(5))
    env = make_env(
        EVICTION, programs=path, target="aarch64-linux-gnu", clang_flags=FLAGS
    )
    for seed in range(3):
        rng = random.Random(seed)
        over = False
        info = env.reset(seed=0)[1]
        while not over:
            legal = info["action_mask"].nonzero()[0].tolist()
            _, _, over, truncated, info = env.step(rng.choice(legal))
            assert not truncated, info
