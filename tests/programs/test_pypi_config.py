# SPDX-License-Identifier: Apache-2.0
"""What pip is configured with is what counts."""

from pathlib import Path

import pytest

from mlcompiler_gym.programs.pypi.pip_config import (
    parse_pip_config,
    read_pip_config,
)


def test_what_pip_says() -> None:
    config = parse_pip_config(
        "global.index-url='https://one/simple/'\n"
        "global.extra-index-url='\\nfile:///two\\nfile:///three'\n"
        "global.timeout='5'\n"
        "global.proxy='me@proxy:80'\n"
        "install.index-url='https://unused'\n"
        "download.trusted-host='one two'\n"
        ":env:.default-timeout='9'\n"
        ":env:.cert='/a.pem'\n"
        ":env:.index-url='https://four'\n"
        "nonsense\n"
    )
    assert config.indexes == ("https://four", "file:///two", "file:///three")
    assert config.trusted_hosts == ("one", "two")
    assert config.cert == "/a.pem"
    assert config.proxy == "http://me@proxy:80"
    assert config.timeout == 9


def test_the_default_index_and_none() -> None:
    (default,) = parse_pip_config("").indexes
    assert default.startswith("https://")
    assert default.endswith("/simple")
    assert parse_pip_config("global.no-index='true'").indexes == ()


def test_pip_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written = tmp_path / "pip.conf"
    written.write_text("[global]\nproxy = http://p:1\nindex-url = https://file\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(written))
    monkeypatch.setenv("PIP_INDEX_URL", "https://environment")
    monkeypatch.delenv("PIP_CERT", raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/bundle.pem")
    config = read_pip_config()
    assert config.indexes[0] == "https://environment"
    assert config.proxy == "http://p:1"


def test_without_pip_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PIP_INDEX_URL", "https://environment")
    assert read_pip_config().indexes[0] == "https://environment"
