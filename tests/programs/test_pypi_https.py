# SPDX-License-Identifier: Apache-2.0
"""An index by HTTPS is believed as far as pip is configured to."""

import ssl
from pathlib import Path

import pytest
from support.pypi_index import Repository, url_of
from support.toolchain import run

from mlcompiler_gym.programs.pypi import client
from mlcompiler_gym.programs.pypi.errors import IndexUnreachableError
from mlcompiler_gym.programs.pypi.index import Index
from mlcompiler_gym.programs.pypi.pip_config import PipConfig


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Certificate and key of this machine, signed by itself."""
    path = tmp_path / "server.pem"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", path, "-out", tmp_path / "certificate.pem")  # fmt: skip
    path.write_text(path.read_text() + (tmp_path / "certificate.pem").read_text())
    return path


@pytest.mark.parametrize(
    ("option", "works"),
    [("nothing", False), ("cert", True), ("trusted-host", True)],
)
def test_https(
    option: str,
    works: bool,
    certificate: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "_DELAYS", ())
    repository = Repository(tmp_path / "index")
    package = repository.add("demo")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with repository.served() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        config = PipConfig(
            indexes=(url_of(server).replace("http:", "https:"),),
            cert=str(certificate) if option == "cert" else None,
            trusted_hosts=("127.0.0.1",) if option == "trusted-host" else (),
        )
        if works:
            assert Index(config).download(package.distribution, tmp_path).is_file()
        else:
            with pytest.raises(IndexUnreachableError, match="certificate"):
                Index(config).download(package.distribution, tmp_path)
