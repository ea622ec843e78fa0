# SPDX-License-Identifier: Apache-2.0
"""The policies of a build, and what they decide of one unit."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlcompiler_gym.best_action import BEST, affordable
from mlcompiler_gym.best_sample import USUAL_TASK as USUAL_SAMPLED_TASK
from mlcompiler_gym.best_sample import BestOf, samples_of
from mlcompiler_gym.building.unit import Unit
from mlcompiler_gym.client.session import Service, Session
from mlcompiler_gym.errors import PolicyError
from mlcompiler_gym.policy_file import decode_policy, encode_policy
from mlcompiler_gym.reference import REFERENCE, USUAL_TASK, read_reference
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.v1 import policy_pb2

if TYPE_CHECKING:
    from mlcompiler_gym.building.watched import Watched

#: Leaves bitcode that is optimised already as it is.
_NO_PASSES = "no-op-module"
#: Levels at which a portfolio may decide.
_FOR_SIZE = ("Os", "Oz")
#: The objective that says how large a program is.
_SIZE = "ir_instructions"
#: How many copies compile at the same time: a build compiles other units meanwhile.
_ALONE = 1


@dataclass(frozen=True)
class BuildPolicy:
    """A policy that takes decisions of a build.

    Attributes:
        name: As it was asked for: a file, a name, or ``task=name``.
        content: The contents of its file.
        message: The same, decoded.
        task: What it decides.
        samples: How many compiles of each function are drawn from it, of which the best
            is kept; None: it decides once.
    """

    name: str
    content: bytes
    message: policy_pb2.Policy
    task: str
    samples: int | None = None

    @classmethod
    def find(cls, name: str) -> BuildPolicy:
        """A file, or a policy by name: ``reference``, ``regalloc_eviction=llvm``.

        ``best_of_64`` is by the reference policy.

        A file's name has a slash in it or ends in ``.policy``, so that what lies about
        in the folder of a build changes nothing.

        Raises:
            PolicyError: The file cannot be read, or holds no policy.
        """
        samples = None
        if name.endswith(".policy") or os.sep in name:
            try:
                content = Path(name).read_bytes()
            except OSError as error:
                raise PolicyError(f"cannot read the policy {name}: {error}") from error
            try:
                message = decode_policy(content)
            except PolicyError as error:
                raise PolicyError(f"{name}: {error}") from None
        else:
            task, _, last = name.rpartition("=")
            samples = samples_of(last)
            if samples is not None or last == REFERENCE:
                usual = USUAL_TASK if samples is None else USUAL_SAMPLED_TASK
                content = read_reference(task or usual)
                message = decode_policy(content)
            else:
                message = policy_pb2.Policy(builtin=last, task=task)
                content = encode_policy(message)
        return cls(name, content, message, message.task or USUAL_TASK, samples)

    @property
    def sha256(self) -> str:
        """SHA-256 of its file, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


def load_policies(names: Sequence[str]) -> list[BuildPolicy]:
    """The policies of a build, at most one for each task.

    Raises:
        PolicyError: One cannot be read, or two decide the same.
    """
    found: dict[str, BuildPolicy] = {}
    for name in names:
        policy = BuildPolicy.find(name)
        if (other := found.get(policy.task)) is not None:
            raise PolicyError(
                f"{other.name} and {policy.name} both decide {policy.task}; give one "
                "policy for each task"
            )
        found[policy.task] = policy
    return list(found.values())


@dataclass
class Decided:
    """What policies made of a unit.

    Attributes:
        bitcode: The optimised module, if a policy took part in its pipeline.
        object: The object file, if a policy took part in code generation.
        decisions: How many decisions were taken, by task.
        seen: By policy, of each element of its inputs how many decisions lay in each
            bin of its card.
    """

    bitcode: bytes | None = None
    object: bytes | None = None
    decisions: dict[str, int] = field(default_factory=dict)
    seen: dict[str, list[list[int]]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Program:
    """Bitcode as sessions take it."""

    name: str
    bitcode: bytes

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.bitcode).digest()


