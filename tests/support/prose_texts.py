# SPDX-License-Identifier: Apache-2.0
"""The prose of a file: pages, docstrings, comments and messages, without code.

Markdown is read by markdown-it, Python by :mod:`ast`, and the comments of every
language by Pygments.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments.lexers import get_lexer_for_filename
from pygments.token import Comment, Literal, _TokenType


@dataclass(frozen=True)
class Text:
    """A piece of prose: a paragraph, an entry of a list, a cell of a table."""

    path: Path
    line: int
    words: str


def markdown(path: Path) -> Iterator[Text]:
    """The prose of a page, without code, comments and generated tables."""
    source = path.read_text()
    generated = re.sub(
        r"<!-- table: .*?<!-- end of table -->",
        lambda block: "\n" * block[0].count("\n"),
        source,
        flags=re.DOTALL,
    )
    line = 1
    for token in MarkdownIt("commonmark").enable("table").parse(generated):
        if token.map:
            line = token.map[0] + 1
        if token.type == "inline":
            yield Text(path, line, _inline(token))


def _inline(token: Token) -> str:
    """A piece of Markdown as text; code is one word."""
    words = []
    for child in token.children or ():
        if child.type == "code_inline":
            words.append("`code`")
        elif child.type in ("softbreak", "hardbreak"):
            words.append(" ")
        elif child.type == "text":
            words.append(re.sub(r"\{[\w:]+\}$", "", child.content))
    # A list of names is read at a glance.
    return re.sub(r"(?:`code`, )+(?:and |or )?`code`", "`code`", "".join(words))


def docstrings(path: Path) -> Iterator[Text]:
    """The docstrings of a module, and of its classes and functions."""
    for statement, text in _documented(ast.parse(path.read_text())):
        for words in _paragraphs(text):
            yield Text(path, statement.lineno, words)


def python_messages(path: Path) -> Iterator[Text]:
    """A module's messages, help texts, and docstrings of attributes."""
    tree = ast.parse(path.read_text())
    documentation = {statement.value for statement, _ in _documented(tree)}
    for node in ast.walk(tree):
        if node not in documentation and isinstance(
            node, (ast.Constant, ast.JoinedStr)
        ):
            yield from _message(path, node.lineno, _literal(node))


def _documented(tree: ast.Module) -> Iterator[tuple[ast.Expr, str]]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            statement = node.body[0]
            assert isinstance(statement, ast.Expr)
            yield statement, text


def _literal(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    parts = (v.value if isinstance(v, ast.Constant) else "`value`" for v in node.values)
    return "".join(map(str, parts))


def _message(path: Path, line: int, words: str) -> Iterator[Text]:
    """A literal, if it has as many words as a sentence."""
    if len(words.split()) > 3:
        yield Text(path, line, words)


def comments(path: Path) -> Iterator[Text]:
    """The comments of a source file, whatever its language."""
    source = path.read_text()
    block: list[str] = []
    first, last, column = 1, -1, 0
    for index, kind, value in _tokens(path, source):
        if kind not in Comment or any(kind in other for other in _PREPROCESSOR):
            continue
        line, begin = source.count("\n", 0, index) + 1, source.rfind("\n", 0, index) + 1
        # Comments below each other are one, unless code stands before the second.
        alone = not source[begin:index].strip()
        if not (alone and line == last + 1 and column == index - begin):
            yield from _comment(path, first, block)
            block, first, column = [], line, index - begin
        block += value.rstrip().splitlines()
        last = line + value.rstrip().count("\n")
    yield from _comment(path, first, block)


#: What Pygments calls a comment, and is none.
_PREPROCESSOR = (Comment.Preproc, Comment.PreprocFile, Comment.Hashbang)

#: What a line of a comment begins with, and what ends one.
_MARKS = re.compile(r"^\s*(?:/\*+!?|\*+/|\*(?= |$)|//+[!<]*|#[:!]?)\s?|\s*\*/$")

#: What speaks to a tool instead of to a reader.
_DIRECTIVE = re.compile(
    r"^(SPDX|NOLINT|clang-format |noqa|type: ignore|pragma: |ruff: |fmt: |%%|-\*-)"
)


def _comment(path: Path, first: int, block: list[str]) -> Iterator[Text]:
    lines = [_MARKS.sub("", line) for line in block]
    text = "\n".join(line for line in lines if not _DIRECTIVE.match(line))
    # Doxygen's marks of a name, and of a paragraph.
    text = re.sub(r"\\[pc] \*?\w+(?:(?:::|\.)\w+)*", "`code`", text)
    text = re.sub(r"\\(?:param(?:\[\w+\])? \w+|file|brief|returns?)\s", "\n\n", text)
    for words in _paragraphs(text):
        if words:
            yield Text(path, first, words)


def cpp_messages(path: Path) -> Iterator[Text]:
    """The literals of a C or C++ file that have as many words as a sentence."""
    source = path.read_text()
    literal: list[str] = []
    first = 0
    for index, kind, value in _tokens(path, source):
        if kind in Literal.String:
            if not literal:
                first = source.count("\n", 0, index) + 1
            literal.append(" " if kind in Literal.String.Escape else value)
        elif value.strip():
            yield from _message(path, first, "".join(literal).replace('"', ""))
            literal = []


def _tokens(path: Path, source: str) -> Iterator[tuple[int, _TokenType, str]]:
    """A file's tokens and where they begin; without an ending, it is a shell's."""
    lexer = get_lexer_for_filename(path.name if path.suffix else "run.sh")
    yield from lexer.get_tokens_unprocessed(source)


def _paragraphs(text: str) -> Iterator[str]:
    """The paragraphs and arguments of a docstring or comment, without its code."""
    text = re.sub(r"\\\n", "", text)
    text = re.sub(r"::\n\n(?:(?: {4,}.*)?\n)+", ".\n\n", text + "\n")
    text = re.sub(r"(``|`)[^`]*\1", "`code`", text)
    text = re.sub(r":\w+:`code`", "`code`", text)
    for block in re.split(r"\n\s*\n|\n(?=\s*[-*] )", text):
        lines = block.splitlines()
        piece: list[str] = []
        for line in lines:
            # An argument of its own, or the heading of several.
            if re.match(r"\s*[\w*]+( \(.*\))?:( |$)", line) and piece:
                yield " ".join(piece)
                piece = []
            piece.append(re.sub(r"^\s*(?:[\w*]+( \(.*\))?: |[-*] )", "", line).strip())
        if piece:
            yield " ".join(piece)
