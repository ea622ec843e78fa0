# SPDX-License-Identifier: Apache-2.0
"""What other evictions than LLVM's save in functions of `pypi:train`.

    python -m benchmarks.ablation.evictions

makes the labels. LLVM allocates a function. At some of its decisions, other legal
columns are taken in copies of the session, and LLVM decides the rest. A row of
`eviction_labels.parquet` is a column at a decision: one that was tried, LLVM's own, or
the last one, which evicts nothing. `eviction_mir2vec.parquet` has the function's vector
at each decision.
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
from mlcompiler_gym.envs.choice import functions_with_decisions
from mlcompiler_gym.errors import ServiceError
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.training import few_of_each
from mlcompiler_gym.training.labels import Labels

RESULTS = Path(__file__).parents[1] / "results"
LABELS = RESULTS / "eviction_labels.parquet"
VECTORS = RESULTS / "eviction_mir2vec.parquet"

#: Programs of a package, bytes of their bitcode, functions of a program, decisions of a
#: function, and other columns than LLVM's that are tried there, at most.
PROGRAMS, LARGEST, FUNCTIONS, DECISIONS, COLUMNS = 12, 100_000, 8, 4, 4
#: The column that evicts nothing; its features are of the live range itself.
NOTHING = 32
#: A spill weight that is larger says that a live range cannot be spilled.
HEAVIEST = 1e6

#: Where a row is from.
PLACE = ["program", "function", "decision"]
#: Percentages of the score: what a deviation has to promise, and counts at most.
MARGIN, CLIP = 0.25, 5.0

#: Features of a column by what they say; the others are always shown.
HINTS = {"is_hint", "nr_broken_hints", "hint_weights_by_max"}
FREQUENCIES = {
    "weighed_reads_by_max",
    "weighed_writes_by_max",
    "weighed_read_writes_by_max",
    "weighed_indvars_by_max",
    "start_bb_freq_by_max",
    "end_bb_freq_by_max",
    "hottest_bb_freq_by_max",
}
#: How many registers the class has, and how many of them could be had.
PRESSURE = ["registers", "legal_columns", "free_columns", "progress"]
#: From the spill weights of the option: in all, of the heaviest, the number of live
#: ranges, and how many legal columns evict less.
WEIGHTS = {"weights", "heaviest_weight", "evicted", "cheaper"}


class Seen:
    """The features of a decision, column by column."""

    def __init__(self, env: CompilerEnv, observation: Any) -> None:
        def pick(name: str) -> NDArray[np.float32]:
            return env.setup.features.pick(observation, name)

        self.own = int(pick("eviction_default").item())
        columns = {
            name: pick(name).ravel()
            for name, elements in env.setup.features.task_names
            if elements == NOTHING + 1
        }
        self.legal = columns.pop("mask") > 0
        each = pick("interference_weights").reshape(NOTHING + 1, -1).clip(max=HEAVIEST)
        columns["weights"] = weights = each.sum(1)
        columns["heaviest_weight"] = each[:, 0]
        columns["evicted"] = (each > 0).sum(1)
        columns["cheaper"] = (weights[self.legal] < weights[:, None]).sum(1)
        self.names = list(columns)
        self.columns = np.stack(list(columns.values()), 1).astype(np.float32)
        register_class = json.loads(env.observe("decision")["decision"])
        self.shared = {
            "progress": float(pick("progress").item()),
            "registers": len(register_class["columns"]),
            "legal_columns": int(self.legal.sum()),
            "free_columns": int((columns["is_free"] * self.legal).sum()),
        }

    def others(self) -> list[int]:
        """Legal columns that are neither LLVM's nor copies of another, to LLVM."""
        known = {self.columns[self.own].tobytes()}
        found = []
        for column in np.flatnonzero(self.legal)[::-1].tolist():
            if self.columns[column].tobytes() not in known:
                known.add(self.columns[column].tobytes())
                found.append(column)
        return found

    def rows(self, scores: dict[int, float]) -> list[dict[str, Any]]:
        """What is written of the decision."""
        return [
            self.shared
            | {"action": column, "own": column == self.own}
            | {"regalloc_score": scores.get(column, np.nan)}
            | dict(zip(self.names, self.columns[column].tolist(), strict=True))
            for column in sorted({*scores, self.own, NOTHING})
        ]


