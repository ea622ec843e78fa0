# SPDX-License-Identifier: Apache-2.0
"""The compiler that makes the same bitcode everywhere, and how it is called.

The ziglang wheel holds clang, and the headers of glibc and libc++ as ordinary
files. Its ``zig clang`` is LLVM's clang; ``zig cc`` would add flags of its own.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.programs.pypi.archive import unpack_zip
from mlcompiler_gym.programs.pypi.cache import Cache
from mlcompiler_gym.programs.pypi.index import Distribution, Index
from mlcompiler_gym.programs.pypi.sources import Sources, Unit

_VERSION = "0.17.1"
_WHEELS = {
    "x86_64": Distribution(
        "ziglang",
        _VERSION,
        "ziglang-0.17.1-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64"
        ".musllinux_1_1_x86_64.whl",
        "ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54",
    ),
    "aarch64": Distribution(
        "ziglang",
        _VERSION,
        "ziglang-0.17.1-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64"
        ".musllinux_1_1_aarch64.whl",
        "b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e",
    ),
}

_LIBC = "libc/include/"
#: The header trees that are used; the wheel has them for all systems.
_HEADERS = {
    "x86_64": ("x86-linux-gnu", "generic-glibc", "x86-linux-any", "any-linux-any"),
    "aarch64": (
        "aarch64-linux-gnu",
        "generic-glibc",
        "aarch64-linux-any",
        "any-linux-any",
    ),
}
_CXX_HEADERS = ("libcxx/include", "libcxxabi/include")
#: glibc 2.31, and libc++ as its own build configures it for Linux: the wheel has
#: neither of the generated headers that would say so.
_GLIBC = ("-D__GLIBC_MINOR__=31",)
_LIBCXX = tuple(
    f"-D_LIBCPP_{macro}"
    for macro in (
        "ABI_VERSION=1",
        "ABI_NAMESPACE=__1",
        "ASSERTION_SEMANTIC_DEFAULT=_LIBCPP_ASSERTION_SEMANTIC_HARDENING_DEPENDENT",
        "HARDENING_MODE_DEFAULT=_LIBCPP_HARDENING_MODE_NONE",
        "HAS_FILESYSTEM=1",
        "HAS_LOCALIZATION=1",
        "HAS_MONOTONIC_CLOCK=1",
        "HAS_MUSL_LIBC=0",
        "HAS_RANDOM_DEVICE=1",
        "HAS_TERMINAL=1",
        "HAS_THREADS=1",
        "HAS_THREAD_API_EXTERNAL=0",
        "HAS_THREAD_API_PTHREAD=1",
        "HAS_THREAD_API_WIN32=0",
        "HAS_TIME_ZONE_DATABASE=1",
        "HAS_UNICODE=1",
        "HAS_VENDOR_AVAILABILITY_ANNOTATIONS=0",
        "HAS_WIDE_CHARACTERS=1",
        "INSTRUMENTED_WITH_ASAN=0",
        "PSTL_BACKEND_STD_THREAD",
    )
)

_FLAGS = (
    "-Xclang",
    "-disable-llvm-passes",
    "-emit-llvm",
    "-c",
    "-g0",
    "-fno-ident",
    "-fPIC",
    "-w",
    # Configuration files of the machine are none of ours.
    "--no-default-config",
    "-fno-crash-diagnostics",
)
_MACHINE = {
    "x86_64": ("--target=x86_64-linux-gnu", "-march=x86-64"),
    # The default depends on the gcc that clang finds.
    "aarch64": ("--target=aarch64-linux-gnu", "-moutline-atomics"),
}

#: All that a compiler sees of the environment.
ENVIRONMENT = {"LC_ALL": "C", "SOURCE_DATE_EPOCH": "946684800"}


@dataclass(frozen=True)
class Toolchain:
    """A clang 22.

    Attributes:
        compiler: How the command begins.
        headers: ``lib`` folder of a ziglang wheel; None: the machine's headers,
            with which bitcode differs from one machine to another.
    """

    compiler: tuple[str, ...]
    headers: Path | None = None

    def command(
        self,
        sources: Sources,
        unit: Unit,
        variant: str,
        *,
        needed: Path | None = None,
    ) -> list[str]:
        """Command that writes a unit's bitcode to standard output.

        It has to run in the source root, with nothing but :data:`ENVIRONMENT`.

        Args:
            sources: What the unit is a part of.
            unit: The file.
            variant: Architecture and level, for example ``"x86_64-Oz"``.
            needed: Bitcode of which what the unit needs is linked with it, and
                internal to the module.
        """
        link = [] if needed is None else _front_end("-mlink-builtin-bitcode", needed)
        return self._command(sources, unit, variant, link)

    def link_command(
        self, sources: Sources, parts: Sequence[Path], variant: str
    ) -> list[str]:
        """Command that links bitcode, all of it; otherwise as :meth:`command`."""
        empty = Unit("", os.devnull, is_cxx=False)
        link = [
            flag for part in parts for flag in _front_end("-mlink-bitcode-file", part)
        ]
        return self._command(sources, empty, variant, ["-x", "c", *link])

    def _command(
        self, sources: Sources, unit: Unit, variant: str, link: Sequence[str]
    ) -> list[str]:
        architecture, level = variant.rsplit("-", 1)
        recipe = sources.recipe
        standard = [f"-std={recipe.cxx_standard}"] if recipe.cxx_standard else []
        return [
            *self.compiler,
            *_MACHINE[architecture],
            f"-{level}",
            *_FLAGS,
            *self._header_flags(unit, architecture),
            *(standard if unit.is_cxx else []),
            *recipe.flags,
            *(f"-I{folder}" for folder in sources.includes),
            *link,
            "-o",
            "-",
            unit.source,
        ]

    def _header_flags(self, unit: Unit, architecture: str) -> list[str]:
        if self.headers is None:
            return []
        folders = [*(_CXX_HEADERS if unit.is_cxx else ()), "include"]
        folders += [_LIBC + folder for folder in _HEADERS[architecture]]
        flags = ["-nostdinc", *_GLIBC, *(_LIBCXX if unit.is_cxx else ())]
        for folder in folders:
            flags += ["-isystem", str(self.headers / folder)]
        return [*flags, f"-ffile-prefix-map={self.headers}=lib"]


def _front_end(option: str, path: Path) -> list[str]:
    return ["-Xclang", option, "-Xclang", str(path)]


def install_toolchain(cache: Cache, index: Index, *, progress: bool) -> Toolchain:
    """The pinned compiler, downloaded if it is not in the cache."""
    wheel = _WHEELS.get(platform.machine())
    if sys.platform != "linux" or wheel is None:
        raise ProgramError(
            "programs of the package index are compiled on Linux, on x86_64 or "
            f"aarch64; this is {sys.platform} on {platform.machine()}"
        )
    folder = cache.root / "toolchain" / f"ziglang-{_VERSION}-{wheel.sha256[:12]}"
    if not folder.is_dir():
        with cache.errors(), cache.lock(folder):
            _install(wheel, folder, cache, index, progress)
    return Toolchain((str(folder / "zig"), "clang"), folder / "lib")


def _install(
    wheel: Distribution, folder: Path, cache: Cache, index: Index, progress: bool
) -> None:
    if folder.is_dir():
        # Another process was faster.
        return
    with cache.workplace(folder) as work:
        archive = index.download(wheel, work, progress=progress)
        unpack_zip(archive, work / "wheel", _is_used)
        (work / "wheel" / "ziglang").replace(folder)


def _is_used(name: str) -> bool:
    trees = {tree for trees in _HEADERS.values() for tree in trees}
    wanted = ["ziglang/zig", "ziglang/LICENSE", "ziglang/lib/include/"]
    wanted += [f"ziglang/lib/{tree}/" for tree in _CXX_HEADERS]
    wanted += [f"ziglang/lib/{_LIBC}{tree}/" for tree in sorted(trees)]
    return name.startswith(tuple(wanted))
