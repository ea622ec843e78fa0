# SPDX-License-Identifier: Apache-2.0
"""What an episode pays, and what it is measured against."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.toolchain import (
    always,
    at_random,
    executable_bytes,
    heuristic_object,
    instruction_count,
    play,
    run,
)

from mlcompiler_gym.envs import CompilerEnv

Make = Callable[..., CompilerEnv]


@pytest.mark.parametrize(
    "objective",
    [
        None,
        "text_size",
        "ir_instructions",
        {"text_size": 0.25, "ir_instructions": 2.0},
        {"ir_instructions": -1.0},
    ],
)
def test_reward_is_the_relative_gain_paid_at_the_end(
    make: Make, objective: str | dict[str, float] | None, tmp_path: Path
) -> None:
    env = make(programs="kernels/huffman", objective=objective)
    rewards, terminated, truncated, info = play(env, at_random(4))
    assert (terminated, truncated) == (True, False)
    assert not any(rewards[:-1])
    weights = (
        objective if isinstance(objective, dict) else {objective or "text_size": 1.0}
    )
    assert set(info) == {"program", "objective", "baseline"}
    assert set(info["objective"]) == set(info["baseline"]) == set(weights)

    (tmp_path / "b.o").write_bytes(heuristic_object(env.program.bitcode))
    optimized = run(
        "opt-22", "-passes=default<Oz>", "-o", "-", data=env.program.bitcode
    )
    b = {
        "text_size": executable_bytes(tmp_path / "b.o"),
        "ir_instructions": instruction_count(optimized),
    }
    v = env.measure("text_size", "ir_instructions")
    for name in weights:
        assert info["baseline"][name] == env.baseline[name] == b[name]
        assert info["objective"][name] == v[name]
        assert v[name] != b[name], "random decisions were to change something"
    expected = sum(w * (b[name] - v[name]) / b[name] for name, w in weights.items())
    assert rewards[-1] == pytest.approx(expected, rel=1e-12)


def test_what_the_agent_does_to_its_info_stays_with_the_agent(make: Make) -> None:
    env = make(programs="kernels/lz")
    rewards, _, _, info = play(env, always(0))
    info["baseline"]["text_size"] = 1.0
    info["objective"].clear()
    env.baseline.clear()
    again, _, _, info = play(env, always(0))
    assert again == rewards
    assert info["baseline"]["text_size"] > 1.0


def test_a_baseline_belongs_to_its_options(make: Make, small_c: Path) -> None:
    """One service remembers the baselines of environments of all kinds."""

    def baseline(**options: str) -> float:
        env = make(programs=small_c, **options)
        env.reset()
        return env.baseline["text_size"]

    values = [
        baseline(),
        baseline(pipeline="function(instcombine)"),
        baseline(target="aarch64-linux-gnu"),
    ]
    assert len(set(values)) == len(values)
    assert baseline() == values[0]


def test_weights_of_zero_measure_without_paying(make: Make) -> None:
    env = make(
        programs="kernels/lz", objective={"text_size": 1.0, "ir_instructions": 0.0}
    )
    rewards, _, _, info = play(env, always(0))
    b, v = (info[key]["text_size"] for key in ("baseline", "objective"))
    assert rewards[-1] == pytest.approx((b - v) / b)
    assert "ir_instructions" in info["objective"]
