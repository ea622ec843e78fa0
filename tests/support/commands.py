# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym``, as a user types it."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

#: What moves the cursor, colours, and sets titles.
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>])")
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


def cli_in_terminal(
    *arguments: str | Path, columns: int = 80, typed: str = "", **settings: Any
) -> list[str]:
    """The lines that the command shows on a terminal, which nobody else writes to.

    Args:
        *arguments: What the command is given.
        columns: Width of the terminal.
        typed: What a person types, all of it at once.
        **settings: As for ``subprocess.Popen``.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**environment(TERM="xterm", **settings.pop("env", {}))}
    del env["COLUMNS"]
    with subprocess.Popen(
        [SCRIPT, *arguments],
        env=env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        **settings,
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        while True:
            try:
                some = os.read(ours, 1 << 16)
            except OSError:  # the other end is closed
                break
            shown += some
        process.wait(60)
    os.close(ours)
    text = _ESCAPES.sub("", shown.decode()).replace("\r\n", "\n")
    return text.split("\n")
