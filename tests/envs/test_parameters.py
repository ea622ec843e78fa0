# SPDX-License-Identifier: Apache-2.0
"""Parameters: what is decided is what LLVM's tools are told, to the byte."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from support.regalloc import MakeEnv
from support.strategies import examples
from support.toolchain import KERNEL_NAMES, heuristic_object

from mlcompiler_gym import (
    InvalidActionError,
    InvalidRequestError,
    LocalService,
    PortablePolicy,
    ServiceError,
    Trajectory,
    replay,
)
from mlcompiler_gym.envs.parameters import ParametersEnv
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.v1 import policy_pb2

PARAMETERS = "mlcompiler/Parameters-v0"
LEVELS = ["default<Oz>", "default<O3>"]

#: One line of what `opt --print-all-options` prints.
_OPTION = re.compile(r"^ +--?(\S+) += .*\(default: (.*)\)$", re.MULTILINE)


@pytest.fixture
def make(make_env: MakeEnv) -> Any:
    """``make(pipeline=…)``: the environment, by default on a small program."""

    def make(**settings: Any) -> ParametersEnv:
        env = make_env(PARAMETERS, **{"programs": "kernels/lz", **settings})
        assert isinstance(env, ParametersEnv)
        return env

    return make


def choices(service: LocalService) -> list[pb.Choice]:
    return list(service.describe_task("parameters", {}).action.choices)


def build(env: ParametersEnv, action: Any, program: str | None = None) -> bytes:
    """The object file of an episode of one step."""
    env.reset(options={"program": program} if program else None)
    _, _, terminated, truncated, info = env.step(action)
    assert not truncated, info["error"]
    assert terminated
    return env.emit()


def run_commandline(env: ParametersEnv, folder: Path) -> bytes:
    """What the environment's own command line writes."""
    (folder / "input.bc").write_bytes(env.program.bitcode)
    line = env.commandline()
    subprocess.run(
        line, shell=True, cwd=folder, check=True, capture_output=True, timeout=120
    )
    return (folder / "output.o").read_bytes()


def test_parameters_are_as_llvm_registers_them(service: LocalService) -> None:
    printed = subprocess.run(
        ["opt-22", "-passes=no-op-module", "--print-all-options", "-disable-output"],
        input=b"",
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout.decode()
    registered = dict(_OPTION.findall(printed))
    names = set(re.findall(r"^ +--?(\S+) +=", printed, re.MULTILINE))
    described = choices(service)
    assert len(described) >= 40
    for each in described:
        assert each.name in names
        default = registered.get(each.name, "*no default*")
        assert each.default_value == ("" if default == "*no default*" else default)


def test_values_are_listed_once_and_in_order(service: LocalService) -> None:
    for each in choices(service):
        own, *values = each.meanings
        assert own == "LLVM's own"
        assert len(set(values)) == len(values), each.name
        if all(re.fullmatch(r"-?\d+", value) for value in values):
            assert values == sorted(values, key=int), each.name


@pytest.mark.parametrize("pipeline", LEVELS)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("lz", "matrix") else [pytest.mark.slow])
        for name in KERNEL_NAMES
    ],
)
def test_llvms_own_give_llvms_code(make: Any, pipeline: str, name: str) -> None:
    env = make(programs=f"kernels/{name}", pipeline=pipeline)
    code = build(env, np.zeros(len(env.action_space.nvec), np.int64))
    assert code == heuristic_object(env.program.bitcode, pipeline)
    assert env.llvm_arguments == []


def few(draw: st.DrawFn, counts: list[int]) -> list[int]:
    """An action that sets some parameters."""
    places = draw(st.sets(st.integers(0, len(counts) - 1), min_size=1, max_size=12))
    return [
        draw(st.integers(1, count - 1)) if index in places else 0
        for index, count in enumerate(counts)
    ]


@pytest.mark.parametrize("pipeline", LEVELS)
@given(data=st.data())
@examples(6)
def test_the_tools_give_the_same_code(
    make: Any, tmp_path: Path, pipeline: str, data: st.DataObject
) -> None:
    env = make(pipeline=pipeline)
    counts = env.setup.actions.counts
    action = data.draw(st.composite(few)(list(counts)))
    code = build(env, action)
    assert len(env.llvm_arguments) == np.count_nonzero(action)
    assert run_commandline(env, tmp_path) == code
    env.close()


