# SPDX-License-Identifier: Apache-2.0
"""A policy that decides inside the session decides as it does from Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.pass_ordering import FEW
from support.policies import random_network, two_features
from support.regalloc import EVICTION, PRIORITY, MakeEnv

from mlcompiler_gym import PolicyError, PortablePolicy
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.errors import InvalidActionError, ResetNeededError
from mlcompiler_gym.errors import InvalidRequestError
from mlcompiler_gym.policies import NAMED, settings_for
from mlcompiler_gym.v1 import policy_pb2 as pb

INLINING = "mlcompiler/Inlining-v0"
LOOPS = "mlcompiler/LoopDistribution-v0"
PROGRAMS = {
    INLINING: "kernels/regex",
    EVICTION: "kernels/codecs",
    PRIORITY: "kernels/codecs",
    LOOPS: "loops",
}


def step_to_end(
    env: CompilerEnv, policy: Callable[..., Any]
) -> tuple[list[Any], list[Any], list[Any], float, dict[str, Any]]:
    observation, info = env.reset(seed=3)
    actions, seen, masks = [], [], []
    total, over = 0.0, False
    while not over:
        seen.append(observation)
        masks.append(info.get("action_mask"))
        actions.append(policy(observation, info))
        observation, reward, terminated, truncated, info = env.step(actions[-1])
        total += float(reward)
        over = terminated or truncated
    return actions, seen, masks, total, info


@pytest.mark.parametrize("seed", [None, 11])
@pytest.mark.parametrize("env_id", list(PROGRAMS))
def test_equals_stepping(make_env: MakeEnv, env_id: str, seed: int | None) -> None:
    env = make_env(env_id, programs=PROGRAMS[env_id])
    policy = random_network(env.setup)
    step = policy if seed is None else policy.sampled(seed)
    actions, seen, masks, total, info = step_to_end(env, step)
    code = env.emit()
    trajectory = env.trajectory
    env.reset(seed=3)
    made = env.rollout(policy, seed=seed, features=True)
    assert made.actions.ravel().tolist() == np.ravel(actions).tolist()
    assert env.emit() == code
    assert env.trajectory == trajectory
    assert (made.reward, made.terminated, made.truncated) == (total, True, False)
    assert made.info["objective"] == info["objective"]
    assert made.features is not None
    assert np.array_equal(made.features, np.stack(seen))
    if masks[0] is not None:
        assert made.masks is not None
        assert np.array_equal(made.masks, np.stack(masks))
    if seed is None:
        decided = policy.decide(made.features, made.masks)
        np.testing.assert_allclose(
            made.log_probabilities, decided.log_probabilities, atol=1e-6
        )
    env.reset(seed=3)
    observation, reward, terminated, _, finished = env.finish(policy, seed=seed)
    assert (reward, terminated) == (total, True)
    assert finished["objective"] == info["objective"]
    assert env.observation_space.contains(observation)


def test_stops_after_some_decisions(make_env: MakeEnv) -> None:
    env = make_env(INLINING, programs="kernels/regex")
    policy = random_network(env.setup)
    actions, seen, *_ = step_to_end(env, policy)
    code = env.emit()
    env.reset(seed=3)
    first = env.rollout(policy, decisions=5)
    assert first.actions.tolist() == actions[:5]
    assert (first.terminated, first.features) == (False, None)
    observation, *_ = env.step(actions[5])
    assert np.array_equal(observation, seen[6])
    rest = env.rollout(policy)
    assert rest.actions.tolist() == actions[6:]
    assert env.emit() == code
    with pytest.raises(ResetNeededError):
        env.rollout(policy)


def test_works_over_grpc(grpc_service: Any, make_env: MakeEnv) -> None:
    local = make_env(INLINING, programs="kernels/regex")
    remote = make_env(INLINING, programs="kernels/regex", service=grpc_service)
    policy = random_network(local.setup)
    made = []
    for env in (local, remote):
        env.reset(seed=0)
        made.append(env.rollout(policy, seed=5, features=True))
    assert made[0].actions.tolist() == made[1].actions.tolist()
    features = [each.features for each in made]
    assert features[0] is not None
    assert features[1] is not None
    assert np.array_equal(features[0], features[1])
    assert local.emit() == remote.emit()


def test_refuses_policies_that_do_not_fit(make_env: MakeEnv) -> None:
    env = make_env(INLINING, programs="kernels/regex")
    observation, _ = env.reset(seed=0)

    class Bytes:
        def __init__(self, content: bytes) -> None:
            self.content = content

        def to_bytes(self) -> bytes:
            return self.content

    def changed(**fields: Any) -> PortablePolicy:
        message = random_network(env.setup).message
        for name, value in fields.items():
            setattr(message, name, value)
        return PortablePolicy(message)

    other = random_network(env.setup).message
    other.model.inputs[0].feature = "nonsense"
    default = random_network(env.setup).message
    default.model.inputs[0].feature = "inlining_default"
    cases: list[tuple[Any, str]] = [
        (changed(task="regalloc_eviction"), "decides regalloc_eviction"),
        (PortablePolicy(other), "'nonsense' is no feature of inlining"),
        (PortablePolicy(default), "with the option inlining_default=true"),
        (PortablePolicy(two_features()), "'a' is no feature"),
        (Bytes(b"garbage"), "not a policy file"),
        (Bytes(random_network(env.setup).to_bytes()[:-1]), "bytes follow its header"),
    ]
    for policy, says in cases:
        with pytest.raises(InvalidRequestError, match=says):
            env.rollout(policy)
    with pytest.raises(ValueError, match="from 1 on"):
        env.rollout(random_network(env.setup), decisions=0)
    # The session is where it was.
    assert env.rollout(random_network(env.setup)).terminated
    assert observation.shape == (38,)


def test_what_was_decided_stands_if_a_policy_stops(make_env: MakeEnv) -> None:
    env = make_env(INLINING, programs="kernels/regex")
    _, info = env.reset(seed=0)
    broken = random_network(env.setup).message
    for layer in broken.model.network.layers:
        layer.activation = pb.Dense.IDENTITY
        layer.weights[:] = [3e38] * len(layer.weights)
    with pytest.raises(PolicyError, match=r"after \d+ decisions: .* finite"):
        env.finish(PortablePolicy(broken))
    assert env.rollout(random_network(env.setup)).terminated
    assert info["program"] == "kernels/regex"


ORDERING = "mlcompiler/PassOrdering-v0"


def step_some(
    env: CompilerEnv, policy: Callable[..., Any], count: int
) -> tuple[list[Any], list[float], list[Any]]:
    """Actions, rewards and observations of at most so many steps."""
    observation, info = env.reset(seed=3)
    actions: list[Any] = []
    rewards: list[float] = []
    seen: list[Any] = []
    over = False
    while not over and len(actions) < count:
        seen.append(observation)
        actions.append(policy(observation, info))
        observation, reward, over, _, info = env.step(actions[-1])
        rewards.append(float(reward))
    return actions, rewards, seen


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        (INLINING, {}),
        (EVICTION, {"reward": "dense"}),
        (ORDERING, {"actions": FEW}),
        (ORDERING, {"actions": FEW, "reward": "poset-rl", "repeats": False}),
    ],
    ids=["final", "dense", "gain", "clipped"],
)
def test_each_step_pays_what_it_does_from_python(
    make_env: MakeEnv, env_id: str, settings: dict[str, Any]
) -> None:
    env = make_env(env_id, programs=PROGRAMS.get(env_id, "kernels/lz"), **settings)
    policy = random_network(env.setup)
    few = len(FEW) if env_id == ORDERING else 1 << 20
    actions, rewards, _ = step_some(env, policy.sampled(5), few)
    env.reset(seed=3)
    parts = [env.rollout(policy, seed=5, decisions=2)]
    parts.append(env.rollout(policy, seed=parts[0].seed, decisions=len(actions) - 2))
    assert [a for each in parts for a in each.actions.tolist()] == actions
    paid = np.concatenate([each.rewards for each in parts])
    np.testing.assert_allclose(paid, rewards, atol=1e-12)
    assert len(set(rewards)) > 1
    assert sum(each.reward for each in parts) == pytest.approx(sum(rewards))


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        (ORDERING, {"actions": FEW}),
        (ORDERING, {"actions": FEW, "repeats": False, "observation": "dict"}),
        (INLINING, {"observations": ("autophase", "ir2vec")}),
        (EVICTION, {"observations": ("inst_count",)}),
    ],
    ids=["ordering", "ordering-by-name", "inlining", "eviction"],
)
def test_decides_from_what_is_observed_of_the_program(
    make_env: MakeEnv, env_id: str, settings: dict[str, Any]
) -> None:
    env = make_env(env_id, programs=PROGRAMS.get(env_id, "kernels/lz"), **settings)
    policy = random_network(env.setup)
    few = len(FEW) if env_id == ORDERING else 30
    actions, _, seen = step_some(env, policy.sampled(2), few)
    env.reset(seed=3)
    made = env.rollout(policy, seed=2, decisions=few, features=True)
    assert made.actions.tolist() == actions
    if settings.get("observation") == "dict":
        flat = [np.concatenate([v.ravel() for v in each.values()]) for each in seen]
    else:
        flat = seen
    assert made.features is not None
    assert np.array_equal(made.features, np.stack(flat))
    # A name needs none of it.
    env.reset(seed=3)
    assert len(env.rollout("random", seed=2, decisions=few).actions) == few


@pytest.mark.parametrize("weights", [False, True])
def test_columns_of_legal_actions_are_enough(make_env: MakeEnv, weights: bool) -> None:
    env = make_env(
        EVICTION,
        programs="kernels/codecs",
        eviction_default=True,
        interference_weights=weights,
    )
    policy = random_network(env.setup)
    made = []
    for features in (True, "legal"):
        env.reset(seed=3)
        made.append(env.rollout(policy, seed=4, features=features))
    whole, compact = made
    assert whole.features is not None
    assert compact.features is not None
    assert compact.masks is not None
    assert compact.recording is not None
    assert compact.recording.columns is not None
    assert compact.actions.tolist() == whole.actions.tolist()
    assert np.array_equal(compact.masks, whole.masks)  # type: ignore[arg-type]
    names = env.setup.features
    for name in names.names:
        full, some = (names.pick(each.features, name) for each in made)
        if name in ("progress", "eviction_default"):
            assert np.array_equal(some, full), name
        else:
            legal = compact.masks.astype(bool)
            assert np.array_equal(some[legal], full[legal]), name
            assert not some[~legal].any()
    sent = compact.recording.columns.size + compact.recording.rest.size
    assert sent < whole.features.size / 3
    assert len(compact.recording.columns) == compact.masks.sum()


def test_without_a_mask_every_column_is_sent(make_env: MakeEnv) -> None:
    env = make_env(INLINING, programs="kernels/lz")
    env.reset(seed=0)
    made = env.rollout("inactive", features="legal")
    assert made.features is not None
    assert made.features.shape == (len(made.actions), 38)
    assert made.masks is None
    with pytest.raises(ValueError, match="features is False, True or 'legal'"):
        env.rollout("inactive", features="some")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("env_id", "names"),
    [
        (INLINING, ["llvm", "inactive", "always", "random", "last_use"]),
        (EVICTION, ["llvm", "inactive", "random"]),
        (PRIORITY, ["llvm", "random"]),
        (LOOPS, ["llvm", "inactive", "always", "random"]),
        (ORDERING, ["llvm", "random"]),
        ("mlcompiler/Parameters-v0", ["llvm", "inactive", "random"]),
    ],
)
def test_names_mean_the_same_inside(
    make_env: MakeEnv, env_id: str, names: list[str]
) -> None:
    few = 4 if env_id == ORDERING else None
    for name in names:
        plain = make_env(env_id, programs=PROGRAMS.get(env_id, "kernels/lz"))
        settings = settings_for(plain, name)
        settings.pop("max_episode_steps", None)
        env = make_env(env_id, programs=PROGRAMS.get(env_id, "kernels/lz"), **settings)
        policy = NAMED[name](env, 3)
        observation, info = env.reset(seed=3)
        actions: list[Any] = []
        over = False
        while not over and len(actions) != (few or -1):
            actions.append(policy(observation, info))
            observation, _, over, _, info = env.step(actions[-1])
        code = env.emit()
        env.reset(seed=3)
        made = env.rollout(name, seed=3, decisions=few)
        assert made.actions.ravel().tolist() == np.ravel(actions).tolist(), name
        assert env.emit() == code
        assert (made.log_probabilities < 0).any() == (name == "random")
        env.reset(seed=3)
        same = env.rollout(PortablePolicy.named(name), seed=3, decisions=few)
        assert same.actions.tolist() == made.actions.tolist()


def test_refuses_names_that_do_not_fit(make_env: MakeEnv) -> None:
    env = make_env(INLINING, programs="kernels/lz")
    env.reset(seed=0)
    with pytest.raises(InvalidRequestError, match="the option inlining_default=true"):
        env.finish("llvm")
    with pytest.raises(InvalidRequestError, match="needs a seed"):
        env.finish("random")
    known = "it has random, llvm, inactive, always, last_use"
    with pytest.raises(InvalidRequestError, match=f"no policy 'clever'; {known}"):
        env.finish("clever")
    assert env.finish("inactive")[2]
    assert set(env.trajectory.actions) == {0}
    priority = make_env(PRIORITY, programs="kernels/lz")
    priority.reset(seed=0)
    with pytest.raises(InvalidRequestError, match="has no policy 'inactive'"):
        priority.finish("inactive")


@pytest.mark.parametrize("parallel", [None, 1])
def test_action_values_equal_stepping(make_env: MakeEnv, parallel: int | None) -> None:
    env = make_env(INLINING, programs="kernels/regex", inlining_default=True)
    env.reset(seed=0)
    env.rollout("llvm", decisions=3)
    before = env.trajectory
    values = env.action_values("llvm", parallel=parallel)
    assert env.trajectory == before
    expected = {}
    for action in (0, 1):
        with env.fork() as twin:
            observation, _, over, _, info = twin.step(action)
            while not over:
                told = twin.setup.features.pick(observation, "inlining_default")
                observation, _, over, _, info = twin.step(int(told.item()))
            expected[action] = info["objective"]
    assert values == expected
    assert values[0] != values[1]
    assert env.action_values("llvm", [1]) == {1: expected[1]}
    with pytest.raises(InvalidActionError):
        env.action_values("llvm", [2])
    with pytest.raises(ValueError, match="from 1 on"):
        env.action_values("llvm", parallel=0)
    # It goes on from where it was.
    assert env.finish("llvm")[4]["objective"] in expected.values()


def test_action_values_where_some_are_legal(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs="kernels/codecs", eviction_default=True)
    env.reset(seed=0)
    legal = np.flatnonzero(env.action_masks()).tolist()
    values = env.action_values()
    assert list(values) == legal
    assert all(value["regalloc_score"] > 0 for value in values.values())
    env.close()
    with pytest.raises(ResetNeededError):
        env.action_values()


def test_numbers_have_no_action_values(make_env: MakeEnv) -> None:
    env = make_env(PRIORITY, programs="kernels/codecs", priority_default=True)
    env.reset(seed=0)
    for actions in (None, [1]):
        with pytest.raises(TypeError):
            env.action_values(actions=actions)
