# SPDX-License-Identifier: Apache-2.0
"""Pictures of decisions, and what calls for them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RecordVideo, RenderCollection
from gymnasium.wrappers import vector as vector_wrappers
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from support.regalloc import EVICTION, PRIORITY, MakeEnv

from mlcompiler_gym import CompilerVectorEnv, MissingLibraryError, ResetNeededError
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.picture import draw
from mlcompiler_gym.integrations.sb3 import CompilerVecEnv

Make = Callable[..., CompilerEnv]
MakeVec = Callable[..., CompilerVectorEnv]

INLINING = "mlcompiler/Inlining-v0"
LOOPS = "mlcompiler/LoopDistribution-v0"
PASSES = "mlcompiler/PassOrdering-v0"
SHAPE = (480, 960, 3)


def is_picture(frame: Any) -> bool:
    return (
        isinstance(frame, np.ndarray)
        and frame.dtype == np.uint8
        and frame.shape == SHAPE
        # Paper, ink, and what smooth letters have between the two.
        and frame.max() == 255
        and frame.min() == 32
    )


def ink(frame: NDArray[np.uint8]) -> list[int]:
    """Which rows of a picture have something on them."""
    return np.flatnonzero(np.any(frame < 128, axis=(1, 2))).tolist()


@pytest.mark.parametrize("env_id", [INLINING, EVICTION, PRIORITY, LOOPS, PASSES])
def test_every_task_has_a_picture(make_env: MakeEnv, env_id: str) -> None:
    programs = "loops/split_chain" if env_id == LOOPS else "kernels/lz"
    env = make_env(env_id, programs=programs, render_mode="rgb_array")
    assert env.metadata["render_modes"] == ["ansi", "rgb_array"]
    _, info = env.reset(seed=0)
    first = env.render()
    assert is_picture(first)
    env.step(env.action_space.sample(info.get("action_mask")))
    second = env.render()
    assert is_picture(second)
    # The decision taken stands there now.
    assert not np.array_equal(first, second)
    assert np.array_equal(second, env.render())


def test_the_picture_is_of_the_text(make: Make) -> None:
    env = make(programs="kernels/lisp", render_mode="rgb_array")
    env.reset(seed=0)
    shown = env.fork()
    shown.render_mode = "ansi"
    text = shown.render()
    assert np.array_equal(env.render(), draw(text))
    env.step(1)
    assert not np.array_equal(env.render(), draw(text))
    shown.close()


def test_lines_and_columns() -> None:
    # A line is 19 pixels high and a column 8 wide, after a margin of 16.
    def box(text: str) -> tuple[int, int]:
        dark = np.any(draw(text) < 128, axis=2)
        return int(np.flatnonzero(dark.any(0))[0]), int(np.flatnonzero(dark.any(1))[0])

    left, top = box("H")
    assert box("\nH") == (left, top + 19)
    assert box("    H") == (left + 32, top)
    assert np.array_equal(draw("a  b"), draw("a  b\n"))
    # What stands behind a long name does not move.
    short = draw("i" + " " * 20 + "H")[:, 150:]
    assert np.array_equal(short, draw("w" + " " * 20 + "H")[:, 150:])


def test_what_finds_no_room_is_cut_at_an_ellipsis() -> None:
    wide = draw("x" * 500)
    assert (wide[:, -16:] == 255).all()
    assert np.array_equal(wide, draw("x" * 600))
    assert not np.array_equal(wide, draw("x" * 20))
    many = draw("\n".join("x" * 100))
    assert (many[-16:] == 255).all()
    assert np.array_equal(many, draw("\n".join(["x"] * 22 + ["…"])))


def test_finished_and_lost_compiles_have_one(make: Make) -> None:
    env = make(programs="kernels/lz", render_mode="rgb_array")
    with pytest.raises(ResetNeededError):
        env.render()
    env.reset()
    over = False
    while not over:
        *_, over, _, _ = env.step(0)
    finished = env.render()
    assert is_picture(finished)
    env.session.close()
    assert ink(env.render()) != ink(finished)


def test_gymnasium_checks_it(make: Make) -> None:
    env = make(programs="kernels/lisp", render_mode="rgb_array")
    check_env(env, skip_close_check=True)


def test_without_pillow(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    env = make(programs="kernels/lz", render_mode="rgb_array")
    env.reset()
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingLibraryError, match=r"pillow.*mlcompiler_gym\[render\]"):
        env.render()
    # It is only pictures that need it.
    env.render_mode = "ansi"
    assert "kernels/lz" in env.render()


def test_wrappers_that_render(make: Make, tmp_path: Path) -> None:
    env = make(programs="kernels/lz", render_mode="rgb_array")
    collected: gym.Env[Any, Any] = RenderCollection(env)
    collected.reset()
    collected.step(0)
    frames: Any = collected.render()
    assert isinstance(frames, list)
    assert len(frames) == 2
    assert all(map(is_picture, frames))
    video: gym.Env[Any, Any] = RecordVideo(
        env, str(tmp_path / "video"), episode_trigger=lambda _: True, video_length=3
    )
    video.reset()
    for _ in range(4):
        video.step(0)
    video.close()
    (file,) = tmp_path.glob("video/*.mp4")
    assert b"ftyp" in file.read_bytes()[:16]


def test_a_vector_environment_returns_a_tuple(make_vec: MakeVec, make: Make) -> None:
    envs = make_vec(2, programs="kernels/lisp", render_mode="rgb_array")
    for name in ("render_modes", "render_fps"):
        assert envs.metadata[name] == CompilerEnv.metadata[name]
    with pytest.raises(ResetNeededError, match="reset"):
        envs.render()
    envs.reset(seed=0)
    envs.step(np.array([0, 1]))
    frames = envs.render()
    assert isinstance(frames, tuple)
    assert all(map(is_picture, frames))
    assert not np.array_equal(*frames)
    alone = make(programs="kernels/lisp", render_mode="rgb_array")
    alone.reset(seed=0)
    alone.step(0)
    assert np.array_equal(frames[0], alone.render())
    # Between an action and its reply there is nothing to show.
    envs.send(np.array([0, 0]))
    with pytest.raises(ResetNeededError, match="recv"):
        envs.render()
    envs.recv()
    assert len(envs.render()) == 2


def test_the_vector_environment_as_text(make_vec: MakeVec) -> None:
    envs = make_vec(2, programs="kernels/lisp", render_mode="ansi")
    envs.reset(seed=0)
    assert all("kernels/lisp" in text for text in envs.render())
    silent = make_vec(2, programs="kernels/lisp")
    silent.reset()
    with pytest.raises(ValueError, match="render_mode='ansi'"):
        silent.render()
    with pytest.raises(ValueError, match="'rgb_array' or None, not 'human'"):
        make_vec(2, render_mode="human")


def test_the_vector_recorder(make_vec: MakeVec, tmp_path: Path) -> None:
    envs = make_vec(2, programs="kernels/lz", render_mode="rgb_array")
    video = vector_wrappers.RecordVideo(
        envs,
        str(tmp_path / "video"),
        step_trigger=lambda step: step == 1,
        video_length=3,
    )
    video.reset(seed=0)
    for _ in range(5):
        video.step(np.array([0, 0]))
    video.close()
    assert [file.suffix for file in tmp_path.glob("video/*")] == [".mp4"]


def test_stable_baselines_quick_start() -> None:
    env = gym.make(INLINING, programs="kernels/lz", render_mode="rgb_array")
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=8, n_epochs=1, device="cpu")
    model.learn(total_timesteps=8)
    vec_env = model.get_env()
    assert vec_env is not None
    obs = vec_env.reset()
    for _ in range(3):
        action, _ = model.predict(obs, deterministic=True)  # type: ignore[arg-type]
        obs, _, _, _ = vec_env.step(action)
        assert is_picture(vec_env.render())
    vec_env.close()


def test_stable_baselines_vector_environments(make_vec: MakeVec) -> None:
    def tiles(frame: Any) -> tuple[int, ...]:
        assert isinstance(frame, np.ndarray)
        return tuple(frame.shape)

    settings = {"programs": "kernels/lz", "render_mode": "rgb_array"}
    dummy = make_vec_env(INLINING, 2, env_kwargs=settings)
    dummy.reset()
    both = (2 * SHAPE[0], SHAPE[1], 3)
    assert tiles(dummy.render()) == both
    dummy.close()
    ours = CompilerVecEnv(make_vec(2, autoreset_mode="SameStep", **settings))
    ours.reset()
    assert ours.render_mode == "rgb_array"
    assert tiles(ours.render()) == both
