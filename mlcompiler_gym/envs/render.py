# SPDX-License-Identifier: Apache-2.0
"""An episode as a person sees it."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mlcompiler_gym.envs.episode import Episode

RenderMode = Literal["ansi", "rgb_array"]
RENDER_MODES: tuple[RenderMode, ...] = get_args(RenderMode)

_LATEST = 8
_WIDTH = 19


def check_mode(mode: str | None) -> None:
    """Refuse what is not a mode of rendering; None stands for not at all."""
    if mode is not None and mode not in RENDER_MODES:
        raise ValueError(
            f"render_mode is {', '.join(map(repr, RENDER_MODES))} or None, not {mode!r}"
        )


def render(mode: str | None, episode: Episode) -> str | NDArray[np.uint8]:
    """An episode as its environment's mode wants it.

    Raises:
        MissingLibraryError: Pillow draws the picture, and is not installed.
        ValueError: The environment was made without a mode.
    """
    if mode is None:
        raise ValueError(
            "to render, make the environment with render_mode='ansi' or 'rgb_array'"
        )
    text = render_text(episode)
    if mode == "ansi":
        return text
    from mlcompiler_gym.envs.picture import draw

    return draw(text)


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
    return f"  {name:<{_WIDTH}}  {value}"


def _in_order(fields: dict[str, Any]) -> list[tuple[str, Any]]:
    """Longer names of a thing directly below it: caller, caller instructions."""
    return sorted(fields.items())
