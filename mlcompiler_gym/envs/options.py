# SPDX-License-Identifier: Apache-2.0
"""The options of a task, as the service declares them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: A value of an option in Python's terms.
Value: TypeAlias = bool | int | float | str


def encode_options(
    declared: Iterable[pb.OptionSpec], given: Mapping[str, Any]
) -> dict[str, str]:
    """Every option of a task, as the protocol has it.

    Args:
        declared: What the service says of the options.
        given: Values by name; the others have their defaults.

    Raises:
        ValueError: A value is not what its option accepts.
    """
    return {
        option.name: _encode(
            option,
            given[option.name] if option.name in given else default(option),
        )
        for option in sorted(declared, key=lambda each: each.name)
    }


def default(option: pb.OptionSpec) -> Value:
    """What an option is unless it is given."""
    return decode(option, option.default_value)


def decode(option: pb.OptionSpec, text: str) -> Value:
    """The value that the protocol has as a text."""
    if option.type == pb.OptionSpec.BOOL:
        return text == "true"
    if option.type == pb.OptionSpec.INT:
        return int(text)
    if option.type == pb.OptionSpec.FLOAT:
        return float(text)
    return text


def _encode(option: pb.OptionSpec, value: Any) -> str:
    text = None
    if option.type == pb.OptionSpec.BOOL:
        if isinstance(value, (bool, np.bool_)):
            text = "true" if value else "false"
    elif isinstance(value, bool):
        pass  # is a number in Python, and not in the protocol
    elif option.type == pb.OptionSpec.INT:
        if isinstance(value, (int, np.integer)) and _is_between(option, value):
            text = str(int(value))
    elif option.type == pb.OptionSpec.FLOAT:
        number = (int, float, np.integer, np.floating)
        if isinstance(value, number) and _is_between(option, value):
            text = repr(float(value))
    elif isinstance(value, str):
        if option.type == pb.OptionSpec.TEXT or value in option.values:
            text = str(value)
    elif option.type == pb.OptionSpec.TEXT and _is_lines(value):
        text = "\n".join(value)
    if text is None:
        raise ValueError(f"{option.name} is {accepted(option)}, not {value!r}")
    return text


def _is_between(option: pb.OptionSpec, value: Any) -> bool:
    # A NaN is not in between either.
    return bool(option.low <= value <= option.high)


def _is_lines(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)


def accepted(option: pb.OptionSpec) -> str:
    """What an option accepts, for a person: ``"an integer in 1..2"``."""
    values = ", ".join(map(repr, option.values))
    bounds = f"{option.low:g}..{option.high:g}"
    return {
        pb.OptionSpec.BOOL: "True or False",
        pb.OptionSpec.INT: f"an integer in {bounds}",
        pb.OptionSpec.FLOAT: f"a number in {bounds}",
        pb.OptionSpec.ENUM: f"one of {values}",
        pb.OptionSpec.TEXT: (f"one of {values}, or " if values else "")
        + "a text, or the list of its lines",
    }[option.type]


def describe_options(declared: Iterable[pb.OptionSpec]) -> str:
    """What each option does, its default and what it accepts, for a person."""
    return "\n".join(
        f"{option.name}={default(option)!r}\n"
        + textwrap.indent(
            textwrap.fill(f"{accepted(option)}: {option.doc}", width=76), "    "
        )
        for option in sorted(declared, key=lambda each: each.name)
    )
