# SPDX-License-Identifier: Apache-2.0
"""Time and instructions of programs that run."""

import dataclasses

import numpy as np
import pytest
from support import toolchain
from support.regalloc import MakeEnv

from mlcompiler_gym import Program, ProgramError, Trajectory
from mlcompiler_gym.client import Work
from mlcompiler_gym.measuring import (
    CountersError,
    MeasureError,
    Measuring,
    harness,
    measure,
    valgrind,
)
from mlcompiler_gym.policies import active, inactive, play
from mlcompiler_gym.validation import Limits, reference_object

LOOPS = "mlcompiler/LoopDistribution-v0"
PROGRAM = "loops/recur_split_tail"
QUICK = Measuring(repeats=2, most_repeats=2)

COUNT = """
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
  volatile unsigned sum = 0;
  for (long i = atol(argv[1]); i; i--) sum += i;
  BODY
  printf("%u", sum);
  return 3;
}
"""


def program_of(body: str = "", inputs: tuple[str, ...] = ("1000",)) -> Program:
    bitcode = toolchain.run(
        *("clang-22", "-O1", "-fPIE", "-emit-llvm", "-x", "c", "-c", "-o", "-", "-"),
        data=COUNT.replace("BODY", body).encode(),
    )
    return Program("of/test", bitcode, tuple((each,) for each in inputs))


def test_more_work_takes_longer() -> None:
    few, many = (program_of(inputs=(size,)) for size in ("20000000", "300000000"))
    times = []
    for program in (few, many):
        found = measure(program, {"": reference_object(program)}, ["cpu_time"], QUICK)
        assert len(found[""]["cpu_time"].values) == 2
        times.append(found[""]["cpu_time"].median)
    assert 0 < times[0] < times[1] / 5


def test_runs_that_the_clock_does_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a virtual machine whose host has stolen as much as the run has taken.
    really = harness.read
    program = program_of("", ("1000",))
    code = {"": reference_object(program)}
    monkeypatch.setattr(
        harness,
        "read",
        lambda *settings: dataclasses.replace(really(*settings), cpu_seconds=0.0),
    )
    assert measure(program, code, ["wall_time"], QUICK)[""]["wall_time"].median > 0
    with pytest.raises(MeasureError, match=r"took no cpu_time.*take wall_time"):
        measure(program, code, ["cpu_time"], QUICK)


def test_valgrind_counts_each_instruction_of_main() -> None:
    counts = []
    for inputs in [("1000",), ("3000",), ("1000", "3000")]:
        program = program_of(inputs=inputs)
        found = measure(
            program,
            {"": reference_object(program)},
            ["instructions"],
            Measuring(counter="valgrind"),
        )
        counts.append(found[""]["instructions"].median)
    # Each iteration has the same instructions, and there are 2000 more.
    assert counts[1] - counts[0] >= 2000
    assert (counts[1] - counts[0]) % 2000 < 100
    # Not the dynamic linker's, of which there are a hundred thousand.
    assert counts[0] < 50000
    assert counts[2] == counts[0] + counts[1]


def test_the_processors_counter_or_a_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = program_of(inputs=("100000",))
    code = reference_object(program)
    how = Measuring(repeats=1, counter="hardware")
    if not harness.counter_error("instructions"):
        found = measure(program, {"": code}, ["instructions"], how)
        assert found[""]["instructions"].median > 300000
        return
    with pytest.raises(CountersError, match=r"perf_event_open: .*valgrind"):
        measure(program, {"": code}, ["instructions"], how)
    monkeypatch.setattr(valgrind, "find_valgrind", lambda: None)
    with pytest.raises(CountersError, match="install valgrind"):
        measure(program, {"": code}, ["instructions"])


@pytest.mark.parametrize("event", ["cycles", "branch_misses", "cache_misses"])
def test_the_processors_other_counters_or_a_clear_error(event: str) -> None:
    program = program_of(inputs=("100000",))
    code = reference_object(program)
    if not harness.counter_error(event):
        found = measure(program, {"": code}, [event], Measuring(repeats=1))
        assert found[""][event].median >= (100000 if event == "cycles" else 0)
        return
    with pytest.raises(CountersError, match=rf"counter of {event} .*cpu_time"):
        measure(program, {"": code}, [event])


