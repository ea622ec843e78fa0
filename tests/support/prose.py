# SPDX-License-Identifier: Apache-2.0
"""What a linter can tell about plain English: sentences that have to be read twice.

``python -m support.prose``, in ``tests/``, lists what it finds. Markdown is read by
markdown-it, Python by :mod:`ast`. Code is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]

#: Words that a sentence may have.
LONGEST = 35

#: What to look for, and what to do about it.
RULES = {
    r"^Of (?!course)": "begin with the subject, not with 'Of'",
    r"\b(whoever|whomever|whosoever)\b": "name who or what it is",
    r"\b(nobody|somebody)\b(?! else)": "name who or what it is",
    r"\bthose (that|which|who)\b": "name the noun instead of 'those'",
    r"\bthat of (that|what|the others?|it|those)\b": "name the noun instead of 'that'",
    r"\bthe same of\b": "say the sentence again with its own noun",
    r",? (and|or) else\b": "say 'otherwise', in a sentence of its own",
    r"^(Else|If not so),": "say 'Otherwise'",
    r"\b(is|are|was|were) to (be|have|come)\b": "say 'must', 'should' or 'will'",
    r"\b(anew|whereof|thereof|wherein|therein|hitherto|heretofore)\b": "use a "
    "plain word",
    r"\bbesides\b[.,;:)]": "say 'also', or 'in addition'",
    r"\bbut for\b": "say 'except'",
    r"\bfor it (is|was|has|does)\b": "say 'because'",
    r"\blikewise\b": "say what is the same",
    r", too, ": "say 'also', before the verb",
    r";[^;]*;": "make it several sentences",
    r"—|–": "use a comma, brackets or two sentences",
    r"\b(utili[sz]e|leverage|facilitate|in order to|prior to|in terms of)\b": "use a "
    "plain word",
    r"\b(simply|obviously|of course|very|basically|easily)\b": "leave it out",
}

_RULES = [(re.compile(rule), advice) for rule, advice in RULES.items()]

#: An end of a sentence: not behind an abbreviation, and not in a number.
_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bal)(?<!\bvs)(?<!\bcf)(?<!\bNo)"
    r"[.!?][)\"'”]?\s+(?=[\"'(“]?[A-Z0-9§`])"
)


@dataclass(frozen=True)
class Text:
    """A piece of prose: a paragraph, an entry of a list, a cell of a table."""

    path: Path
    line: int
    words: str


@dataclass(frozen=True)
class Finding:
    """What is wrong with a sentence."""

    path: Path
    line: int
    advice: str
    sentence: str

    def __str__(self) -> str:
        place = self.path.relative_to(ROOT) if self.path.is_absolute() else self.path
        return f"{place}:{self.line}: {self.advice}: {self.sentence}"


def sentences(text: str) -> list[str]:
    """The sentences of a piece of prose."""
    return [part.strip() for part in _END.sub(".\n", text).split("\n") if part.strip()]


def check(texts: Iterable[Text]) -> list[Finding]:
    """All findings, in the order of the texts."""
    found = []
    for text in texts:
        for sentence in sentences(text.words):
            # What is in brackets is another thought; it is counted by itself.
            parts = [re.sub(r"\([^()]*\)", "", sentence)]
            parts += re.findall(r"\(([^()]*)\)", sentence)
            longest = max(len(re.findall(r"[^\s/]+", part)) for part in parts)
            advices = [advice for rule, advice in _RULES if rule.search(sentence)]
            if longest > LONGEST:
                advices.append(f"{longest} words: make it two sentences")
            found += [Finding(text.path, text.line, a, sentence) for a in advices]
    return found


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


def python(path: Path) -> Iterator[Text]:
    """The prose of a module: its docstrings, and sentences in its strings."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False):
            statement = node.body[0]
            assert isinstance(statement, ast.Expr)
            docstrings.add(statement.value)
            text = ast.get_docstring(node)
            assert text is not None
            for words in _paragraphs(text):
                yield Text(path, statement.lineno, words)
    # Docstrings of attributes, help texts and messages.
    for node in ast.walk(tree):
        if node in docstrings or not isinstance(node, (ast.Constant, ast.JoinedStr)):
            continue
        words = _literal(node)
        if len(words.split()) > 3:
            yield Text(path, node.lineno, words)


def _literal(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    parts = (v.value if isinstance(v, ast.Constant) else "`value`" for v in node.values)
    return "".join(map(str, parts))


def _paragraphs(docstring: str) -> Iterator[str]:
    """The paragraphs and arguments of a docstring, without its code."""
    docstring = re.sub(r"\\\n", "", docstring)
    docstring = re.sub(r"::\n\n(?:(?: {4,}.*)?\n)+", ".\n\n", docstring + "\n")
    docstring = re.sub(r"(``|`)[^`]*\1", "`code`", docstring)
    docstring = re.sub(r":\w+:`code`", "`code`", docstring)
    for block in re.split(r"\n\s*\n|\n(?=\s*[-*] )", docstring):
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


def pages() -> list[Path]:
    """The pages that people read."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    found += [*ROOT.glob("benchmarks/*.md"), *ROOT.glob("leaderboard/*.md")]
    return sorted(found)


def modules() -> list[Path]:
    """The modules of the package."""
    package = ROOT / "mlcompiler_gym"
    return sorted(p for p in package.rglob("*.py") if "v1" not in p.parts)


if __name__ == "__main__":
    for page in pages():
        print(*check(markdown(page)), sep="\n", end="\n")
    for module in modules():
        print(*check(python(module)), sep="\n", end="\n")
