# SPDX-License-Identifier: Apache-2.0
"""``python -m mlcompiler_gym``: the command line."""

from mlcompiler_gym.cli import main

main()
