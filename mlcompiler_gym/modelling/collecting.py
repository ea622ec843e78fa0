# SPDX-License-Identifier: Apache-2.0
"""Builds of programs by different decisions, what is said of them, and their times."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import platform
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.episode import OF_THE_COMPILE
from mlcompiler_gym.errors import ProgramError, ServiceError, TrainingError
from mlcompiler_gym.evaluation import (
    EpisodePlan,
    Evaluation,
    LocalPlayers,
    Players,
    Result,
)
from mlcompiler_gym.evaluation.player import make_env
from mlcompiler_gym.evaluation.work import work_key, work_through
from mlcompiler_gym.measuring import MeasureError, harness, profile, valgrind
from mlcompiler_gym.modelling.builds import FEATURES, OBJECTIVES, Builds
from mlcompiler_gym.modelling.decisions import perturbed
from mlcompiler_gym.policies import play
from mlcompiler_gym.policies.baselines import compiler_of
from mlcompiler_gym.programs import Program
from mlcompiler_gym.validation import Limits
from mlcompiler_gym.validation.sandbox import scratch_folder

if TYPE_CHECKING:
    import pandas as pd

#: Seconds that a compile may take; chance may ask for loops without end.
_DEADLINE = 60.0
#: Objectives that the service computes; NaN where one is not of a program.
_COMPUTED = (
    "ir_instructions",
    "text_size",
    "regalloc_score",
    "loop_cost",
    "mca_cycles",
    "program_cycles",
)


@dataclass(frozen=True)
class Recipe:
    """A way to come to builds.

    Attributes:
        env_id: An environment.
        settings: Further arguments of ``gym.make``; JSON has to have it all.
        rates: Shares of the decisions that chance takes instead of LLVM; a build for
            each, in turn.
    """

    env_id: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    rates: tuple[float, ...] = (0.05, 0.2, 1.0, 1.0)


#: Recipes by a name, which is the task in a table of builds.
RECIPES: dict[str, Recipe] = {
    "inlining": Recipe("mlcompiler/Inlining-v0", rates=(0.1, 0.3, 1.0, 1.0)),
    "pass_ordering": Recipe(
        "mlcompiler/PassOrdering-v0",
        {"actions": "poset-manual15", "max_episode_steps": 15},
        rates=(0.0, 0.1, 0.3, 0.5, 1.0, 1.0),
    ),
    "passes": Recipe(
        "mlcompiler/PassOrdering-v0",
        {"actions": "llvm22", "max_episode_steps": 40},
        rates=(1.0, 1.0),
    ),
    "eviction": Recipe("mlcompiler/RegAllocEviction-v0", rates=(0.2, 1.0, 1.0)),
    "loop_factors": Recipe("mlcompiler/LoopFactors-v0", rates=(0.2, 0.5, 1.0, 1.0)),
}

#: The decisions that matter at each level: -Oz, for instance, leaves loops alone.
LEVELS = {
    "Oz": ("inlining", "pass_ordering", "passes"),
    "O2": ("inlining", "eviction", "loop_factors"),
}


@dataclass(frozen=True)
class Collecting:
    """Which builds are made, and how they are measured.

    Attributes:
        recipes: Names among ``RECIPES``. None: those of the level, in
            ``LEVELS``.
        level: ``"Oz"`` or ``"O2"``: what programs are marked for, and whether the
            pipeline is ``default<Oz>`` or ``default<O3>``.
        profiled: Whether programs have the profile of a run on their first input.
        cpu: As for an environment; empty: the target's generic one.
        rounds: How often each build is run.
        counted: Whether valgrind also counts instructions, which takes fifty times
            as long as a run.
        observations: Names of observations of the module that are kept.
        longest: Seconds of processor time that a run may take. A program is run on
            the largest of its inputs with which LLVM's own build takes no longer.
    """

    recipes: tuple[str, ...] = ()
    level: str = "Oz"
    profiled: bool = False
    cpu: str = ""
    rounds: int = 9
    counted: bool = False
    observations: tuple[str, ...] = ("code_costs",)
    longest: float = 0.2

    def __post_init__(self) -> None:
        for name in self.recipes:
            if name not in RECIPES:
                raise TrainingError(
                    f"unknown recipe {name!r}; known: {', '.join(RECIPES)}"
                )
        if self.level not in LEVELS:
            raise TrainingError(
                f"level is one of {', '.join(LEVELS)}, not {self.level!r}"
            )
        if self.rounds < 3:
            raise TrainingError(f"there are 3 rounds or more, not {self.rounds}")

    @property
    def ways(self) -> dict[str, Recipe]:
        """The recipes by name."""
        return {name: RECIPES[name] for name in self.recipes or LEVELS[self.level]}

    @property
    def pipeline(self) -> str:
        """What LLVM runs where the task is not the order of passes."""
        return "default<Oz>" if self.level == "Oz" else "default<O3>"

    def make_player(self) -> Collector:
        """What makes builds; called in each process that does."""
        return Collector(self)

    def key(self, program: Program, seed: int, llvm: str) -> str:
        """What makes the builds of a program these and no others."""
        ways = [[name, asdict(recipe)] for name, recipe in self.ways.items()]
        identity = [asdict(self), ways, program.name, program.sha256.hex(), seed, llvm]
        return work_key(identity)


@dataclass
class _Build:
    object_code: bytes
    row: dict[str, Any]


class Collector:
    """Builds and measures one program after the other, in one process."""

    def __init__(self, collecting: Collecting) -> None:
        self._how = collecting
        self._envs = {name: self._make(each) for name, each in collecting.ways.items()}
        first = next(iter(self._envs.values()))[1]
        #: LLVM's version.
        self.llvm = first.setup.service.describe().llvm_version

    def _make(self, recipe: Recipe) -> tuple[gymnasium.Env[Any, Any], CompilerEnv]:
        how = self._how
        settings = {"level": how.level, "cpu": how.cpu, "deadline": _DEADLINE}
        settings |= recipe.settings
        policy = "llvm"
        if recipe.env_id == "mlcompiler/PassOrdering-v0":
            # In pass ordering, LLVM's own decision is the only action of another
            # environment.
            policy = "random"
        else:
            settings["pipeline"] = how.pipeline
        return make_env(Evaluation(recipe.env_id, policy, settings))

    def play(self, program: Program, seed: int) -> Result:
        """Build and measure a program; what goes wrong with it is a result, too."""
        record = {
            "key": self._how.key(program, seed, self.llvm),
            "program": program.name,
        }
        try:
            table = self._collect(program, seed)
        except (MeasureError, ProgramError, ServiceError) as error:
            if isinstance(error, ServiceError) and error.code not in OF_THE_COMPILE:
                raise
            return Result(record | {"error": str(error)})
        buffer = io.BytesIO()
        table.to_parquet(buffer, engine="pyarrow", index=False)
        return Result(record, buffer.getvalue())

    def close(self) -> None:
        """End the compiles that are under way."""
        for env, _ in self._envs.values():
            env.close()

    def _collect(self, program: Program, seed: int) -> pd.DataFrame:
        import pandas as pd

        common = {
            "program": program.name,
            "program_sha256": program.sha256.hex(),
            "level": self._how.level,
            "profiled": self._how.profiled,
            "llvm": self.llvm,
            "machine": _processor(),
        }
        compiled = profile(program) if self._how.profiled else program
        builds = self._builds(compiled, seed)
        rows = self._measure(program, builds, seed)
        return pd.DataFrame([common | row for row in rows])

    def _builds(self, program: Program, seed: int) -> list[_Build]:
        """LLVM's own build, twice, and others, each once."""
        known: dict[bytes, _Build] = {}
        for name, (env, compiler) in self._envs.items():
            rates = self._how.ways[name].rates
            if not known and 0.0 not in rates:
                rates = (0.0, *rates)
            digest = int.from_bytes(program.sha256[:8], "little")
            rng = np.random.default_rng([seed, digest])
            for rate in rates:
                own = int(rng.integers(1 << 62))
                build = self._build(name, env, compiler, program, rate, own)
                if build is not None:
                    known.setdefault(build.object_code, build)
        every = list(known.values())
        return every[:1] + every

    def _build(
        self,
        name: str,
        env: gymnasium.Env[Any, Any],
        compiler: CompilerEnv,
        program: Program,
        rate: float,
        seed: int,
    ) -> _Build | None:
        """One build; None if the compiler does not survive the decisions."""
        try:
            if "error" in _decide(env, program, rate, seed):
                return None
            code = compiler.emit()
            row: dict[str, Any] = {
                "task": name,
                "rate": rate,
                "trajectory": compiler.trajectory.to_json(),
                "object_sha256": hashlib.sha256(code).hexdigest(),
            }
            row |= self._computed(compiler)
            seen = compiler.observe(*self._how.observations)
        except ServiceError as error:
            if error.code not in OF_THE_COMPILE:
                raise
            return None
        row |= {
            FEATURES + name: np.asarray(value, np.float64).tolist()
            for name, value in seen.items()
        }
        return _Build(code, row)

    def _computed(self, env: CompilerEnv) -> dict[str, float]:
        names = (*_COMPUTED, *(("profiled_cycles",) * self._how.profiled))
        found = {}
        for name in names:
            try:
                found[OBJECTIVES + name] = env.measure(name)[name]
            except ServiceError as error:
                if error.code in OF_THE_COMPILE:
                    raise
                found[OBJECTIVES + name] = float("nan")
        return found

    def _measure(
        self, program: Program, builds: Sequence[_Build], seed: int
    ) -> list[dict[str, Any]]:
        with scratch_folder() as scratch:
            folder = Path(scratch)
            folder.chmod(0o755)
            paths = []
            for number, build in enumerate(builds):
                paths.append(folder / str(number))
                harness.link_measured(build.object_code, paths[-1])
            arguments, output = self._choose_input(program, paths[0])
            times = _rounds(paths, arguments, output, self._how.rounds, seed)
            rows = [
                build.row | {"input": json.dumps(arguments), "times": row}
                for build, row in zip(builds, times, strict=True)
            ]
            counted = self._count(program, paths, arguments)
            for row, count in zip(rows, counted, strict=True):
                row |= count
        # A build that prints something else never ran correctly.
        return [row for row in rows if not np.isnan(row["times"]).all()]

    def _choose_input(
        self, program: Program, baseline: Path
    ) -> tuple[tuple[str, ...], tuple[bytes, int]]:
        """The largest input that does not take too long, and what is printed then."""
        for arguments in reversed(program.inputs or ((),)):
            (read,) = harness.read_each([baseline], arguments, Limits())
            if read is not None and 0 < read.cpu_seconds <= self._how.longest:
                return arguments, (read.output, read.status)
        raise MeasureError(
            f"{program.name} has no input on which LLVM's own build runs for no more "
            f"than {self._how.longest} s"
        )

    def _count(
        self, program: Program, paths: Sequence[Path], timed: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Instructions on the input before the one that is timed."""
        if not self._how.counted:
            yield from ({"instructions": float("nan")} for _ in paths)
            return
        inputs = program.inputs or ((),)
        arguments = inputs[max(0, inputs.index(tuple(timed)) - 1)]
        for path in paths:
            count = float("nan")
            with contextlib.suppress(MeasureError):
                count = float(valgrind.count(path, arguments, Limits())[0])
            yield {"instructions": count, "counted_input": json.dumps(arguments)}


def _decide(
    env: gymnasium.Env[Any, Any], program: Program, rate: float, seed: int
) -> dict[str, Any]:
    """Compile a program, and return the last info."""
    compiler = compiler_of(env)
    spec = compiler.setup.spec
    if spec.kind == spec.OPEN_ENDED or 0 < rate < 1:
        policy = perturbed(env, rate, seed)
        return play(env, policy, options={"program": program}).info
    _, info = env.reset(options={"program": program})
    if info.get("no_decision"):
        return info
    # In one request, where there may be thousands of decisions.
    name = "random" if rate else "llvm"
    return compiler.rollout(name, seed=seed if rate else None).info


def _rounds(
    paths: Sequence[Path],
    arguments: Sequence[str],
    expected: tuple[bytes, int],
    rounds: int,
    seed: int,
) -> list[list[float]]:
    """Processor time of each program in each round, in seconds.

    What a run is slowed by, the one before it for instance, is spread over all: each
    round has an order of its own. The first round, which finds files in no cache, does
    not count.
    """
    rng = random.Random(seed)
    times: list[list[float]] = [[] for _ in paths]
    left = list(range(len(paths)))
    for number in range(rounds + 1):
        order = rng.sample(left, len(left))
        found = harness.read_each([paths[i] for i in order], arguments, Limits())
        for i, read in zip(order, found, strict=True):
            right = read is not None and (read.output, read.status) == expected
            if number:
                seconds = read.cpu_seconds if read is not None and right else 0.0
                times[i].append(seconds or float("nan"))
            elif not right:
                left.remove(i)
    return [row or [float("nan")] * rounds for row in times]


def _processor() -> str:
    """What the machine's processor is called."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def collect(
    collecting: Collecting,
    programs: Iterable[Program],
    folder: Path,
    *,
    seed: int = 0,
    players: Players | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Builds:
    """Build and measure programs, each written to a file as soon as it is done.

    Args:
        collecting: How.
        programs: Programs that run, marked for the level.
        folder: Folder of the files, one for each program. A file that is there is
            not made again.
        seed: What decisions and the order of runs are drawn by.
        players: Who builds and measures. ``None``: this process. Several at a time
            on one machine disturb each other's times.
        progress: Called with the programs that are done and all.

    Returns:
        The builds of all programs, in their order.

    Raises:
        TrainingError: There are none.
    """
    player = collecting.make_player()
    llvm = player.llvm
    player.close()
    plans = [EpisodePlan(program, seed) for program in programs if program.inputs]
    failures: list[Result] = []
    files = work_through(
        players or LocalPlayers(collecting),
        plans,
        [
            folder / f"{collecting.key(plan.program, seed, llvm)}.parquet"
            for plan in plans
        ],
        progress,
        failures.append,
    )
    made = [path for path in files if path.exists()]
    if not made:
        error = ""
        if failures:
            error = f"; the last that was tried: {failures[-1].record['error']}"
        raise TrainingError(f"no program could be built and run{error}")
    return Builds.load(*made)
