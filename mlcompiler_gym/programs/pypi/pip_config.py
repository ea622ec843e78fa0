# SPDX-License-Identifier: Apache-2.0
"""Which package indexes the user has told pip to use, and how to reach them."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlcompiler_gym.errors import MissingLibraryError

#: Later ones override earlier ones, as in `pip download`.
_SECTIONS = ("global", "download", ":env:")
_SYNONYMS = {"default-timeout": "timeout", "pypi-url": "index-url"}


@dataclass(frozen=True)
class PipConfig:
    """The part of pip's configuration that says where files come from.

    Attributes:
        indexes: Simple repositories, in order.
        find_links: Folders and pages with links to files; asked first.
        trusted_hosts: Hosts whose certificate is not checked.
        cert: File or folder of certificate authorities; None: the default ones.
        client_cert: Certificate and key to present, in one PEM file.
        proxy: For all requests; None: as the environment says.
        timeout: Seconds without an answer.
    """

    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    timeout: float = 15.0


def read_pip_config() -> PipConfig:
    """What pip would use here: configuration files and environment."""
    config = parse_pip_config(_pip_config_list())
    if config.cert is None:
        # The library that pip makes its requests with reads these.
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get(
            "CURL_CA_BUNDLE"
        )
        config = replace(config, cert=bundle)
    return config


def parse_pip_config(listed: str) -> PipConfig:
    """Understand what ``pip config list`` prints."""
    sections: dict[str, dict[str, str]] = {}
    for line in listed.splitlines():
        key, found, value = line.partition("=")
        section, dot, option = key.rpartition(".")
        if found and dot:
            option = _SYNONYMS.get(option, option)
            sections.setdefault(section, {})[option] = _unquoted(value)
    options: dict[str, str] = {}
    for section in _SECTIONS:
        options |= sections.get(section, {})
    return _from_options(options)


def _unquoted(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (SyntaxError, ValueError):
        return value


def _from_options(options: Mapping[str, str]) -> PipConfig:
    def words(option: str) -> tuple[str, ...]:
        return tuple(options.get(option, "").split())

    indexes = (options.get("index-url") or _default_index(), *words("extra-index-url"))
    if options.get("no-index", "").lower() in ("1", "true", "yes", "on", "y", "t"):
        indexes = ()
    return PipConfig(
        indexes=tuple(dict.fromkeys(url.rstrip("/") for url in indexes)),
        find_links=tuple(dict.fromkeys(words("find-links"))),
        trusted_hosts=words("trusted-host"),
        cert=options.get("cert") or None,
        client_cert=options.get("client-cert") or None,
        proxy=_with_scheme(options.get("proxy")),
        timeout=float(options.get("timeout") or 15),
    )


def _default_index() -> str:
    try:
        from unearth import PackageFinder
    except ImportError as error:
        raise MissingLibraryError("unearth") from error
    # pip's own default, which pip does not print.
    return PackageFinder().sources[0]["url"]


def _with_scheme(proxy: str | None) -> str | None:
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy or None


def _pip_config_list() -> str:
    commands = [[sys.executable, "-m", "pip"]]
    # Environments made by uv have no pip of their own.
    if elsewhere := shutil.which("pip"):
        commands.append([elsewhere])
    for command in commands:
        done = subprocess.run(
            [*command, "config", "list"], capture_output=True, check=False, text=True
        )
        if done.returncode == 0:
            return done.stdout
    return "\n".join(
        f":env:.{name[4:].lower().replace('_', '-')}={value!r}"
        for name, value in os.environ.items()
        if name.startswith("PIP_") and value
    )
