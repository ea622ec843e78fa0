# SPDX-License-Identifier: Apache-2.0
"""All commands, and what they have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import mlcompiler_gym
from mlcompiler_gym.cli import COMMANDS, print_doctor
from mlcompiler_gym.cli.building import Untouched, cc, cxx
from mlcompiler_gym.cli.collect import collect
from mlcompiler_gym.cli.compile import compile_programs
from mlcompiler_gym.cli.envs import envs
from mlcompiler_gym.cli.evaluate import evaluate
from mlcompiler_gym.cli.leaderboard import leaderboard
from mlcompiler_gym.cli.play import play
from mlcompiler_gym.cli.plugin import print_plugin_path
from mlcompiler_gym.cli.policy import policy
from mlcompiler_gym.cli.programs import programs
from mlcompiler_gym.cli.replay import replay, validate
from mlcompiler_gym.cli.results import results
from mlcompiler_gym.cli.serve import serve, serve_credentials
from mlcompiler_gym.cli.train import train
from mlcompiler_gym.cli.tune import tune
from mlcompiler_gym.cli.vocabulary import vocabulary
from mlcompiler_gym.cli.working import AsJson
from mlcompiler_gym.errors import MLCompilerGymError


class _Commands(TyperGroup):
    """Our own errors are messages for the user, not tracebacks."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MLCompilerGymError as error:
            typer.secho(f"mlcompiler-gym: {error}", fg="red", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            typer.secho("interrupted; what is done is kept", err=True)
            sys.exit(130)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="LLVM's decisions as Gymnasium environments.",
)


def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, and what of it works here.

    Paste what it prints into a bug report. Ends with status 1 if no program can be
    compiled.
    """
    raise typer.Exit(print_doctor(as_json=as_json))


_GROUPS = {
    "envs": envs,
    "programs": programs,
    "policy": policy,
    "leaderboard": leaderboard,
    "vocabulary": vocabulary,
}
_FUNCTIONS: dict[str, Callable[..., None]] = {
    "play": play,
    "eval": evaluate,
    "replay": replay,
    "validate": validate,
    "compile": compile_programs,
    "collect": collect,
    "train": train,
    "results": results,
    "tune": tune,
    "cc": cc,
    "c++": cxx,
    "plugin-path": print_plugin_path,
    "serve": serve,
    "serve-credentials": serve_credentials,
    "doctor": doctor,
}

for _name, _what in COMMANDS.items():
    if _name in _GROUPS:
        app.add_typer(_GROUPS[_name], name=_name, short_help=_what)
    else:
        # Arguments of compilers are clang's.
        _cls = Untouched if _name in ("cc", "c++") else None
        app.command(_name, cls=_cls, short_help=_what)(_FUNCTIONS[_name])


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mlcompiler-gym {mlcompiler_gym.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, help="Print the version."),
    ] = False,
) -> None:
    pass
