# SPDX-License-Identifier: Apache-2.0
"""The table of what widths and interleavings of loops are worth."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from mlcompiler_gym.programs import load_programs, loop_times


@pytest.mark.parametrize("cpu", ["x86-64", "x86-64-v3"])
def test_every_program_is_in_the_table(cpu: str) -> None:
    table = loop_times(cpu)
    assert set(table) == {program.name for program in load_programs("loops")}
    loops = [times for loops in table.values() for times in loops.values()]
    assert len(loops) > 200
    for times in loops:
        assert times.shape == (30,)
        assert times[0] == 1, "LLVM's choice is -O3's"
        assert np.nanmin(times) > 0


def test_the_table_is_of_the_environments_loops_and_masks() -> None:
    name, cpu = "loops/split_diamond", "x86-64-v3"
    env = gym.make("mlcompiler/LoopFactors-v0", programs=name, cpu=cpu, unroll=False)
    masks, over = [], False
    _, info = env.reset()
    while not over:
        masks.append(info["action_mask"].astype(bool))
        *_, over, _, info = env.step(0)
    rows = loop_times(cpu)[name]
    assert list(rows) == [taken["loop"] for taken in info["taken"]]
    np.testing.assert_array_equal([~np.isnan(each) for each in rows.values()], masks)
    env.close()


def test_another_processor() -> None:
    with pytest.raises(ValueError, match="x86-64, x86-64-v3, not for 'znver4'"):
        loop_times("znver4")
