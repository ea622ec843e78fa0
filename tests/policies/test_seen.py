# SPDX-License-Identifier: Apache-2.0
"""What a policy's inputs were in training, on its card."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.policies import inlines_what_is_cheap, two_features
from support.strategies import examples

from mlcompiler_gym import InliningEnv, PolicyError, PortablePolicy
from mlcompiler_gym.policies.export import from_sklearn
from mlcompiler_gym.v1 import policy_pb2 as pb

ROWS = arrays(np.float32, st.tuples(st.integers(1, 60), st.just(3)))
OTHERS = arrays(np.float32, st.integers(0, 60))


@examples(100)
@given(ROWS, OTHERS)
def test_every_value_is_in_the_bin_that_it_lies_in(
    rows: np.ndarray, others: np.ndarray
) -> None:
    policy = PortablePolicy(two_features()).with_seen(rows)
    assert [(each.feature, each.element) for each in policy.seen] == [
        ("a", 0),
        ("a", 1),
        ("b", 0),
    ]
    for histogram, column in zip(policy.seen, rows.T, strict=True):
        assert histogram.counts.tolist() == histogram.count(column).tolist()
        ends = [-np.inf, *histogram.ends.tolist(), np.inf]
        # As in the evaluator, NaN counts as 0 and an infinity as the largest number.
        finite = np.nan_to_num(others)
        assert histogram.count(others).tolist() == [
            ((finite > low) & (finite <= high)).sum()
            for low, high in itertools.pairwise(ends)
        ]


def test_bins_are_values_where_there_are_few_and_parts_where_there_are_many() -> None:
    few = np.array([[1, 5, 0], [3, 5, 0], [1, 5, 0]], np.float32)
    one, five, _ = PortablePolicy(two_features()).with_seen(few).seen
    assert one.ends[1:].tolist() == [1, 3]
    assert one.counts.tolist() == [0, 2, 1, 0]
    assert five.count(np.array([4, 5, 6], np.float32)).tolist() == [1, 1, 1]
    many = np.tile(np.arange(1000, dtype=np.float32)[:, None], 3)
    found = PortablePolicy(two_features()).with_seen(many).seen[0]
    assert found.counts.tolist() == [0, *[100] * 10, 0]


def test_it_is_kept_in_the_file_and_decides_nothing(tmp_path: Path) -> None:
    policy = PortablePolicy(two_features())
    rows = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    seen = policy.with_seen(rows).with_seen(rows)
    seen.save(tmp_path / "seen.policy")
    loaded = PortablePolicy.load(tmp_path / "seen.policy")
    assert [each.counts.tolist() for each in loaded.seen] == [
        each.counts.tolist() for each in seen.seen
    ]
    assert loaded.decide(rows).actions.tolist() == policy.decide(rows).actions.tolist()
    assert policy.seen == []


@pytest.mark.parametrize("shape", [(0, 3), (5, 2), (3,)])
def test_other_elements_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(decisions, 3\)"):
        PortablePolicy(two_features()).with_seen(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("feature", "moon", "not of the policy's inputs"),
        ("element", 7, "not of the policy's inputs"),
        ("ends", [2, 1], "do not rise"),
        ("ends", [float("nan"), 1], "do not rise"),
        ("counts", [1, 2], "no counts"),
        ("counts", [2**64 - 1, 2, 3], "no counts"),
        ("counts", [0, 0, 0], "no counts"),
    ],
)
def test_a_card_that_is_broken_is_refused(
    field: str, value: object, message: str
) -> None:
    policy = inlines_what_is_cheap()
    good = pb.Distribution(feature="cost_estimate", ends=[1, 2], counts=[1, 2, 3])
    policy.card.seen.append(good)
    assert PortablePolicy(policy).seen[0].counts.tolist() == [1, 2, 3]
    broken = policy.card.seen[0]
    if isinstance(value, list):
        broken.ClearField(field)
        getattr(broken, field).extend(value)
    else:
        setattr(broken, field, value)
    with pytest.raises(PolicyError, match=message):
        _ = PortablePolicy(policy).seen


def test_exporters_take_it_from_a_rollout() -> None:
    from sklearn.linear_model import LogisticRegression

    env = InliningEnv(programs="kernels/lz")
    env.reset()
    made = env.rollout("random", seed=1, features=True)
    assert made.features is not None
    fitted = LogisticRegression(max_iter=5000).fit(
        np.log1p(np.abs(made.features)), made.actions
    )
    policy = from_sklearn(fitted, env, seen=made.features)
    assert {each.counts.sum() for each in policy.seen} == {len(made.actions)}
    with pytest.raises(ValueError, match="seen must have the shape"):
        from_sklearn(fitted, env, seen=made.features[:, 1:])
    env.close()
