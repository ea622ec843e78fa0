# SPDX-License-Identifier: Apache-2.0
"""Pinned files come through the indexes that pip is configured with."""

import pickle
import shutil
import socket
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.pypi_index import Repository, url_of

from mlcompiler_gym.errors import MissingLibraryError, ProgramError
from mlcompiler_gym.programs.pypi import client
from mlcompiler_gym.programs.pypi.corpus import Package
from mlcompiler_gym.programs.pypi.errors import (
    DistributionNotFoundError,
    HashMismatchError,
    IndexUnreachableError,
)
from mlcompiler_gym.programs.pypi.index import Distribution, Index
from mlcompiler_gym.programs.pypi.pip_config import PipConfig


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "index")


@pytest.fixture
def package(repository: Repository) -> Package:
    return repository.add("demo")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "downloads").mkdir()
    return tmp_path / "downloads"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_DELAYS", (0.0,))


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/simple"


def from_indexes(*urls: str) -> Index:
    return Index(PipConfig(indexes=urls, timeout=5))


def test_by_http(repository: Repository, package: Package, folder: Path) -> None:
    with repository.served() as server:
        path = from_indexes(url_of(server)).download(package.distribution, folder)
    assert path.read_bytes() == repository.sdist(package).read_bytes()
    assert list(folder.iterdir()) == [path]


def test_by_file(repository: Repository, package: Package, folder: Path) -> None:
    path = repository.index.download(package.distribution, folder)
    assert path.read_bytes() == repository.sdist(package).read_bytes()


def test_from_a_folder_of_links(
    repository: Repository, package: Package, tmp_path: Path, folder: Path
) -> None:
    (tmp_path / "links").mkdir()
    shutil.copy(repository.sdist(package), tmp_path / "links")
    index = Index(PipConfig(indexes=(), find_links=(str(tmp_path / "links"),)))
    assert index.download(package.distribution, folder).is_file()


def test_what_is_there_is_not_downloaded_again(
    repository: Repository, package: Package, folder: Path
) -> None:
    repository.index.download(package.distribution, folder)
    nowhere = from_indexes()
    assert nowhere.download(package.distribution, folder).is_file()
    (folder / package.sdist).write_bytes(b"damaged")
    with pytest.raises(IndexUnreachableError, match="no-index"):
        nowhere.download(package.distribution, folder)


def test_the_next_index_is_asked(
    repository: Repository, package: Package, tmp_path: Path, folder: Path
) -> None:
    empty = Repository(tmp_path / "empty")
    links = (str(tmp_path / "no such folder"),)
    config = PipConfig(
        indexes=(closed_port(), empty.url, repository.url), find_links=links
    )
    assert Index(config).download(package.distribution, folder).is_file()


def test_a_file_that_was_changed(
    repository: Repository, package: Package, folder: Path
) -> None:
    repository.sdist(package).write_bytes(b"other")
    with pytest.raises(HashMismatchError) as caught:
        repository.index.download(package.distribution, folder)
    assert "demo-1.0.tar.gz of demo 1.0" in str(caught.value)
    assert repository.url in str(caught.value)
    assert package.sha256 in str(caught.value)
    assert list(folder.iterdir()) == []


def test_a_file_that_is_not_there(
    repository: Repository, package: Package, folder: Path
) -> None:
    newer = Distribution("demo", "2.0", "demo-2.0.tar.gz", package.sha256)
    with pytest.raises(DistributionNotFoundError) as caught:
        repository.index.download(newer, folder)
    assert "demo-2.0.tar.gz of demo 2.0" in str(caught.value)
    assert repository.url in str(caught.value)
    unknown = Distribution("other", "1.0", "other-1.0.tar.gz", package.sha256)
    with repository.served() as server, pytest.raises(DistributionNotFoundError):
        from_indexes(url_of(server)).download(unknown, folder)


def test_a_link_that_leads_nowhere(
    repository: Repository, package: Package, folder: Path
) -> None:
    repository.sdist(package).unlink()
    with (
        repository.served() as server,
        pytest.raises(DistributionNotFoundError, match="leads nowhere"),
    ):
        from_indexes(url_of(server)).download(package.distribution, folder)


