# SPDX-License-Identifier: Apache-2.0
"""Prose is plain English, as far as a linter can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from support import prose, prose_texts

HERE = Path(__file__)


def found(texts: Iterable[prose_texts.Text]) -> str:
    """All findings, a line each."""
    return "\n".join(map(str, prose.check(texts)))


def of_sentence(sentence: str) -> str:
    return found([prose_texts.Text(HERE, 1, sentence)])


@pytest.mark.parametrize("corpus", prose.CORPORA, ids=lambda corpus: corpus.__name__)
def test_what_people_read(corpus: Callable[[], Iterable[prose_texts.Text]]) -> None:
    assert found(corpus()) == ""


@pytest.mark.parametrize(
    "sentence",
    [
        "Of the programs, two run.",
        "It waits for whoever comes.",
        "It keeps those that run.",
        "The value is the same of the callee.",
        "It takes the first, or else the second.",
        "It takes the first, else the second.",
        "Those of the callee.",
        "The layers, one behind the other.",
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
    texts = list(prose_texts.markdown(page))
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
    read = [*prose_texts.docstrings(module), *prose_texts.python_messages(module)]
    assert [finding.line for finding in prose.check(read)] == [2, 12, 12]


def lines_found(path: Path, text: str) -> list[int]:
    """The lines of a file whose comments are found fault with."""
    path.write_text(text)
    return [finding.line for finding in prose.check(prose_texts.comments(path))]


def test_comments_of_python(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    text = (
        "# It is compiled\n# anew. `anew = those that run`\n"
        "a = 'anew'  # Of the next line\n#: Here.\nb = a\n"
        "c = b  # This goes on\n       # for whoever reads it.\n# noqa: anew\n"
    )
    assert lines_found(path, text) == [1, 3, 6]


def test_comments_of_cpp(tmp_path: Path) -> None:
    path = tmp_path / "Header.h"
    text = (
        "// SPDX-License-Identifier: Apache-2.0\n/// \\file Of the file.\n///\n"
        "/// Here it is.\n/// \\p Anew is a name.\n\n"
        "int A; ///< Of the next.\nint B; ///< It ends.\n"
        "/** It is\n * compiled\n * anew. */\n"
        "/// - It is one;\n/// - it is two;\n/// - it is three;\n"
    )
    assert lines_found(path, text) == [1, 7, 9]


def test_comments_of_what_builds(tmp_path: Path) -> None:
    for name in ("CMakeLists.txt", "run", "pyproject.toml", "service.proto"):
        mark = "//" if name.endswith(".proto") else "#"
        assert lines_found(tmp_path / name, f"{mark} Made anew.\n") == [1]


def test_messages_of_cpp(tmp_path: Path) -> None:
    path = tmp_path / "File.cpp"
    path.write_text(
        '#include "anew/for/whoever/reads.h"\n'
        'auto A = "the file \\"a\\" is "\n  "to be small";\nauto B = "anew";\n'
    )
    read = list(prose_texts.cpp_messages(path))
    assert [(text.line, text.words.split()[-3:]) for text in read] == [
        (2, ["to", "be", "small"])
    ]
    assert found(read) != ""
