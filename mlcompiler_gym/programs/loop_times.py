# SPDX-License-Identifier: Apache-2.0
"""How long the programs of ``loops`` take, whatever their loops are made with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: A JSON object a line, for one program and processor; ``./run bench loop_factors``
#: writes it.
TABLE = Path(__file__).with_name("loops") / "times.jsonl"


def loop_times(cpu: str = "x86-64") -> dict[str, dict[str, NDArray[np.float64]]]:
    """Measured times of every width and interleaving, one loop at a time.

    With it the regret of a policy is known without a measurement: the time of what it
    chose at a loop over the least one.

    Args:
        cpu: ``"x86-64"`` or ``"x86-64-v3"``.

    Returns:
        By program, and by the loop's name as ``info["taken"]`` has it, a float64 array
        of shape ``(30,)``. It has the time of the program over -O3's for each action of
        ``LoopFactors-v0`` with ``unroll=False``. All other loops are left to LLVM. An
        action that is not legal has NaN. A program without loops to decide has none.

    Raises:
        ValueError: There is no table for that processor.
    """
    rows = [json.loads(line) for line in TABLE.read_text().splitlines()]
    known = sorted({row["cpu"] for row in rows})
    if cpu not in known:
        raise ValueError(f"times are known for {', '.join(known)}, not for {cpu!r}")
    return {
        row["program"]: {
            loop["loop"]: np.array(loop["time"], np.float64) for loop in row["loops"]
        }
        for row in rows
        if row["cpu"] == cpu
    }
