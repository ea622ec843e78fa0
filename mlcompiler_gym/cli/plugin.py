# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym plugin-path``: policies in the clang that is there."""

from __future__ import annotations

import typer

from mlcompiler_gym.policies.plugin import plugin_path


def print_plugin_path() -> None:
    """Print the path of the plugin for clang-22, opt-22 and llc-22.

    For example: MLCOMPILER_GYM_POLICY=mine.policy clang-22 -Oz
    -fpass-plugin=$(mlcompiler-gym plugin-path) -c a.c
    """
    typer.echo(plugin_path())
