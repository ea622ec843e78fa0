# SPDX-License-Identifier: Apache-2.0
"""Tables of what every action was worth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.regalloc import EVICTION, PRIORITY, MakeEnv
from support.vectors import MakeVec

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.errors import ResetNeededError
from mlcompiler_gym.errors import (
    ErrorCode,
    InvalidRequestError,
    ProgramError,
    ServiceError,
)
from mlcompiler_gym.programs import Program

INLINING = "mlcompiler/Inlining-v0"


@pytest.fixture
def env(make_env: MakeEnv) -> CompilerEnv:
    return make_env(INLINING, programs="kernels/lz", inlining_default=True)


@pytest.mark.parametrize("policy", ["llvm", "random"])
def test_every_row_is_an_episode(env: CompilerEnv, policy: str) -> None:
    seed = 3 if policy == "random" else None
    drawn = [0, 3, 20]
    table = env.counterfactuals("kernels/lz", policy, drawn, seed=seed)
    env.reset(seed=0)
    made = env.rollout(policy, seed=seed, features=True)
    own = made.info["objective"]["text_size"]
    assert table.decisions == len(made.actions)
    assert table.decision.tolist() == np.repeat(drawn, 2).tolist()
    assert table.action.tolist() == [0, 1] * 3
    assert table.own.tolist() == [
        action == taken for taken in made.actions[drawn] for action in (0, 1)
    ]
    assert made.features is not None
    assert (table.observed == made.features[drawn]).all()
    assert (table.features == np.repeat(made.features[drawn], 2, 0)).all()
    assert (table.values["text_size"][table.own] == own).all()
    assert not table.errors
    if policy == "random":
        return  # what it draws next is not to be had by stepping
    for row in np.flatnonzero(~table.own):
        env.reset(seed=0)
        if table.decision[row]:
            env.rollout(policy, decisions=int(table.decision[row]))
        env.step(int(table.action[row]))
        info = env.finish(policy)[4]
        assert info["objective"]["text_size"] == table.values["text_size"][row]


def test_decisions_are_drawn_by_a_seed(env: CompilerEnv) -> None:
    some = env.counterfactuals("kernels/lz", decisions=4, sample_seed=1)
    other = env.counterfactuals("kernels/lz", decisions=4, sample_seed=2)
    drawn = np.unique(some.decision).tolist()
    assert len(drawn) == 4
    assert drawn != np.unique(other.decision).tolist()
    for again in (
        env.counterfactuals("kernels/lz", decisions=4, sample_seed=1, parallel=1),
        env.counterfactuals("kernels/lz", decisions=drawn),
    ):
        assert again.values["text_size"].tolist() == some.values["text_size"].tolist()
        assert (again.features == some.features).all()
    named = env.counterfactuals("kernels/lz", decisions=[2, 10**6, 0], actions=[1])
    assert named.decision.tolist() == [0, 2]
    assert named.action.tolist() == [1, 1]
    with pytest.raises(ValueError, match="from 1 on"):
        env.counterfactuals("kernels/lz", decisions=0)


def test_the_environment_stays_where_it_is(env: CompilerEnv) -> None:
    with pytest.raises(ResetNeededError):
        env.counterfactuals()
    env.reset(seed=0)
    before = env.trajectory
    assert env.counterfactuals(decisions=2).program == "kernels/lz"
    assert env.trajectory == before
    assert env.finish("llvm")[2]


def test_only_legal_actions(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs="kernels/lz", eviction_default=True)
    table = env.counterfactuals("kernels/lz", decisions=2)
    mask = table.features[:, :33]
    assert (mask[np.arange(len(table)), table.action] == 1).all()
    assert len(table) == mask[table.decision != np.roll(table.decision, 1)].sum()
    assert table.own.sum() == 2


def test_refuses(make_env: MakeEnv) -> None:
    env = make_env(INLINING, programs="kernels/lz")
    with pytest.raises(InvalidRequestError, match="inlining_default=true"):
        env.counterfactuals("kernels/lz")
    with pytest.raises(ProgramError):
        env.counterfactuals("kernels/nothing", "inactive")
    priority = make_env(PRIORITY, programs="kernels/lz", priority_default=True)
    with pytest.raises(TypeError):
        priority.counterfactuals("kernels/lz")


def test_as_a_frame_and_a_file(env: CompilerEnv, tmp_path: Path) -> None:
    table = env.counterfactuals("kernels/lz", decisions=3)
    frame = table.to_pandas()
    assert frame["program"].tolist() == ["kernels/lz"] * len(table)
    assert frame["text_size"].tolist() == table.values["text_size"].tolist()
    told = frame["inlining_default"].to_numpy()
    assert (told[table.own] == table.action[table.own]).all()
    table.to_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), frame)


def test_many_programs_in_their_order(env: CompilerEnv, make_vec: MakeVec) -> None:
    vector = make_vec(3, programs="kernels", inlining_default=True)
    programs: list[str | Program] = [
        "kernels/lz",
        Program("broken", b"this is no bitcode"),
        "kernels/graph",
        "kernels/aes",
    ]
    tables = list(vector.counterfactuals("llvm", programs, decisions=3))
    assert [table.program for table in tables] == [
        "kernels/lz",
        "broken",
        "kernels/graph",
        "kernels/aes",
    ]
    assert isinstance(tables[1].error, ServiceError)
    assert tables[1].error.code == ErrorCode.INVALID_PROGRAM
    assert len(tables[1]) == 0
    for table in (tables[0], *tables[2:]):
        program = vector.setup.programs.named(table.program)
        alone = env.counterfactuals(program, decisions=3)
        assert (table.values["text_size"] == alone.values["text_size"]).all()
    with pytest.raises(ProgramError, match="nonsense"):
        vector.counterfactuals("llvm", ["kernels/nonsense"])
    # One that is not waited for leaves nothing behind, which the fixture checks.
    next(vector.counterfactuals("llvm", programs, decisions=9))
