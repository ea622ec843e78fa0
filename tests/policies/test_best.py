# SPDX-License-Identifier: Apache-2.0
"""The policy that tries each action in a copy of the compile, and what it tries."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

import gymnasium
import pytest
from support.regalloc import MakeEnv

from mlcompiler_gym import PassOrderingEnv
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.errors import EvaluationError, PolicyError
from mlcompiler_gym.evaluation.naming import find_policy, portable_policy
from mlcompiler_gym.policies import NAMED, Best, PortablePolicy, play, settings_for
from mlcompiler_gym.policies.baselines import compiler_of
from mlcompiler_gym.policies.pipelines import OZ, OZ_PASSES, PASSES
from mlcompiler_gym.programs import load_programs

ORDERING = "mlcompiler/PassOrdering-v0"
ACTIONS = ["dce", "trigger-crash-function", OZ, "sroa", "instcombine", OZ]


def test_takes_the_action_that_pays_most(make_env: MakeEnv) -> None:
    env = make_env(ORDERING, programs="kernels/lz", actions=ACTIONS)
    observation, info = env.reset()
    rewards = {}
    for action in range(len(ACTIONS)):
        with env.fork() as twin:
            _, reward, _, _, after = twin.step(action)
            if "error" not in after:
                rewards[action] = reward
    # One of them is not survived, and of two that are alike the first is taken.
    assert sorted(rewards) == [0, 2, 3, 4, 5]
    policy = Best(env)
    assert policy(observation, info) == max(rewards, key=rewards.__getitem__) == 2
    assert policy.tried == len(ACTIONS)
    # The episode is where it was.
    assert not env.trajectory.actions


def test_tries_as_many_as_there_is_work_or_time_for(make_env: MakeEnv) -> None:
    env = make_env(ORDERING, programs="kernels/lz", actions=ACTIONS)
    observation, info = env.reset()
    size = int(info["objective"]["ir_instructions"])
    for work, tried in ((0, 2), (size, 2), (3 * size, 3), (4 * size - 1, 3)):
        policy = Best(env, work=work)
        policy(observation, info)
        assert policy.tried == tried


def test_masks_are_kept(make_env: MakeEnv) -> None:
    env = make_env(
        ORDERING, programs="kernels/lz", actions=["sroa", "adce"], repeats=False
    )
    observation, info = env.reset()
    policy = Best(env)
    taken = []
    for _ in range(2):
        taken.append(policy(observation, info))
        observation, _, _, _, info = env.step(taken[-1])
    assert sorted(taken) == [0, 1]


def test_where_nothing_is_survived_the_first_is_taken(make_env: MakeEnv) -> None:
    env = make_env(
        ORDERING, programs="kernels/lz", actions=["trigger-crash-function"] * 2
    )
    assert Best(env)(*env.reset()) == 0


def test_a_single_action_is_taken_and_not_tried(make_env: MakeEnv) -> None:
    env = make_env(ORDERING, programs="kernels/lz", actions=[OZ])
    policy = Best(env)
    assert policy(*env.reset()) == 0
    assert policy.tried == 0


def test_is_for_pass_ordering(make: Callable[..., CompilerEnv]) -> None:
    with pytest.raises(ValueError, match="for inlining, action_values says"):
        Best(make())


def test_a_file_of_it_is_a_portfolio(make_env: MakeEnv) -> None:
    """It has its sequences as an option, and is one decision of an episode."""
    message = PortablePolicy.named("best", "pass_ordering").message
    message.options.add(name="actions", value=f"{OZ}\nsroa,adce")
    policy = PortablePolicy.from_bytes(PortablePolicy(message).to_bytes())
    plain = make_env(ORDERING, programs="kernels/lz")
    settings = settings_for(plain, policy)
    assert settings == {"actions": f"{OZ}\nsroa,adce", "max_episode_steps": 1}
    env = gymnasium.make(ORDERING, programs="kernels/lz", **settings)
    played = play(env, NAMED[policy.builtin](env, 0))
    assert played.steps == 1
    compiler = compiler_of(env)
    assert played.info["objective"] == compiler.baseline
    # A rollout is the same.
    env.reset()
    made = compiler.rollout(policy, decisions=1)
    assert made.actions.tolist() == list(compiler.trajectory.actions) == [0]
    assert made.reward == made.rewards.sum() == played.reward
    assert made.info["objective"] == played.info["objective"]
    # A session decides by itself, and does not compare.
    env.reset()
    with pytest.raises(PolicyError, match="tries actions in copies"):
        compiler.rollouts(policy, 2, decisions=1)
    with pytest.raises(PolicyError, match="goes by no features"):
        compiler.rollout(policy, decisions=1, features=True)
    # The policy is not for other actions.
    plain.reset()
    with pytest.raises(PolicyError, match="other actions"):
        compiler_of(plain).rollout("reference", decisions=1)
    assert not compiler_of(plain).trajectory.actions


def test_the_reference_policy_rolls_out(make_env: MakeEnv) -> None:
    plain = make_env(ORDERING, programs="kernels/lz")
    env = make_env(ORDERING, programs="kernels/lz", **settings_for(plain, "reference"))
    observation, info = env.reset(seed=0)
    compiler = compiler_of(env)
    chosen = Best(env)(observation, info)
    made = compiler.rollout("reference", decisions=1)
    assert made.actions.tolist() == [chosen]
    assert (
        made.info["objective"]["ir_instructions"]
        < (compiler.baseline["ir_instructions"])
    )


KERNELS = list(load_programs("kernels").names)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("kernels/lz", 6),
        *(pytest.param(each, None, marks=pytest.mark.slow) for each in KERNELS),
    ],
)
def test_what_the_reference_makes_computes_the_same(
    name: str, count: int | None
) -> None:
    """By its sequences, the best of which is no larger than by -Oz."""
    plain = gymnasium.make(ORDERING, programs=name)
    settings = settings_for(plain, "reference")
    env = compiler_of(gymnasium.make(ORDERING, programs=name, **settings))
    observation, info = env.reset()
    best = Best(env, work=10**9)(observation, info)
    actions = range(len(env.setup.actions.meanings))
    for action in {*actions[:count], best}:
        with env.fork() as twin:
            *_, info = twin.step(action)
            assert "error" not in info
            if action == best:
                (value,), (baseline,) = (
                    info["objective"].values(),
                    env.baseline.values(),
                )
                assert value <= baseline
            assert twin.validate(inputs=twin.program.inputs[:1]).ok, action


def test_the_reference_by_name_is_what_its_file_is(make_env: MakeEnv) -> None:
    policy = find_policy("reference")(make_env(ORDERING), 0)
    assert isinstance(policy, Best)
    lines = portable_policy("pass_ordering=reference").options["actions"].split("\n")
    assert lines[0] == OZ
    # All its passes are passes that searches may choose.
    assert {name for line in lines for name in line.split(",")} <= set(PASSES)
    once = portable_policy("pass_ordering_once=reference")
    assert once.options["actions"].startswith(f"{OZ},")
    for each in (once, portable_policy("pass_ordering=reference")):
        assert "--algo portfolio" in each.card.command
    with pytest.raises(EvaluationError, match="no reference policy for nothing"):
        portable_policy("nothing=reference")


@pytest.mark.parametrize("program", ["kernels/lz", "kernels/json", "kernels/bwt"])
def test_the_passes_of_oz_come_to_what_it_comes_to(
    make_env: MakeEnv, program: str
) -> None:
    env = make_env(ORDERING, programs=program, actions=list(PASSES))
    assert isinstance(env, PassOrderingEnv)
    _, info = env.reset()
    assert info["objective"] != env.baseline
    info = env.multistep([PASSES.index(each) for each in OZ_PASSES])[4]
    assert info["objective"] == env.baseline


def test_passes_are_those_that_llvm_runs() -> None:
    """So none that it leaves switched off; what is said of the others is in PASSES."""
    printed = "".join(_pipeline(level) for level in ("O1", "O2", "O3", "Os", "Oz"))
    run = set(re.findall(r"[a-z][a-z0-9-]*", printed))
    others = {re.sub(r"<.*>|loop-mssa\(|\)", "", each) for each in PASSES} - run
    before_code = {"consthoist", "mergeicmps", "partially-inline-libcalls"}
    assert (
        others
        == before_code
        | {
            "default",
            "iroutliner",
            "mergefunc",
            "scc-oz-module-inliner",
            "strip-dead-prototypes",
        }
        - run
    )


def _pipeline(level: str) -> str:
    command = ["opt-22", f"-passes=default<{level}>", "-print-pipeline-passes"]
    done: Any = subprocess.run(
        [*command, "-disable-output"],
        input="",
        capture_output=True,
        text=True,
        check=True,
    )
    return str(done.stdout)
