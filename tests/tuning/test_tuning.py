# SPDX-License-Identifier: Apache-2.0
"""Tuning: what it proposes, what it finds, and that others can make it again."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlcompiler_gym import LocalService, TuningError, load_programs
from mlcompiler_gym.tuning import SAMPLERS, Tried, Tuner, tune

#: The parameters of a made-up compiler, which does best with the last values of both.
PARAMETERS = {
    "size": ["LLVM's own", "1", "2", "3"],
    "speed": ["LLVM's own", "true"],
    **{f"idle-{n}": ["LLVM's own", "0", "1"] for n in range(6)},
}


def cost(tried: Tried) -> float:
    """Lower for each parameter that is as it should be; the others change nothing."""
    chosen = tried.chosen
    return 10.0 - int(chosen.get("size", "0")) - 2 * (chosen.get("speed") == "true")


def ask_and_tell(tuner: Tuner, count: int) -> list[Tried]:
    told = []
    for _ in range(count):
        tried = tuner.ask()
        told.append(tuner.tell(tried, [cost(tried)]))
    return told


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_proposals_get_better(sampler: str) -> None:
    tuner = Tuner(PARAMETERS, ["cost"], sampler=sampler, seed=1)
    tried = ask_and_tell(tuner, 60)
    [best] = tuner.front
    assert best.values == (5.0,)
    assert best in tried
    # The first is LLVM's own.
    assert tried[0] == Tried(0, {}, (10.0,))
    assert tuner.tried == tried


def test_tpe_learns() -> None:
    tuner = Tuner(PARAMETERS, ["cost"], seed=1)
    tried = ask_and_tell(tuner, 60)
    late = sum(cost(each) for each in tried[40:]) / 20
    assert late < 6.5


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_study_goes_on_as_though_it_had_never_stopped(
    sampler: str, tmp_path: Path
) -> None:
    def make(file: str) -> Tuner:
        study = tmp_path / file
        return Tuner(PARAMETERS, ["cost"], sampler=sampler, seed=3, study=study)

    whole = ask_and_tell(make("whole"), 30)
    ask_and_tell(make("parts"), 11)
    ask_and_tell(make("parts"), 13)
    ask_and_tell(make("parts"), 6)
    assert make("parts").tried == whole


def test_seeds_make_a_difference() -> None:
    first, same, other = (
        ask_and_tell(Tuner(PARAMETERS, ["cost"], seed=seed), 5) for seed in (0, 0, 1)
    )
    assert first == same != other


@pytest.mark.parametrize("lost_values", [None, [math.nan]])
@pytest.mark.filterwarnings("error")
def test_what_the_compiler_does_not_survive_is_passed_over(
    lost_values: list[float] | None,
) -> None:
    tuner = Tuner(PARAMETERS, ["cost"], seed=0)
    for _ in range(40):
        tried = tuner.ask()
        lost = tried.chosen.get("speed") == "true"
        tuner.tell(tried, lost_values if lost else [cost(tried)])
    assert any(each.values is None for each in tuner.tried)
    [best] = tuner.front
    assert best.values == (7.0,)


def test_several_objectives_have_a_front() -> None:
    tuner = Tuner(PARAMETERS, ["one", "other"], seed=0)
    for _ in range(40):
        tried = tuner.ask()
        size = int(tried.chosen.get("size", "0"))
        tuner.tell(tried, [10.0 - size, 10.0 + size])
    values = [each.values for each in tuner.front]
    assert values == [(7.0, 13.0), (8.0, 12.0), (9.0, 11.0), (10.0, 10.0)]


def test_what_was_asked_and_never_told_is_given_up(tmp_path: Path) -> None:
    tuner = Tuner(PARAMETERS, ["cost"], study=tmp_path / "study")
    ask_and_tell(tuner, 2)
    tuner.ask()
    again = Tuner(PARAMETERS, ["cost"], study=tmp_path / "study")
    assert [each.values is None for each in again.tried] == [False, False, True]
    assert len(ask_and_tell(again, 2)) == 2


@pytest.mark.timeout(60)
def test_a_study_goes_on_that_was_killed_while_it_was_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("studies").mkdir()
    study = Path("studies/study")
    tuner = Tuner(PARAMETERS, ["cost"], study=study)
    tuner.tell(tuner.ask(), [1.0])
    # The lock is given back by a change of its name.
    program = (
        "import os, signal\n"
        "from mlcompiler_gym.tuning import Tuner\n"
        f"tuner = Tuner({PARAMETERS!r}, ['cost'], study='studies/study')\n"
        "os.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "tuner.ask()\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert Tuner(PARAMETERS, ["cost"], study=study).tried[0].values == (1.0,)


def test_other_studies_are_refused(tmp_path: Path) -> None:
    study = tmp_path / "study"
    Tuner(PARAMETERS, ["cost"], study=study, what={"program": "a"})
    with pytest.raises(TuningError, match="is the study of another program"):
        Tuner(PARAMETERS, ["cost"], study=study, what={"program": "b"})
    with pytest.raises(TuningError, match="is the study of another objectives"):
        Tuner(PARAMETERS, ["other"], study=study, what={"program": "a"})
    (tmp_path / "text").write_text("something else\n")
    with pytest.raises(TuningError, match="cannot keep a study in"):
        Tuner(PARAMETERS, ["cost"], study=tmp_path / "text")
    with pytest.raises(TuningError, match="cannot keep a study in"):
        Tuner(PARAMETERS, ["cost"], study=tmp_path / "no" / "folder")


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="sampler is tpe, random, cmaes, not 'best'"):
        Tuner(PARAMETERS, ["cost"], sampler="best")
    with pytest.raises(ValueError, match="cmaes takes one objective, not 2"):
        Tuner(PARAMETERS, ["one", "other"], sampler="cmaes")
    with pytest.raises(ValueError, match="compiles is a number from 1 on, not 0"):
        tune("kernels/lz", compiles=0)
    with pytest.raises(TuningError, match="is 44 programs; name one"):
        tune("kernels", compiles=1)


def check_commandline(tuning: Any, program: str, folder: Path) -> None:
    [found] = load_programs(program)
    (folder / "input.bc").write_bytes(found.bitcode)
    subprocess.run(tuning.commandline, shell=True, cwd=folder, check=True, timeout=120)
    assert (folder / "output.o").read_bytes() == tuning.object_code


def test_tunes_a_program(service: LocalService, tmp_path: Path) -> None:
    seen = []
    tuning = tune(
        "kernels/lz",
        compiles=24,
        workers=2,
        progress=lambda done, best: seen.append(done),
        service=service,
    )
    assert len(tuning.tried) == 24
    assert seen[-1] == 24
    assert tuning.best.values is not None
    assert tuning.best.values < tuning.baseline
    assert tuning.best in tuning.front
    assert tuning.tried[0].chosen == {}
    assert tuning.tried[0].values == tuning.baseline
    assert len(tuning.llvm_arguments) == len(tuning.best.chosen)
    check_commandline(tuning, "kernels/lz", tmp_path)
    again = tune("kernels/lz", compiles=24, workers=2, service=service)
    assert again.tried == tuning.tried


def test_time_runs_out(service: LocalService) -> None:
    tuning = tune("kernels/lz", compiles=100, seconds=0, service=service)
    assert len(tuning.tried) == 1
    assert tuning.best.values == tuning.baseline
