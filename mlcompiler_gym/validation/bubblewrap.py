# SPDX-License-Identifier: Apache-2.0
"""Whether bubblewrap is there, and how to run something in it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys

_READ_ONLY = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
_LIFETIME = ("--die-with-parent", "--new-session")

#: What the launcher needs to run a program as the user ``nobody``. A user namespace,
#: which bubblewrap makes for other users than root, has no such user.
_ROOT = (
    *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
    *("--unshare-cgroup-try", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"),
    *("--cap-add", "CAP_KILL"),
)


@functools.cache
def prefix() -> tuple[str, ...]:
    """What to put before a command: no network, a read-only file system.

    Empty if bubblewrap is not installed, or may not do that here, as in many
    containers.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return ()
    namespaces = _ROOT if os.geteuid() == 0 else ("--unshare-all",)
    command = (bwrap, *_READ_ONLY, *namespaces, *_LIFETIME, "--")
    try:
        done = subprocess.run(
            [*command, sys.executable, "-I", "-S", "-c", ""],
            capture_output=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return () if done.returncode else command
