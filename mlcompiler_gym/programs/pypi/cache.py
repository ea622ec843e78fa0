# SPDX-License-Identifier: Apache-2.0
"""Where bitcode is kept, and how processes share that place."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlcompiler_gym.errors import MissingLibraryError
from mlcompiler_gym.programs.pypi.errors import CacheError

if TYPE_CHECKING:
    from filelock import BaseFileLock


def cache_root() -> Path:
    """``MLCOMPILER_GYM_CACHE``, or the user's cache directory for this package."""
    if chosen := os.environ.get("MLCOMPILER_GYM_CACHE"):
        return Path(chosen).absolute()
    try:
        from platformdirs import user_cache_path
    except ImportError as error:
        raise MissingLibraryError("platformdirs") from error
    return user_cache_path("mlcompiler_gym")


class Cache:
    """A folder that several processes fill at once.

    What is being made lies in workplaces; what is done is moved out of them, so
    everything else in here is complete at any moment.

    Args:
        root: Created when first needed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def lock(self, folder: Path) -> BaseFileLock:
        """The lock for filling ``folder``; one thread may release another's."""
        try:
            from filelock import FileLock
        except ImportError as error:
            raise MissingLibraryError("filelock") from error
        with self.errors():
            folder.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(folder.with_name(folder.name + ".lock"), thread_local=False)

    @contextlib.contextmanager
    def workplace(self, folder: Path) -> Iterator[Path]:
        """A folder beside ``folder``; to be used by the holder of its lock.

        Downloads stay there after an interruption, and need not be made again.
        """
        work = folder.with_name(folder.name + ".work")
        work.mkdir(parents=True, exist_ok=True)
        _clear(work)
        try:
            yield work
        except BaseException:
            _clear(work)
            raise
        shutil.rmtree(work)

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turns errors of the file system into a :class:`CacheError`."""
        try:
            yield
        except OSError as error:
            raise CacheError(
                f"cannot write below {self.root}: {error}\nMake room there, or set "
                "MLCOMPILER_GYM_CACHE to another folder; what is done so far is kept"
            ) from error


def _clear(work: Path) -> None:
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix == ".partial":
            path.unlink()
