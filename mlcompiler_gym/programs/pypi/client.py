# SPDX-License-Identifier: Apache-2.0
"""Asking one package index, or one folder or page of links."""

from __future__ import annotations

import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from mlcompiler_gym.errors import MissingLibraryError, ProgramError
from mlcompiler_gym.programs.pypi.pip_config import PipConfig

if TYPE_CHECKING:
    from unearth import Link
    from unearth.fetchers import Fetcher, PyPIClient

#: Seconds to wait before each further attempt to reach a server.
_DELAYS = (0.5, 1.5)

_T = TypeVar("_T")


class RefusalError(Exception):
    """Why one source does not yield a file."""


class UnreachableError(RefusalError):
    """It gives no answer; asking it for the next file is of no use."""


class WrongHashError(RefusalError):
    """It has another file of the pinned name."""


class AbsentError(RefusalError):
    """It does not have the file."""


@dataclass(frozen=True)
class Stream:
    """A file on its way; ``size`` in bytes if the server tells."""

    size: int | None
    chunks: Iterator[bytes]


class Client:
    """HTTP and file access as pip is configured.

    Args:
        config: Credentials in its URLs, of netrc and of keyring are used.
    """

    def __init__(self, config: PipConfig) -> None:
        self._config = config
        self._session = _session(config)
        #: What can be asked, in order; the user's own links come first.
        self.sources = tuple(dict.fromkeys((*config.find_links, *config.indexes)))

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def find(self, source: str, name: str, file_name: str) -> Link:
        """Where ``source`` has a file of a package."""
        from unearth import PackageFinder

        is_index = source in self._config.indexes
        with _network_errors(), _warnings_of_unearth() as warnings:
            finder = PackageFinder(
                # The session is a Fetcher, although the protocol names fewer arguments.
                cast("Fetcher", self._session),
                index_urls=[source] if is_index else [],
                find_links=[] if is_index else [source],
                ignore_compatibility=True,
            )
            for package in finder.find_all_packages(name, allow_yanked=True):
                if package.link.filename == file_name:
                    return package.link
        for warning in warnings:
            if "Client Error(404)" not in warning:
                raise UnreachableError(warning)
        raise AbsentError("it does not have this file")

    @contextlib.contextmanager
    def open(self, link: Link) -> Iterator[Stream]:
        """Begin to read a file."""
        # If the file were compressed on the way, its hash would differ.
        headers = {"Accept-Encoding": "identity"}
        with (
            _network_errors(),
            self._session.get_stream(link.normalized, headers=headers) as response,
        ):
            response.raise_for_status()
            size = response.headers.get("Content-Length")
            yield Stream(int(size) if size else None, response.iter_raw())


def redacted(source: str) -> str:
    """An address without the password that may be in it."""
    from unearth import Link

    return Link(source).redacted if "://" in source else source


def _session(config: PipConfig) -> PyPIClient:
    try:
        from unearth.auth import MultiDomainBasicAuth
        from unearth.fetchers import PyPIClient
    except ImportError as error:
        raise MissingLibraryError("unearth") from error
    return PyPIClient(
        trusted_hosts=config.trusted_hosts,
        verify=_tls(config),
        timeout=config.timeout,
        follow_redirects=True,
        auth=MultiDomainBasicAuth(prompting=False, index_urls=config.indexes),
        proxy=config.proxy,
    )


def _tls(config: PipConfig) -> ssl.SSLContext | bool:
    if not config.cert and not config.client_cert:
        return True
    try:
        if config.cert and Path(config.cert).is_dir():
            context = ssl.create_default_context(capath=config.cert)
        else:
            context = ssl.create_default_context(cafile=config.cert)
        if config.client_cert:
            context.load_cert_chain(config.client_cert)
    except OSError as error:
        raise ProgramError(
            f"pip is configured with cert={config.cert} and client-cert="
            f"{config.client_cert}, which cannot be used: {error}"
        ) from error
    return context


def retried(attempt: Callable[[], _T]) -> _T:
    """Ask again, after a while, a server that could not be reached."""
    for delay in _DELAYS:
        try:
            return attempt()
        except UnreachableError:
            time.sleep(delay)
    return attempt()


@contextlib.contextmanager
def _network_errors() -> Iterator[None]:
    import httpx2

    try:
        yield
    except httpx2.HTTPStatusError as error:
        status = error.response.status_code
        if status in (404, 410):
            raise AbsentError(f"its link leads nowhere (HTTP {status})") from error
        raise UnreachableError(f"HTTP {status}") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise UnreachableError(str(error) or type(error).__name__) from error
    except ValueError as error:
        # A find-links folder that is not there, for one.
        raise AbsentError(str(error)) from error


@contextlib.contextmanager
def _warnings_of_unearth() -> Iterator[list[str]]:
    """What unearth only logs: why it has no links of a source."""
    said: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger = logging.getLogger("unearth.collector")
    collector = Collector(logging.WARNING)
    logger.addHandler(collector)
    try:
        yield said
    finally:
        logger.removeHandler(collector)