def label_function(
    env: CompilerEnv, program: Program, function: str, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Rows of the decisions that are drawn in a function."""
    options = {"program": program, "function": function}
    env.reset(options=options)
    made = env.rollout("llvm")
    usual = made.info.get("objective", {}).get("regalloc_score", 0.0)
    if not usual:
        return
    few = min(DECISIONS, len(made.actions))
    observation, _ = env.reset(options=options)
    at = 0
    for number in sorted(rng.choice(len(made.actions), few, replace=False).tolist()):
        if number > at:
            observation = env.rollout("llvm", decisions=number - at).observation
            at = number
        seen = Seen(env, observation)
        # To evict nothing is always tried, if it is another column.
        others = seen.others()
        tried = [each for each in others if each == NOTHING]
        left = [each for each in others if each != NOTHING]
        few = min(len(left), COLUMNS - len(tried))
        tried += rng.choice(left, few, replace=False).astype(int).tolist()
        if not tried:
            continue
        found = env.action_values("llvm", tried, parallel=1)
        scores = {column: found[column]["regalloc_score"] for column in tried}
        place = dict(zip(PLACE, (program.name, function, number), strict=True))
        for row in seen.rows(scores | {seen.own: usual}):
            yield place | row


def label(env: CompilerEnv) -> pd.DataFrame:
    """Label functions of all packages."""
    every = load_programs(["pypi:train"], level=env.setup.config.level)
    small = [each for each in every if len(each.bitcode) <= LARGEST]
    rows: list[dict[str, Any]] = []
    for program in few_of_each(small, PROGRAMS):
        rng = np.random.default_rng(int.from_bytes(program.sha256[:8], "little"))
        try:
            known = functions_with_decisions(env.setup, program)
            few = min(FUNCTIONS, len(known))
            for function in sorted(rng.choice(known, few, replace=False).tolist()):
                rows += label_function(env, program, function, rng)
        except ServiceError as error:
            # What takes too long, or too much for LLVM, is left out.
            print(f"{program.name}: {error}", flush=True)
        print(program.name, len(rows), flush=True)
    table = pd.DataFrame(rows)
    narrow = table.select_dtypes(np.float64).columns.drop("regalloc_score")
    table[narrow] = table[narrow].astype(np.float32)
    return table


def embed(env: CompilerEnv, table: pd.DataFrame) -> None:
    """Write the function's vector at each labelled decision."""
    programs = {
        program.name: program
        for program in load_programs(
            sorted(set(table["program"])), level=env.setup.config.level
        )
    }
    places: dict[str, list[Any]] = {name: [] for name in PLACE}
    found: list[NDArray[np.float32]] = []
    for (name, function), rows in table.groupby(PLACE[:2], sort=False):
        env.reset(options={"program": programs[name], "function": function})
        at = 0
        for number in sorted(set(rows["decision"])):
            if number > at:
                env.rollout("llvm", decisions=number - at)
                at = number
            found.append(env.observe("mir2vec")["mir2vec"])
            for column, value in zip(PLACE, (name, function, number), strict=True):
                places[column].append(value)
    vectors.write(VECTORS, places, {"mir2vec": found})


def main() -> None:
    """Write the tables; labels that are there are not made again."""
    env = gymnasium.make(
        "mlcompiler/RegAllocEviction-v0",
        eviction_default=True,
        interference_weights=True,
        deadline=20,
    ).unwrapped
    assert isinstance(env, CompilerEnv)
    if not LABELS.exists():
        label(env).to_parquet(
            LABELS, compression="zstd", compression_level=19, index=False
        )
    embed(env, pd.read_parquet(LABELS))
    env.close()


def load() -> Deviations:
    """The labels, and what is shown of them."""
    table = pd.read_parquet(LABELS)
    of_columns = [
        str(name) for name in table.columns[table.columns.get_loc("is_free") :]
    ]
    own = table[table["own"]]
    nothing = table[table["action"] == NOTHING]
    tried = table[~table["own"] & table["regalloc_score"].notna()]
    beside = [
        tried[PLACE].merge(other, "left", PLACE, validate="many_to_one")
        for other in (own, nothing)
    ]
    # The column, LLVM's own, and the live range itself; and the column against these.
    each = tried[of_columns].to_numpy(np.float32)
    others = [other[of_columns].to_numpy(np.float32) for other in beside]
    names, embedded = vectors.read(VECTORS, {name: tried[name] for name in PLACE})
    features = np.concatenate(
        [
            each,
            *others,
            *(each - other for other in others),
            tried[[*PRESSURE, "action"]].to_numpy(np.float32),
            beside[0][["action"]].to_numpy(np.float32),
            embedded,
        ],
        axis=1,
    )
    usual = beside[0]["regalloc_score"].to_numpy()
    # Exactly 100 where nothing is saved.
    scores = 100 * (tried["regalloc_score"].to_numpy() / usual)
    labels = Labels(
        tried["program"].to_numpy(np.str_),
        tried["decision"].to_numpy(np.int64),
        features,
        np.stack([np.full(len(tried), 100.0), scores], axis=1),
        np.ones(len(tried), np.int64),
    )
    return Deviations(
        labels,
        np.zeros(len(tried), np.int64),
        tried.groupby(PLACE, sort=False).ngroup().to_numpy(),
        [*of_columns * 5, *PRESSURE, "action", "action", *["mir2vec"] * len(names)],
        rows_of({*of_columns, *PRESSURE, "action"}),
        MARGIN,
        CLIP,
        f"per cent of the function's score, at most {CLIP:g} a deviation,",
    )


def rows_of(every: set[str]) -> dict[str, set[str]]:
    """What the forest sees in each row of the table."""
    return {
        "all but MIR2Vec": every,
        "without hints": every - HINTS,
        "without frequencies of blocks": every - FREQUENCIES,
        "without class pressure": every - set(PRESSURE),
        "without `interference_weights`": every - WEIGHTS,
        "without all of these": every - HINTS.union(FREQUENCIES, PRESSURE, WEIGHTS),
        "with MIR2Vec of the function": every | {"mir2vec"},
    }


if __name__ == "__main__":
    main()
