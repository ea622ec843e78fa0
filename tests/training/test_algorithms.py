# SPDX-License-Identifier: Apache-2.0
"""Each algorithm ends in a policy file, and goes on where it was killed."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from support.commands import cli
from support.curves import untimed

from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.training import (
    ALGORITHMS,
    Assignment,
    CloneSettings,
    DQNSettings,
    ESSettings,
    PPOSettings,
    Trained,
    find_algorithm,
)
from mlcompiler_gym.training.playing import Played
from mlcompiler_gym.training.rounds import RoundSettings, hold_out

INLINING = "mlcompiler/Inlining-v0"
NAMES = ["kernels/json", "kernels/lz", "kernels/regex"]
#: A few rounds of few steps; what is learned is nothing much.
SMALL: dict[str, RoundSettings] = {
    "clone": CloneSettings(rounds=2, epochs=2, hidden=(8,)),
    "ppo": PPOSettings(rounds=2, envs=2, steps=16, batch=16, epochs=1, hidden=(8,)),
    "dqn": DQNSettings(rounds=2, envs=2, steps=32, starts=16, hidden=(8,)),
    "es": ESSettings(rounds=2, generations=1, population=5, programs=1),
}


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return list(load_programs(NAMES))


def train(name: str, programs: list[Program], folder: Path, **settings: Any) -> Trained:
    shown = {"inlining_default": True}
    return ALGORITHMS[name].train(
        Assignment(INLINING, programs, folder, shown), replace(SMALL[name], **settings)
    )


@pytest.mark.parametrize("name", SMALL)
def test_comes_to_a_policy(name: str, programs: list[Program], tmp_path: Path) -> None:
    trained = train(name, programs, tmp_path)
    assert [row.name for row in trained.played] == ["round 1", "round 2"]
    assert trained.chosen.ratio == min(row.ratio for row in trained.played)
    _, judged = hold_out(programs, SMALL[name])
    assert trained.chosen.programs == len(judged) == 1
    check_curve(trained)
    card = trained.policy.card
    assert list(card.seeds) == [0]
    assert f"{trained.chosen.name} of 2" in card.method
    # What the policy comes to by itself is what it was chosen for.
    env = gym.make(INLINING, programs=judged, inlining_default=True).unwrapped
    env.reset(seed=0)
    info = env.rollout(trained.policy).info  # type: ignore[attr-defined]
    env.close()
    ratio = info["objective"]["text_size"] / info["baseline"]["text_size"]
    assert trained.chosen.ratio == pytest.approx(ratio)


#: What two rounds of each learn from.
SPENT: dict[tuple[str, ...], list[float]] = {
    ("epochs",): [2, 4],
    ("decisions", "compiles"): [32, 64],
    ("compiles",): [5, 10],
}


def check_curve(trained: Trained) -> None:
    """The curve says of each round what was spent and what it came to."""
    points = untimed(trained.curve)
    for point, row in zip(points, trained.played, strict=True):
        assert Played.of(point.name, point.held_out) == row
        assert PortablePolicy.load(trained.curve.parent / point.policy)
    for before, after in itertools.pairwise(points):
        assert all(after.spent[unit] >= before.spent[unit] for unit in after.spent)
    units = tuple(points[0].spent)
    assert [point.spent[units[0]] for point in points] == SPENT[units]


@pytest.mark.parametrize("name", SMALL)
def test_goes_on_with_more_rounds(
    name: str, programs: list[Program], tmp_path: Path
) -> None:
    first = train(name, programs, tmp_path, rounds=1)
    again = train(name, programs, tmp_path, rounds=2)
    assert list(again.played[:1]) == list(first.played)
    assert len(again.played) == 2
    if name in ("clone", "es"):
        whole = train(name, programs, tmp_path / "whole", rounds=2)
        assert whole.policy.to_bytes() == again.policy.to_bytes()
        # Policies have names that their content gives.
        assert untimed(whole.curve) == untimed(again.curve)


def test_es_begins_as_llvm(programs: list[Program], tmp_path: Path) -> None:
    """With weights that hardly vary, it stays there."""
    for hidden in (0, 4):
        trained = train(
            "es", programs, tmp_path, hidden=hidden, deviation=1e-6, rounds=1
        )
        assert trained.chosen.ratio == 1


def test_a_clone_sees_what_the_environment_shows(
    programs: list[Program], tmp_path: Path
) -> None:
    """Not LLVM's answer, unless that is asked for."""
    settings = replace(SMALL["clone"], rounds=1)
    trained = ALGORITHMS["clone"].train(
        Assignment(INLINING, programs, tmp_path), settings
    )
    inputs = [each.feature for each in trained.policy.message.model.inputs]
    assert len(inputs) == 38
    assert "inlining_default" not in inputs


