# SPDX-License-Identifier: Apache-2.0
"""SB3 learns the same from sessions that decide as from stepping them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize
from typing_extensions import override

from mlcompiler_gym.envs.wrappers import SignedLogVectorObservation
from mlcompiler_gym.integrations.sb3 import CompilerVecEnv
from mlcompiler_gym.integrations.sb3_in_session import in_session
from mlcompiler_gym.policies.export import from_sb3

INLINING = "mlcompiler/Inlining-v0"
EVICTION = "mlcompiler/RegAllocEviction-v0"
NUMBER = 2
SEED = 3


def make(env_id: str, wrapped: bool = False, **settings: Any) -> Any:
    settings.setdefault("programs", ["kernels/hashes", "kernels/lisp"])
    envs = gymnasium.make_vec(env_id, NUMBER, autoreset_mode="SameStep", **settings)
    return VecMonitor(
        CompilerVecEnv(SignedLogVectorObservation(envs) if wrapped else envs)
    )


class Kept(BaseCallback):
    """Copies of each rollout buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.buffers: list[dict[str, Any]] = []
        self.steps = 0

    @override
    def _on_step(self) -> bool:
        self.steps += 1
        return True

    @override
    def _on_rollout_end(self) -> None:
        names = ["actions", "rewards", "episode_starts", "values", "log_probs"]
        names += ["advantages", "returns", "observations"]
        buffer = self.model.rollout_buffer  # type: ignore[attr-defined]
        if hasattr(buffer, "action_masks"):
            names.append("action_masks")
        kept = {}
        for name in names:
            value = getattr(buffer, name)
            kept[name] = (
                {key: np.array(each) for key, each in value.items()}
                if isinstance(value, dict)
                else np.array(value)
            )
        self.buffers.append(kept)


def stepping(algorithm: Any) -> Any:
    """The algorithm as SB3 has it, drawing actions by the numbers a session has."""

    class Stepping(algorithm):  # type: ignore[misc]
        draws: Any = None

        def collect_rollouts(self, *args: Any, **kwargs: Any) -> bool:
            policy = from_sb3(self)
            states = [
                SEED + index if self.draws is None else self.draws[index].random.state
                for index in range(NUMBER)
            ]
            self.draws = [policy.sampled(state) for state in states]
            compilers = self.env.unwrapped.env.unwrapped

            def forward(observations: Any, action_masks: Any = None, **_: Any) -> Any:
                rows = compilers._batch(list(range(NUMBER)))
                masks = compilers.action_masks()
                actions = torch.tensor(
                    [
                        draw(
                            {name: each[index] for name, each in rows.items()}
                            if isinstance(rows, dict)
                            else rows[index],
                            {"action_mask": masks[index]},
                        )
                        for index, draw in enumerate(self.draws)
                    ]
                )
                given = {} if action_masks is None else {"action_masks": action_masks}
                values, log_probs, _ = self.policy.evaluate_actions(
                    observations, actions, **given
                )
                return actions, values, log_probs

            self.policy.forward = forward
            try:
                return bool(super().collect_rollouts(*args, **kwargs))
            finally:
                del self.policy.forward

    return Stepping


def assert_close(ours: Any, theirs: Any, name: str, atol: float) -> None:
    if isinstance(ours, dict):
        assert list(ours) == list(theirs)
        for key in ours:
            assert_close(ours[key], theirs[key], f"{name}.{key}", atol)
        return
    np.testing.assert_allclose(ours, theirs, atol=atol, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("algorithm", "env_id", "settings"),
    [
        (PPO, INLINING, {"wrapped": True}),
        (PPO, INLINING, {"observation": "dict", "wrapped": True}),
        (
            MaskablePPO,
            EVICTION,
            {"function": "each", "reward": "dense", "programs": ["kernels/codecs"]},
        ),
    ],
    ids=["ppo", "ppo-by-name", "maskable"],
)
def test_trains_as_stepping_does(
    algorithm: Any, env_id: str, settings: dict[str, Any]
) -> None:
    kept, models = [], []
    for kind in (in_session(algorithm), stepping(algorithm)):
        envs = make(env_id, **settings)
        name = "MultiInputPolicy" if "observation" in settings else "MlpPolicy"
        model = kind(
            name,
            envs,
            n_steps=100,
            batch_size=50,
            n_epochs=2,
            gamma=1.0,
            seed=SEED,
            device="cpu",
            policy_kwargs={"net_arch": [16]},
        )
        callback = Kept()
        model.learn(400, callback=callback)
        assert callback.steps == 200
        assert model.num_timesteps == 400
        kept.append(callback.buffers)
        models.append(model)
        envs.close()
    assert len(kept[0]) == len(kept[1]) == 2
    for ours, theirs in zip(*kept, strict=True):
        for exact in ("actions", "episode_starts", "action_masks"):
            if exact in ours:
                assert np.array_equal(ours[exact], theirs[exact]), exact
        for name in ours:
            assert_close(ours[name], theirs[name], name, 2e-5)
        assert len(np.unique(ours["actions"])) > 1
    # An episode ends in the middle of a buffer, and goes on from one to the next.
    assert kept[0][0]["episode_starts"].sum() > NUMBER
    assert kept[0][0]["rewards"].any()
    assert not kept[0][1]["episode_starts"][0].all()
    for one, other in zip(
        models[0].policy.parameters(), models[1].policy.parameters(), strict=True
    ):
        assert_close(one.detach().numpy(), other.detach().numpy(), "parameters", 1e-4)
    lengths = [[each["l"] for each in model.ep_info_buffer] for model in models]
    assert lengths[0] == lengths[1]
    assert lengths[0]
    rewards = [[each["r"] for each in model.ep_info_buffer] for model in models]
    assert rewards[0] == pytest.approx(rewards[1], abs=1e-5)


def test_a_model_is_saved_and_goes_on(tmp_path: Any) -> None:
    envs = make(INLINING)
    model = in_session(PPO)("MlpPolicy", envs, n_steps=16, batch_size=32, device="cpu")
    model.learn(32).save(tmp_path / "model.zip")
    again = in_session(PPO).load(tmp_path / "model.zip", env=envs, device="cpu")
    again.learn(32, reset_num_timesteps=False)
    assert again.num_timesteps == 64
    envs.close()


def test_a_callback_ends_it() -> None:
    class Enough(BaseCallback):
        @override
        def _on_step(self) -> bool:
            return self.n_calls < 5

    envs = make(INLINING)
    model = in_session(PPO)("MlpPolicy", envs, n_steps=16, batch_size=32, device="cpu")
    model.learn(32, callback=Enough())
    assert model.num_timesteps == 5 * NUMBER
    envs.close()


def test_what_cannot_be_is_named() -> None:
    envs = make(EVICTION)
    with pytest.raises(TypeError, match="MaskablePPO"):
        in_session(PPO)("MlpPolicy", envs, n_steps=16, batch_size=32).learn(32)
    normalized = VecNormalize(make(INLINING))
    with pytest.raises(TypeError, match="not a VecNormalize"):
        in_session(PPO)("MlpPolicy", normalized, n_steps=16, batch_size=32).learn(32)
    priority = make("mlcompiler/RegAllocPriority-v0")
    with pytest.raises(TypeError, match="continuous"):
        in_session(PPO)("MlpPolicy", priority, n_steps=16, batch_size=32).learn(32)
    for each in (envs, normalized, priority):
        each.close()
