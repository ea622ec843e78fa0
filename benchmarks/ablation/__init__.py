# SPDX-License-Identifier: Apache-2.0
"""What the features of inlining and of evictions are worth, on unseen packages.

The forest of `--algo counterfactual` is fitted to labels by fork, with some of the
features and without, always to other packages than it is judged on. It deviates where
it promises more than a margin.
"""

from __future__ import annotations


def run() -> None:
    """Fit, and print the tables."""
    # Not above: both modules are also started by themselves.
    from benchmarks.ablation import evictions, inlining
    from benchmarks.ablation.fit import print_table

    for name, load in (("inlining", inlining.load), ("evictions", evictions.load)):
        print(f"\n{name}: ", end="")
        print_table(load())
