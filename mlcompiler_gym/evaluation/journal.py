# SPDX-License-Identifier: Apache-2.0
"""Results on disk, one line of JSON for each episode."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from pathlib import Path
from types import TracebackType

from mlcompiler_gym.errors import EvaluationError
from mlcompiler_gym.evaluation.plan import Record, key_of_record

#: What every line begins with (:meth:`~mlcompiler_gym.evaluation.plan.Evaluation.\
#: identity`). A last line that has no end is ours only if it begins like this.
_BEGINNING = b'{"env": "'


class Journal:
    """Episodes that have been played, each once.

    Opened, it reads what there is; a line that was being written when its writer was
    killed is dropped, and a file that is something else is left as it is. One process
    writes at a time.

    Args:
        path: The file; made if there is none.

    Attributes:
        records: The records of the file, by their keys.

    Raises:
        EvaluationError: The file is something else, or another process writes it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.records: dict[str, Record] = {}
        try:
            # Not buffered, or what a full disk refuses would be tried again at close.
            self._file = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise EvaluationError(f"cannot write {path}: {error.strerror}") from error
        self._size = 0
        try:
            if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                raise EvaluationError(f"{path} is not a file; name another")
            self._lock()
            self._read()
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EvaluationError(
                f"another process is writing {self.path}; wait for it, or name another "
                "file"
            ) from None

    def _read(self) -> None:
        """Take what is there, and see to it that the next line begins a new one."""
        self._file.seek(0)
        content = self._file.read()
        whole, newline, rest = content.rpartition(b"\n")
        lines = whole.split(b"\n") if newline else []
        for number, line in enumerate(lines, start=1):
            self._take(line, number)
        self._size = len(whole) + len(newline)
        if not rest:
            return
        if _is_json(rest):
            # Only the line's end is missing, which an editor may have removed.
            self._take(rest, len(lines) + 1)
            self._size = len(content)
            self._write(b"\n")
        elif rest.startswith(_BEGINNING[: len(rest)]):
            self._file.truncate(self._size)
        else:
            raise self._foreign(len(lines) + 1)

    def _take(self, line: bytes, number: int) -> None:
        try:
            record: Record = json.loads(line)
            self.records[key_of_record(record)] = record
        except (ValueError, KeyError, TypeError, EvaluationError) as error:
            raise self._foreign(number, f": {error!r}") from error

    def _foreign(self, number: int, why: str = "") -> EvaluationError:
        return EvaluationError(
            f"{self.path}, line {number} is not an episode of an evaluation{why}; "
            "name another file"
        )

    def append(self, record: Record) -> None:
        """Write an episode.

        Raises:
            EvaluationError: It is there already, or cannot be written; the file then
                ends with the episode before it.
        """
        key = key_of_record(record)
        if key in self.records:
            raise EvaluationError(f"this episode is in {self.path} already: {key}")
        self._write(json.dumps(record).encode() + b"\n")
        self.records[key] = record

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            raise EvaluationError(
                f"cannot write {self.path}: {error.strerror}; the episodes in it are "
                "whole, and the same command goes on after them"
            ) from error
        self._size += len(data)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def read_records(path: str | os.PathLike[str]) -> list[Record]:
    """The records of a journal that is there.

    Raises:
        EvaluationError: There is none, or it is something else.
    """
    if not Path(path).is_file():
        raise EvaluationError(f"there is no journal {path}")
    with Journal(path) as journal:
        return list(journal.records.values())
