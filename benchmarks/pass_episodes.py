# SPDX-License-Identifier: Apache-2.0
"""One random episode of pass ordering, and everything that may be wrong with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import psutil

import mlcompiler_gym
from benchmarks.modules import module
from mlcompiler_gym import MLCompilerGymError, Program, ProgramError
from mlcompiler_gym.envs.pass_ordering import PassOrderingEnv
from mlcompiler_gym.envs.step_reward import StepReward
from mlcompiler_gym.leaderboard.reduction import reduce
from mlcompiler_gym.programs import ProgramSource, load_programs
from mlcompiler_gym.validation import Limits

ACTION_SETS = ("llvm22", "poset-odg34", "poset-manual15")
LONGEST = 40
#: One episode in so many is played again.
REPLAYED = 4
#: Compiles that the reduction of one list may take.
REDUCTIONS = 120
#: Seconds a step may take; much for programs of this size, on a busy machine too.
DEADLINE = 60.0
#: Some programs of csmith never end; the others take milliseconds.
LIMITS = Limits(cpu_seconds=4)
#: The code is compiled anyway; a step then has no more to measure than this.
_REWARD = StepReward({"ir_instructions": 1.0}, "initial")


@dataclass
class Finding:
    """What became of an episode.

    Attributes:
        index: Which one; with the seed it says everything else.
        actions: Name of the set of actions.
        program: Name of the program.
        passes: How many passes were run.
        outcome: ``"same"``, ``"different"`` (a miscompile), another status of a
            validation, ``"not run"`` (no program that runs), ``"not repeated"``
            (the same actions gave other bitcode), ``"untyped"`` (an exception
            that is none of the library's), the code of an error, or the name of
            one that has no code (csmith itself took too long).
        text: The error's message or the validation's report.
        pipelines: What was run; if something is wrong, reduced to what it needs.
        replayed: Whether it was played twice.
        seconds: Wall-clock time of all of it.
    """

    index: int
    actions: str
    program: str
    passes: int = 0
    outcome: str = ""
    text: str = ""
    pipelines: list[str] = field(default_factory=list)
    replayed: bool = False
    seconds: float = 0.0


class Fuzzer:
    """Plays episodes by number, on a service of its own."""

    def __init__(self, seed: int, action_sets: Sequence[str] = ACTION_SETS) -> None:
        self._seed = seed
        self._sets = tuple(action_sets)
        self._service = mlcompiler_gym.LocalService()
        self._pid: int | None = None
        self._sources = _sources()
        self._envs: dict[str, PassOrderingEnv] = {}
        self._known: set[tuple[str, str]] = set()

    def play(self, index: int) -> Finding:
        """The episode of that number."""
        began = perf_counter()
        rng = np.random.default_rng([self._seed, index])
        actions = self._sets[int(rng.integers(len(self._sets)))]
        program = self._sources[int(rng.integers(len(self._sources)))].sample(rng)
        finding = Finding(index, actions, program.name)
        env = self._env(actions)
        length = int(rng.integers(1, LONGEST + 1))
        chosen = rng.integers(len(env.action_names), size=length).tolist()
        finding.replayed = int(rng.integers(REPLAYED)) == 0
        try:
            self._check(finding, env, program, chosen)
        except MLCompilerGymError as error:
            finding.outcome, finding.text = type(error).__name__, str(error)
        except Exception as error:  # Whatever it is, it is a finding.
            finding.outcome, finding.text = "untyped", repr(error)
        if not self._alive():
            finding.outcome = "service died"
        finding.seconds = round(perf_counter() - began, 2)
        return finding

    def _alive(self) -> bool:
        pid = self._service.pid
        self._pid = self._pid or pid
        if pid is None or pid != self._pid or not psutil.pid_exists(pid):
            return False
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE

    def _env(self, actions: str) -> PassOrderingEnv:
        if actions not in self._envs:
            self._envs[actions] = PassOrderingEnv(
                actions=actions,
                reward=_REWARD,
                deadline=DEADLINE,
                service=self._service,
            )
        return self._envs[actions]

    def _check(
        self, finding: Finding, env: PassOrderingEnv, program: Program, chosen: Any
    ) -> None:
        names = env.action_names
        finding.outcome, finding.text, taken = _outcome(env, program, chosen)
        finding.passes = sum(count_passes(names[a]) for a in chosen[:taken])
        chosen = chosen[:taken]
        if finding.replayed and finding.outcome in ("same", "not run"):
            bitcode = env.emit("bitcode")
            _play(env, program, chosen)
            if env.emit("bitcode") != bitcode:
                finding.outcome = "not repeated"
        finding.pipelines = [names[a] for a in chosen]
        # What a validation says of a program that does not run says nothing here.
        if finding.outcome in ("same", "not run", "invalid reference"):
            return
        wrong = finding.outcome
        kind = (wrong, names[chosen[-1]] if chosen else "")
        if wrong in ("DEADLINE_EXCEEDED", "not repeated") or (
            wrong != "different" and kind in self._known
        ):
            return
        self._known.add(kind)
        reduced = reduce(
            chosen, lambda few: _outcome(env, program, few)[0] == wrong, REDUCTIONS
        )
        finding.pipelines = [names[a] for a in reduced]


def _sources() -> list[ProgramSource]:
    sources = [
        load_programs("kernels"),
        load_programs("loops"),
        load_programs("csmith"),
        load_programs("llvm-stress"),
    ]
    try:
        sources.append(load_programs("pypi:validation"))
    except ProgramError:  # Not fetched.
        sources.append(load_programs([module("stb_image"), module("stb_truetype")]))
    return sources


def _play(
    env: PassOrderingEnv, program: Program, chosen: Sequence[int]
) -> tuple[int, dict[str, Any]]:
    """Take the actions one by one; how many, and the last info."""
    env.reset(options={"program": program})
    info: dict[str, Any] = {}
    for taken, action in enumerate(chosen, 1):
        _, _, _, truncated, info = env.step(action)
        if truncated:
            return taken, info
    return len(chosen), info


def _outcome(
    env: PassOrderingEnv, program: Program, chosen: Sequence[int]
) -> tuple[str, str, int]:
    """What these actions lead to, in a word and in detail, and how many were taken."""
    taken, info = _play(env, program, chosen)
    if "error" in info:
        return info["error_code"], info["error"], taken
    try:
        if program.inputs is None:
            env.emit("object")
            return "not run", "", taken
        found = env.validate(program.inputs[:1], limits=LIMITS)  # the smallest
    except MLCompilerGymError as error:
        return getattr(error, "code", type(error).__name__), str(error), taken
    return found.status, "" if found.ok else found.report(), taken


def count_passes(pipeline: str) -> int:
    """How many passes a pipeline names, managers left out."""
    return len(re.sub("<[^>]*>", "", pipeline).split(","))
