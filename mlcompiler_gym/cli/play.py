# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym play``: decide by hand."""

from __future__ import annotations

import contextlib
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from mlcompiler_gym.cli.completion import complete_env, complete_program
from mlcompiler_gym.cli.evaluate import parse_settings
from mlcompiler_gym.cli.tables import Table, names, numbers
from mlcompiler_gym.cli.working import Settings
from mlcompiler_gym.errors import EvaluationError, MLCompilerGymError

if TYPE_CHECKING:
    from mlcompiler_gym.envs import CompilerEnv
    from mlcompiler_gym.integrations.scene import Code, Scene
    from mlcompiler_gym.policies import Policy

#: How many decisions can be taken back; each of them is a process that waits.
_MOST_UNDONE = 64
#: Actions whose worth is shown at most.
_MOST_VALUES = 20
#: Lines of code that are shown on the smallest screen.
_LEAST_CODE = 11
#: Lines of a screen that everything but the code takes.
_LINES_BESIDE_CODE = 11
#: Actions that are shown without being asked for.
_MOST_ACTIONS = 12

_HELP = (
    ("an action", "its number, its name, or a part of its name"),
    ("Enter", "what LLVM would do"),
    ("v", "what each action is worth, if LLVM decides everything after it"),
    ("f", "let LLVM decide the rest"),
    ("u", "take the last decision back"),
    ("l", "list all actions"),
    ("ir [NAME]", "the module, or one of its functions"),
    ("s FILE", "save the decisions so far as a trajectory"),
    ("q", "quit"),
)


