# SPDX-License-Identifier: Apache-2.0
"""``mlcompiler-gym``: the command line."""

import sys


def main() -> None:
    """Entry point."""
    try:
        from mlcompiler_gym.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit(
            f"mlcompiler-gym: {error.name} is not installed; "
            "`pip install 'mlcompiler_gym[cli]'`"
        )
    app()
