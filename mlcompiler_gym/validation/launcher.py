# SPDX-License-Identifier: Apache-2.0
"""Starts a program under limits and leaves none of its processes behind.

A process of its own, ``python -I -S launcher.py``, between the one that wants a
program run and the program, for these reasons:

- Limits are set between fork and exec. ``preexec_fn`` would run Python there in a
  copy of a process that has threads, whose locks may be held for ever. This
  process has one thread. ``prlimit`` could set limits, and do nothing below.
- It sees how the program ended. Around it, bubblewrap would turn a signal into an
  exit status.
- Processes that leave the program's process group become its children when their
  parents end, so it finds them.

Only the standard library, and little of it: its start is most of a short run.

Arguments: descriptor to report on, path of the program, limits as
``CPU=10,NPROC=1``, arguments of the program. Standard input: anything that
arrives there, end of file included, ends the program. Report: one line, the wait
status and the seconds of processor time, or ``error`` and what is wrong.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

#: Conventional number of the user `nobody`.
_NOBODY = 65534

_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}


def main(arguments: list[str]) -> None:
    """Run the program; see above."""
    report = int(arguments[0])
    os.set_inheritable(report, False)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    program = os.fork()
    if program == 0:
        _become(arguments[1], arguments[2], arguments[3:], report)
    # A reader of the output shall see its end when the program has ended.
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    ended = os.pidfd_open(program)
    ready, _, _ = select.select([ended, 0], [], [])
    line = ""
    if ended in ready:
        _, status, usage = os.wait4(program, 0)
        line = f"{status} {usage.ru_utime + usage.ru_stime}\n"
    _end_descendants()
    os.write(report, line.encode())


def _become(path: str, limits: str, arguments: list[str], report: int) -> NoReturn:
    """Turn this process into the program, or say why not."""
    try:
        # By descriptor: the path may lead through folders that only root enters.
        executable = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _drop_root()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        # Python ignores these, and what is ignored stays so across exec.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        _limit(limits)
        os.execve(executable, ["program", *arguments], _ENVIRONMENT)
    except BaseException as error:
        os.write(report, f"error {error}\n".encode())
    os._exit(127)


def _drop_root() -> None:
    """Run as the user ``nobody``, because no limit on processes binds root."""
    if os.geteuid() != 0:
        return
    try:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    except OSError:
        # If root may not do this, it is only root of a container.
        return


def _limit(limits: str) -> None:
    for item in limits.split(","):
        name, _, value = item.partition("=")
        number = getattr(resource, f"RLIMIT_{name}")
        _, most = resource.getrlimit(number)
        soft = int(value)
        # At the soft limit of processor time a program gets a signal that it may
        # ignore, and which says why it ended; at the hard one it is killed.
        hard = soft + 1 if name == "CPU" else soft
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(number, (soft, hard))


def _end_descendants() -> None:
    """Kill every process that the program has left.

    All are stopped before any is killed: one that forks as fast as others are
    killed would go on for ever in the places that they leave under the limit.
    """
    stopped: set[int] = set()
    while _children_left():
        running = _descendants()
        fresh = running - stopped
        for pid in fresh or running:
            try:
                os.kill(pid, signal.SIGSTOP if fresh else signal.SIGKILL)
            except ProcessLookupError:
                continue
        stopped |= fresh
        if not fresh:
            time.sleep(0.001)


def _children_left() -> bool:
    # A process whose parent has ended is a child of this one.
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _descendants() -> set[int]:
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                stat = file.read()
        except OSError:
            continue  # has ended
        # The name of a program stands in brackets and may contain any.
        state, parent = stat[stat.rindex(b")") + 2 :].split()[:2]
        if state not in (b"Z", b"X"):
            parents[int(name)] = int(parent)
    found = {os.getpid()}
    size = 0
    while size < len(found):
        size = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found - {os.getpid()}


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero):
        raise OSError(ctypes.get_errno(), f"prctl {option}")


if __name__ == "__main__":
    main(sys.argv[1:])
