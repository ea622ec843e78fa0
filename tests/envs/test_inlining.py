# SPDX-License-Identifier: Apache-2.0
"""The inlining environment as an agent sees it."""

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env
from support.processes import processes_of, wait_until
from support.toolchain import always, at_random, echo, finish, play, run

from mlcompiler_gym import InliningEnv, LocalService
from mlcompiler_gym.envs import CompilerEnv

Make = Callable[..., CompilerEnv]


def names_in_llvm_header() -> list[str]:
    """The features that LLVM declares, in the order of its feature map."""
    include = run("llvm-config-22", "--includedir").decode().strip()
    header = Path(include, "llvm/Analysis/InlineModelFeatureMaps.h").read_text()
    return re.findall(r"M\(int64_t, \{1\}, (\w+)", header)


def test_features_are_llvms_own(service: LocalService) -> None:
    [task] = [t for t in service.describe().tasks if t.name == "inlining"]
    always_sent = [feature for feature in task.features if not feature.option]
    assert [feature.name for feature in always_sent] == names_in_llvm_header()
    assert len(always_sent) == 38
    added = [f for f in task.features if f.option]
    assert added[0].name == "inlining_default"
    assert {f.option for f in added[1:]} == {"linkage", "bodies"}
    for feature in task.features:
        assert feature.doc
        assert feature.low < feature.high
        assert list(feature.shape) == [1]


@pytest.mark.parametrize("inlining_default", [False, True])
def test_spaces(make: Make, inlining_default: bool) -> None:
    names = names_in_llvm_header() + ["inlining_default"] * inlining_default
    flat = make(programs="kernels/lz", inlining_default=inlining_default)
    assert flat.action_space == spaces.Discrete(2)
    assert isinstance(flat.observation_space, spaces.Box)
    assert flat.observation_space.shape == (len(names),)
    assert flat.observation_space.dtype == np.float32
    by_name = make(
        programs="kernels/lz", observation="dict", inlining_default=inlining_default
    )
    assert isinstance(by_name.observation_space, spaces.Dict)
    assert set(by_name.observation_space) == set(names)
    array, _ = flat.reset()
    arrays, _ = by_name.reset()
    # The same numbers, in the order of LLVM's feature map.
    np.testing.assert_array_equal(np.concatenate([arrays[n] for n in names]), array)


@pytest.mark.parametrize("observation", ["flat", "dict"])
def test_observations_lie_in_their_space_and_change(
    make: Make, observation: str
) -> None:
    env = make(programs="kernels", observation=observation, inlining_default=True)
    for seed in range(3):
        seen = []
        choose = at_random(seed)
        current, _ = env.reset(seed=seed)
        ended = False
        while not ended:
            assert current in env.observation_space
            seen.append(np.concatenate([np.ravel(v) for v in _values(current)]))
            current, _, ended, _, _ = env.step(choose(current))
        assert current in env.observation_space
        # Nothing that was handed out is written to again.
        assert len({array.tobytes() for array in seen}) > 1


def _values(observation: Any) -> list[Any]:
    return (
        list(observation.values()) if isinstance(observation, dict) else [observation]
    )


def test_an_observation_kept_by_the_agent_stays_as_it_was(make: Make) -> None:
    env = make(programs="kernels/lz")
    first, _ = env.reset()
    copy = first.copy()
    finish(env, always(1))
    np.testing.assert_array_equal(first, copy)


