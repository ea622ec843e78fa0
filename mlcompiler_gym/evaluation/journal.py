# SPDX-License-Identifier: Apache-2.0
"""Results on disk, one line of JSON for each episode."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from mlcompiler_gym.errors import EvaluationError
from mlcompiler_gym.evaluation.plan import Record, key_of_record


class Journal:
    """Episodes that have been played, each once.

    Opened, it reads what there is; a line that was being written when its writer was
    killed is dropped. One process writes at a time.

    Args:
        path: Of the file; made if there is none.

    Attributes:
        records: By their keys (:func:`~mlcompiler_gym.evaluation.plan.key_of`).

    Raises:
        EvaluationError: The file is something else, or another process writes it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.records: dict[str, Record] = {}
        try:
            self._file: BinaryIO = self.path.open("a+b")
        except OSError as error:
            raise EvaluationError(f"cannot write {path}: {error.strerror}") from error
        try:
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
        self._file.seek(0)
        whole, newline, _ = self._file.read().rpartition(b"\n")
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                record: Record = json.loads(line)
                self.records[key_of_record(record)] = record
            except (ValueError, KeyError, TypeError, EvaluationError) as error:
                raise EvaluationError(
                    f"{self.path}, line {number} is not an episode of an evaluation: "
                    f"{error!r}; name another file"
                ) from error
        # Only now is it sure to be ours to cut off.
        self._file.truncate(len(whole) + len(newline))

    def append(self, record: Record) -> None:
        """Write an episode.

        Raises:
            EvaluationError: It is there already, or cannot be written.
        """
        key = key_of_record(record)
        if key in self.records:
            raise EvaluationError(f"this episode is in {self.path} already: {key}")
        try:
            self._file.write(json.dumps(record).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise EvaluationError(
                f"cannot write {self.path}: {error.strerror}"
            ) from error
        self.records[key] = record

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
