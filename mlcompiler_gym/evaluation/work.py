# SPDX-License-Identifier: Apache-2.0
"""Work on programs that is kept in files, one for each program."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mlcompiler_gym.evaluation.evaluate import Players
from mlcompiler_gym.evaluation.plan import EpisodePlan, Result
from mlcompiler_gym.files import write_file


def work_key(identity: Sequence[Any]) -> str:
    """The name of a file, less the suffix, for what makes its work this and no other.

    Args:
        identity: All that the result depends on, as JSON has it.
    """
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def work_through(
    players: Players,
    plans: Sequence[EpisodePlan],
    files: Sequence[Path],
    progress: Callable[[int, int], None],
    failed: Callable[[Result], None] = lambda result: None,
) -> Sequence[Path]:
    """Do the work of which there is no file yet.

    Args:
        players: Who does it. The ``"key"`` of a record is the name of its file, less
            the suffix; without ``steps`` there is no file.
        plans: All of the work.
        files: Where each result is kept.
        progress: Called with what is done and all.
        failed: Called with each result that has no ``steps``.

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
            else:
                failed(result)
            done += 1
            progress(done, len(plans))
    return files
