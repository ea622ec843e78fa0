# SPDX-License-Identifier: Apache-2.0
"""Settings of an algorithm, from a file and from arguments."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from mlcompiler_gym.errors import TrainingError
from mlcompiler_gym.suggest import did_you_mean

SettingsT = TypeVar("SettingsT")


def load_settings(
    kind: type[SettingsT], path: Path | None, given: Mapping[str, Any]
) -> SettingsT:
    """Settings from a TOML file, and from further arguments.

    Args:
        kind: A dataclass, whose fields are the settings.
        path: The file; None: all is as the dataclass has it.
        given: What counts more than the file.

    Raises:
        TrainingError: The file cannot be read, there is no such setting, or its value
            is of another type.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise TrainingError(f"cannot read the settings {path}: {error}") from error
    values |= given
    known = {each.name: each.default for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in known:
            raise TrainingError(
                f"there is no setting {name!r}; "
                f"{did_you_mean(name, known)}there are {', '.join(known)}"
            )
        values[name] = _as(type(known[name]), name, value)
    return kind(**values)


def _as(kind: type, name: str, value: Any) -> Any:
    """A value of TOML as a setting has it.

    Raises:
        TrainingError: It is of another type.
    """
    if kind is tuple and isinstance(value, list | tuple):
        return tuple(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TrainingError(f"the setting {name} is a {kind.__name__}, not {value!r}")
    return value
