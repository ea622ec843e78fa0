# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym envs``: which environments there are, and what each consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from mlcompiler_gym.cli.completion import complete_env
from mlcompiler_gym.cli.tables import Table, ids, names, numbers, print_json, text
from mlcompiler_gym.cli.working import AsJson
from mlcompiler_gym.errors import EvaluationError
from mlcompiler_gym.registration import TASKS, TaskEntry
from mlcompiler_gym.suggest import did_you_mean

if TYPE_CHECKING:
    from mlcompiler_gym.envs import CompilerEnv
    from mlcompiler_gym.v1 import compiler_service_pb2 as pb

envs = typer.Typer(
    no_args_is_help=True, help="Environments, and what each consists of."
)

#: Values of an option, or names of actions, that are shown at most.
_MOST_VALUES = 12


@envs.command("list")
def list_envs(as_json: AsJson = False) -> None:
    """List the environments."""
    table = Table(
        [
            *ids("environment"),
            *ids("an action is", "objective"),
            text("a decision is"),
        ]
    )
    for task in TASKS:
        env = _env_class(task)
        described = _describe(task)
        table.add(
            task.env_id,
            described["action"]["in_words"],
            described["default_objective"],
            _summary(env),
        )
    if as_json:
        print_json(table.records())
    else:
        table.print()


@envs.command()
def describe(
    env_id: Annotated[
        str,
        typer.Argument(
            help="An environment: mlcompiler/Inlining-v0.", autocompletion=complete_env
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Say what an environment's decisions, actions, features and options are."""
    described = _describe(_entry(env_id))
    if as_json:
        print_json(described)
        return
    Console(highlight=False).print(
        Text(f"{described['environment']}: {described['decision']}\n")
    )
    facts = Table([*names("field"), text("value")])
    for name in ("programs", "pipeline", "default_objective", "ends"):
        facts.add(name.replace("_", " "), described[name])
    masked = ", not all of them legal at each decision"
    action = described["action"]
    facts.add("action", action["in_words"] + (masked if action["masked"] else ""))
    facts.add("action space", action["space"])
    facts.print()
    for what, columns in _TABLES.items():
        rows = described[what]
        if rows:
            table = Table(columns, title=what)
            for row in rows:
                table.add(*(row[column.key] for column in columns))
            table.print()


#: Tables of a description, and their columns.
_TABLES = {
    "actions": [*numbers("action"), text("meaning")],
    "choices": [*ids("choice"), text("values"), text("meaning")],
    "features": [*ids("feature"), *numbers("shape"), text("meaning")],
    "options": [*ids("option"), *names("default"), text("accepts"), text("meaning")],
    "objectives": [*ids("objective"), text("meaning")],
    "observations": [*ids("observation"), *names("of"), text("meaning")],
}


def _entry(env_id: str) -> TaskEntry:
    for task in TASKS:
        if env_id in (task.env_id, task.env_id.partition("/")[2]):
            return task
    known = [task.env_id for task in TASKS]
    raise EvaluationError(
        f"there is no environment {env_id!r}; {did_you_mean(env_id, known)}"
        f"There are: {', '.join(known)}"
    )


def _env_class(task: TaskEntry) -> type[CompilerEnv]:
    import importlib

    module = importlib.import_module(f"mlcompiler_gym.envs.{task.module}")
    found: type[CompilerEnv] = getattr(module, task.class_name)
    return found


def _summary(env: type[CompilerEnv]) -> str:
    """The first sentence of its docstring, without the id."""
    first = (env.__doc__ or "").partition("\n")[0]
    return first.partition(": ")[2].rstrip(".")


def _in_words(action: pb.ActionSpec) -> str:
    if action.choices:
        return f"{len(action.choices)} choices"
    return f"one of {len(action.meanings)}" if action.meanings else "a number"


def _describe(task: TaskEntry) -> dict[str, Any]:
    """All that the service says of a task, as JSON has it."""
    from mlcompiler_gym.client import LocalService
    from mlcompiler_gym.envs.actions import make_actions
    from mlcompiler_gym.envs.options import accepted, default
    from mlcompiler_gym.measuring import OBJECTIVES
    from mlcompiler_gym.v1 import compiler_service_pb2 as pb

    service = LocalService.shared()
    name = _env_class(task).task
    description = service.describe()
    spec = service.describe_task(name, {})
    meanings = list(spec.action.meanings)
    numbered = enumerate(meanings[:_MOST_VALUES])
    ends = "with the pipeline"
    if spec.kind == pb.TaskSpec.OPEN_ENDED:
        ends = f"after {task.max_episode_steps} decisions"
    return {
        "environment": task.env_id,
        "decision": spec.doc,
        "programs": spec.default_programs,
        "pipeline": spec.default_pipeline,
        "default_objective": spec.default_objective,
        "ends": ends,
        "action": {
            "space": str(make_actions(spec).space),
            "in_words": _in_words(spec.action),
            "masked": bool(spec.action.mask),
            "meanings": meanings,
        },
        "actions": [
            {"action": number, "meaning": meaning} for number, meaning in numbered
        ],
        "choices": [
            {
                "choice": choice.name,
                "values": ", ".join(choice.meanings),
                "meaning": choice.doc,
            }
            for choice in spec.action.choices
        ],
        "features": [
            {
                "feature": feature.name,
                "shape": "x".join(map(str, feature.shape)),
                "meaning": feature.doc,
            }
            for feature in spec.features
        ],
        "options": [
            {
                "option": option.name,
                "default": str(default(option)),
                "accepts": accepted(option),
                "meaning": option.doc,
            }
            for option in spec.options
        ],
        "objectives": [
            {"objective": each.name, "meaning": each.doc}
            for each in description.objectives
        ]
        + [
            {"objective": name, "meaning": f"{what}; the program runs"}
            for name, what in OBJECTIVES.items()
        ],
        "observations": [
            {
                "observation": each.name,
                "of": ", ".join(each.scopes),
                "meaning": each.doc,
            }
            for each in description.observations
        ],
    }
