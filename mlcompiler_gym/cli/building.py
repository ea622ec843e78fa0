# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym cc`` and ``c++``: clang, with decisions by policies."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperCommand
from typing_extensions import override


class Untouched(TyperCommand):
    """A command whose arguments are all another program's, and stay in order."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.args = args
        return args


def cc(ctx: typer.Context) -> None:
    """Compile as clang does, with --mlcg-policy; also installed as mlcg-clang."""
    from mlcompiler_gym.building.driver import main

    sys.exit(main(ctx.args))


def cxx(ctx: typer.Context) -> None:
    """Compile as clang++ does, with --mlcg-policy; also installed as mlcg-clang++."""
    from mlcompiler_gym.building.driver import main

    sys.exit(main(ctx.args, cplusplus=True))
