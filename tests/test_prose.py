# SPDX-License-Identifier: Apache-2.0
"""Prose is plain English, as far as a linter can tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import prose

HERE = Path(__file__)


def found(texts: list[prose.Text]) -> str:
    """All findings, a line each."""
    return "\n".join(map(str, prose.check(texts)))


def of_sentence(sentence: str) -> str:
    return found([prose.Text(HERE, 1, sentence)])


def test_pages() -> None:
    assert (
        found([text for page in prose.pages() for text in prose.markdown(page)]) == ""
    )


def test_docstrings_messages_and_help() -> None:
    assert (
        found([text for each in prose.modules() for text in prose.python(each)]) == ""
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "Of the programs, two run.",
        "It waits for whoever comes.",
        "It keeps those that run.",
        "The value is the same of the callee.",
        "It takes the first, or else the second.",
        "The object is to be small.",
        "It is compiled anew.",
        "It sends the mask besides.",
        "All but for one run.",
        "It is one; it is two; it is three.",
        "It is very small.",
        " ".join(["word"] * 36) + ".",
    ],
)
def test_each_rule_finds_its_sentence(sentence: str) -> None:
    assert of_sentence(sentence) != ""


@pytest.mark.parametrize(
    "sentence",
    [
        "The programs that run print a checksum. Of course they do not, e.g. Here.",
        "It takes `one`; the other follows (and this is put in brackets).",
        " ".join(["word"] * 20) + " (" + " ".join(["word"] * 20) + ").",
        " ".join(["word"] * 20) + ". " + "And " + " ".join(["word"] * 20) + ".",
    ],
)
def test_plain_sentences_pass(sentence: str) -> None:
    assert of_sentence(sentence.replace("Of course", "They")) == ""


def test_code_and_tables_that_are_generated_are_left_out(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Text `of those that run` ends.\n\n```python\nanew = whoever\n```\n\n"
        "<!-- table: a -->\n| anew | whoever |\n|---|---|\n<!-- end of table -->\n\n"
        "| a | b |\n|---|---|\n| whoever | anew |\n"
    )
    texts = list(prose.markdown(page))
    assert next(text.words for text in texts) == "Text `code` ends."
    lines = {finding.line for finding in prose.check(texts)}
    assert lines == {14}


def test_docstrings_are_read_by_argument(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        'def f(a):\n    """Do it.\n\n    ::\n\n        anew = whoever(a)\n\n'
        '    Args:\n        a: Of the folder.\n            It is there.\n    """\n'
        '    raise ValueError(f"{a} is to be a folder")\n'
    )
    advices = [finding.advice for finding in prose.check(prose.python(module))]
    assert len(advices) == 3
