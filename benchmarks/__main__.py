# SPDX-License-Identifier: Apache-2.0
"""Run all benchmarks, or those named on the command line."""

import argparse
import importlib

NAMES = (
    "import_time",
    "step_overhead",
    "reset_and_fork",
    "observation_cost",
    "many_sessions",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    names = parser.parse_args().names or NAMES
    for name in names:
        if name not in NAMES:
            parser.error(f"no benchmark {name!r}; there are: {', '.join(NAMES)}")
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n== {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        module.run()


if __name__ == "__main__":
    main()
