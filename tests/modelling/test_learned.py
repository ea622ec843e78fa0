# SPDX-License-Identifier: Apache-2.0
"""Costs that are learned from builds, and the objective that has learned them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import models
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.errors import PolicyError, TrainingError
from mlcompiler_gym.modelling import Builds, CostModel, agreement, fit, out_of_fold
from mlcompiler_gym.v1 import policy_pb2 as pb

Make = Callable[..., CompilerEnv]

#: What an instruction, a load and a branch take, in no unit.
TRUE = np.array([1.0, 0.0, 4.0])


def made_up(programs: int = 100, builds: int = 6) -> Builds:
    """Programs of different sizes and machines of different speeds."""
    rng = np.random.default_rng(1)
    rows = []
    for program in range(programs):
        scale = rng.uniform(1, 1000)
        for build in range(builds):
            instructions = rng.uniform(100, 200)
            costs = instructions * np.array([1, *rng.uniform(0, 0.5, 2)])
            seconds = scale * costs @ TRUE
            rows.append(
                {
                    "program": f"set/{program}",
                    "program_sha256": str(program),
                    "profiled": True,
                    "machine": "a machine",
                    "input": "[]",
                    "task": "inlining",
                    "object_sha256": f"{program} {build}",
                    "times": (seconds * rng.uniform(0.999, 1.001, 5)).tolist(),
                    "feature.code_costs": costs.tolist(),
                }
            )
    return Builds(pd.DataFrame(rows))


def test_what_is_costly_is_found() -> None:
    builds = made_up()
    model = fit(builds)
    weights = np.array(model.message.model.network.layers[0].weights)
    assert (weights >= 0).all()
    one, load, branch = weights / weights[0]
    assert load < one / 2
    assert 2.5 < branch < 5
    assert agreement(builds, out_of_fold(builds, 3)).share > 0.95
    assert fit(builds).message == model.message


def test_a_model_is_a_file(tmp_path: Path) -> None:
    builds = made_up()
    model = fit(builds, pb.Card(author="somebody"))
    model.save(tmp_path / "mine.policy")
    again = CostModel.load(tmp_path / "mine.policy")
    assert again.message.card.author == "somebody"
    costs = builds.features("code_costs")
    np.testing.assert_array_equal(again.cycles(costs), model.cycles(costs))
    assert again.cycles(np.zeros((1, 3)))[0] == 0


def test_what_is_no_model_or_too_little_is_refused() -> None:
    with pytest.raises(PolicyError, match="function of code_costs"):
        CostModel(pb.Policy(builtin="llvm"))
    with pytest.raises(TrainingError, match="no two builds"):
        fit(made_up(builds=1))


def test_the_objective_is_the_shipped_model(make_env: Make) -> None:
    env = make_env(
        "mlcompiler/PassOrdering-v0", programs="kernels/lz", actions="default<Oz>"
    )
    model = CostModel.load()
    values: list[float] = []
    env.reset()
    for _ in range(2):
        costs = env.observe("code_costs")["code_costs"]
        assert isinstance(costs, np.ndarray)
        values.append(env.measure("learned_cycles")["learned_cycles"])
        assert model.cycles(costs[None])[0] == pytest.approx(values[-1], rel=1e-5)
        env.step(0)
    assert values[0] > values[1] > 0
    assert model.message.card.programs
    assert model.message.card.command


def test_the_shipped_model_names_the_faster_build() -> None:
    """On programs that it has not learned from, whose times are in the repository."""
    builds = models.load()
    builds = builds.where(builds.table["profiled"].to_numpy(bool))
    unseen = builds.where(models.held_out(builds))
    model = CostModel.load()
    learned_from = set(model.message.card.programs)
    assert learned_from.isdisjoint(unseen.table["program"])
    found = agreement(unseen, model.cycles(unseen.features("code_costs"))).share
    assert found >= 0.85
    for other in ("regalloc_score", "mca_cycles", "ir_instructions"):
        assert found > agreement(unseen, unseen.objective(other)).share + 0.1
