# SPDX-License-Identifier: Apache-2.0
"""What a linter can tell about plain English: sentences that have to be read twice.

``python -m support.prose``, in ``tests/``, lists what it finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from support import prose_texts
from support.prose_texts import Text

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
    r"\b[Tt]he same of\b": "say the sentence again with its own noun",
    r"^(That|Those|These) of\b": "name the noun",
    r",? (and|or) else\b|[,;:] else\b": "say 'otherwise', or 'if not'",
    r"\bone behind the other\b": "say 'one after the other'",
    r"^(Else|If not so),": "say 'Otherwise'",
    r"\b(is|are|was|were) to (be|have|come|stay|go)\b": "say 'must', 'should' or "
    "'will'",
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
class Finding:
    """What is wrong with a sentence."""

    path: Path
    line: int
    advice: str
    sentence: str

    def __str__(self) -> str:
        inside = self.path.is_relative_to(ROOT)
        place = self.path.relative_to(ROOT) if inside else self.path
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


def pages() -> Iterator[Text]:
    """The pages that people read."""
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "leaderboard/*.md"):
        for path in sorted(ROOT.glob(pattern)):
            yield from prose_texts.markdown(path)


def package() -> Iterator[Text]:
    """The docstrings, messages and comments of the package."""
    for path in _python("mlcompiler_gym"):
        yield from prose_texts.docstrings(path)
        yield from prose_texts.python_messages(path)
        yield from prose_texts.comments(path)


def scripts() -> Iterator[Text]:
    """The docstrings and comments of what is not the package; its strings hold code."""
    for folder in ("tests", "benchmarks", "examples", "docs"):
        for path in _python(folder):
            yield from prose_texts.docstrings(path)
            yield from prose_texts.comments(path)


def service() -> Iterator[Text]:
    """The comments and messages of the service, its plugins and its tests."""
    for path in _native("service"):
        yield from prose_texts.comments(path)
        yield from prose_texts.cpp_messages(path)


def programs() -> Iterator[Text]:
    """The comments of all other C and C++; its strings are data."""
    for folder in ("mlcompiler_gym", "examples"):
        for path in _native(folder):
            yield from prose_texts.comments(path)


def building() -> Iterator[Text]:
    """The comments of what builds and tests, and of the protocol."""
    for pattern in ("run", "**/CMakeLists.txt", "**/*.cmake", "*.toml", "**/*.proto"):
        for path in sorted(ROOT.glob(pattern)):
            if not path.relative_to(ROOT).parts[0].startswith((".", "build")):
                yield from prose_texts.comments(path)


#: Everything that is judged.
CORPORA = (pages, package, scripts, service, programs, building)


def _python(folder: str) -> list[Path]:
    """The modules of a folder, without what is generated."""
    found = sorted((ROOT / folder).rglob("*.py"))
    return [path for path in found if "v1" not in path.parts]


def _native(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.*"))
    return [path for path in found if path.suffix in (".h", ".c", ".cpp")]


if __name__ == "__main__":
    for corpus in CORPORA:
        for finding in check(corpus()):
            print(finding)
