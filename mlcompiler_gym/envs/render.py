# SPDX-License-Identifier: Apache-2.0
"""An episode as text for a person."""

from __future__ import annotations

import json
from typing import Any

from mlcompiler_gym.envs.episode import Episode

_LATEST = 8
_WIDTH = 16


def render_text(episode: Episode) -> str:
    """The decision at hand and the latest decisions.

    What a decision is made of is the task's; each of its fields is a line.
    """
    setup = episode.setup
    config = episode.config
    lines = [f"{config.task} · {episode.program.name} · {config.pipeline}"]
    if episode.session.closed:
        lines.append(f"lost after {len(episode.actions)} decisions")
        return "\n".join(lines)
    if episode.over:
        lines.append(f"finished after {len(episode.actions)} decisions")
        for name, value in (episode.values or {}).items():
            lines.append(_line(name, f"{value:g}"))
    names = ["decisions"] if episode.over else ["decisions", "decision"]
    observed = episode.session.observe(*names)
    if not episode.over:
        lines.append(f"decision {len(episode.actions)}")
        for name, value in _in_order(json.loads(observed["decision"])):
            lines.append(_line(name.replace("_", " "), value))
    taken = json.loads(observed["decisions"])
    if taken:
        lines.append("latest decisions")
    first = max(0, len(taken) - _LATEST)
    latest = [setup.actions.meaning(a) for a in episode.actions[first : len(taken)]]
    width = max(map(len, latest), default=0)
    for index, (label, _) in enumerate(taken[first:], start=first):
        lines.append(f"  {index:>5}  {latest[index - first]:<{width}}  {label}")
    return "\n".join(lines)


def _line(name: str, value: Any) -> str:
    return f"  {name:<{_WIDTH}} {value}"


def _in_order(fields: dict[str, Any]) -> list[tuple[str, Any]]:
    """Longer names of a thing directly below it: caller, caller instructions."""
    return sorted(fields.items())