def play(
    env_id: Annotated[
        str,
        typer.Argument(
            help="An environment: mlcompiler/Inlining-v0.", autocompletion=complete_env
        ),
    ] = "mlcompiler/Inlining-v0",
    settings: Settings = None,
    program: Annotated[
        str | None,
        typer.Option(
            "--program",
            "-p",
            help="A program: kernels/lz, or a file [one is drawn].",
            autocompletion=complete_program,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the program that is drawn.")
    ] = 0,
) -> None:
    """Decide by hand, and see what your decisions are worth.

    At each decision you see the code that it is about, what LLVM would do, and what the
    program comes to. Any decision can be taken back.
    """
    from gymnasium.error import Error

    from mlcompiler_gym.integrations.text import make_with_hints

    given = parse_settings(settings or [])
    if program is not None:
        given["programs"] = program
    try:
        env = make_with_hints(env_id, **given)
    except (Error, TypeError, ValueError) as error:
        raise EvaluationError(f"{env_id}: {error}") from error
    game = Game(env.unwrapped)
    with contextlib.closing(game):
        game.begin(seed)
        while game.goes_on:
            game.ask()


@dataclass
class _Place:
    """Where the compile is stopped, and what came with it."""

    env: CompilerEnv
    observation: Any
    info: dict[str, Any]
    paid: float = 0.0
    over: bool = False


@dataclass
class Game:
    """One compile that a person decides, at a terminal or from a pipe."""

    env: Any
    console: Console = field(default_factory=lambda: Console(highlight=False))
    goes_on: bool = True

    def __post_init__(self) -> None:
        self._past: list[_Place] = []
        self._seed = 0

    def begin(self, seed: int) -> None:
        """Begin the compile of a program."""
        self._seed = seed
        observation, info = self.env.reset(seed=seed)
        self._now = _Place(self.env, observation, info)
        if "no_decision" in info:
            self.console.print(f"{info['program']} raises no decision")
            self.goes_on = False
            return
        self._opinion = self._find_opinion()
        self.console.print(Text(f"{self.env.setup.spec.doc} ? is for help."))
        self._show()

    def close(self) -> None:
        """End all compiles that are under way."""
        for place in [*self._past, self._now]:
            place.env.close()

    # What a person says.

    def ask(self) -> None:
        """Take one line and do what it says."""
        try:
            said = self.console.input(Text("> ", style="bold")).strip()
        except EOFError:
            self.console.print()
            self.goes_on = False
            return
        if not sys.stdin.isatty():
            # The output of a script then shows which commands it gave.
            self.console.print(Text(said, style="bold"))
        word, _, rest = said.partition(" ")
        commands = {
            "?": self._help,
            "f": self._finish,
            "l": self._list_actions,
            "q": self._quit,
            "u": self._undo,
            "v": self._values,
        }
        try:
            if word == "ir":
                self._show_ir(rest.strip())
            elif word == "s" and rest:
                self._save(rest.strip())
            elif said in commands:
                commands[said]()
            elif self._now.over:
                self._say("the compile is done: u takes a decision back, q quits")
            else:
                self._answer(said)
        except MLCompilerGymError as error:
            self._say(str(error))

    def _help(self) -> None:
        for key, meaning in _HELP:
            self.console.print(Text(f"  {key:<10} {meaning}"))

    def _quit(self) -> None:
        self.goes_on = False

    def _answer(self, said: str) -> None:
        from mlcompiler_gym.integrations.scene import parse_action

        if said:
            action = parse_action(self._now.env, self._scene, said)
        elif self._opinion is None:
            self._say("LLVM has no opinion here; name an action, or ? for help")
            return
        else:
            action = self._opinion(self._now.observation, self._now.info)
        self._go(lambda env: env.step(action))

    def _finish(self) -> None:
        if self._now.over:
            self._say("the compile is done already")
        elif self._open_ended:
            self._say("this task has no end; q quits")
        else:
            self._go(lambda env: env.finish("llvm"))

    def _go(self, step: Any) -> None:
        """Go on from here, and keep a fork to come back to."""
        from mlcompiler_gym.envs.errors import InvalidActionError

        before = self._now
        twin = before.env.fork()
        try:
            observation, reward, terminated, truncated, info = step(before.env)
        except InvalidActionError:
            twin.close()
            raise
        self._past.append(_Place(twin, before.observation, before.info, before.paid))
        if len(self._past) > _MOST_UNDONE:
            self._past.pop(0).env.close()
        self._now = _Place(
            before.env,
            observation,
            info,
            before.paid + float(reward),
            terminated or truncated,
        )
        self._show()

    def _undo(self) -> None:
        if not self._past:
            self._say("there is no decision to take back")
            return
        self._now.env.close()
        self._now = self._past.pop()
        self._show()

    def _save(self, path: str) -> None:
        self._now.env.trajectory.save(Path(path))
        self._say(f"written to {path}; mlcompiler-gym replay {path} compiles it again")

    # What a person sees.

    def _show(self) -> None:
        place = self._now
        count = len(place.env.trajectory.actions)
        self.console.print()
        if place.over:
            self._show_end()
            return
        from mlcompiler_gym.integrations.scene import name_action, scene_of

        self._scene: Scene = scene_of(place.env)
        self.console.rule(
            Text(f"{place.env.program.name}, decision {count}", style="bold"),
            align="left",
        )
        # The call is left out, because the code below shows it.
        facts = [
            f"{name} {value}" for name, value in self._scene.facts if name != "call"
        ]
        self.console.print(Text(" · ".join(facts)))
        room = self._room_for_code()
        for code in self._scene.code:
            room -= self._show_code(code, room)
        self._show_costs()
        if self._opinion is not None:
            action = self._opinion(place.observation, place.info)
            called = name_action(place.env, self._scene, action)
            self.console.print(Text.assemble("LLVM would: ", (called, "bold")))
        self._show_actions(_MOST_ACTIONS)

    def _room_for_code(self) -> int:
        """Lines of code that leave the rest of the screen to everything else."""
        if not self.console.is_terminal:
            return sys.maxsize
        return max(_LEAST_CODE, self.console.height - _LINES_BESIDE_CODE)

    def _show_code(self, code: Code, room: int) -> int:
        """Show a piece of code, or its beginning; returns how many lines that took."""
        if room < 3:
            return 0
        self._say(f"{code.title}:")
        lines = code.lines if len(code.lines) < room else code.lines[: room - 2]
        for place, line in enumerate(lines):
            marked = place in code.marked
            shown = Text(f"{'>' if marked else ' '} {line}")
            shown.truncate(self.console.width, overflow="ellipsis")
            shown.stylize("bold yellow" if marked else "dim")
            self.console.print(shown)
        if left := len(code.lines) - len(lines):
            self._say(f"  ... {left} more lines; ir NAME shows a whole function")
        return len(lines) + 1 + bool(left)

    def _show_costs(self) -> None:
        """What the program comes to from here, and what LLVM alone makes of it."""
        place = self._now
        if self._open_ended:
            base, reached = place.env.baseline, place.info["objective"]
            what = "now"
        else:
            with place.env.fork() as twin:
                _, _, _, _, info = twin.finish("llvm")
            if "objective" not in info:
                return
            base, reached = info["baseline"], info["objective"]
            what = "if LLVM decides the rest"
        for name, value in reached.items():
            change = (value - base[name]) / (base[name] or 1.0)
            self._say(
                f"{name} {what}: {value:g}; LLVM alone: {base[name]:g} ({change:+.2%})"
            )

    def _show_actions(self, most: int | None = None) -> None:
        listed = list(self._scene.actions.items())
        if not listed:
            self.console.print(Text(self._how_to_answer()))
        for action, name in listed[:most]:
            self.console.print(Text(f"  {action:>3}  {name}"))
        if most is not None and len(listed) > most:
            self.console.print(Text(f"  and {len(listed) - most} more; l lists them"))

    def _how_to_answer(self) -> str:
        choices = self._now.env.setup.spec.action.choices
        if not choices:
            return "  answer with a number"
        return f"  {len(choices)} choices, as in {choices[0].name}=VALUE; l lists them"

    def _list_actions(self) -> None:
        choices = self._now.env.setup.spec.action.choices
        for choice in choices:
            self.console.print(Text(f"  {choice.name}: {', '.join(choice.meanings)}"))
        if not choices and not self._now.over:
            self._show_actions()

    def _values(self) -> None:
        if self._now.over:
            self._say("the compile is done already")
            return
        env = self._now.env
        try:
            found = self._step_values() if self._open_ended else env.action_values()
        except TypeError as error:
            self._say(str(error))
            return
        base = env.baseline
        columns = [*numbers("action"), *names("what it is")]
        for name in base:
            columns += numbers(name, form="g")
            columns += numbers(f"{name}\nagainst LLVM", form="+.2%")
        table = Table(columns)
        # There may be hundreds of actions; only the best are shown.
        ordered = sorted(found.items(), key=lambda each: [*each[1].values()])
        for action, values in ordered[:_MOST_VALUES]:
            cells: list[float | None] = []
            for name, value in values.items():
                lost = math.isnan(value)
                gain = (value - base[name]) / (base[name] or 1.0)
                cells += [None, None] if lost else [value, gain]
            table.add(action, self._scene.actions[int(action)], *cells)  # type: ignore[arg-type]
        table.print(self.console)

    def _step_values(self) -> dict[int, dict[str, float]]:
        """What each action of a task without an end leads to."""
        found = {}
        for action in self._scene.actions:
            with self._now.env.fork() as twin:
                info = twin.step(action)[4]
                nothing = dict.fromkeys(self._now.info["objective"], math.nan)
                found[action] = nothing if "error" in info else info["objective"]
        return found

    def _show_ir(self, name: str) -> None:
        from mlcompiler_gym.integrations.scene import function_text

        ir = str(self._now.env.observe("ir")["ir"])
        text = "\n".join(function_text(ir, name)) if name else ir
        if not text:
            self._say(f"the module defines no function {name}")
        elif self.console.is_terminal and sys.stdin.isatty():
            with self.console.pager():
                self.console.print(Text(text))
        else:
            self.console.print(Text(text))

    def _show_end(self) -> None:
        info = self._now.info
        if "error" in info:
            self._say(f"the compile ended with an error: {info['error']}")
            return
        columns = [*names("objective"), *numbers("yours", "LLVM alone", form="g")]
        table = Table([*columns, *numbers("change", form="+.2%")])
        for name, value in info.get("objective", {}).items():
            base = info["baseline"][name]
            table.add(name, value, base, (value - base) / (base or 1.0))
        table.print(self.console)
        count = len(self._now.env.trajectory.actions)
        self._say(
            f"{count} decisions, reward {self._now.paid:+.4f}. "
            "u takes the last one back, s FILE saves them, q quits."
        )

    def _say(self, text: str) -> None:
        self.console.print(Text(text))

    @property
    def _open_ended(self) -> bool:
        return self.env.setup.step_reward is not None

    def _find_opinion(self) -> Policy | None:
        """What LLVM would do, if the environment shows it."""
        from mlcompiler_gym.policies import heuristic

        try:
            return heuristic(self.env)
        except ValueError:
            return None