def test_no_network(package: Package, folder: Path) -> None:
    url = closed_port()
    with pytest.raises(IndexUnreachableError) as caught:
        from_indexes(url).download(package.distribution, folder)
    assert url in str(caught.value)
    assert "pip config list" in str(caught.value)


def test_an_index_that_is_away_is_not_asked_again(
    package: Package, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_DELAYS", ())
    url = closed_port()
    index = from_indexes(url)
    with pytest.raises(IndexUnreachableError):
        index.download(package.distribution, folder)
    with socket.create_server(("127.0.0.1", urlsplit(url).port)) as back:
        back.setblocking(False)
        with pytest.raises(IndexUnreachableError):
            index.download(package.distribution, folder)
        with pytest.raises(BlockingIOError):
            back.accept()


def test_a_password_is_not_shown(package: Package, folder: Path) -> None:
    url = closed_port().replace("http://", "http://me:secret@")
    with pytest.raises(IndexUnreachableError) as caught:
        from_indexes(url).download(package.distribution, folder)
    assert "secret" not in str(caught.value)


def test_an_index_with_a_password(
    repository: Repository, package: Package, folder: Path
) -> None:
    seen = []

    class Locked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers.get("Authorization")
            seen.append(allowed)
            file = repository.folder / self.path.strip("/")
            file = file / "index.html" if file.is_dir() else file
            self.send_response(200 if allowed else 401)
            kind = "text/html" if file.suffix == ".html" else "application/gzip"
            self.send_header("Content-Type", kind)
            self.end_headers()
            if allowed:
                self.wfile.write(file.read_bytes())

        def log_message(self, *_: object) -> None:
            pass

    with repository.served(Locked) as server:
        url = url_of(server).replace("http://", "http://me:secret@")
        path = from_indexes(url).download(package.distribution, folder)
    assert path.is_file()
    assert all(seen)


class Failing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(503)

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_in_trouble(
    repository: Repository, package: Package, folder: Path
) -> None:
    with (
        repository.served(Failing) as server,
        pytest.raises(IndexUnreachableError, match="503"),
    ):
        from_indexes(url_of(server)).download(package.distribution, folder)


class Breaking(Failing):
    """Breaks off downloads, as often as it is told."""

    package: Package
    content = b""
    times = 0

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path.endswith(".gz"):
            self.send_header("Content-Length", str(len(self.content)))
            self.end_headers()
            broken = type(self).times > 0
            type(self).times -= 1
            self.wfile.write(self.content[:10] if broken else self.content)
            return
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f'<a href="{self.package.sdist}">x</a>'.encode())


@pytest.mark.parametrize("times", [1, 9])
def test_a_download_that_breaks_off(
    times: int,
    repository: Repository,
    package: Package,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = repository.sdist(package).read_bytes()
    for name, value in (("package", package), ("content", content), ("times", times)):
        monkeypatch.setattr(Breaking, name, value, raising=False)
    with repository.served(Breaking) as server:
        index = from_indexes(url_of(server))
        if times == 1:
            assert index.download(package.distribution, folder).is_file()
            return
        with pytest.raises(IndexUnreachableError):
            index.download(package.distribution, folder)
    assert not (folder / package.sdist).exists()


def test_a_certificate_file_that_is_not_there(package: Package, folder: Path) -> None:
    index = Index(PipConfig(cert="/no/such/file.pem"))
    with pytest.raises(ProgramError, match=r"/no/such/file\.pem"):
        index.download(package.distribution, folder)


def test_errors_can_be_sent_to_another_process(package: Package, folder: Path) -> None:
    with pytest.raises(IndexUnreachableError) as caught:
        from_indexes().download(package.distribution, folder)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)


def test_a_missing_library_says_what_to_install() -> None:
    message = str(MissingLibraryError("unearth"))
    assert "pip install 'mlcompiler_gym[programs]'" in message
