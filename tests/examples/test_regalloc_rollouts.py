# SPDX-License-Identifier: Apache-2.0
"""The example that learns from rollouts: what it collects, and how it decides."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SETTINGS = {"functions": 2, "decisions": 2, "columns": 3, "seed": 0}


@pytest.fixture(scope="module")
def examples() -> Iterator[tuple[ModuleType, ModuleType]]:
    sys.path.insert(0, str(EXAMPLES))
    import deviation_policy
    import rollouts

    yield rollouts, deviation_policy
    sys.path.remove(str(EXAMPLES))


def score(env: Any, function: str, at: int, action: int | None) -> float:
    """A function's score if the heuristic deviates at one decision."""
    from column_policy import DEFAULT

    observation, _ = env.reset(options={"function": function})
    terminated = False
    index = 0
    while not terminated:
        chosen = int(observation[DEFAULT])
        if index == at and action is not None:
            chosen = action
        observation, _, terminated, _, info = env.step(chosen)
        index += 1
    return float(info["objective"]["regalloc_score"])


def test_gains_are_those_of_an_episode_of_its_own(examples: Any) -> None:
    rollouts, _ = examples
    found = rollouts.collect("kernels/lz", **SETTINGS)
    again = rollouts.collect("kernels/lz", **SETTINGS)
    for name, values in vars(found).items():
        np.testing.assert_array_equal(values, getattr(again, name))
    assert len(found.gains) > 4
    assert np.ptp(found.gains) > 0
    with gymnasium.make(
        rollouts.ENV_ID,
        programs="kernels/lz",
        eviction_default=True,
        interference_weights=True,
    ) as wrapped:
        env: Any = wrapped.unwrapped
        known = rollouts.functions_with_decisions(env.setup, env.setup.programs[0])
        for observation, action, gain in zip(*vars(found).values(), strict=True):
            assert observation[action] == 1, "legal"
            places = [
                (function, at)
                for function in known
                for at, seen in enumerate(path(env, function))
                if np.array_equal(seen, observation)
            ]
            gains = [
                1 - score(env, *place, int(action)) / score(env, *place, None)
                for place in places
            ]
            assert any(gain == pytest.approx(each) for each in gains)


def path(env: Any, function: str) -> list[Any]:
    """What the heuristic sees in a function."""
    from column_policy import DEFAULT

    observation, _ = env.reset(options={"function": function})
    seen = []
    terminated = False
    while not terminated:
        seen.append(observation)
        observation, _, terminated, _, _ = env.step(int(observation[DEFAULT]))
    return seen


def test_what_is_saved_is_what_is_loaded(examples: Any, tmp_path: Path) -> None:
    rollouts, _ = examples
    found = rollouts.collect("kernels/lz", **SETTINGS)
    found.save(tmp_path / "lz.npz")
    loaded = rollouts.Rollouts.load(tmp_path / "lz.npz")
    for name, values in vars(found).items():
        np.testing.assert_array_equal(values, getattr(loaded, name))
        assert values.dtype == getattr(loaded, name).dtype
    assert [each.name for each in tmp_path.iterdir()] == ["lz.npz"]


def test_a_policy_deviates_where_it_expects_more(examples: Any) -> None:
    rollouts, deviation_policy = examples
    found = rollouts.collect("kernels/lz", **SETTINGS)
    seen = found.observations
    masks = seen[:, :33].astype(bool)

    class Oracle:
        """Expects the most of the column that the description is of."""

        def predict(self, inputs: Any) -> Any:
            return inputs[:, -5] / 100

    eager = deviation_policy.DeviationPolicy([Oracle()], threshold=-1.0)
    options = [rollouts.alternatives(each) for each in seen]
    chosen = eager(seen, masks)
    for action, others, usual in zip(
        chosen, options, seen[:, deviation_policy.DEFAULT], strict=True
    ):
        assert action == max(others, default=int(usual))
    assert masks[np.arange(len(chosen)), chosen].all()
    reluctant = deviation_policy.DeviationPolicy([Oracle()], threshold=0.325)
    np.testing.assert_array_equal(
        reluctant(seen, masks), seen[:, deviation_policy.DEFAULT]
    )


def test_the_example(tmp_path: Path) -> None:
    from test_examples import run

    command = (
        EXAMPLES / "regalloc_rollouts.py",
        *("--train", "kernels/lz", "kernels/vm", "--validation", "kernels/heaps"),
        *("--test", "kernels/lrucache", "--functions", "2", "--decisions", "3"),
        *("--models", "1", "--processes", "1", "--seeds", "0", "1"),
    )
    output = run(*command, cwd=tmp_path)
    folder = tmp_path / "regalloc_rollouts"
    assert (folder / "regalloc_rollouts.png").read_bytes().startswith(b"\x89PNG")
    kept = {each: each.stat().st_mtime_ns for each in folder.glob("*.npz")}
    assert len(kept) == 2
    assert re.search(r"\d+ rollouts of 2 programs", output)
    assert re.search(r"mean .* [+-]\d+\.\d\d% ± \d+\.\d\d%", output)
    # What was collected is not collected again.
    rows = re.findall(r"^ +[01] +.*%", output, re.MULTILINE)
    assert len(rows) == 2
    again = run(*command, cwd=tmp_path)
    assert {each: each.stat().st_mtime_ns for each in folder.glob("*.npz")} == kept
    assert re.findall(r"^ +[01] +.*%", again, re.MULTILINE) == rows
