# SPDX-License-Identifier: Apache-2.0
"""Episodes as data: written down, read back, replayed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlcompiler_gym.client import Service, Session, find_service
from mlcompiler_gym.envs.actions import Action, make_actions
from mlcompiler_gym.envs.choice import with_profile
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.errors import InvalidActionError
from mlcompiler_gym.envs.scoring import values_of
from mlcompiler_gym.errors import (
    ErrorCode,
    ProgramError,
    ServiceError,
    TrajectoryError,
)
from mlcompiler_gym.files import write_file
from mlcompiler_gym.programs import Program, load_programs
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

_FORMAT = "mlcompiler_gym trajectory 1"


@dataclass(frozen=True)
class Trajectory:
    """A program, a configuration and the actions taken.

    With the same LLVM it replays to the same object file, byte for byte.

    Attributes:
        program: Name of the program.
        program_sha256: Hash of its bytes, in hexadecimal.
        config: Task, options, target.
        actions: Every action in order.
    """

    program: str
    program_sha256: str
    config: CompileConfig
    actions: tuple[Action, ...]

    @classmethod
    def record(
        cls, program: Program, config: CompileConfig, actions: Sequence[Action]
    ) -> Trajectory:
        """From an episode."""
        return cls(program.name, program.sha256.hex(), config, tuple(actions))

    def to_json(self) -> str:
        """As one line of JSON."""
        fields = asdict(self)
        # Without a profile, the format is the one from before there were profiles.
        if not self.config.profile:
            del fields["config"]["profile"]
        return json.dumps({"format": _FORMAT, **fields})

    @classmethod
    def from_json(cls, text: str) -> Trajectory:
        """Read what :meth:`to_json` wrote.

        Raises:
            TrajectoryError: The text is something else.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            if fields.pop("format") != _FORMAT:
                raise ValueError(f"its format is not {_FORMAT!r}")
            config = fields.pop("config")
            for name in ("objectives", "measured", "observations"):
                config[name] = tuple(config.get(name, ()))
            return cls(
                config=CompileConfig(**config),
                actions=_check_actions(fields.pop("actions")),
                **fields,
            )
        except (
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RecursionError,
        ) as error:
            raise TrajectoryError(f"this is not a trajectory: {error!r}") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file; an old one is replaced only by a complete new one."""
        write_file(path, (self.to_json() + "\n").encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trajectory:
        """Read a file that :meth:`save` wrote."""
        try:
            return cls.from_json(Path(path).read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise TrajectoryError(f"cannot read {path}: {error}") from error


@dataclass(frozen=True)
class Replay:
    """What a trajectory leads to.

    Attributes:
        values: Measured values by objective, once more.
        object_code: The object file.
    """

    values: dict[str, float]
    object_code: bytes


def replay(
    trajectory: Trajectory,
    program: Program | None = None,
    *,
    service: Service | str | None = None,
) -> Replay:
    """Compile once more with the same decisions, in one request.

    Args:
        trajectory: A complete episode.
        program: The program. ``None``: the one that has the recorded name.
        service: Where to compile, as for an environment. ``None``: on this
            machine.

    Raises:
        TrajectoryError: The program is another one, or asks for more or fewer
            decisions than were recorded.
    """
    with replayed(trajectory, program, service=service) as (session, measured):
        return Replay(values_of(measured), session.emit("object"))


@contextlib.contextmanager
def replayed(
    trajectory: Trajectory,
    program: Program | None = None,
    *,
    service: Service | str | None = None,
) -> Iterator[tuple[Session, pb.State | pb.Outcome]]:
    """The compile where a trajectory ends, and what was measured there.

    Args:
        trajectory: See :func:`replay`.
        program: See :func:`replay`.
        service: See :func:`replay`.

    Raises:
        TrajectoryError: See :func:`replay`.
    """
    config = trajectory.config
    if program is None:
        program = find_recorded(trajectory)
    elif config.profile and program.sha256.hex() != trajectory.program_sha256:
        program = with_profile(program)
    if program.sha256.hex() != trajectory.program_sha256:
        raise TrajectoryError(
            f"the trajectory is of a program with SHA-256 "
            f"{trajectory.program_sha256}, and {program.name} has "
            f"{program.sha256.hex()}"
        )
    service = find_service(service)
    session = service.open(config.open_request(park=False), program)
    try:
        state = session.opened.state
        if trajectory.actions and state.HasField("features"):
            state = _take(service, config, session, trajectory.actions)
        spec = service.describe_task(config.task, config.options)
        open_ended = spec.kind == pb.TaskSpec.OPEN_ENDED
        ended = open_ended or state.HasField("outcome")
        if state.decisions != len(trajectory.actions) or not ended:
            raise TrajectoryError(
                f"{len(trajectory.actions)} actions were recorded, and after "
                f"{state.decisions} of them the compile is "
                + ("finished" if state.HasField("outcome") else "not finished")
            )
        yield session, state if open_ended else state.outcome
    finally:
        session.close()


def find_recorded(trajectory: Trajectory, name: str | None = None) -> Program:
    """The program that a trajectory is of.

    Args:
        trajectory: Says for which target and level the program is.
        name: Name of the program. ``None``: the one that was recorded.

    Raises:
        TrajectoryError: There is none of that name.
    """
    config = trajectory.config
    wanted = trajectory.program if name is None else name
    try:
        source = load_programs(wanted, target=config.target or None, level=config.level)
        found = source.named(wanted)
        return with_profile(found) if config.profile else found
    except ProgramError as error:
        raise TrajectoryError(
            f"{error} (give the program to replay on as an argument)"
        ) from error


def _check_actions(actions: Any) -> tuple[Action, ...]:
    if not isinstance(actions, list):
        raise ValueError("its actions are not a list")
    return tuple(map(_check_action, actions))


def _check_action(action: Any) -> Action:
    if isinstance(action, list) and all(type(value) is int for value in action):
        return tuple(action)
    if type(action) in (int, float):
        return action  # type: ignore[no-any-return]
    raise ValueError("its actions are not numbers, or lists of integers")


def _take(
    service: Service, config: CompileConfig, session: Session, actions: Sequence[Action]
) -> pb.State:
    """Take all actions in one request.

    Raises:
        TrajectoryError: One of them is not legal.
    """
    codec = make_actions(service.describe_task(config.task, config.options))
    try:
        return session.step(codec.encode([codec.check(action) for action in actions]))
    except InvalidActionError as error:
        raise TrajectoryError(f"its actions are not legal: {error}") from error
    except ServiceError as error:
        if error.code != ErrorCode.INVALID_ACTION:
            raise
        raise TrajectoryError(f"its actions are not legal: {error.message}") from error
