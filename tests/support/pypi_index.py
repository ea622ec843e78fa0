# SPDX-License-Identifier: Apache-2.0
"""A small package index of made-up packages, and a compiler that keeps count."""

from __future__ import annotations

import functools
import hashlib
import io
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mlcompiler_gym.programs.pypi.cache import Cache
from mlcompiler_gym.programs.pypi.compiler import Compiler
from mlcompiler_gym.programs.pypi.corpus import Package, Recipe
from mlcompiler_gym.programs.pypi.errors import CompileError
from mlcompiler_gym.programs.pypi.fetch import Fetcher
from mlcompiler_gym.programs.pypi.index import Index
from mlcompiler_gym.programs.pypi.pip_config import PipConfig
from mlcompiler_gym.programs.pypi.report import FetchReport
from mlcompiler_gym.programs.pypi.sources import open_sources
from mlcompiler_gym.programs.pypi.toolchain import Toolchain

VARIANT = "x86_64-Oz"

#: Three units in C and C++, one of them of some size.
FILES = {
    "src/add.c": '#include "add.h"\nint add(int x, int y) { return x + y; }\n',
    "src/twice.cpp": "int twice(int x) { return 2 * x; }\n",
    "src/many.c": "#define F(n) int f##n(int x) { return x * n + n; }\n"
    "#define G(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4)\n"
    "#define H(n) G(n##1) G(n##2) G(n##3) G(n##4) G(n##5)\n"
    "H(1) H(2) H(3) H(4) H(5)\n",
    "include/add.h": "int add(int x, int y);\n",
}


def clang() -> Toolchain:
    """The installed clang with its own headers."""
    found = shutil.which("clang-22")
    assert found
    return Toolchain((found,))


def slow_clang(folder: Path, seconds: float = 0) -> Toolchain:
    """A clang that takes its time and writes a line to ``folder/runs`` each run."""
    script = folder / "slow-clang"
    script.write_text(
        f'#!/bin/sh\necho run >> "{folder}/runs"\nsleep {seconds}\n'
        f'exec {clang().compiler[0]} "$@"\n'
    )
    script.chmod(0o755)
    return Toolchain((str(script),))


def runs(folder: Path) -> int:
    """How often the compiler of :func:`slow_clang` was run."""
    log = folder / "runs"
    return len(log.read_text().splitlines()) if log.exists() else 0


def make_sdist(
    name: str, files: Mapping[str, str], *extra: tuple[tarfile.TarInfo, bytes]
) -> bytes:
    """A source distribution of version 1.0, and further members as they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-1.0/{path}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        for member, content in extra:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Repository:
    """A simple repository in a folder, as PEP 503 has it.

    Args:
        folder: Where to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = (folder / "simple").as_uri()
        (folder / "simple").mkdir(parents=True)

    @property
    def index(self) -> Index:
        """Access to it by file name."""
        return Index(PipConfig(indexes=(self.url,)))

    def add(
        self,
        name: str,
        files: Mapping[str, str] = FILES,
        *extra: tuple[tarfile.TarInfo, bytes],
        **recipe: Any,
    ) -> Package:
        """Publish a package."""
        content = make_sdist(name, files, *extra)
        sha256 = hashlib.sha256(content).hexdigest()
        sdist = f"{name}-1.0.tar.gz"
        project = self.folder / "simple" / name
        project.mkdir()
        (project / sdist).write_bytes(content)
        (project / "index.html").write_text(
            f'<a href="{sdist}#sha256={sha256}">{sdist}</a>'
        )
        recipe.setdefault("root", ".")
        return Package(name, "1.0", "MIT", "train", sdist, sha256, Recipe(**recipe))

    def sdist(self, package: Package) -> Path:
        """The file of a package; changing it makes its hash wrong."""
        return self.folder / "simple" / package.name / package.sdist

    def hashes(self, *packages: Package) -> dict[str, dict[str, str]]:
        """What the bitcode of packages has to be; zeros if it does not compile."""
        return {package.name: self._hashes(package) for package in packages}

    def _hashes(self, package: Package) -> dict[str, str]:
        compiler = Compiler(clang())
        found = {}
        with tempfile.TemporaryDirectory() as work:
            sources = open_sources(package, self.index, Path(work), progress=False)
            for unit in sources.units:
                found[unit.name] = "0" * 64
                with suppress(CompileError):
                    bitcode = compiler.compile(sources, unit, VARIANT)
                    found[unit.name] = hashlib.sha256(bitcode).hexdigest()
        return found

    @contextmanager
    def served(
        self, handler: Callable[..., Any] | None = None
    ) -> Iterator[ThreadingHTTPServer]:
        """The repository on a port of this machine."""

        class Quiet(SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

        make = handler or functools.partial(Quiet, directory=str(self.folder))
        with ThreadingHTTPServer(("127.0.0.1", 0), make) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()


def url_of(server: ThreadingHTTPServer) -> str:
    """Address of a served repository, as pip wants it."""
    return f"http://127.0.0.1:{server.server_port}/simple"


def fetch(
    cache: Path,
    packages: list[Package],
    hashes: Mapping[str, Mapping[str, str]],
    index: Index,
    toolchain: Toolchain | None = None,
    jobs: int = 2,
) -> FetchReport:
    """Fetch into ``cache`` with the installed clang, unless told otherwise."""
    chosen = toolchain or clang()
    fetcher = Fetcher(Cache(cache), index, lambda: chosen, jobs=jobs, progress=False)
    return fetcher.fetch(packages, VARIANT, hashes)
