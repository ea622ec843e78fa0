# SPDX-License-Identifier: Apache-2.0
"""Environments of which an episode is one function."""

from pathlib import Path
from typing import Any

import pytest
from support.regalloc import (
    EMPTY,
    EVICTION,
    IDS,
    NOTHING,
    PRIORITY,
    TWO,
    MakeEnv,
    code_of,
    heuristic_feature,
    legal_at_random,
    repeat_heuristic,
)
from support.samples import fails
from support.toolchain import finish, play

from mlcompiler_gym import (
    ServiceError,
    Trajectory,
    replay,
)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("name", ["nonsuch", "puts", "\u00e9"])
def test_an_unknown_function_is_named(
    make_env: MakeEnv, env_id: str, name: str
) -> None:
    env = make_env(env_id, programs="kernels/lz", function=name)
    with pytest.raises(ServiceError, match=f"'{name}'.* there are: .*main") as caught:
        env.reset()
    assert caught.value.code == "INVALID_ARGUMENT"
    with fails("INVALID_ARGUMENT", "'gone'"):
        env.reset(options={"function": "gone"})
    # It goes on with one that there is.
    assert "program" in env.reset(options={"function": "main"})[1]


@pytest.mark.parametrize("function", [3, b"main", ["main"]])
def test_a_function_is_named_by_a_string(make_env: MakeEnv, function: Any) -> None:
    env = make_env(EVICTION, programs=TWO)
    with pytest.raises(TypeError, match="string"):
        env.reset(options={"function": function})


@pytest.mark.parametrize("env_id", IDS)
def test_an_environment_of_one_function(make_env: MakeEnv, env_id: str) -> None:
    settings: dict[str, Any] = {"programs": TWO, **heuristic_feature(env_id)}
    whole = make_env(env_id, **settings)
    alone = make_env(env_id, function="second", **settings)
    observation, info = alone.reset()
    assert info["function"] == "second"
    rewards, _, _, info = finish(alone, repeat_heuristic, observation)
    assert info["function"] == "second"
    assert not any(rewards)
    play(whole, repeat_heuristic)
    assembly = [each.emit("assembly").decode() for each in (alone, whole)]
    assert len({code_of(text, "second") for text in assembly}) == 1
    assert "first:" in assembly[1]
    assert "first:" not in assembly[0]
    # What the other functions score does not count here.
    own, all_of_them = (e.measure()["regalloc_score"] for e in (alone, whole))
    assert 0 < own < all_of_them
    assert alone.baseline["regalloc_score"] == own
    assert whole.baseline["regalloc_score"] == all_of_them


@pytest.mark.parametrize("env_id", IDS)
def test_each_function_is_drawn_by_the_seed(make_env: MakeEnv, env_id: str) -> None:
    envs = [
        make_env(env_id, programs=[TWO, "kernels/json"], function="each")
        for _ in range(2)
    ]

    def drawn(number: int, seed: int) -> list[tuple[str, str]]:
        infos = [envs[number].reset(seed=seed)[1]]
        infos += [envs[number].reset()[1] for _ in range(30)]
        assert not any("no_decision" in info for info in infos)
        return [(info["program"], info["function"]) for info in infos]

    first = drawn(0, 4)
    assert drawn(1, 4) == first
    assert drawn(0, 5) != first
    of_two = {function for program, function in first if program == "two"}
    # `quiet` comes up in priorities alone.
    assert of_two == {"first", "second"} | ({"quiet"} if env_id == PRIORITY else set())
    assert len({function for program, function in first if program != "two"}) > 3
    # Whatever is drawn, it is compiled alone.
    assert envs[0].trajectory.config.function == drawn(0, 5)[-1][1]


@pytest.mark.parametrize("env_id", IDS)
def test_each_function_of_a_program_without_decisions(
    make_env: MakeEnv, env_id: str
) -> None:
    env = make_env(env_id, programs=EMPTY, function="each")
    assert env.reset()[1]["no_decision"]
    assert env.step(0)[1:4] == (0.0, True, False)


@pytest.mark.parametrize("function", [None, "each", "first"])
def test_reset_options_choose_the_function(
    make_env: MakeEnv, function: str | None
) -> None:
    env = make_env(EVICTION, programs=["kernels/lz", TWO], function=function)
    options = {"program": "two", "function": "second"}
    _, info = env.reset(options=options)
    assert (info["program"], info["function"]) == ("two", "second")
    _, _, _, info = finish(env, legal_at_random(env, 0))
    assert info["function"] == "second"
    # A function without decisions may be named too.
    _, info = env.reset(options={**options, "function": "quiet"})
    assert info["no_decision"]
    assert env.step(NOTHING)[2]


@pytest.mark.parametrize("env_id", IDS)
def test_a_trajectory_of_one_function_replays(
    make_env: MakeEnv, env_id: str, tmp_path: Path
) -> None:
    env = make_env(env_id, programs="kernels/json", function="each")
    env.reset(seed=1)
    finish(env, legal_at_random(env, 0))
    env.trajectory.save(tmp_path / "one.json")
    loaded = Trajectory.load(tmp_path / "one.json")
    assert loaded == env.trajectory
    assert loaded.config.function
    replayed = replay(loaded, service=env.setup.service)
    assert replayed.object_code == env.emit("object")
    assert replayed.values == env.measure()


def test_each_function_is_for_tasks_that_decide_in_them(make_env: MakeEnv) -> None:
    with pytest.raises(TypeError, match="no argument 'function'"):
        make_env("mlcompiler/Inlining-v0", programs="kernels/lz", function="each")


@pytest.mark.parametrize("env_id", IDS)
def test_what_each_function_came_to(make_env: MakeEnv, env_id: str) -> None:
    """By the whole program, and by the function alone."""
    whole = make_env(env_id, programs=TWO)
    play(whole, legal_at_random(whole, 3))
    found = whole.functions
    *others, second = found
    assert [found[0].function, second.function] == ["first", "second"]
    assert sum(each.steps for each in found) == len(whole.trajectory.actions)
    for name, value in (("objective", whole.measure()), ("baseline", whole.baseline)):
        parts = [getattr(each, name)["regalloc_score"] for each in found]
        # The rest is of functions in which nothing is decided.
        assert 0.9 * value["regalloc_score"] < sum(parts) <= value["regalloc_score"]
    alone = make_env(env_id, programs=TWO, function="second")
    alone.reset()
    for action in whole.trajectory.actions[sum(each.steps for each in others) :]:
        assert alone.functions == []
        alone.step(action)
    assert alone.functions == [second]


@pytest.mark.parametrize("env_id", IDS)
def test_functions_of_other_objectives_come_to_nothing(
    make_env: MakeEnv, env_id: str
) -> None:
    env = make_env(env_id, programs=[TWO, EMPTY], objective="text_size")
    observation, _ = env.reset(options={"program": TWO})
    finish(env, legal_at_random(env, 0), observation)
    assert env.functions == []
    # Nothing is decided here.
    env.reset(options={"program": EMPTY})
    assert env.functions == []
