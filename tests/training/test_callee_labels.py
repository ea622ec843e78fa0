# SPDX-License-Identifier: Apache-2.0
"""Labels of all calls of a callee, and the policy that comes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.training import (
    CounterfactualSettings,
    Forest,
    Labelling,
    Labels,
    collect,
)
from mlcompiler_gym.training.counterfactual import savings_of

INLINING = "mlcompiler/Inlining-v0"
SHOWN: dict[str, Any] = {"inlining_default": True, "linkage": True}
SINGLE = Labelling(INLINING, SHOWN, decisions=12)
WHOLE = replace(SINGLE, callees=True)
KERNEL = "kernels/lz"

#: LLVM inlines all six calls. To keep one of them keeps the body; to keep all is best.
SHARED = """
@g = global i32 0

define internal i32 @shared(i32 %x) minsize optsize {
  %a = xor i32 %x, 1000003
  %b = add i32 %a, 2000006
  %c = mul i32 %b, 3000009
  store i32 %c, ptr @g
  ret i32 %c
}
""" + "".join(
    f"""
define i32 @caller{i}(i32 %x) minsize optsize {{
  %r = call i32 @shared(i32 %x)
  %s = add i32 %r, {i}
  ret i32 %s
}}
"""
    for i in range(6)
)


@pytest.fixture(scope="module")
def kernel() -> Program:
    (program,) = load_programs([KERNEL])
    return program


@pytest.fixture(scope="module")
def single(kernel: Program, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return label(SINGLE, kernel, tmp_path_factory.mktemp("single"))


@pytest.fixture(scope="module")
def whole(kernel: Program, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return label(WHOLE, kernel, tmp_path_factory.mktemp("whole"))


@pytest.fixture
def env() -> Iterator[Any]:
    made = gym.make(INLINING, programs=KERNEL, **SHOWN).unwrapped
    yield made
    made.close()


def label(labelling: Labelling, program: Program, folder: Path) -> pd.DataFrame:
    """What is written of a program."""
    collect(labelling, [program], folder)
    (path,) = folder.iterdir()
    return pd.read_parquet(path)


def labels_of(table: pd.DataFrame) -> Labels:
    return Labels.from_tables([table], "text_size", 2)


def play(env: Any, callee: str = "", answer: int = 0) -> tuple[list[Any], float]:
    """LLVM's own episode, in which all calls of a callee are answered alike."""
    observation, info = env.reset()
    decided, over = [], False
    while not over:
        called = info["decision"].partition(" -> ")[0]
        own = int(env.setup.features.pick(observation, "inlining_default").item())
        action = answer if called == callee else own
        decided.append((called, own))
        observation, _, terminated, truncated, info = env.step(action)
        over = terminated or truncated
    return decided, info["objective"]["text_size"]


def test_values_are_of_all_calls_that_are_alike(whole: pd.DataFrame, env: Any) -> None:
    labels = labels_of(whole)
    decided, own_size = play(env)
    tried = set()
    for row, decision in enumerate(labels.decisions):
        callee, own = decided[decision]
        assert labels.calls[row] == decided.count((callee, own))
        assert labels.values[row, own] == own_size
        if callee not in tried and labels.calls[row] > 1:
            tried.add(callee)
            _, size = play(env, callee, 1 - own)
            assert labels.values[row, 1 - own] == size
    assert len(tried) > 3


def test_nothing_else_changes(single: pd.DataFrame, whole: pd.DataFrame) -> None:
    columns = list(whole.columns)
    assert columns[4] == "calls"
    assert columns[:4] + columns[5:] == list(single.columns)
    alone = whole["own"] | (whole["calls"] == 1)
    assert not alone.all()
    pd.testing.assert_frame_equal(whole[alone].drop(columns="calls"), single[alone])
    assert set(labels_of(single).calls) == {1}


def test_calls_share_what_they_save(whole: pd.DataFrame) -> None:
    labels = labels_of(whole)
    together = labels.values[:, 0] - labels.values[:, 1]
    np.testing.assert_allclose(savings_of(labels) * labels.calls, together)


@pytest.mark.parametrize("labelling", [SINGLE, WHOLE], ids=["single", "whole"])
def test_a_policy_gains_what_no_single_call_gains(
    labelling: Labelling, tmp_path: Path
) -> None:
    program = Program("file/shared", SHARED.encode())
    labels = labels_of(label(labelling, program, tmp_path))
    assert len(labels) == 6
    settings = CounterfactualSettings(trees=8, smallest_leaf=1)
    with gym.make(INLINING, programs=[program], **SHOWN) as env:
        policy = Forest(labels, env, settings).policy(4.0)
        env.reset()
        made = env.unwrapped.rollout(policy)
    size, baseline = (made.info[key]["text_size"] for key in ("objective", "baseline"))
    if labelling.callees:
        assert made.actions.tolist() == [0] * 6
        assert size < 0.5 * baseline
        assert (labels.values[:, 0] == size).all()
    else:
        assert size == baseline
        assert (labels.values[:, 0] > baseline).all()


def test_they_are_other_labels(kernel: Program) -> None:
    single, whole = (each.key(kernel, 0, "22") for each in (SINGLE, WHOLE))
    assert single != whole


def test_a_task_without_calls() -> None:
    with pytest.raises(TrainingError, match="loop_distribution does not decide on"):
        Labelling("mlcompiler/LoopDistribution-v0", callees=True).make_player()
