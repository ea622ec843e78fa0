# SPDX-License-Identifier: Apache-2.0
"""Policies that are data: their files, and what they decide."""

from __future__ import annotations

import math
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.policies import two_features, two_trees

from mlcompiler_gym import MLCompilerGymError, PolicyError, PortablePolicy
from mlcompiler_gym.policies.evaluator import Random
from mlcompiler_gym.v1 import policy_pb2 as pb


def logits(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What ``two_features`` computes, by numpy."""
    logged = np.sign(a) * np.log1p(np.abs(a))
    scaled = np.clip((logged - 1) * [2, 0.5], -2, 2)
    inputs = np.concatenate([scaled, b], axis=1)
    weights = np.array([[1, -1], [0.5, 2], [-0.25, 0.125]])
    hidden: np.ndarray = np.tanh(np.dot(inputs, weights) + np.array([0.1, -0.1]))
    made: np.ndarray = np.asarray(hidden) @ np.array([[1, 2], [3, -4]]) + [0, 0.5]
    return made


def test_decides_as_its_message_says() -> None:
    policy = PortablePolicy(two_features())
    rng = np.random.default_rng(1)
    rows = rng.normal(scale=20, size=(200, 3)).astype(np.float32)
    expected = logits(rows[:, :2].astype(float), rows[:, 2:].astype(float))
    np.testing.assert_allclose(policy.outputs(rows), expected, atol=1e-5)
    decided = policy.decide(rows)
    assert decided.actions.tolist() == expected.argmax(axis=1).tolist()
    chosen = expected.max(axis=1) - np.log(np.exp(expected).sum(axis=1))
    np.testing.assert_allclose(decided.log_probabilities, chosen, atol=1e-5)
    assert [policy(row, {}) for row in rows] == decided.actions.tolist()
    assert {0, 1} == set(decided.actions.tolist())


def test_takes_a_dict_in_any_order() -> None:
    policy = PortablePolicy(two_features())
    row = np.array([5, -2, 3], np.float32)
    named: dict[str, np.ndarray] = {"b": row[2:], "other": np.zeros(7), "a": row[:2]}
    assert policy.outputs({n: v[None] for n, v in named.items()}).tolist() == (
        policy.outputs(row[None]).tolist()
    )
    assert policy(named, {}) == policy(row, {})
    with pytest.raises(ValueError, match="'b', which is not observed"):
        policy({"a": row[:2]}, {})
    with pytest.raises(ValueError, match="'a' has 2 elements"):
        policy({"a": row, "b": row[2:]}, {})
    with pytest.raises(ValueError, match="rows of 3 elements"):
        policy(row[:2], {})


def test_takes_legal_actions_only() -> None:
    policy = PortablePolicy(two_features())
    row = np.array([5, -2, 3], np.float32)
    for action in (0, 1):
        mask = np.zeros(2, np.int8)
        mask[action] = 1
        assert policy(row, {"action_mask": mask}) == action
        sampled = policy.sampled(3)
        assert {sampled(row, {"action_mask": mask}) for _ in range(20)} == {action}
    with pytest.raises(PolicyError, match="no action is legal"):
        policy(row, {"action_mask": np.zeros(2, np.int8)})
    with pytest.raises(ValueError, match="shape"):
        policy(row, {"action_mask": np.ones(3, np.int8)})


def test_samples_by_seed() -> None:
    policy = PortablePolicy(two_features())
    rows = np.tile(np.array([[2.0, 1.0, 0.5]], np.float32), (4000, 1))
    drawn = policy.decide(rows, sample=Random(4))
    again = policy.decide(rows, sample=Random(4))
    assert drawn.actions.tolist() == again.actions.tolist()
    other = policy.decide(rows, sample=Random(5))
    assert drawn.actions.tolist() != other.actions.tolist()
    stepped = policy.sampled(4)
    assert [stepped(row, {}) for row in rows[:50]] == drawn.actions[:50].tolist()
    # Six standard deviations.
    p = np.exp(drawn.log_probabilities[drawn.actions == 1][0])
    assert abs(drawn.actions.mean() - p) < 6 * math.sqrt(p * (1 - p) / len(rows))
    with pytest.raises(ValueError, match="seed"):
        policy.sampled(-1)


def test_decides_a_number_by_trees() -> None:
    policy = PortablePolicy(two_trees())
    rows = np.array([[0.5, -1.5], [0.5, -1.4], [0.6, 0]], np.float32)
    decided = policy.decide(rows)
    assert decided.actions.tolist() == [[1.25], [2.0], [2.0]]
    assert policy.outputs(rows).tolist() == [[1.25], [2.0], [2.75]]
    action = policy(rows[0], {})
    assert action.shape == (1,)
    assert action.dtype == np.float32


def test_goes_through_files_and_pickles(tmp_path: Path) -> None:
    policy = PortablePolicy(two_features())
    path = tmp_path / "small.policy"
    policy.save(path)
    loaded = PortablePolicy.load(path)
    assert loaded.message == two_features()
    assert loaded.to_bytes() == path.read_bytes()
    assert (loaded.task, dict(loaded.options)) == ("inlining", {"x": "true"})
    assert pickle.loads(pickle.dumps(policy)).message == policy.message
    card = pb.Card(author="somebody", seeds=[1, 2])
    assert policy.with_card(card).card == card
    assert policy.card.author == "the tests"
    with pytest.raises(MLCompilerGymError, match="cannot write"):
        policy.save(tmp_path / "no" / "such.policy")
    with pytest.raises(PolicyError, match=r"cannot read.*nowhere"):
        PortablePolicy.load(tmp_path / "nowhere.policy")


def test_knows_policies_by_name() -> None:
    policy = PortablePolicy.named("llvm", "inlining")
    assert PortablePolicy.from_bytes(policy.to_bytes()).builtin == "llvm"
    with pytest.raises(PolicyError, match="which a session evaluates"):
        policy(np.zeros(3, np.float32), {})
    with pytest.raises(PolicyError, match="'clever'; known: always, best, inactive"):
        PortablePolicy.named("clever")


def broken(change: str) -> pb.Policy:
    policy = two_trees() if change.startswith("tree") else two_features()
    model = policy.model
    match change:
        case "weights":
            model.network.layers[1].weights.pop()
        case "not finite":
            model.network.layers[0].biases[0] = math.nan
        case "no head":
            model.ClearField("categorical")
        case "no function":
            model.ClearField("network")
        case "elements":
            model.inputs[0].elements = 2**32 - 1
        case "scale":
            model.inputs[0].transforms[1].scale.shift.extend([1, 2])
        case "no transform":
            model.inputs[0].transforms.add()
        case "same feature":
            model.inputs[1].feature = "a"
        case "activation":
            model.network.layers[0].activation = 7  # type: ignore[assignment]
        case "many layers":
            for _ in range(40):
                model.network.layers.add(outputs=2, weights=[0] * 4, biases=[0, 0])
        case "both":
            policy.ClearField("model")
        case "tree child":
            model.trees.trees[0].right[1] = 1
        case "tree beyond":
            model.trees.trees[0].left[0] = 5
        case "tree input":
            model.trees.trees[1].input[0] = 2
        case "tree lists":
            model.trees.trees[1].value.pop()
    return policy


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("weights", "layer 1 has 3 weights"),
        ("not finite", "layer 0 is not finite"),
        ("no head", "no head"),
        ("no function", "no function"),
        ("elements", "elements of a must be 1 to 16384"),
        ("scale", "scale of a has 3 numbers for 2 elements"),
        ("no transform", "a transform of a"),
        ("same feature", "two inputs are of the feature a"),
        ("activation", "an activation that is not known"),
        ("many layers", "too many layers"),
        ("both", "neither a model nor the name"),
        ("tree child", "node 1 of tree 0 has a child that is not behind it"),
        ("tree beyond", "node 0 of tree 0 has a child"),
        ("tree input", "compares input 2 of 2"),
        ("tree lists", "tree 1 has no nodes"),
    ],
)
def test_names_what_is_broken(change: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        PortablePolicy(broken(change))


def test_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    whole = PortablePolicy(two_features()).to_bytes()
    for content, says in [
        (b"", "not a policy file"),
        (b"MLCGPOL1", "not a policy file"),
        (whole[:-1], "bytes follow its header, and there are"),
        (b"MLCGPOL9" + whole[8:], "another version"),
        (b"MLCGPOL1" + struct.pack("<I", 3) + b"\x22\x7fx", "broken"),
        (b"MLCGPOL1" + struct.pack("<I", 17 << 20) + bytes(17 << 20), "at most"),
    ]:
        path = tmp_path / "some.policy"
        path.write_bytes(content)
        with pytest.raises(PolicyError, match=rf"some\.policy: .*{says}"):
            PortablePolicy.load(path)


WHOLE = [PortablePolicy(each).to_bytes()[12:] for each in (two_features(), two_trees())]


@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=9)), max_size=6),
)
def test_survives_any_file(content: bytes, changes: list[tuple[int, bytes]]) -> None:
    """Whatever is overwritten, it is refused, or it decides something legal."""
    mutable = bytearray(content)
    for at, replacement in changes:
        at %= len(mutable)
        mutable[at : at + len(replacement)] = replacement
    file = b"MLCGPOL1" + len(mutable).to_bytes(4, "little") + bytes(mutable)
    try:
        policy = PortablePolicy.from_bytes(file)
    except PolicyError:
        return
    if policy.builtin:
        return
    model = policy.message.model
    rows = np.full((2, sum(each.elements for each in model.inputs)), 3e38, np.float32)
    rows[1] = np.nan
    if not np.isfinite(policy.outputs(rows)).all():
        with pytest.raises(PolicyError, match="finite"):
            policy.decide(rows)
        return
    decided = policy.decide(rows)
    assert np.isfinite(decided.log_probabilities).all()
    if model.HasField("scalar"):
        low, high = model.scalar.low, model.scalar.high
        assert ((decided.actions >= low) & (decided.actions <= high)).all()
