# SPDX-License-Identifier: Apache-2.0
"""Where the native executable is."""

import functools
import os
from pathlib import Path

from mlcompiler_gym.errors import ServiceUnavailableError

_NAME = "mlcompiler-service"


def find_installed(relative: str) -> Path | None:
    """A file that the build put into the package.

    An editable install leaves it outside the source tree, where the other files
    of the distribution are.
    """
    candidate = Path(__file__).parents[1] / relative
    if candidate.exists():
        return candidate
    installed = _distribution_folder()
    if installed is None or not (installed / relative).exists():
        return None
    return installed / relative


@functools.cache
def _distribution_folder() -> Path | None:
    from importlib import metadata

    # To look for a distribution's metadata takes longer than all the rest, and a
    # set of programs asks for each of its files.
    try:
        distribution = metadata.distribution("mlcompiler_gym")
    except metadata.PackageNotFoundError:
        return None
    return Path(str(distribution.locate_file("mlcompiler_gym")))


def find_executable() -> Path:
    """Path of the compiler service.

    ``MLCOMPILER_GYM_SERVICE`` overrides the one that came with the package.
    """
    override = os.environ.get("MLCOMPILER_GYM_SERVICE")
    if override:
        path = Path(override)
        if not os.access(path, os.X_OK) or path.is_dir():
            raise ServiceUnavailableError(
                f"MLCOMPILER_GYM_SERVICE={override} is not an executable file"
            )
        return path
    found = find_installed(f"bin/{_NAME}")
    if found is None:
        raise ServiceUnavailableError(
            f"{_NAME} is not in the installed package; install mlcompiler_gym "
            "with pip (from a checkout: `./run setup`), or set "
            "MLCOMPILER_GYM_SERVICE to the path of a built one"
        )
    return found