@pytest.mark.parametrize("observation", ["flat", "dict"])
@pytest.mark.parametrize("render_mode", [None, "ansi"])
def test_checkers_have_nothing_to_say(
    make: Make, observation: str, render_mode: str | None
) -> None:
    env = make(
        programs="kernels/lisp", observation=observation, render_mode=render_mode
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Gymnasium's makes environments for the render check and leaves them open.
        warnings.simplefilter("ignore", ResourceWarning)
        sb3_check_env(env)
        check_env(env)


def test_gym_make_gives_the_environment_itself(service: LocalService) -> None:
    env = gymnasium.make(
        "mlcompiler/Inlining-v0", programs="kernels/lz", service=service
    )
    assert type(env) is InliningEnv
    assert env.spec is not None
    assert env.spec.id == "mlcompiler/Inlining-v0"
    env.reset()
    again = env.spec.make()
    assert type(again) is InliningEnv
    assert again.observation_space == env.observation_space
    env.close()


def test_the_constructor_does_what_gym_make_does(service: LocalService) -> None:
    env = InliningEnv(programs="kernels/lz", service=service)
    observation, info = env.reset(seed=3)
    assert observation in env.observation_space
    assert info["program"] == "kernels/lz"
    env.close()


def test_two_equal_runs_are_equal_to_the_last_bit(make: Make) -> None:
    """Whatever differs between equal runs (a clock, a pid) must not be in info."""

    def record() -> list[bytes]:
        env = make(programs="kernels", inlining_default=True)
        lines = []
        for seed in (5, None, None):
            observation, info = env.reset(seed=seed)
            lines.append(observation.tobytes() + json.dumps(info).encode())
            choose, over = at_random(11), False
            while not over:
                observation, reward, over, truncated, info = env.step(choose(None))
                lines.append(
                    observation.tobytes()
                    + json.dumps([reward, over, truncated, info]).encode()
                )
        return lines

    assert record() == record()


def test_seeds_choose_the_programs(make: Make) -> None:
    one, other = make(), make()

    def programs(env: CompilerEnv, seed: int) -> list[str]:
        first = env.reset(seed=seed)[1]["program"]
        return [first] + [env.reset()[1]["program"] for _ in range(11)]

    chosen = programs(one, 7)
    assert programs(other, 7) == chosen
    assert programs(one, 7) == chosen
    assert programs(one, 8) != chosen
    assert len(set(chosen)) > 3


def test_reset_options_choose_the_program(make: Make) -> None:
    env = make()
    for name in ("kernels/lz", "kernels/json", "kernels/lz"):
        assert env.reset(options={"program": name})[1]["program"] == name
        assert env.program.name == name
    outside = make(programs="kernels/regex").setup.programs[0]
    assert env.reset(options={"program": outside})[1]["program"] == "kernels/regex"


def test_choosing_a_program_leaves_the_seeded_sequence_alone(make: Make) -> None:
    env = make()
    env.reset(seed=1)
    expected = [env.reset()[1]["program"] for _ in range(6)]
    env.reset(seed=1)
    mixed = []
    for _ in range(6):
        env.reset(options={"program": "kernels/lz"})
        mixed.append(env.reset()[1]["program"])
    assert mixed == expected


NO_DECISION = "define i32 @alone(i32 %x) {\n  ret i32 %x\n}\n"


@pytest.mark.parametrize("observation", ["flat", "dict"])
def test_a_program_without_decisions(
    make: Make, write_file: Callable[[str, str], Path], observation: str
) -> None:
    path = write_file("none.ll", NO_DECISION)
    env = make(programs=path, observation=observation, render_mode="ansi")
    current, info = env.reset()
    assert info == {"program": str(path), "no_decision": True}
    assert current in env.observation_space
    assert not any(np.any(value) for value in _values(current))
    assert "none.ll" in str(env.render())
    current, reward, terminated, truncated, info = env.step(1)
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert info == {"program": str(path), "no_decision": True}
    assert env.trajectory.actions == ()
    assert env.stats.steps == 0
    assert env.emit("object").startswith(b"\x7fELF")


def test_stats_count_what_was_done(make: Make) -> None:
    env = make(programs="kernels/lz")
    steps = sum(len(play(env, always(action))[0]) for action in (0, 1, 0))
    stats = env.stats
    assert (stats.episodes, stats.steps, stats.crashes) == (3, steps, 0)
    # The first compile is parked, and later ones begin as forks of it.
    assert stats.parked >= 2
    assert stats.reset_seconds > 0
    assert stats.step_seconds >= stats.baseline_seconds > 0


def test_the_growth_limit_ends_the_questions_early(make: Make) -> None:
    def decisions(threshold: float) -> int:
        env = make(programs="kernels/matrix", size_increase_threshold=threshold)
        return len(play(env, always(1))[0])

    assert decisions(1.0) < decisions(100.0)


def test_answers_change_the_code(make: Make) -> None:
    env = make(programs="kernels/lz")
    play(env, always(0))
    kept = env.emit("assembly")
    play(env, always(1))
    assert env.emit("assembly") != kept


def test_an_unclosed_environment_ends_with_python() -> None:
    code = (
        "import mlcompiler_gym as m\n"
        "env = m.InliningEnv(programs='kernels/lz')\n"
        "env.reset()\n"
        "print(env.setup.service.pid)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, timeout=60
    )
    pid = int(done.stdout)
    assert wait_until(lambda: not processes_of(pid))


def test_echo_gives_reward_zero(make: Make) -> None:
    env = make(programs="kernels/lz", inlining_default=True, observation="dict")
    rewards, terminated, truncated, info = play(env, echo)
    assert not any(rewards)
    assert (terminated, truncated) == (True, False)
    assert info["objective"] == info["baseline"]
