# SPDX-License-Identifier: Apache-2.0
"""Random pass orderings: does the service live, is what comes out right.

``python -m benchmarks.fuzz_passes --passes 50000``. What was found is appended to a
file, one line of JSON for each episode, so that a run that was stopped goes on where
it was.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from benchmarks.pass_episodes import ACTION_SETS, Finding, Fuzzer
from mlcompiler_gym.programs.progress import progress_bar

#: Outcomes in which nothing is wrong with the passes.
_FINE = ("same", "not run", "invalid reference", "not deterministic")

_fuzzer: Fuzzer


def _start(seed: int, action_sets: tuple[str, ...]) -> None:
    global _fuzzer
    _fuzzer = Fuzzer(seed, action_sets)


def _play(index: int) -> Finding:
    return _fuzzer.play(index)


def read(path: Path) -> list[Finding]:
    """What has been found so far; a line that was being written is left out."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    return [Finding(**json.loads(line)) for line in lines[:-1]]


def _play_all(
    indices: Iterator[int], arguments: argparse.Namespace
) -> Iterator[Finding]:
    """Episodes as they are done; no more are begun than are being waited for."""
    with ProcessPoolExecutor(
        arguments.jobs,
        mp_context=get_context("spawn"),
        initializer=_start,
        initargs=(arguments.seed, tuple(arguments.actions)),
    ) as pool:
        running: set[Future[Finding]] = set()
        try:
            while True:
                while len(running) < arguments.jobs:
                    running.add(pool.submit(_play, next(indices)))
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for each in done:
                    yield each.result()
        finally:
            pool.shutdown(cancel_futures=True)


def summarise(findings: list[Finding]) -> str:
    """Counts, and everything that is wrong."""
    lines = [
        f"{len(findings)} episodes, {sum(f.passes for f in findings)} passes, "
        f"{sum(f.replayed for f in findings)} played twice"
    ]
    for key in ("actions", "outcome"):
        counts = Counter(getattr(finding, key) for finding in findings)
        passes: Counter[str] = Counter()
        for finding in findings:
            passes[getattr(finding, key)] += finding.passes
        lines += [
            f"  {name}: {n} ({passes[name]} passes)" for name, n in counts.items()
        ]
    kinds = Counter(finding.program.split("/")[0] for finding in findings)
    lines.append("  " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()))
    for finding in findings:
        if finding.outcome not in _FINE:
            lines.append(
                f"{finding.outcome}: {finding.program} [{finding.index}]: "
                f"{', '.join(finding.pipelines)}\n    {finding.text[:300]}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=50_000, help="how many to run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="episodes at a time")
    parser.add_argument(
        "--actions", nargs="+", default=ACTION_SETS, help="sets of actions"
    )
    parser.add_argument("--output", type=Path, default=Path("fuzz_passes.jsonl"))
    arguments = parser.parse_args()
    findings = read(arguments.output)
    done = {finding.index for finding in findings}
    indices = (i for i in itertools.count() if i not in done)
    ran = sum(finding.passes for finding in findings)
    with (
        progress_bar(arguments.passes, "passes", unit="pass", enabled=True) as bar,
        arguments.output.open("a") as file,
    ):
        bar.update(ran)
        for finding in _play_all(indices, arguments) if ran < arguments.passes else ():
            file.write(json.dumps(asdict(finding)) + "\n")
            file.flush()
            findings.append(finding)
            bar.update(finding.passes)
            ran += finding.passes
            if finding.outcome not in _FINE:
                bar.write(summarise([finding]).split("\n", 1)[1])
            if ran >= arguments.passes:
                break
    print(summarise(findings))


if __name__ == "__main__":
    main()
