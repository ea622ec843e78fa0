# SPDX-License-Identifier: Apache-2.0
"""The real thing: packages and compiler through the user's own pip."""

from pathlib import Path

import pytest

from mlcompiler_gym.programs.catalogue import entries_of
from mlcompiler_gym.programs.pypi import bitcode_path, fetch

#: Small ones, in C and in C++.
PACKAGES = ("heatshrink2", "texture2ddecoder", "twofish")
NAMES = [
    entry.name for entry in entries_of("pypi") if entry.name.split("/")[1] in PACKAGES
]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("folder", ["a", "a longer name/and a folder"])
def test_bitcode_is_the_same_wherever_it_is_made(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is compared with the catalogue, made elsewhere."""
    monkeypatch.setenv("MLCOMPILER_GYM_CACHE", str(tmp_path / folder))
    monkeypatch.setenv("CPATH", "/usr/include")
    monkeypatch.setenv("ZIG_LIB_DIR", "/nowhere")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert len(NAMES) == 10
    for architecture, level in (("x86_64", "Oz"), ("aarch64", "O2")):
        report = fetch(PACKAGES, architecture=architecture, level=level, progress=False)
        assert report.failures == []
        assert report.compiled == len(NAMES)
        for name in NAMES:
            assert bitcode_path(name, architecture, level).is_file()
    report = fetch(PACKAGES, progress=False)
    assert (report.compiled, report.present) == (0, len(NAMES))
