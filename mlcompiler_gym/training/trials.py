# SPDX-License-Identifier: Apache-2.0
"""Trying rules in whole episodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.policies import PortablePolicy
from mlcompiler_gym.programs import Program
from mlcompiler_gym.programs.named_set import package_of
from mlcompiler_gym.training.assignment import Assignment
from mlcompiler_gym.training.compilers import make_compilers, settings_of
from mlcompiler_gym.training.rules import Rule, RulesSettings


class Trials:
    """Plays programs that a rule has a say in, and remembers what they come to.

    Args:
        assignment: With the environment.
        programs: What is played.
        settings: What makes a rule pay.
    """

    def __init__(
        self,
        assignment: Assignment,
        programs: Sequence[Program],
        settings: RulesSettings,
    ) -> None:
        self._settings = settings
        # So that a part of them is a mixture.
        self._programs = {
            each.name: each for each in sorted(programs, key=lambda each: each.sha256)
        }
        self._compilers = make_compilers(
            assignment, programs, 1, settings_of(assignment, settings.base)
        )
        self._asked: dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]] = {}
        made = self._compilers.rollouts(
            settings.base,
            self._programs.values(),
            features=True,
            progress=lambda done, total: assignment.progress(
                f"play {settings.base}", done, total
            ),
        )
        for name, each in zip(self._programs, made, strict=True):
            if each.features is not None and "objective" in each.info:
                self._asked[name] = each.features, each.actions
        self._known: dict[tuple[bytes, str], float] = {}

    def pays(
        self,
        names: set[str],
        without: PortablePolicy,
        with_it: PortablePolicy,
        rule: Rule,
    ) -> bool:
        """Whether programs become smaller by a rule, and few become larger.

        Args:
            names: Programs that may be tried.
            without: A policy.
            with_it: The policy that has the rule, too.
            rule: The rule.
        """
        tried = [
            name
            for name, (features, actions) in self._asked.items()
            if name in names and np.any(rule.holds(features) & (actions == rule.action))
        ][: self._settings.trial]
        before, after = self._play(without, tried), self._play(with_it, tried)
        changes = {
            name: math.log(after[name] / before[name])
            for name in tried
            if min(after[name], before[name]) > 0 and after[name] != before[name]
        }
        better = {package_of(name) for name, change in changes.items() if change < 0}
        return (
            len(better) >= 2
            and fmean(changes.values()) < 0
            and fmean(change > 0 for change in changes.values())
            <= self._settings.worsened
            and max(changes.values()) <= math.log1p(self._settings.worst)
        )

    def close(self) -> None:
        """End all compiles."""
        self._compilers.close()

    def _play(self, policy: PortablePolicy, names: Sequence[str]) -> dict[str, float]:
        """What programs come to; infinity where the compiler did not survive it."""
        key = policy.to_bytes()
        left = [name for name in names if (key, name) not in self._known]
        made = self._compilers.rollouts(policy, [self._programs[n] for n in left])
        for name, each in zip(left, made, strict=True):
            values = each.info.get("objective", {}).values()
            self._known[key, name] = next(iter(values), math.inf)
        return {name: self._known[key, name] for name in names}
