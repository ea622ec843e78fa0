# SPDX-License-Identifier: Apache-2.0
"""What is shown of a module, and of what changes in it."""

import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mlcompiler_gym.leaderboard.module_text import around, change, split

#: Modules of functions that have lines.
_MODULES = st.dictionaries(
    st.sampled_from(["f", "g", "a b"]),
    st.lists(st.sampled_from("abc"), max_size=12),
    max_size=3,
)


def text_of(functions: dict[str, list[str]], number: int = 0) -> str:
    """A module as LLVM prints it."""
    parts = [f'source_filename = "one.c"\n\n@global = global i32 {number}\n']
    for name, lines in functions.items():
        body = "".join(f"  {line} #{number}, !tbaa !{number}\n" for line in lines)
        quoted = f'"{name}"' if " " in name else name
        parts.append(
            "; Function Attrs: nounwind\n"
            f"define void @{quoted}() #{number} {{\n{body}}}\n"
        )
    parts.append("declare void @other()\n")
    parts.append(f"attributes #{number} = {{ nounwind }}\n")
    return "\n".join(parts)


@given(_MODULES)
def test_every_function_is_found(functions: dict[str, list[str]]) -> None:
    module = split(text_of(functions))
    assert list(module) == ["", *functions]
    for name, lines in functions.items():
        assert module[name].count("\n") == len(lines) + 2
    assert "declare void @other()" in module[""]


@given(_MODULES, _MODULES)
def test_a_change_has_what_went_and_what_came(
    before: dict[str, list[str]], after: dict[str, list[str]]
) -> None:
    found = change(split(text_of(before)), split(text_of(after)))
    if found and found[-1].startswith("…"):
        return

    def lines(functions: dict[str, list[str]]) -> Counter[str]:
        return Counter(line for body in functions.values() for line in body)

    def shown(sign: str) -> Counter[str]:
        return Counter(line[3] for line in found if re.match(rf"\{sign}  [abc] ", line))

    assert lines(before) - shown("-") + shown("+") == lines(after)
    assert shown("-") <= lines(before)


@given(_MODULES)
def test_numbers_that_move_are_no_change(functions: dict[str, list[str]]) -> None:
    """The numbers of attributes and metadata, but not the value of a global."""
    found = change(split(text_of(functions, 1)), split(text_of(functions, 12)))
    assert found == ("-@global = global i32 1", "+@global = global i32 12")


def test_a_line_is_looked_for_in_its_own_function() -> None:
    module = split(
        text_of({"f": ["a", "%1 = call @h()"], "g": ["b", "%1 = call @h()"]})
    )
    for name, first in (("f", "a"), ("g", "b")):
        context = around(module, {"call": "%1 = call @h()", "caller": name})
        assert context[-3:-1] == (
            f"  {first} #0, !tbaa !0",
            "  %1 = call @h() #0, !tbaa !0",
        )
    assert around(module, {"call": "%1 = call @h()", "caller": "other"}) == ()
    assert around(module, {"callee_uses": "3"}) == ()


def test_only_the_beginning_of_a_large_change_is_shown() -> None:
    before, after = ({"f": [letter] * 100} for letter in "ab")
    found = change(split(text_of(before)), split(text_of(after)))
    assert len(found) == 41
    assert found[-1] == "… and 161 lines more"