def test_what_is_set_changes_the_code(make: Any, tmp_path: Path) -> None:
    env = make(pipeline="default<O3>", programs="kernels/matrix")
    chosen = {
        "inline-threshold": 0,
        "vectorize-loops": False,
        "enable-misched": False,
    }
    own = build(env, env.action({}))
    seen = {own}
    for name, value in chosen.items():
        code = build(env, env.action({name: value}))
        assert code not in seen, name
        seen.add(code)
    all_of_them = build(env, env.action(chosen))
    assert all_of_them not in seen
    assert run_commandline(env, tmp_path) == all_of_them
    assert set(env.llvm_arguments) == {
        "--inline-threshold=0",
        "--vectorize-loops=false",
        "--enable-misched=false",
    }
    # What one session is told is nothing to the next one's.
    assert build(env, env.action({})) == own
    assert env.baseline == env.measure()


def check_output(make: Any, program: str, seed: int, **settings: Any) -> None:
    """A program computes the same with parameters drawn at random."""
    env = make(programs=program, **settings)
    env.action_space.seed(seed)
    build(env, env.action_space.sample())
    assert env.validate().ok, env.llvm_arguments
    env.close()


@pytest.mark.parametrize("pipeline", LEVELS)
def test_programs_compute_the_same(make: Any, pipeline: str) -> None:
    for seed, name in enumerate(["lz", "matrix"]):
        check_output(make, f"kernels/{name}", seed, pipeline=pipeline)


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", LEVELS)
@pytest.mark.parametrize("name", KERNEL_NAMES)
def test_all_programs_compute_the_same(make: Any, name: str, pipeline: str) -> None:
    for seed in range(10):
        check_output(make, f"kernels/{name}", seed, pipeline=pipeline)


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", LEVELS)
@pytest.mark.parametrize("name", ["lz", "matrix"])
def test_each_value_by_itself_is_survived(make: Any, name: str, pipeline: str) -> None:
    env = make(programs=f"kernels/{name}", pipeline=pipeline)
    counts = env.setup.actions.counts
    for place, count in enumerate(counts):
        for value in range(1, count):
            action = np.zeros(len(counts), np.int64)
            action[place] = value
            build(env, action)


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", LEVELS)
def test_random_parameters_are_survived_on_arm(make: Any, pipeline: str) -> None:
    env = make(programs="kernels", target="aarch64-linux-gnu", pipeline=pipeline)
    env.action_space.seed(0)
    for name in KERNEL_NAMES:
        build(env, env.action_space.sample(), f"kernels/{name}")


def test_one_at_a_time_comes_to_the_same(make: Any) -> None:
    group = ["inliner"]
    whole = make(parameters=group)
    single = make(parameters=group, one_at_a_time=True, observation="dict")
    counts = whole.setup.actions.counts
    assert isinstance(single.action_space, spaces.Discrete)
    assert single.action_space.n == max(counts)
    wanted = [count // 2 for count in counts]
    code = build(whole, wanted)
    seen, info = single.reset()
    for index, value in enumerate(wanted):
        assert seen["asked"].tolist() == [i == index for i in range(len(counts))]
        assert seen["chosen"].tolist() == wanted[:index] + [0] * (len(counts) - index)
        assert info["action_mask"].sum() == counts[index]
        assert seen["size_level"] == 2
        # In the middle, what is measured is LLVM's own.
        twin = single.fork()
        seen, _, terminated, _, info = single.step(value)
        assert terminated == (index == len(counts) - 1)
        assert twin.measure("ir_instructions") is not None
        for rest in wanted[index:]:
            twin.step(rest)
        assert twin.emit() == code
        assert twin.llvm_arguments == whole.llvm_arguments
        twin.close()
    assert single.emit() == code
    assert single.commandline() == whole.commandline()
    with pytest.raises(TypeError, match="a decision is one parameter"):
        single.action({})


@pytest.mark.parametrize(
    ("pipeline", "speed", "size"),
    [
        ("default<O0>", 0, 0),
        ("default<O1>", 1, 0),
        ("default<Os>", 2, 1),
        ("default<Oz>", 2, 2),
        ("thinlto-pre-link<O3>", 3, 0),
        ("function(sroa)", 0, 0),
    ],
)
def test_the_level_is_observed(make: Any, pipeline: str, speed: int, size: int) -> None:
    env = make(pipeline=pipeline, observation="dict")
    seen, _ = env.reset()
    assert (seen["speed_level"], seen["size_level"]) == (speed, size)
    assert seen["autophase"].any()


def test_as_a_dict(make: Any) -> None:
    env = make(action="dict", parameters=["unroller", "inline-threshold"])
    assert isinstance(env.action_space, spaces.Dict)
    assert env.action_space == spaces.Dict(
        {name: spaces.Discrete(len(v)) for name, v in env.parameters.items()}
    )
    plain = make(parameters=["unroller", "inline-threshold"])
    chosen = {"inline-threshold": "100", "unroll-runtime": True}
    action = env.action(chosen)
    assert action["inline-threshold"] == env.parameters["inline-threshold"].index("100")
    assert build(env, action) == build(plain, plain.action(chosen))
    assert env.trajectory.actions == plain.trajectory.actions
    env.reset()
    with pytest.raises(InvalidActionError, match="a value for each of inline-thres"):
        env.step({"inline-threshold": 1})
    with pytest.raises(ValueError, match="action is 'vector' or 'dict', not 'list'"):
        make(action="list")
    with pytest.raises(ValueError, match="is one thing, and has no names"):
        make(action="dict", one_at_a_time=True)


@pytest.mark.parametrize("action", ["vector", "dict"])
def test_two_vectors_at_once(make: Any, action: str) -> None:
    env = make(action=action)
    envs: Any = gym.make_vec(
        PARAMETERS,
        num_envs=2,
        programs="kernels/lz",
        action=action,
        service=env.setup.service,
    )
    envs.action_space.seed(1)
    both = envs.action_space.sample()
    envs.reset(seed=0)
    _, rewards, terminated, _, _ = envs.step(both)
    assert terminated.all()
    single = gym.vector.utils.iterate(envs.action_space, both)
    for reward, one in zip(rewards, single, strict=True):
        env.reset()
        assert env.step(one)[1] == reward
    envs.close()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("nonsense", "there is no parameter and no group 'nonsense'"),
        ("\n", "names nothing to decide"),
    ],
)
def test_unknown_parameters_are_refused(make: Any, wanted: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(parameters=wanted)


def test_values_that_there_are_not(make: Any) -> None:
    env = make()
    with pytest.raises(ValueError, match="there is no parameter 'inline'"):
        env.action({"inline": 1})
    with pytest.raises(ValueError, match=r"inline-threshold is .*; it is never 7"):
        env.action({"inline-threshold": 7})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a[:-1], "integers, one for each of inline-threshold"),
        (lambda a: [99, *a[1:]], "inline-threshold: action 99 is not in 0"),
        (lambda a: [-1, *a[1:]], "inline-threshold: action -1 is not in 0"),
        (lambda a: [0.5, *a[1:]], "one integer, not float"),
        (lambda a: 3, "integers, one for each of inline-threshold"),
        (lambda a: None, "integers, one for each of inline-threshold"),
    ],
)
def test_wrong_actions_are_refused(make: Any, change: Any, message: str) -> None:
    env = make()
    env.reset()
    own = [0] * len(env.setup.actions.counts)
    with pytest.raises(InvalidActionError, match=message):
        env.step(change(own))
    assert env.step(own)[2]


