# SPDX-License-Identifier: Apache-2.0
"""Objectives that are found out by running what was compiled, on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mlcompiler_gym.client import Session
from mlcompiler_gym.envs.scoring import Baseline
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.measuring import measure, split_objectives
from mlcompiler_gym.programs import Program


def measure_now(
    setup: Setup, program: Program, session: Session, names: Sequence[str]
) -> dict[str, float]:
    """Measure the module as it stands.

    Args:
        setup: How runs are measured.
        program: What is compiled.
        session: Where.
        names: Objectives of either kind.
    """
    static, measured = split_objectives(names)
    values = session.measure(static) if static else {}
    if measured:
        builds = {"": session.emit("object")}
        samples = measure(program, builds, measured, setup.measuring)[""]
        values.update((name, samples[name].median) for name in measured)
    return {name: values[name] for name in names}


def compare(
    setup: Setup, program: Program, object_code: bytes, baseline: Baseline
) -> tuple[dict[str, float], dict[str, float], dict[str, Any]]:
    """Run what was compiled and what LLVM's own heuristics made of it, in turn.

    Returns:
        Values, the baseline's values, and for ``info`` how far the runs lie apart and
        what the pairs of them say.

    Raises:
        MeasureError: Runs crashed, took too long or printed different things.
    """
    names = setup.config.measured
    builds = {"baseline": baseline.object_code, "objective": object_code}
    samples = measure(program, builds, names, setup.measuring)
    values, baselines = (
        {name: samples[label][name].median for name in names}
        for label in ("objective", "baseline")
    )
    spread = {
        label: {name: samples[label][name].spread for name in names}
        for label in ("objective", "baseline")
    }
    paired = {}
    for name in names:
        ours, theirs = samples["objective"][name], samples["baseline"][name]
        found = ours.against(theirs, setup.measuring)
        paired[name] = {"differs": found.differs, **asdict(found)}
    return values, baselines, {"spread": spread, "paired": paired}


def paid_values(
    values: Mapping[str, float],
    baselines: Mapping[str, float],
    paired: Mapping[str, Mapping[str, Any]],
) -> dict[str, float]:
    """What the reward goes by: no difference where runs do not show one."""
    return {
        name: value if paired.get(name, {}).get("differs", True) else baselines[name]
        for name, value in values.items()
    }
