# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym``: the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

#: Every command, and what it does: also what is said where typer is not installed.
COMMANDS = {
    "envs": "Environments, and what each consists of.",
    "play": "Decide by hand, and see what your decisions are worth.",
    "programs": "Programs to compile.",
    "eval": "Evaluate a policy on programs.",
    "results": "Compare policies with LLVM, from the journals of eval.",
    "replay": "Compile once more with the decisions of a trajectory.",
    "validate": "Run what trajectories lead to, and compare.",
    "compile": "Write the object files that a policy makes of programs.",
    "collect": "Measure builds, to learn performance models from.",
    "train": "Learn where to deviate from LLVM.",
    "tune": "Search LLVM's parameters for one program.",
    "policy": "Policies that are data, and putting them into builds.",
    "cc": "Compile as clang does, with --mlcg-policy.",
    "c++": "Compile as clang++ does, with --mlcg-policy.",
    "plugin-path": "Print the path of the plugin for clang, opt and llc.",
    "leaderboard": "Submissions that anyone can check.",
    "vocabulary": "Seed embeddings for IR2Vec and MIR2Vec.",
    "serve": "Compile for other machines.",
    "serve-credentials": "Make a certificate and a token, for a laboratory.",
    "doctor": "Say what is installed, and what of it works here.",
}

_INSTALL = "pip install 'mlcompiler_gym[cli]'"


def main() -> None:
    """Entry point."""
    try:
        from mlcompiler_gym.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit(_without_typer(sys.argv[1:], error.name))
    app(prog_name="mlcompiler-gym")


def _without_typer(arguments: Sequence[str], missing: str) -> str | int:
    """What can be done with the core alone; the exit status, or why it is not done."""
    import mlcompiler_gym

    if arguments[:1] == ["--version"]:
        print(f"mlcompiler-gym {mlcompiler_gym.__version__}")
        return 0
    if arguments[:1] == ["doctor"]:
        return print_doctor(as_json="--json" in arguments)
    if not arguments or arguments[0] in ("--help", "-h"):
        print("usage: mlcompiler-gym COMMAND\n")
        for name, what in COMMANDS.items():
            print(f"  {name:<18} {what}")
        print(f"\nAll but doctor and --version need more: {_INSTALL}")
        return 0
    return f"mlcompiler-gym: {missing} is not installed; `{_INSTALL}`"


def print_doctor(*, as_json: bool) -> int:
    """Print what is installed; return 1 if no program can be compiled."""
    from mlcompiler_gym import doctor

    found = doctor.examine()
    print(json.dumps(found, indent=1) if as_json else doctor.report(found))
    return 0 if doctor.works(found) else 1
