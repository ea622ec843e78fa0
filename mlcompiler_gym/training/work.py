# SPDX-License-Identifier: Apache-2.0
"""Work on programs that is kept in files, one for each program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mlcompiler_gym.evaluation import EpisodePlan, Players
from mlcompiler_gym.files import write_file


def work_through(
    players: Players,
    plans: Sequence[EpisodePlan],
    files: Sequence[Path],
    progress: Callable[[int, int], None],
) -> Sequence[Path]:
    """Do the work of which there is no file yet.

    Args:
        players: Who does it. The ``"key"`` of a record is the name of its file, less
            the suffix; without ``steps`` there is no file.
        plans: All of the work.
        files: Where each result is kept.
        progress: Called with what is done and all.

    Returns:
        The files.
    """
    by_key = {path.stem: path for path in files}
    left = [plan for plan, path in zip(plans, files, strict=True) if not path.exists()]
    done = len(plans) - len(left)
    progress(done, len(plans))
    if left:
        files[0].parent.mkdir(parents=True, exist_ok=True)
        for result in players.play(left):
            if result.steps is not None:
                write_file(by_key[result.record["key"]], result.steps)
            done += 1
            progress(done, len(plans))
    return files
