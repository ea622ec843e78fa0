# SPDX-License-Identifier: Apache-2.0
"""What a shell completes: ids of environments, names of programs and of policies."""

from __future__ import annotations


def complete_env(incomplete: str) -> list[str]:
    """Ids of environments."""
    from mlcompiler_gym.registration import TASKS

    return [task.env_id for task in TASKS if task.env_id.startswith(incomplete)]


def complete_program(incomplete: str) -> list[str]:
    """Sets, their splits, and once the name of a set is there, its programs."""
    from mlcompiler_gym.programs import known_sets
    from mlcompiler_gym.programs.catalogue import SPLITS

    known: list[str] = []
    for name, named_set in known_sets().items():
        known += [name, *(f"{name}:{split}" for split in SPLITS)]
        if incomplete.startswith(f"{name}/"):
            known += named_set.names()
    return [name for name in known if name.startswith(incomplete)]


def complete_policy(incomplete: str) -> list[str]:
    """Policies by name, and files of policies in the current folder."""
    from pathlib import Path

    from mlcompiler_gym.policies import NAMED
    from mlcompiler_gym.reference import REFERENCE

    files = (path.name for path in Path().glob("*.policy"))
    known = [*NAMED, REFERENCE, "best_of_64", *files]
    return [name for name in known if name.startswith(incomplete)]
