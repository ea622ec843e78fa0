# SPDX-License-Identifier: Apache-2.0
"""Coordinate search: what pays is kept, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.evaluation import Evaluation, Player
from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.training import Assignment, CoordinatesSettings, Trained
from mlcompiler_gym.training.coordinates import train_coordinates
from mlcompiler_gym.training.curve import read_curve
from mlcompiler_gym.training.rounds import hold_out

EVICTION = "mlcompiler/RegAllocEviction-v0"
NAMES = ["kernels/align", "kernels/btree", "kernels/basic"]
SMALL = CoordinatesSettings(
    rounds=1, steps=(4.0,), confidence=0.0, programs=3, functions=3, clip=math.inf
)


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return list(load_programs(NAMES, level="O2"))


def train(
    programs: list[Program], folder: Path, settings: CoordinatesSettings = SMALL
) -> Trained:
    shown = {"function": "each", "eviction_default": True}
    return train_coordinates(Assignment(EVICTION, programs, folder, shown), settings)


def mean_log(policy: PortablePolicy, programs: list[Program], folder: Path) -> float:
    """What all functions of some programs come to against LLVM."""
    path = folder / "judged.policy"
    policy.save(path)
    player = Player(Evaluation(EVICTION, str(path), {"function": "each"}))
    functions = [
        function
        for program in programs
        for function in player.play(program, 0).record["functions"]
    ]
    player.close()
    return fmean(
        math.log(
            each["objective"]["regalloc_score"] / each["baseline"]["regalloc_score"]
        )
        for each in functions
    )


def test_what_pays_is_kept(programs: list[Program], tmp_path: Path) -> None:
    learned, _ = hold_out(programs, SMALL)
    # All are tried from the beginning.
    every = replace(SMALL, programs=100, functions=100)
    found = train(programs, tmp_path / "found", every)
    assert "coordinate search" in found.policy.card.method
    assert mean_log(found.policy, learned, tmp_path) < 0
    # No change is sure by so many standard errors, and it stays as LLVM.
    sure = train(programs, tmp_path / "sure", replace(SMALL, confidence=1e9))
    assert mean_log(sure.policy, programs, tmp_path) == 0
    assert sure.chosen.ratio == 1
    [point] = read_curve(sure.curve)
    assert point.training == {"ratio": 1.0}
    assert point.spent["compiles"] > 0


def test_goes_on_with_more_rounds(programs: list[Program], tmp_path: Path) -> None:
    train(programs, tmp_path / "parts")
    twice = replace(SMALL, rounds=2)
    again = train(programs, tmp_path / "parts", twice)
    whole = train(programs, tmp_path / "whole", twice)
    assert len(again.played) == len(whole.played) == 2
    assert again.policy.to_bytes() == whole.policy.to_bytes()


def test_settings() -> None:
    for steps in ((), (1.0, 0.0), (-1.0,)):
        with pytest.raises(TrainingError, match="steps are numbers above 0"):
            CoordinatesSettings(steps=steps)