COMMAND = [
    "train",
    INLINING,
    "inlining_default=true",
    "--algo=es",
    *(f"--programs={name}" for name in NAMES),
    "--config=small.toml",
    "--folder=work",
    "--output=small.policy",
]


def test_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    """After kill -9, the same command comes to the same file as in one go."""
    config = "rounds = 3\ngenerations = 1\npopulation = 5\nprograms = 1\n"
    files = []
    for name in ("whole", "killed"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "small.toml").write_text(config)
        if name == "killed":
            kill_after_a_round(folder)
        cli(*COMMAND, cwd=folder)
        content = (folder / "small.policy").read_bytes()
        [curve] = folder.glob("work/rounds-*/curve.jsonl")
        files.append((content, untimed(curve)))
    assert files[0] == files[1]


def kill_after_a_round(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "mlcompiler_gym", *COMMAND],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while not list(folder.glob("work/rounds-*/curve.jsonl")):
            assert process.poll() is None, "it was done before it could be killed"
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (folder / "small.policy").exists()


def test_ends_when_it_gets_no_better(programs: list[Program], tmp_path: Path) -> None:
    trained = train(
        "es", programs, tmp_path, deviation=1e-6, rounds=9, patience=2, worse=0.0
    )
    assert [row.name for row in trained.played] == ["round 1", "round 2", "round 3"]
    assert trained.chosen.name == "round 1"


# -- What is refused ---------------------------------------------------------


def test_no_package_is_learned_and_judged(programs: list[Program]) -> None:
    for seed in range(4):
        learned, judged = hold_out(programs, RoundSettings(seed=seed))
        names = [each.name for each in (*learned, *judged)]
        assert sorted(names) == NAMES
    with pytest.raises(TrainingError, match="two packages or more"):
        hold_out(programs[:1], RoundSettings())
    named = (NAMES[0], NAMES[1])
    learned, judged = hold_out(programs, RoundSettings(judged=named))
    assert {each.name for each in judged} == set(named)
    assert {each.name for each in learned} == set(NAMES[2:])
    for begin, what in (("loops/", "none"), ("kernels/", "all")):
        with pytest.raises(TrainingError, match=f"judged names {what} of the"):
            hold_out(programs, RoundSettings(judged=(begin,)))


def test_actions_that_are_not_one_choice(
    programs: list[Program], tmp_path: Path
) -> None:
    many = Assignment("mlcompiler/Parameters-v0", programs, tmp_path)
    for name, settings in SMALL.items():
        with pytest.raises(TrainingError, match="choice"):
            ALGORITHMS[name].train(many, settings)


def test_several_objectives(programs: list[Program], tmp_path: Path) -> None:
    both = {"objective": {"text_size": 1.0, "ir_instructions": 1.0}}
    for name, settings in SMALL.items():
        with pytest.raises(TrainingError, match="one objective"):
            ALGORITHMS[name].train(
                Assignment(INLINING, programs, tmp_path, both), settings
            )


def test_dqn_knows_no_masks(programs: list[Program], tmp_path: Path) -> None:
    masked = Assignment("mlcompiler/RegAllocEviction-v0", programs, tmp_path)
    with pytest.raises(TrainingError, match="take ppo"):
        ALGORITHMS["dqn"].train(masked, SMALL["dqn"])


def test_names() -> None:
    with pytest.raises(TrainingError, match="no algorithm 'pp'; did you mean ppo"):
        find_algorithm("pp")
    with pytest.raises(TrainingError, match="rounds and patience"):
        RoundSettings(rounds=0)
    with pytest.raises(TrainingError, match="held_out is a share"):
        RoundSettings(held_out=1.0)
    with pytest.raises(TrainingError, match="5 candidates or more"):
        ESSettings(population=3)