def test_what_computes_something_else_has_no_value() -> None:
    right, wrong = program_of(), program_of("sum++;")
    builds = {"a": reference_object(right), "b": reference_object(wrong)}
    with pytest.raises(MeasureError, match=r"'1000' \(b\).* prints or returns"):
        measure(right, builds, ["wall_time"], QUICK)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("abort();", "ended by SIGABRT"),
        ("for (;;) sum++;", "more than 1 s of processor time"),
        ("_exit(0);", "without the end of main"),
    ],
)
def test_runs_that_are_no_measure(body: str, message: str) -> None:
    program = program_of(body)
    how = Measuring(limits=Limits(cpu_seconds=1))
    with pytest.raises(MeasureError, match=message):
        measure(program, {"": reference_object(program)}, ["wall_time"], how)


def test_a_reward_of_measured_time(make_env: MakeEnv) -> None:
    env = make_env(
        LOOPS,
        programs=PROGRAM,
        objective={"cpu_time": 1.0, "wall_time": 0.0, "loop_cost": 0.0},
        measuring=QUICK,
    )
    played = play(env, active(env))
    values, baselines = played.info["objective"], played.info["baseline"]
    assert set(values) == set(baselines) == {"cpu_time", "wall_time", "loop_cost"}
    gain = 1 - values["cpu_time"] / baselines["cpu_time"]
    paired = played.info["paired"]
    assert set(paired) == {"cpu_time", "wall_time"}
    # Two pairs do not tell builds apart.
    assert played.reward == 0
    assert not paired["cpu_time"]["differs"]
    assert paired["cpu_time"]["pairs"] + paired["cpu_time"]["outliers"] == 2
    assert gain < 1
    for label in ("objective", "baseline"):
        assert set(played.info["spread"][label]) == {"cpu_time", "wall_time"}
        assert all(0 <= s < np.inf for s in played.info["spread"][label].values())
    assert env.measure("wall_time")["wall_time"] > 0
    assert set(env.measure()) == set(values)
    again = Trajectory.from_json(env.trajectory.to_json())
    assert again.config.measured == ("cpu_time", "wall_time")


def test_a_reward_of_counted_instructions(make_env: MakeEnv) -> None:
    env = make_env(
        LOOPS,
        programs=PROGRAM,
        objective="instructions",
        measuring=Measuring(counter="valgrind"),
    )
    # The same code, and so the same instructions.
    assert play(env, inactive(env)).reward == 0
    first = play(env, active(env))
    assert first.reward != 0
    assert play(env, active(env)).reward == first.reward


def test_a_miscompiled_program_truncates_the_episode(
    make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = make_env(LOOPS, programs=PROGRAM, objective="wall_time", measuring=QUICK)
    _, info = env.reset()
    wrong = reference_object(program_of())

    def emitting(kind: str) -> Work[bytes]:
        yield from ()
        return wrong

    monkeypatch.setattr(env.session, "emitting", emitting)
    over = truncated = False
    while not (over or truncated):
        _, reward, over, truncated, info = env.step(0)
    assert truncated
    assert not over
    assert reward == 0
    assert info["error_code"] == "NOT_MEASURED"


def test_many_at_once(service: object) -> None:
    import gymnasium

    envs = gymnasium.make_vec(
        LOOPS,
        2,
        vectorization_mode="vector_entry_point",
        programs=PROGRAM,
        objective="wall_time",
        measuring=QUICK,
        service=service,
        autoreset_mode="Disabled",
    )
    envs.reset()
    over = np.zeros(2, bool)
    while not over.all():
        _, _, over, _, infos = envs.step([0, 0])
    assert (infos["objective"]["wall_time"] > 0).all()
    envs.close()


def test_programs_and_tasks_that_cannot_be_measured(make_env: MakeEnv) -> None:
    env = make_env(
        LOOPS, programs=program_of(inputs=()), objective="wall_time", measuring=QUICK
    )
    with pytest.raises(ProgramError, match="has no inputs"):
        env.reset()
    with pytest.raises(ValueError, match="leave out function"):
        make_env(
            "mlcompiler/RegAllocEviction-v0", objective="wall_time", function="each"
        )
    ordering = "mlcompiler/PassOrdering-v0"
    with pytest.raises(ValueError, match="has no end: use measure"):
        make_env(ordering, objective="wall_time")
    env = make_env(
        ordering, programs="kernels/lz", measuring=Measuring(repeats=1, most_repeats=1)
    )
    env.reset()
    assert env.measure("cpu_time")["cpu_time"] > 0


@pytest.mark.parametrize("given", [{"repeats": 0}, {"counter": "guess"}])
def test_measuring_in_no_way_that_there_is(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        Measuring(**given)  # type: ignore[arg-type]
