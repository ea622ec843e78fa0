# SPDX-License-Identifier: Apache-2.0
"""Environments for agents that read and write text, such as language models.

The names and the shape of the calls are those of OpenEnv: ``reset`` and ``step``
return an observation that has ``reward``, ``done`` and ``metadata``, and ``state`` says
which episode it is. Nothing of OpenEnv is needed to use it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import gymnasium

import mlcompiler_gym
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.envs.actions import ChoiceActions
from mlcompiler_gym.envs.errors import InvalidActionError, ResetNeededError
from mlcompiler_gym.integrations.scene import (
    Scene,
    name_action,
    parse_action,
    scene_of,
)
from mlcompiler_gym.policies import NAMED, Policy, settings_for

#: Actions that are listed at most; ``metadata["legal_actions"]`` has all.
_MOST_ACTIONS = 40
#: Characters of a line of code at most.
_LONGEST_LINE = 120


@dataclass(frozen=True)
class TextAction:
    """What an agent answers.

    Attributes:
        message: The name of an action, or its number.
    """

    message: str


@dataclass(frozen=True)
class TextObservation:
    """What an agent is told.

    Attributes:
        text: The decision, the code around it, and the actions to choose from; at the
            end, what came of it.
        reward: Reward of the step that led here.
        done: Whether the episode is over.
        metadata: The environment's ``info``, and ``"legal_actions"``, the names of
            the legal actions; where the action was none, ``"invalid_action"``, why.
    """

    text: str
    reward: float = 0.0
    done: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TextState:
    """Where an episode stands.

    Attributes:
        episode_id: Its name.
        step_count: Decisions answered so far.
    """

    episode_id: str
    step_count: int = 0


class TextEnv:
    """An environment whose observations and actions are texts.

    An answer that means no action does not end the episode: the same decision comes
    back with a sentence that says what is wrong.

    Args:
        env_id: An environment of this package, as for :func:`gymnasium.make`.
        hints: Tell the agent what LLVM would do, where LLVM would do something.
        **settings: As for :func:`gymnasium.make`.
    """

    def __init__(self, env_id: str, *, hints: bool = False, **settings: Any) -> None:
        gymnasium.register_envs(mlcompiler_gym)
        self.env = (
            make_with_hints(env_id, **settings)
            if hints
            else gymnasium.make(env_id, **settings)
        )
        self._hints = hints
        self._opinion: Policy | None = None
        self._scene: Scene | None = None
        self._text = ""
        self._state = TextState("")

    @property
    def compiler(self) -> CompilerEnv:
        """The environment, without wrappers."""
        compiler = self.env.unwrapped
        assert isinstance(compiler, CompilerEnv)
        return compiler

    @property
    def state(self) -> TextState:
        """Which episode it is, and how far it has come."""
        return self._state

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        **options: Any,
    ) -> TextObservation:
        """Begin an episode.

        Args:
            seed: Seed of the program that is drawn.
            episode_id: What to call the episode.
            **options: As in ``reset(options=...)``: ``program="kernels/lz"``.

        Raises:
            ProgramError: There is no program of that name.
            ServiceError: The program cannot be compiled.
        """
        observation, info = self.env.reset(seed=seed, options=options or None)
        self._state = TextState(episode_id or str(uuid.uuid4()))
        if self._hints:
            self._opinion = NAMED["llvm"](self.env, 0)
        if "no_decision" in info:
            self._scene = None
            end = self.env.step(self.env.action_space.sample())
            text = f"{info['program']} raises no decision; the episode is over."
            return TextObservation(text, done=True, metadata={**info, **end[4]})
        return self._show(observation, info)

    def step(self, action: TextAction | str) -> TextObservation:
        """Answer the decision.

        Args:
            action: The name of an action, a part of the name that no other action has,
                or its number.

        Raises:
            ResetNeededError: There is no episode under way.
            ServiceError: The service was asked for something that cannot be.
        """
        if self._scene is None:
            raise ResetNeededError("the episode is over; call reset()")
        said = action.message if isinstance(action, TextAction) else action
        try:
            parsed = parse_action(self.compiler, self._scene, said)
            result = self.env.step(parsed)
        except InvalidActionError as error:
            metadata = {"legal_actions": self._legal(), "invalid_action": str(error)}
            text = f"That is no legal action: {error}\n\n{self._text}"
            return TextObservation(text, metadata=metadata)
        observation, reward, terminated, truncated, info = result
        self._state = TextState(self._state.episode_id, self._state.step_count + 1)
        if terminated or truncated:
            self._scene = None
            return TextObservation(_ending(info), float(reward), True, dict(info))
        return self._show(observation, info, float(reward))

    def close(self) -> None:
        """End the compile that is under way."""
        self.env.close()

    def _show(
        self, observation: Any, info: dict[str, Any], reward: float = 0.0
    ) -> TextObservation:
        self._scene = scene = scene_of(self.compiler)
        count = self._state.step_count
        lines = [f"Program {self.compiler.program.name}, decision {count}.", ""]
        lines += [self.compiler.setup.spec.doc, ""]
        lines += [f"{name}: {value}" for name, value in scene.facts]
        for code in scene.code:
            lines += ["", f"{code.title}:"]
            for place, line in enumerate(code.lines):
                mark = "> " if place in code.marked else "  "
                lines.append(mark + line[:_LONGEST_LINE])
        legal = self._legal()
        lines += ["", "Answer with the name of one action:"]
        lines += [f"- {name}" for name in legal[:_MOST_ACTIONS]]
        if len(legal) > _MOST_ACTIONS:
            lines.append(f"- and {len(legal) - _MOST_ACTIONS} more")
        if isinstance(self.compiler.setup.actions, ChoiceActions):
            lines.append("- name=value of each choice that is not left to LLVM")
        elif not legal:
            lines.append("- a number")
        if self._opinion is not None:
            said = name_action(self.compiler, scene, self._opinion(observation, info))
            lines += ["", f"LLVM would answer: {said}"]
        self._text = "\n".join(lines)
        metadata = {**info, "legal_actions": self._legal()}
        return TextObservation(self._text, reward, False, metadata)

    def _legal(self) -> list[str]:
        return [] if self._scene is None else list(self._scene.actions.values())


def make_with_hints(env_id: str, **settings: Any) -> gymnasium.Env[Any, Any]:
    """An environment that shows what LLVM would do, where LLVM would do something.

    Args:
        env_id: As for :func:`gymnasium.make`.
        **settings: As for :func:`gymnasium.make`.
    """
    env = gymnasium.make(env_id, **settings)
    try:
        wanted = settings_for(env, "llvm")
    except ValueError:
        return env
    if "max_episode_steps" in wanted:
        # There, LLVM's own answer is an action of its own kind, the only one.
        return env
    if not wanted.keys() - settings.keys():
        return env
    env.close()
    return gymnasium.make(env_id, **{**wanted, **settings})


def _ending(info: dict[str, Any]) -> str:
    if "error" in info:
        return f"The compile ended with an error: {info['error']}"
    if "baseline" not in info:
        return "The episode is over."
    lines = ["The compile is done."]
    for name, value in info["objective"].items():
        lines.append(
            f"{name}: {value:g}, and LLVM by itself {info['baseline'][name]:g}"
        )
    return "\n".join(lines)
