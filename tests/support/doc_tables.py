# SPDX-License-Identifier: Apache-2.0
"""The tables of pages: what the service describes, and what benchmarks measured.

A page asks for a table with a comment, ``<!-- table: features inlining -->``, and what
follows up to ``<!-- end of table -->`` is written here. ``./run tables`` writes all of
them.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import gymnasium

import mlcompiler_gym
from mlcompiler_gym import LocalService
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.options import accepted, default
from mlcompiler_gym.measuring import OBJECTIVES
from mlcompiler_gym.registration import TASKS
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

#: A table in a page: what is asked for, and what is there.
BLOCK = re.compile(
    r"(?P<begin><!-- table: (?P<wanted>[^>]*?) -->\n)(?P<written>.*?)"
    r"(?P<end><!-- end of table -->\n)",
    re.DOTALL,
)

#: More actions in a row than this, which differ in their number alone, have one row.
_MANY = 8

#: How a feature of several numbers names them: ``"trip_count: iterations; ..."``.
_PART = re.compile(r"(?:^|(?<=[;.:] ))([a-z][a-z_0-9]*): ")


def pages() -> list[Path]:
    """The pages that may have tables."""
    # That page shows how a page asks for tables.
    found = {*DOCS.rglob("*.md"), ROOT / "benchmarks/README.md"}
    return sorted(found - {DOCS / "adding_a_task.md"})


def table(service: LocalService, wanted: str) -> str:
    """What a page that asks for ``wanted`` has to have.

    Args:
        service: Describes what is in the table.
        wanted: A kind of table, and for most kinds the name of a task.
    """
    kind, *names = wanted.split()
    return "\n" + _KINDS[kind](service, *names) + "\n"


def write(service: LocalService, page: Path) -> None:
    """Write all tables of a page."""
    text = page.read_text()
    written = BLOCK.sub(
        lambda block: block["begin"] + table(service, block["wanted"]) + block["end"],
        text,
    )
    if written != text:
        page.write_text(written)


def _rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += (
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
        for row in rows
    )
    return "\n".join(lines) + "\n"


def _task(service: LocalService, task: str) -> str:
    """The spaces and defaults of a task."""
    spec = service.describe_task(task, {})
    [entry] = (each for each in TASKS if _env_class(each.class_name).task == task)
    env = _env_class(entry.class_name)(service=service)
    options = ", ".join(
        f"`{each.name}={each.value}`" for each in spec.heuristic.options
    ).replace("=true`", "=True`")
    if not spec.HasField("heuristic"):
        llvm = "cannot be repeated by an agent"
    elif spec.heuristic.feature:
        llvm = f"the feature `{spec.heuristic.feature}`, with {options}"
    elif options:
        llvm = f"one action, with {options}"
    else:
        llvm = f"action {spec.heuristic.action} at each decision"
    rows = [
        ("environment", f"`{entry.env_id}`"),
        ("action space", f"`{_space(env.action_space)}`"),
        ("observation space", f"`{_space(env.observation_space)}`, float32"),
        ("default programs", f"`{spec.default_programs}`"),
        ("default pipeline", f"`{spec.default_pipeline}`"),
        ("default objective", f"`{spec.default_objective}`"),
        ("LLVM's own decisions", llvm),
        ("legal actions", "masked" if spec.action.mask else "all, at each decision"),
    ]
    if spec.HasField("inactive_action"):
        rows.append(("inactive action", str(spec.inactive_action)))
    rows += [(f"policy `{rule.name}`", rule.doc) for rule in spec.rules]
    end = "when the compile does"
    if entry.max_episode_steps:
        end = f"after {entry.max_episode_steps} steps, or `max_episode_steps`"
    elif spec.kind == pb.TaskSpec.BEFORE_PIPELINE:
        end = "with the last decision"
    rows.append(("an episode ends", end))
    env.close()
    return _rows(("task", f"`{task}`"), rows)


def _env_class(name: str) -> type[CompilerEnv]:
    found = getattr(mlcompiler_gym, name)
    assert isinstance(found, type)
    assert issubclass(found, CompilerEnv)
    return found


def _space(space: gymnasium.Space[object]) -> str:
    """A space without its bounds."""
    if isinstance(space, gymnasium.spaces.Discrete):
        return f"Discrete({space.n})"
    assert space.shape is not None
    shape = ", ".join(map(str, space.shape))
    return f"{type(space).__name__}({shape})"


def _actions(service: LocalService, task: str) -> str:
    """What each action means."""
    action = service.describe_task(task, {}).action
    if not action.meanings:
        tensor = action.tensor
        meaning = f"{tensor.doc}, from {tensor.low:.10g} to {tensor.high:.10g}"
        return _rows(("action", "meaning"), [(f"`{tensor.name}`", meaning)])
    return _rows(("action", "meaning"), _runs(action.meanings))


def _runs(meanings: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Rows of actions; many that differ in their number alone have one row."""
    general = [
        re.sub(rf"\b{index}\b", "N", meaning) for index, meaning in enumerate(meanings)
    ]
    for meaning, run in groupby(enumerate(general), key=operator.itemgetter(1)):
        indices = [index for index, _ in run]
        if len(indices) > _MANY:
            yield f"N = {indices[0]} to {indices[-1]}", meaning
        else:
            yield from ((str(index), meanings[index]) for index in indices)


