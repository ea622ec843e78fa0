# SPDX-License-Identifier: Apache-2.0
"""Whether vectors mean something: what can be told from a program's vector.

A module's vector is IR2Vec's sum over its instructions, divided by their number, so
that size tells nothing. Probes learn on some packages and are tested on others; the
same is done with random vectors of the same dimension and length, and, as a bound,
with the weights of all entities themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlcompiler_gym.vocabularies.errors import VocabularyError
from mlcompiler_gym.vocabularies.modules import Module

_Array = npt.NDArray[np.float64]

#: What IR's opcodes and predicates are, as the Language Reference groups them.
CLASSES = {
    "terminator": "Ret Br Switch IndirectBr Invoke Resume Unreachable",
    "integer": "Add Sub Mul UDiv SDiv URem SRem Shl LShr AShr And Or Xor",
    "floating point": "FNeg FAdd FSub FMul FDiv FRem",
    "memory": "Alloca Load Store GetElementPtr Fence AtomicCmpXchg AtomicRMW",
    "integer conversion": "Trunc ZExt SExt",
    "floating-point conversion": "FPToUI FPToSI UIToFP SIToFP FPTrunc FPExt",
    "pointer conversion": "PtrToInt IntToPtr",
    "vector": "ExtractElement InsertElement ShuffleVector",
    "integer predicate": "ICMP_eq ICMP_ne ICMP_ugt ICMP_uge ICMP_ult ICMP_ule "
    "ICMP_sgt ICMP_sge ICMP_slt ICMP_sle",
    "floating-point predicate": "FCMP_oeq FCMP_ogt FCMP_oge FCMP_olt FCMP_ole "
    "FCMP_one FCMP_ord FCMP_uno FCMP_ueq FCMP_ugt FCMP_uge FCMP_ult FCMP_ule FCMP_une",
}

#: Nearest neighbours that are asked.
_NEIGHBOURS = 5

#: Modules to learn from where there are few, and how often they are drawn.
_FEW = 20
_DRAWS = 20


@dataclass(frozen=True)
class Probe:
    """One question, and one way to answer it.

    Attributes:
        name: What is told.
        metric: How well: more is better.
        score: From vectors of the modules to learn on and of those to be told, and
            the modules themselves.
    """

    name: str
    metric: str
    score: Callable[[_Array, _Array, Sequence[Module], Sequence[Module]], float]


@dataclass(frozen=True)
class Row:
    """Scores of one probe.

    Attributes:
        probe: Which.
        trained: With the vocabulary's vectors.
        random: With random ones, of each seed.
        weights: With the entities' weights instead of vectors.
    """

    probe: Probe
    trained: float
    random: list[float]
    weights: float


def run_probes(
    vectors: Mapping[str, npt.NDArray[np.float32]],
    learn: Sequence[Module],
    test: Sequence[Module],
    *,
    seeds: int = 10,
    progress: Callable[[], object] = lambda: None,
) -> list[Row]:
    """Compare a vocabulary with random vectors.

    Args:
        vectors: Vectors of all entities.
        learn: Modules to learn from.
        test: Modules of other packages.
        seeds: How many random vocabularies; they have seeds 0, 1, ...
        progress: Called after each of ``seeds + 2`` vocabularies.

    Raises:
        VocabularyError: scikit-learn is missing, or packages are in both.
    """
    both = {module.package for module in learn} & {module.package for module in test}
    if both:
        raise VocabularyError(
            f"packages to learn on and to test on are the same: {', '.join(both)}"
        )
    names = sorted(vectors)
    matrix = np.stack([vectors[name] for name in names]).astype(float)
    learn_weights, test_weights = (_weights(part, names) for part in (learn, test))

    def scores(matrix: _Array | None) -> list[float]:
        xs = (
            (learn_weights, test_weights)
            if matrix is None
            else (learn_weights @ matrix, test_weights @ matrix)
        )
        found = [probe.score(*xs, learn, test) for probe in PROBES]
        progress()
        return found

    trained = scores(matrix)
    random = []
    for seed in range(seeds):
        drawn = random_like(vectors, seed)
        random.append(scores(np.stack([drawn[n] for n in names]).astype(float)))
    weights = scores(None)
    return [
        Row(probe, trained[i], [each[i] for each in random], weights[i])
        for i, probe in enumerate(PROBES)
    ]


def class_of_neighbour(
    vectors: Mapping[str, npt.NDArray[np.float32]], seen: Collection[str]
) -> float:
    """Share of IR's opcodes and predicates whose nearest is of their own class.

    Args:
        vectors: Vectors of all entities.
        seen: Those that the training data had; others would be told by the fallback.
    """
    classes = {
        name: group
        for group, members in CLASSES.items()
        for name in members.split()
        if name in seen
    }
    names = sorted(classes)
    matrix = np.stack([vectors[name] for name in names]).astype(float)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    cosines = matrix @ matrix.T
    np.fill_diagonal(cosines, -np.inf)
    hits = [
        classes[name] == classes[names[found]]
        for name, found in zip(names, cosines.argmax(axis=1), strict=True)
    ]
    return float(np.mean(hits))


def random_like(
    vectors: Mapping[str, npt.NDArray[np.float32]], seed: int
) -> dict[str, npt.NDArray[np.float32]]:
    """Random vectors, each as long as the one it stands for."""
    names = sorted(vectors)
    matrix = np.stack([vectors[name] for name in names]).astype(float)
    drawn = np.random.default_rng(seed).standard_normal(matrix.shape)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    drawn *= np.linalg.norm(matrix, axis=1, keepdims=True)
    return dict(zip(names, drawn.astype(np.float32), strict=True))


def table(rows: Sequence[Row]) -> str:
    """The scores as a table in Markdown."""
    lines = [
        "| told | metric | trained | random, mean ± s.d. (best) | weights themselves |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        spread = f"{np.mean(row.random):.3f} ± {np.std(row.random, ddof=1):.3f}"
        lines.append(
            f"| {row.probe.name} | {row.probe.metric} | {row.trained:.3f} "
            f"| {spread} ({max(row.random):.3f}) | {row.weights:.3f} |"
        )
    return "\n".join(lines)


def _weights(modules: Sequence[Module], names: list[str]) -> _Array:
    """Mean weights of entities in an instruction: modules x entities."""
    columns = {name: index for index, name in enumerate(names)}
    rows = np.zeros((len(modules), len(names)))
    for row, module in zip(rows, modules, strict=True):
        for name, weight in module.weights.items():
            if name in columns:
                row[columns[name]] = weight / module.instructions
    return rows


def _level(module: Module) -> str:
    return module.level


def _density(module: Module) -> float:
    return float(np.log(module.text_size / module.instructions))


def _classify(
    label: Callable[[Module], str], linear: bool
) -> Callable[[_Array, _Array, Sequence[Module], Sequence[Module]], float]:
    def score(
        learn_x: _Array, test_x: _Array, learn: Sequence[Module], test: Sequence[Module]
    ) -> float:
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import balanced_accuracy_score
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        model = (
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))
            if linear
            else KNeighborsClassifier(_NEIGHBOURS, metric="cosine")
        )
        model.fit(learn_x, [label(module) for module in learn])
        told = model.predict(test_x)
        return float(balanced_accuracy_score([label(m) for m in test], told))

    return score


def _regress(
    target: Callable[[Module], float], linear: bool, few: bool = False
) -> Callable[[_Array, _Array, Sequence[Module], Sequence[Module]], float]:
    def score(
        learn_x: _Array, test_x: _Array, learn: Sequence[Module], test: Sequence[Module]
    ) -> float:
        from scipy.stats import spearmanr
        from sklearn.linear_model import Ridge
        from sklearn.neighbors import KNeighborsRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        # Only they have been measured.
        rows, told = (
            [i for i, module in enumerate(part) if module.text_size]
            for part in (learn, test)
        )
        # The same for all vectors that are compared.
        rng = np.random.default_rng(0)
        size = min(_FEW, len(rows))
        draws = [rng.choice(rows, size, replace=False) for _ in range(_DRAWS)]
        found = []
        for drawn in draws if few else [rows]:
            model = (
                make_pipeline(StandardScaler(), Ridge(alpha=10.0))
                if linear
                else KNeighborsRegressor(_NEIGHBOURS, metric="cosine")
            )
            model.fit(learn_x[drawn], [target(learn[i]) for i in drawn])
            truth = [target(test[i]) for i in told]
            found.append(spearmanr(model.predict(test_x[told]), truth).statistic)
        return float(np.mean(found))

    return score


def _same_package(
    learn_x: _Array, test_x: _Array, learn: Sequence[Module], test: Sequence[Module]
) -> float:
    """Share of modules whose nearest of the same level is of the same package.

    Nothing is learned from the packages of the test; a program at another level
    does not count, or it would find itself.
    """
    hits = total = 0
    normal = test_x / np.linalg.norm(test_x, axis=1, keepdims=True)
    for level in sorted({module.level for module in test}):
        rows = [i for i, module in enumerate(test) if module.level == level]
        cosines = normal[rows] @ normal[rows].T
        np.fill_diagonal(cosines, -np.inf)
        for row, found in zip(rows, cosines.argmax(axis=1), strict=True):
            hits += test[row].package == test[rows[found]].package
            total += 1
    return hits / total


PROBES = (
    Probe("package, nearest neighbour", "accuracy", _same_package),
    Probe("level, 5 neighbours", "balanced accuracy", _classify(_level, False)),
    Probe("level, linear", "balanced accuracy", _classify(_level, True)),
    Probe("bytes per instruction, 5 neighbours", "Spearman", _regress(_density, False)),
    Probe("bytes per instruction, linear", "Spearman", _regress(_density, True)),
    Probe(
        f"bytes per instruction, linear, learned on {_FEW} modules",
        "Spearman",
        _regress(_density, True, few=True),
    ),
)
