# SPDX-License-Identifier: Apache-2.0
"""All commands, and what they have in common."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import mlcompiler_gym
from mlcompiler_gym.cli.building import Untouched, cc, cxx
from mlcompiler_gym.cli.evaluate import evaluate
from mlcompiler_gym.cli.leaderboard import leaderboard
from mlcompiler_gym.cli.plugin import print_plugin_path
from mlcompiler_gym.cli.policy import policy
from mlcompiler_gym.cli.programs import programs
from mlcompiler_gym.cli.results import results
from mlcompiler_gym.cli.serve import serve, serve_credentials
from mlcompiler_gym.cli.train import train
from mlcompiler_gym.cli.tune import tune
from mlcompiler_gym.cli.vocabulary import vocabulary
from mlcompiler_gym.errors import MLCompilerGymError


class _Commands(TyperGroup):
    """Our own errors are messages for the user, not tracebacks."""

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
app.add_typer(programs, name="programs")
app.add_typer(policy, name="policy")
app.add_typer(leaderboard, name="leaderboard")
app.add_typer(vocabulary, name="vocabulary")
app.command(cls=Untouched)(cc)
app.command("c++", cls=Untouched)(cxx)
app.command("eval")(evaluate)
app.command()(train)
app.command()(results)
app.command("plugin-path")(print_plugin_path)
app.command()(tune)
app.command()(serve)
app.command()(serve_credentials)


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
