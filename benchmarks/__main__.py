# SPDX-License-Identifier: Apache-2.0
"""Run all benchmarks, or those named on the command line."""

import argparse
import importlib
import os

NAMES = (
    "import_time",
    "step_overhead",
    "reset_and_fork",
    "observation_cost",
    "many_sessions",
    "slow_baseline",
    "policy",
    "resident",
    "plugin",
    "action_values",
    "code_cache",
    "regalloc",
    "full_regalloc",
    "pass_ordering",
    "ir2vec",
    "grpc",
    "load",
    "loops",
    "loop_factors",
    "models",
    "ablation",
    "tuning",
    "loops_found",
    "validate_episodes",
    "real_builds",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument(
        "--unpinned",
        action="store_true",
        help="let the kernel choose the processors: on a virtual machine, waking a "
        "process on another, idle one can take longer than all the rest of a step",
    )
    parser.add_argument(
        "--flood", action="store_true", help="with load: floods, and nothing else"
    )
    arguments = parser.parse_args()
    if arguments.flood:
        os.environ["LOAD_FLOOD"] = "1"
    names = arguments.names or NAMES
    if not arguments.unpinned:
        # Everything that is started inherits it: ours and what it is compared with.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for name in names:
        if name not in NAMES:
            parser.error(f"no benchmark {name!r}; there are: {', '.join(NAMES)}")
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n== {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        module.run()


if __name__ == "__main__":
    main()
