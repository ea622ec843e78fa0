# SPDX-License-Identifier: Apache-2.0
"""Files are written whole or not at all, and only where they should go."""

import errno
import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from mlcompiler_gym.errors import MLCompilerGymError
from mlcompiler_gym.files import replacing, write_file


def test_no_link_that_was_planted_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    target = tmp_path / "out.bc"
    for planted in ("out.bc.partial", ".out.bc.partial", ".out.bc.00.partial"):
        (tmp_path / planted).symlink_to(victim)
    # Even where the name is guessed.
    monkeypatch.setattr("secrets.token_hex", lambda _: "00")
    with pytest.raises(MLCompilerGymError, match="cannot write"):
        write_file(target, b"new")
    monkeypatch.undo()
    write_file(target, b"new")
    assert victim.read_text() == "precious"
    assert target.read_bytes() == b"new"
    assert not target.is_symlink()


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    write_file(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_others_may_read_what_the_user_lets_them(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_file(tmp_path / "out", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        with pytest.raises(MLCompilerGymError, match=f"cannot write {path}"):
            write_file(path, bytes(2000))
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)), replacing(path):
            (tmp_path / "other").write_bytes(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    (tmp_path / "other").unlink()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
