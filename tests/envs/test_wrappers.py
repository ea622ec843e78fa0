# SPDX-License-Identifier: Apache-2.0
"""Wrappers see every observation that an agent may see."""

import gymnasium
import numpy as np
import pytest
from support.pass_ordering import FEW, LOOP, ORDERING

from mlcompiler_gym.envs.wrappers import SignedLogVectorObservation, signed_log


def test_signed_log() -> None:
    values = np.array([-999, -1, 0, 1, 999], np.float32)
    expected = [-6.9077554, -0.6931472, 0, 0.6931472, 6.9077554]
    np.testing.assert_allclose(signed_log(values), expected, rtol=1e-6)
    np.testing.assert_allclose(signed_log({"a": values})["a"], expected, rtol=1e-6)


@pytest.mark.parametrize("observation", ["flat", "dict"])
def test_final_observations_are_transformed_as_the_others(observation: str) -> None:
    raw, inner = (
        gymnasium.make_vec(
            ORDERING,
            num_envs=2,
            programs=[LOOP],
            actions=FEW,
            observation=observation,
            autoreset_mode="SameStep",
            max_episode_steps=2,
        )
        for _ in range(2)
    )
    wrapped = SignedLogVectorObservation(inner)
    expected, _ = raw.reset(seed=0)
    seen, _ = wrapped.reset(seed=0)
    np.testing.assert_equal(seen, signed_log(expected))
    for _ in range(2):
        expected, *_, infos = raw.step(np.array([0, 1]))
        seen, *_, wrapped_infos = wrapped.step(np.array([0, 1]))
        np.testing.assert_equal(seen, signed_log(expected))
    for mine, theirs in zip(
        wrapped_infos["final_obs"], infos["final_obs"], strict=True
    ):
        np.testing.assert_equal(mine, signed_log(theirs))
        # It is not the zero observation, which would stay what it is.
        assert np.any(
            np.asarray(theirs["autophase"] if observation == "dict" else theirs) > 1
        )
    raw.close()
    wrapped.close()
