# SPDX-License-Identifier: Apache-2.0
"""The policies that come with the package, one for a task: the name ``reference``."""

from __future__ import annotations

from importlib.resources import files

from mlcompiler_gym.errors import PolicyError

#: What such a policy is called wherever policies are named.
REFERENCE = "reference"
#: Whose policy is meant where a name alone does not say.
USUAL_TASK = "inlining"
_FOLDER = files("mlcompiler_gym") / "references"


def read_reference(task: str) -> bytes:
    """The contents of the file of a task's reference policy.

    Raises:
        PolicyError: There is none for this task.
    """
    path = _FOLDER / f"{task}.policy"
    if not path.is_file():
        names = (
            each.name.removesuffix(".policy")
            for each in _FOLDER.iterdir()
            if each.name.endswith(".policy")
        )
        raise PolicyError(
            f"there is no reference policy for {task}; there are some for: "
            f"{', '.join(sorted(names))}"
        )
    return path.read_bytes()
