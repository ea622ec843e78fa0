# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between the package index and the bitcode."""

from mlcompiler_gym.errors import ProgramError


class DownloadError(ProgramError):
    """A pinned file cannot be had.

    Attributes:
        wanted: The file, its package and version.
        why: What each index answered, and what can be done.
    """

    def __init__(self, wanted: str, why: str) -> None:
        super().__init__(wanted, why)
        self.wanted = wanted
        self.why = why

    def __str__(self) -> str:
        return f"cannot get {self.wanted}: {self.why}"


class IndexUnreachableError(DownloadError):
    """No package index that pip is configured with can be reached."""


class DistributionNotFoundError(DownloadError):
    """The indexes can be reached, and none has the pinned file."""


class HashMismatchError(DownloadError):
    """A file of the pinned name is another one."""


class ArchiveError(ProgramError):
    """An archive cannot be unpacked, or reaches outside its folder."""


class CompileError(ProgramError):
    """A translation unit does not compile."""


class CacheError(ProgramError):
    """The cache directory cannot be written."""
