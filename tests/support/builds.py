# SPDX-License-Identifier: Apache-2.0
"""``mlcg-clang`` as a build calls it, and clang itself to compare with."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mlcompiler_gym.clang import find_clang

#: The console scripts of this Python's environment.
MLCG_CLANG = Path(sys.executable).with_name("mlcg-clang")
MLCG_CLANGXX = Path(sys.executable).with_name("mlcg-clang++")

_OURS = ("POLICY", "GUARD", "REPORT", "TIMEOUT")


def environment(**settings: str) -> dict[str, str]:
    """The environment without what a developer may have set, and with settings."""
    names = {f"MLCOMPILER_GYM_{each}" for each in _OURS}
    kept = {key: value for key, value in os.environ.items() if key not in names}
    return {**kept, **settings}


def run(
    command: Sequence[str | Path], folder: Path, data: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; never a traceback."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(**settings),
        input=data,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def mlcg(
    *arguments: str | Path, folder: Path, data: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run ``mlcg-clang``; settings are variables of its environment."""
    return run([MLCG_CLANG, *arguments], folder, data, **settings)


def clang(
    *arguments: str | Path, folder: Path, data: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run clang itself."""
    return run([find_clang(), *arguments], folder, data)
