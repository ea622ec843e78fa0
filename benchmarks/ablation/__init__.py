# SPDX-License-Identifier: Apache-2.0
"""What the features of inlining and of evictions are worth, on unseen packages.

The forest of `--algo counterfactual` is fitted to labels by fork, with some of the
features and without, always to other packages than it is judged on. It deviates where
it promises more than a margin.
"""

from __future__ import annotations

from pathlib import Path

#: Where learning curves are kept.
CURVES = Path(__file__).parents[1] / "results" / "curves"


def run() -> None:
    """Fit, print the tables, and write learning curves."""
    # Not above: both modules are also started by themselves.
    from benchmarks.ablation import evictions, inlining
    from benchmarks.ablation.fit import curve_of, print_table
    from mlcompiler_gym.files import write_file
    from mlcompiler_gym.training.curve import to_lines

    for name, load in (("inlining", inlining.load), ("evictions", evictions.load)):
        print(f"\n{name}: ", end="")
        print_table(load())
        write_file(CURVES / f"{name}_packages.jsonl", to_lines(curve_of(load())))
