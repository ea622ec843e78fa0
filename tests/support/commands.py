# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym``, as a user types it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

#: The console script of this Python's environment.
SCRIPT = Path(sys.executable).with_name("mlcompiler-gym")


def environment(**settings: str) -> dict[str, str]:
    return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **settings}


def cli(
    *arguments: str | Path, status: int = 0, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Run the command; it has to end with this status, and never by a traceback."""
    done = subprocess.run(
        [SCRIPT, *arguments],
        env=environment(**settings.pop("env", {})),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **settings,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == status, done.stdout + done.stderr
    return done
