# SPDX-License-Identifier: Apache-2.0
"""From JSON and TOML to dataclasses, without believing what they say."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from mlcompiler_gym.leaderboard.errors import Problem, SubmissionError, refusal

T = TypeVar("T")

#: What every dataclass that is read here allows: its own fields, of their own types.
STRICT = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

#: Text with something in it, and an end.
Text = Annotated[str, Field(min_length=1, max_length=4000)]

#: SHA-256 in hexadecimal.
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

#: Where tomllib says that it stopped.
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")


class Reader(Generic[T]):
    """Reads one kind of dataclass, and writes it.

    Args:
        kind: The dataclass. Its ``__pydantic_config__`` is :data:`STRICT`.
    """

    def __init__(self, kind: type[T]) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def from_toml(self, content: bytes, file: str) -> T:
        """Read a TOML file.

        Raises:
            SubmissionError: It is none, or has other fields.
        """
        try:
            text = content.decode()
            values = tomllib.loads(text)
            as_json = json.dumps(values)
        except UnicodeDecodeError as error:
            raise _error(file, f"it is not UTF-8: {error}", None) from error
        except tomllib.TOMLDecodeError as error:
            found = _TOML_LINE.search(str(error))
            line = int(found[1]) if found else None
            raise _error(file, f"it is not TOML: {error}", line) from error
        except (TypeError, RecursionError) as error:
            raise _error(file, f"it has a value of another kind: {error}", None) from (
                error
            )
        return self._read(as_json.encode(), file, lambda key: _line_of(text, key))

    def from_json(self, content: bytes, file: str, line: int | None = None) -> T:
        """Read a JSON file, or one line of one.

        Raises:
            SubmissionError: It is none, or has other fields.
        """
        return self._read(content, file, lambda key: line)

    def _read(self, content: bytes, file: str, line_of: Any) -> T:
        try:
            return self._adapter.validate_json(content)
        except ValidationError as error:
            raise SubmissionError(
                [_problem(each, file, line_of) for each in error.errors()]
            ) from error

    def to_json(self, value: T, *, indent: int | None = None) -> str:
        """As JSON; equal values are equal text."""
        plain = self._adapter.dump_python(value, mode="json")
        return json.dumps(
            plain,
            indent=indent,
            sort_keys=True,
            ensure_ascii=False,
            separators=None if indent else (",", ":"),
        )

    def digest(self, value: T) -> str:
        """SHA-256 of what it says, however it is written down."""
        return hashlib.sha256(self.to_json(value).encode()).hexdigest()


def _problem(error: Any, file: str, line_of: Any) -> Problem:
    path = [str(part) for part in error["loc"]]
    key = ".".join(path)
    line = line_of(path[0]) if path else line_of("")
    if error["type"] == "missing":
        return Problem(file, f"{key} is missing", f"add {key} = …", line)
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return Problem(
            file, f"there is no field {key}", "remove it, or correct its name", line
        )
    what = f"{key}: {error['msg']}" if key else error["msg"]
    return Problem(file, what, "correct it", line)


def _error(file: str, what: str, line: int | None) -> SubmissionError:
    return refusal(file, what, "correct it", line)


def _line_of(text: str, key: str) -> int | None:
    found = re.search(rf"^[ \t]*\"?{re.escape(key)}\"?[ \t]*=", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found and key else None