def test_the_service_refuses_them_too(make: Any) -> None:
    env = make()
    env.reset()
    own = np.zeros(len(env.setup.actions.counts), "<i8")
    own[0] = 99
    with pytest.raises(ServiceError, match="inline-threshold: action 99 is not in"):
        env.session.step(own.tobytes())
    with pytest.raises(ServiceError, match="bytes are not a number of them"):
        env.session.step(own.tobytes()[:-8])
    own[0] = 0
    assert env.session.step(own.tobytes()).HasField("outcome")


def test_trajectories_replay(make: Any, tmp_path: Path) -> None:
    env = make()
    env.action_space.seed(3)
    code = build(env, env.action_space.sample())
    env.trajectory.save(tmp_path / "one.json")
    loaded = Trajectory.load(tmp_path / "one.json")
    assert loaded == env.trajectory
    replayed = replay(loaded, service=env.setup.service)
    assert replayed.object_code == code
    assert replayed.values == env.measure()


def test_is_shown(make: Any) -> None:
    env = make(render_mode="ansi")
    env.reset()
    assert "parameters" in env.render()
    env.step(env.action({"inline-threshold": 100}))
    assert "inline-threshold 100" in env.render()
    env.reset()
    env.step(env.action({}))
    assert "LLVM's own" in env.render()


def test_a_network_of_one_thing_is_refused(make: Any) -> None:
    env = make()
    env.reset()
    message = policy_pb2.Policy(task="parameters")
    message.model.inputs.add(feature="speed_level", elements=1)
    message.model.network.layers.add(
        outputs=2, weights=[0, 0], biases=[0, 1], activation=policy_pb2.Dense.IDENTITY
    )
    message.model.categorical.SetInParent()
    policy = PortablePolicy(message)
    with pytest.raises(InvalidRequestError, match="choices at once"):
        env.finish(policy)


def test_some_actions_are_compared(make: Any) -> None:
    env = make()
    env.reset()
    own, other = env.action({}), env.action({"inline-threshold": 1000})
    values = env.action_values(actions=[own, other])
    assert values[tuple(own.tolist())] == env.baseline
    assert values[tuple(other.tolist())] != env.baseline
    with pytest.raises(TypeError, match="say which"):
        env.action_values()
