# SPDX-License-Identifier: Apache-2.0
"""From programs to a vocabulary's file and its card."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlcompiler_gym.files import write_file
from mlcompiler_gym.programs.named_set import package_of
from mlcompiler_gym.vocabularies.corpus import Corpus, gather
from mlcompiler_gym.vocabularies.entities import list_entities, place_of
from mlcompiler_gym.vocabularies.fallback import complete
from mlcompiler_gym.vocabularies.kinds import Kind, kind_named
from mlcompiler_gym.vocabularies.tools import run_tool
from mlcompiler_gym.vocabularies.transe import Settings, Trained, train_transe

_Vector = npt.NDArray[np.float32]


def train(
    kind_name: str,
    programs: Sequence[str],
    settings: Settings,
    *,
    output: Path,
    work: Path,
    per_package: int | None = None,
    max_bytes: int | None = None,
    jobs: int = 1,
    show: bool = True,
) -> Path:
    """Train a vocabulary and write ``<kind>-<dimension>d.json`` and its card.

    The same programs, settings and libraries give the same bytes on one machine.
    What ``work`` has from an interrupted run is not made again.

    Args:
        kind_name: ``ir2vec``, ``mir2vec-x86-64`` or ``mir2vec-aarch64``.
        programs: Sets, splits or programs.
        settings: Settings of TransE.
        output: Folder for the file; the card goes to ``cards`` in it.
        work: Folder for counted triplets and checkpoints.
        per_package: Programs of each package at most.
        max_bytes: Larger bitcode is left out.
        jobs: Tools of LLVM at once.
        show: Whether to draw progress bars.

    Returns:
        Path of the file.

    Raises:
        ProgramError: A program does not exist or has not been fetched.
        VocabularyError: A tool or a library is missing, or fails for all programs.
    """
    kind = kind_named(kind_name)
    corpus = gather(
        programs,
        kind,
        work=work,
        per_package=per_package,
        max_bytes=max_bytes,
        jobs=jobs,
        show=show,
    )
    entities = list_entities(kind)
    known = set(entities)
    # llvm-ir2vec's listing is the authority: nothing else can be looked up.
    counts = Counter(
        {
            (head, relation, tail): count
            for (head, relation, tail), count in corpus.counts.items()
            if head in known and tail in known
        }
    )
    trained = train_transe(counts, settings, work, show=show)
    vectors = complete(entities, place_of(entities, kind), trained.vectors)
    content = _file_content(entities, kind, vectors)
    path = output / f"{kind.name}-{settings.dimension}d.json"
    (output / "cards").mkdir(parents=True, exist_ok=True)
    write_file(path, content)
    card = {
        "programs": list(programs),
        "programs_per_package": per_package,
        "bitcode_bytes_at_most": max_bytes,
        **_card(kind, settings, corpus, trained, entities),
    }
    card["bytes"] = len(content)
    card["sha256"] = hashlib.sha256(content).hexdigest()
    write_file(
        output / "cards" / path.name, (json.dumps(card, indent=2) + "\n").encode()
    )
    return path


def _file_content(
    entities: list[str], kind: Kind, vectors: dict[str, _Vector]
) -> bytes:
    """Sections of one line per entity, for people who look into the file."""
    sections: dict[str, list[str]] = {}
    for name, (section, key) in zip(entities, place_of(entities, kind), strict=True):
        numbers = ",".join(_number(x, kind.digits) for x in vectors[name])
        sections.setdefault(section, []).append(f"{json.dumps(key)}:[{numbers}]")
    body = ",\n".join(
        f"{json.dumps(section)}:{{\n" + ",\n".join(lines) + "\n}"
        for section, lines in sections.items()
    )
    return f"{{\n{body}\n}}\n".encode()


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _card(
    kind: Kind,
    settings: Settings,
    corpus: Corpus,
    trained: Trained,
    entities: list[str],
) -> dict[str, object]:
    names = sorted(package_of(name) for name in corpus.programs)
    rounds = -(-trained.samples // settings.batch)
    return {
        "kind": kind.name,
        "dimension": settings.dimension,
        "entities": len(entities),
        "entities_seen": len(trained.vectors),
        "seen": " ".join(name for name in entities if name in trained.vectors),
        "modules": len(corpus.programs),
        "packages": dict(Counter(names)),
        "levels": [str(level) for level in kind.levels],
        "left_out": corpus.left_out,
        "triplets": corpus.counts.total(),
        "triplets_distinct": len(corpus.counts),
        "method": "TransE (L1), margin ranking loss, Adam, sLCWA",
        "settings": asdict(settings),
        "triplets_per_epoch": trained.samples,
        "steps": rounds * settings.epochs,
        "loss_first_epoch": round(trained.losses[0], 6),
        "loss_last_epoch": round(trained.losses[-1], 6),
        "versions": {
            "llvm": _llvm_version(),
            **{name: importlib.metadata.version(name) for name in ("pykeen", "torch")},
        },
    }


def _llvm_version() -> str:
    for line in run_tool(["opt-22", "--version"]).decode().splitlines():
        if "version" in line:
            return line.split()[-1]
    return "unknown"
