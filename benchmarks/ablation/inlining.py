# SPDX-License-Identifier: Apache-2.0
"""What single calls of `pypi:train` save, at -Oz, where `last_use` decides the rest.

    python -m benchmarks.ablation.inlining

makes `inlining_ir2vec.parquet`: IR2Vec at the decisions of `inlining_labels.parquet`.
Each program is played by `last_use` once more, up to its last labelled decision. The
features there have to be those of the labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.ablation import vectors
from benchmarks.ablation.fit import Deviations
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.training import CounterfactualSettings
from mlcompiler_gym.training.counterfactual import savings_of
from mlcompiler_gym.training.labels import Labels

RESULTS = Path(__file__).parents[1] / "results"
LABELS = RESULTS / "inlining_labels.parquet"
VECTORS = RESULTS / "inlining_ir2vec.parquet"

#: The part of `bodies` that the source says, rather than the sizes of bodies.
ATTRIBUTES = {"callee_hinted", "callee_unwinds", "callee_returns", "call_catches"}
#: Bytes that a deviation has to promise.
MARGIN = 4.0
#: What there are vectors of.
PARTS = ("module", "caller", "callee")


def load() -> Deviations:
    """The labels, and what is shown of them."""
    table = pd.read_parquet(LABELS)
    by_program = [each for _, each in table.groupby("program", sort=True)]
    labels = Labels.from_tables(by_program, "text_size", 2)
    own = np.concatenate(
        [each[each["own"]].sort_values("decision")["action"] for each in by_program]
    )
    columns = [str(name) for name in table.select_dtypes(np.float32).columns]
    names, embedded = vectors.read(
        VECTORS, {"program": labels.programs, "decision": labels.decisions}
    )
    features = np.concatenate([labels.features, embedded], axis=1)
    labels = Labels(
        labels.programs, labels.decisions, features, labels.values, labels.calls
    )
    known = ~np.isnan(savings_of(labels))
    settings = CounterfactualSettings()
    return Deviations(
        labels[known],
        own[known],
        np.arange(known.sum()),
        [*columns, *(name.partition("[")[0] for name in names)],
        dict(rows_of(columns)),
        MARGIN,
        settings.clip,
        f"bytes, at most {settings.clip:g} a deviation,",
    )


def rows_of(columns: list[str]) -> Iterator[tuple[str, set[str]]]:
    """What the forest sees in each row of the table."""
    env = make_env()
    option = {spec.name: spec.option for spec in env.setup.spec.features}
    env.close()
    if missing := [name for name in columns if name not in option]:
        raise SystemExit(f"the task has no feature {', '.join(missing)}")
    every = set(columns)
    linkage, bodies = (
        {name for name in columns if option[name] == each}
        for each in ("linkage", "bodies")
    )
    yield "`linkage` and `bodies`", every
    yield "without `linkage`", every - linkage
    yield "without the attributes of `bodies`", every - ATTRIBUTES
    yield "without `bodies`", every - bodies
    yield "without both", every - linkage - bodies
    yield "with IR2Vec of the module", every | {"module"}
    yield "with IR2Vec of caller and callee", every | {"caller", "callee"}
    yield "with IR2Vec of all three", every | set(PARTS)
    yield "without both, with IR2Vec", every - linkage - bodies | set(PARTS)


def make_env() -> CompilerEnv:
    """What shows everything that labels have."""
    env = gymnasium.make(
        "mlcompiler/Inlining-v0", linkage=True, bodies=True, inlining_default=True
    ).unwrapped
    assert isinstance(env, CompilerEnv)
    return env


def embed(
    env: CompilerEnv, program: Program, labels: pd.DataFrame
) -> Iterator[tuple[int, list[NDArray[np.float32]]]]:
    """Each labelled decision of a program, and the vectors of :data:`PARTS` there."""
    observation, _ = env.reset(options={"program": program})
    names = [name for name, _ in env.setup.features.task_names]
    at = 0
    for label in labels.drop_duplicates("decision").sort_values("decision").iloc:
        if ahead := int(label["decision"]) - at:
            observation = env.rollout("last_use", decisions=ahead).observation
            at += ahead
        if not np.array_equal(observation, label[names].to_numpy(np.float32)):
            raise SystemExit(f"{program.name}, decision {at}: other features than then")
        seen = env.observe("ir2vec", "ir2vec@function", "decision")
        functions = seen["ir2vec@function"]
        rows = dict(zip(functions.names, functions.values, strict=True))
        call = json.loads(seen["decision"])
        yield at, [seen["ir2vec"], rows[call["caller"]], rows[call["callee"]]]


def main() -> None:
    """Write the vectors."""
    table = pd.read_parquet(LABELS)
    places: dict[str, list[Any]] = {"program": [], "decision": []}
    found: dict[str, list[NDArray[np.float32]]] = {part: [] for part in PARTS}
    env = make_env()
    for program in load_programs(sorted(set(table["program"]))):
        for decision, each in embed(
            env, program, table[table["program"] == program.name]
        ):
            places["program"].append(program.name)
            places["decision"].append(decision)
            for part, vector in zip(PARTS, each, strict=True):
                found[part].append(vector)
        print(program.name, len(places["program"]), flush=True)
    env.close()
    vectors.write(VECTORS, places, found)


if __name__ == "__main__":
    main()