def _features(service: LocalService, task: str) -> str:
    """What an agent is shown, and the numbers that a feature is made of."""
    features = service.describe_task(task, {}).features
    shapes = [
        ", ".join(str(size) for size in feature.shape if size != 1) or "1"
        for feature in features
    ]
    shaped = any(shape != "1" for shape in shapes)
    rows, parts = [], []
    for number, (feature, shape) in enumerate(zip(features, shapes, strict=True)):
        meaning = feature.doc
        names = _PART.findall(meaning)
        if len(names) > 1 and str(len(names)) == shape:
            intro, *named = _PART.split(meaning)
            numbers = list(zip(named[::2], named[1::2], strict=True))
            meaning = f"{intro.strip()} See the table of its numbers.".strip()
            parts.append((feature.name, numbers))
        if feature.option:
            meaning += f" (only with `{feature.option}=True`)"
        row = [str(number), f"`{feature.name}`", shape, meaning]
        rows.append(row if shaped else [*row[:2], meaning])
    header = ("#", "feature", "shape", "meaning")
    text = _rows(header if shaped else (*header[:2], header[3]), rows)
    seen: dict[str, list[str]] = {}
    for name, pairs in parts:
        body = _rows(
            ("#", "number", "meaning"),
            (
                (str(place), f"`{number}`", meaning.strip().rstrip(";."))
                for place, (number, meaning) in enumerate(pairs)
            ),
        )
        seen.setdefault(body, []).append(f"`{name}`")
    for body, names in seen.items():
        text += f"\nThe numbers of {', '.join(names)}:\n\n{body}"
    return text


def _options(service: LocalService, task: str) -> str:
    """The options of a task."""
    return _rows(
        ("option", "accepts", "default", "what it does"),
        (
            (
                f"`{option.name}`",
                accepted(option),
                f"`{default(option)!r}`",
                option.doc,
            )
            for option in service.describe_task(task, {}).options
        ),
    )


def _objectives(service: LocalService) -> str:
    """What can be minimised, without a run of the program."""
    return _rows(
        ("objective", "counts"),
        (
            (f"`{objective.name}`", objective.doc)
            for objective in service.describe().objectives
        ),
    )


def _measured(_: LocalService) -> str:
    """What is measured by running the program."""
    return _rows(
        ("objective", "is"), ((f"`{name}`", doc) for name, doc in OBJECTIVES.items())
    )


def _observations(service: LocalService) -> str:
    """What can be seen of a program."""
    return _rows(
        ("observation", "type", "scopes", "what it is"),
        (
            (f"`{each.name}`", _media(each), ", ".join(each.scopes) or "-", each.doc)
            for each in service.describe().observations
        ),
    )


def _media(observation: pb.ObservationSpec) -> str:
    if observation.media != "tensors":
        return {"json": "JSON", "bytes": "`bytes`"}.get(observation.media, "`str`")
    if len(observation.tensors) > 1:
        return "`Graph`"
    [tensor] = observation.tensors
    dtype = pb.DType.Name(tensor.dtype).lower()
    return f"{dtype} `({', '.join(map(str, tensor.shape))},)`"


def _parameters(service: LocalService) -> str:
    """A table for each group of LLVM's parameters."""
    [wanted] = (
        option
        for option in service.describe_task("parameters", {}).options
        if option.name == "parameters"
    )
    parts = []
    for group in wanted.values:
        if group == "all":
            continue
        spec = service.describe_task("parameters", {"parameters": group})
        parts.append(
            f"### `{group}`\n\n"
            + _rows(
                ("option", "registered", "values", "what it says"),
                (
                    (
                        f"`{each.name}`",
                        each.default_value or "-",
                        ", ".join(each.meanings[1:]),
                        each.doc,
                    )
                    for each in spec.action.choices
                ),
            )
        )
    return "\n".join(parts)


def _benchmarks(_: LocalService) -> str:
    """A table for each group of benchmarks/results.json."""
    results = json.loads((ROOT / "benchmarks/results.json").read_text())
    tables = [f"Machine, unless a row says otherwise: {results['machine']}.\n"]
    for group, rows in groupby(results["results"], key=lambda each: each["group"]):
        tables.append(
            f"### {group}\n\n"
            + _rows(
                ("what", "measured", "spread", "goal", "", "benchmark", "how"),
                map(_result, rows),
            )
        )
    return "\n".join(tables)


def _result(result: dict[str, Any]) -> Sequence[str]:
    """One figure, with its unit, its spread and whether it meets the goal."""
    value, unit = result["value"], result["unit"]
    spread, verdict = "", ""
    if "low" in result:
        spread = f"{result['low']:g} to {result['high']:g}"
    if goal := result.get("goal", ""):
        sign, number = goal.split()
        met = {"<=": operator.le, ">=": operator.ge}[sign](value, float(number))
        verdict = "met" if met else "**missed**"
    return (
        result["what"],
        f"{value:g} {unit}".strip(),
        spread,
        goal.replace("<=", "≤").replace(">=", "≥"),
        verdict,
        f"`{result['benchmark']}`" if result["benchmark"] else "",
        result.get("how", ""),
    )


_KINDS: dict[str, Callable[..., str]] = {
    "actions": _actions,
    "benchmarks": _benchmarks,
    "features": _features,
    "measured": _measured,
    "objectives": _objectives,
    "observations": _observations,
    "options": _options,
    "parameters": _parameters,
    "task": _task,
}


if __name__ == "__main__":
    service = LocalService()
    for each in pages():
        write(service, each)
    service.close()