class Deciders:
    """The policies of a build, and the service in which they decide.

    Args:
        policies: At most one for each task.
        service: Where sessions come from.
        deadline: Seconds that a session may take for each step of its work.
        watch: Whether to count what policies see, if their cards say what they saw in
            training.

    Raises:
        PolicyError: The service does not have a policy's task, or two of them decide
            in the same part of the compiler.
        ServiceUnavailableError: The service does not start.
    """

    def __init__(
        self,
        policies: Sequence[BuildPolicy],
        service: Service,
        deadline: float,
        *,
        watch: bool = False,
    ) -> None:
        self._service = service
        self._watch = watch
        self._deadline_ms = max(1, round(deadline * 1000))
        self._by_kind: dict[pb.TaskSpec.Kind, tuple[BuildPolicy, pb.TaskSpec]] = {}
        for policy in policies:
            spec = self._describe(policy)
            kind = spec.kind
            if kind == pb.TaskSpec.OPEN_ENDED:
                if policy.message.builtin != BEST:
                    raise PolicyError(
                        f"{policy.name}: {policy.task} has no end of its own, so that "
                        "a build can ask only for the best of a few pipelines, which "
                        "is a portfolio"
                    )
                # A portfolio's one decision is about the whole pipeline.
                kind = pb.TaskSpec.IN_PIPELINE
            if policy.samples is not None and kind != pb.TaskSpec.IN_CODEGEN:
                raise PolicyError(
                    f"{policy.name}: {policy.task} does not decide function by "
                    "function, as the best of several samples has to"
                )
            if (other := self._by_kind.get(kind)) is not None:
                raise PolicyError(
                    f"{other[0].name} and {policy.name} decide in the same part of the "
                    "compiler, and one compile can have one of them; leave one out"
                )
            self._by_kind[kind] = (policy, spec)

    @property
    def in_codegen(self) -> bool:
        """Whether one of them decides when code is generated."""
        return pb.TaskSpec.IN_CODEGEN in self._by_kind

    def decide(self, unit: Unit, bitcode: bytes) -> Decided:
        """Compile a unit, as far as policies decide about it.

        Args:
            unit: How to compile it.
            bitcode: The unit's bitcode, not optimised yet.

        Raises:
            PolicyError: A policy cannot decide here.
            ServiceError: The compiler refused the policy, crashed or took too long.
        """
        decided = Decided()
        pipeline = unit.pipeline
        if pb.TaskSpec.IN_PIPELINE in self._by_kind:
            with self._played(
                pb.TaskSpec.IN_PIPELINE, unit, bitcode, pipeline, decided
            ) as session:
                decided.bitcode = bitcode = session.emit("bitcode")
            pipeline = _NO_PASSES
        if self.in_codegen:
            with self._played(
                pb.TaskSpec.IN_CODEGEN, unit, bitcode, pipeline, decided
            ) as session:
                decided.object = session.emit("object")
        return decided

    def _describe(self, policy: BuildPolicy) -> pb.TaskSpec:
        given = {each.name: each.value for each in policy.message.options}
        try:
            return self._service.describe_task(policy.task, given)
        except ValueError as error:
            raise PolicyError(f"{policy.name}: {error}") from error

    @contextmanager
    def _played(
        self,
        kind: pb.TaskSpec.Kind,
        unit: Unit,
        bitcode: bytes,
        pipeline: str,
        decided: Decided,
    ) -> Iterator[Session]:
        """A session in which the policy of a kind has taken all decisions."""
        policy, spec = self._by_kind[kind]
        chooses = spec.kind == pb.TaskSpec.OPEN_ENDED
        if chooses:
            if unit.level not in _FOR_SIZE:
                raise PolicyError(
                    f"{policy.name}: a portfolio makes code small, and -{unit.level} "
                    "does not ask for small code; use -Os or -Oz"
                )
            pipeline = unit.begin_as_clang(spec.default_pipeline)
        request = pb.Open(
            task=policy.task,
            pipeline=pipeline,
            cpu=unit.cpu,
            options=_options(policy, spec),
            objectives=[spec.default_objective] if chooses else (),
            limits=pb.Limits(deadline_ms=self._deadline_ms),
            codegen_opt_level=unit.codegen_level,
            tuning=unit.tuning,
            codegen=unit.codegen,
        )
        program = _Program(unit.source, bitcode)
        session = self._service.open(request, program)
        try:
            if chooses:
                _choose(session, len(spec.action.meanings))
                decided.decisions[policy.task] = 1
            elif policy.samples is not None:
                objective = spec.default_objective
                best_of = BestOf(
                    policy.content, objective, policy.samples, parallel=_ALONE
                )
                state = session.opened.state
                while not state.HasField("outcome"):
                    kept = best_of.find(self._service, request, program, state.function)
                    state = session.step(kept.actions)
                decided.decisions[policy.task] = state.decisions
            else:
                self._play(session, policy, request.options, decided)
            yield session
        finally:
            session.close()

    def _play(
        self,
        session: Session,
        policy: BuildPolicy,
        options: Sequence[pb.Option],
        decided: Decided,
    ) -> None:
        """Let a policy take all decisions, each once."""
        watched = self._watched(policy, options)
        play = pb.Play(policy=policy.content, features=watched is not None)
        state = session.opened.state
        while not state.HasField("outcome"):
            reply = session.call(pb.Request(play=play)).play
            if reply.stopped:
                raise PolicyError(f"{policy.name}: {reply.stopped}")
            state = reply.state
            if watched is not None:
                watched.count(reply.features)
        if watched is not None:
            decided.seen[policy.name] = watched.counts
        decided.decisions[policy.task] = state.decisions

    def _watched(
        self, policy: BuildPolicy, options: Sequence[pb.Option]
    ) -> Watched | None:
        """What counts a policy's inputs; None if there is nothing to compare with."""
        if not (self._watch and policy.message.card.seen):
            return None
        # NumPy takes longer to import than a small unit takes to compile.
        from mlcompiler_gym.building.watched import Watched

        given = {option.name: option.value for option in options}
        return Watched(policy.message, self._service.describe_task(policy.task, given))


def _choose(session: Session, count: int) -> None:
    """Try the first pipelines of several in copies of a session, and run the best."""
    chosen = 0
    if count > 1:
        size = session.measure([_SIZE])[_SIZE]
        tried = pb.Explore(
            actions=b"".join(map(_encode, range(min(count, affordable(size))))),
            parallel=_ALONE,
        )
        reply = session.call(pb.Request(explore=tried)).explore
        values = {
            action: each.measurements[0].value
            for action, each in enumerate(reply.decisions[0].alternatives)
            if not each.HasField("error")
        }
        chosen = min(values, key=values.__getitem__, default=0)
    session.step(_encode(chosen))


def _encode(action: int) -> bytes:
    return action.to_bytes(8, "little")


def _options(policy: BuildPolicy, spec: pb.TaskSpec) -> list[pb.Option]:
    """What a session must be opened with for a policy."""
    options = list(policy.message.options)
    if policy.message.builtin == "llvm" or policy.samples is not None:
        options += spec.heuristic.options
    for rule in spec.rules:
        if rule.name == policy.message.builtin:
            options += rule.options
    return options
