# SPDX-License-Identifier: Apache-2.0
"""Learn what code costs from measured builds, and judge the model.

    mlcompiler-gym collect --programs kernels --profiled -o builds.parquet
    python examples/cost_model.py builds.parquet -o mine.policy

The model is a policy file. ``CostModel.load("mine.policy").cycles(...)`` computes it
from the observation ``code_costs``.
"""

import argparse
import shlex
import sys
from pathlib import Path

import numpy as np

from mlcompiler_gym.modelling import Builds, agreement, fit, out_of_fold
from mlcompiler_gym.programs.catalogue import entries_of
from mlcompiler_gym.v1 import policy_pb2 as pb

SETS = ("kernels", "loops", "apps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("builds", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("mine.policy"))
    parser.add_argument("--all", action="store_true", help="learn from every program")
    arguments = parser.parse_args()

    builds = Builds.load(*arguments.builds)
    # What LLVM guesses of frequencies says little of what an execution costs.
    builds = builds.where(builds.table["profiled"].to_numpy(bool))
    entries = [entry for name in SETS for entry in entries_of(name)]
    training = {entry.name for entry in entries if entry.split == "train"}
    mask = np.isin(builds.table["program"].to_numpy().astype(str), sorted(training))
    seen = builds if arguments.all else builds.where(mask)
    card = pb.Card(
        author="mlcompiler_gym",
        method="Costs that are not negative, fitted to how much faster builds of a "
        "program are than others of it.",
        command=shlex.join(["python", *sys.argv]),
        programs=sorted(set(seen.table["program"])),
    )
    found = agreement(seen, out_of_fold(seen))
    print(f"packages that a model has not learned from: {found.share:.1%} of pairs")
    card.results.add(
        name="sign agreement, training programs, out of fold"
    ).value = found.share
    model = fit(seen, card)
    if not (arguments.all or mask.all()):
        unseen = builds.where(~mask)
        values = model.cycles(unseen.features("code_costs"))
        found = agreement(unseen, values)
        print(f"programs that are not for training: {found.share:.1%} of pairs")
        card.results.add(name="sign agreement, other programs").value = found.share
        model = fit(seen, card)
    model.save(arguments.output)
    print(f"{arguments.output}: learned from {len(seen)} builds")


if __name__ == "__main__":
    main()
