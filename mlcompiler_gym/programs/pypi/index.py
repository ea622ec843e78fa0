# SPDX-License-Identifier: Apache-2.0
"""Pinned files from the package indexes that pip is configured with.

pip itself is no help: ``pip download`` of a source distribution runs its build.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Self

from mlcompiler_gym.files import replacing
from mlcompiler_gym.programs.progress import progress_bar
from mlcompiler_gym.programs.pypi.client import (
    Client,
    RefusalError,
    UnreachableError,
    WrongHashError,
    redacted,
    retried,
)
from mlcompiler_gym.programs.pypi.errors import (
    DistributionNotFoundError,
    DownloadError,
    HashMismatchError,
    IndexUnreachableError,
)
from mlcompiler_gym.programs.pypi.pip_config import PipConfig, read_pip_config

#: Bytes; no pinned file comes near it.
_SIZE_LIMIT = 1 << 30


@dataclass(frozen=True)
class Distribution:
    """One file of one release on a package index."""

    name: str
    version: str
    file_name: str
    sha256: str


class Index:
    """The package indexes of one pip configuration, asked in order.

    A source that cannot be reached is not asked again.

    Args:
        config: Default: the user's, read when first needed.
    """

    def __init__(self, config: PipConfig | None = None) -> None:
        self._config = config
        self._unreachable: dict[str, UnreachableError] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open; it can still be used."""
        if "_client" in self.__dict__:
            self._client.close()
            del self._client

    @cached_property
    def _client(self) -> Client:
        return Client(self._config or read_pip_config())

    def download(
        self, wanted: Distribution, folder: Path, *, progress: bool = False
    ) -> Path:
        """Get a file into ``folder``, checked against its hash.

        Raises:
            IndexUnreachableError: There is no network, or no index.
            DistributionNotFoundError: No index has it.
            HashMismatchError: What an index has is not what was pinned.
        """
        target = folder / wanted.file_name
        if target.is_file() and _sha256(target) == wanted.sha256:
            return target
        refusals: dict[str, RefusalError] = {}
        for source in self._client.sources:
            try:
                if source in self._unreachable:
                    raise self._unreachable[source]
                retried(partial(self._get, source, wanted, target, progress))
                return target
            except RefusalError as refusal:
                refusals[redacted(source)] = refusal
                if isinstance(refusal, UnreachableError):
                    self._unreachable[source] = refusal
        raise _explained(wanted, refusals)

    def _get(
        self, source: str, wanted: Distribution, target: Path, progress: bool
    ) -> None:
        link = self._client.find(source, wanted.name, wanted.file_name)
        digest = hashlib.sha256()
        with self._client.open(link) as stream, replacing(target) as file:
            bar = progress_bar(
                stream.size, wanted.file_name, unit="B", enabled=progress, delay=1
            )
            with bar:
                for chunk in stream.chunks:
                    file.write(chunk)
                    digest.update(chunk)
                    bar.update(len(chunk))
                    if file.tell() > _SIZE_LIMIT:
                        raise WrongHashError(f"more than {_SIZE_LIMIT} bytes came")
            if digest.hexdigest() != wanted.sha256:
                raise WrongHashError(
                    f"its sha256 is {digest.hexdigest()}, not {wanted.sha256}"
                )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _explained(
    wanted: Distribution, refusals: dict[str, RefusalError]
) -> DownloadError:
    kinds = {type(refusal) for refusal in refusals.values()}
    asked = "".join(f"\n  {source}: {why}" for source, why in refusals.items())
    file = f"{wanted.file_name} of {wanted.name} {wanted.version}"
    if WrongHashError in kinds:
        return HashMismatchError(
            file,
            f"it is not the file that was pinned{asked}\nNothing of it was used. Ask "
            "another index for it, for example by PIP_INDEX_URL, or tell the people "
            "who run this one",
        )
    if UnreachableError in kinds or not refusals:
        return IndexUnreachableError(
            file,
            f"no index can be reached{asked or ' (pip is told no-index)'}\nSee that "
            "the network is there and what `pip config list` says of index-url, "
            "proxy, cert and timeout; what is done so far is kept",
        )
    return DistributionNotFoundError(
        file,
        f"no index has it{asked}\nPoint pip at one that has all releases, for "
        "example by PIP_INDEX_URL",
    )
