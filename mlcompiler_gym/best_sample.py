# SPDX-License-Identifier: Apache-2.0
"""The best of several ways in which a policy would compile a function.

For tasks that decide function by function, when code is generated: nothing that is
decided in one function changes another.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from mlcompiler_gym.client.session import Compilable, Service, Session, error_of
from mlcompiler_gym.errors import PolicyError, ServiceError
from mlcompiler_gym.policy_file import encode_policy
from mlcompiler_gym.v1 import compiler_service_pb2 as pb
from mlcompiler_gym.v1 import policy_pb2

#: What must not become worse than LLVM's either. A score of register allocations goes
#: by weights: a copy counts little in it, and the machine executes it all the same.
#: This counts each instruction, as often as LLVM guesses that it is executed.
YARDSTICK = "mca_cycles"

#: Whose decisions are meant where ``best_of_64`` alone does not say.
USUAL_TASK = "regalloc_eviction"

_NAME = re.compile(r"best_of_([1-9][0-9]*)")
_LLVM = encode_policy(policy_pb2.Policy(builtin="llvm"))


def samples_of(name: str) -> int | None:
    """How many samples a policy's name asks for: 64 by ``best_of_64``.

    Returns:
        None if it is not such a name.
    """
    parts = _NAME.fullmatch(name)
    return int(parts[1]) if parts else None


@dataclass(frozen=True)
class Kept:
    """What is kept of several compiles of a function.

    Attributes:
        actions: All of the function, as ``Step`` takes them.
        compiles: How often the function was compiled to find them.
    """

    actions: bytes
    compiles: int


@dataclass(frozen=True)
class BestOf:
    """A function is compiled in several ways, and this is how.

    It is compiled as LLVM does, if the session shows that, once as the policy likes
    most, and then with actions drawn by the policy's probabilities.

    Attributes:
        policy: The contents of the policy's file.
        objective: What is to become low.
        samples: How many compiles are drawn.
        seed: Seed of the drawing, the same for each function.
        parallel: How many compile at the same time; 0: one for each processor.
    """

    policy: bytes
    objective: str
    samples: int
    seed: int = 0
    parallel: int = 0

    def find(
        self, service: Service, request: pb.Open, program: Compilable, function: str
    ) -> Kept:
        """What to answer in a function, so that it comes out best.

        Args:
            service: Where the function is compiled, in a session of its own.
            request: How the whole program is compiled.
            program: What the function is in.
            function: Its name.

        Raises:
            PolicyError: The policy cannot decide in any of the compiles.
            ServiceError: The policy does not fit the session, or the compiler survives
                none of the compiles.
        """
        alone = pb.Open()
        alone.CopyFrom(request)
        alone.function = function
        # Sessions of other functions begin behind the pipeline then.
        alone.park = True
        alone.objectives[:] = [self.objective]
        shown = _shows_llvm(service, alone)
        with contextlib.closing(service.open(alone, program)) as session:
            made: list[pb.Episode] = []
            if shown:
                made += _episodes(session, self._play(_LLVM), 1)
            made += _episodes(session, self._play(self.policy), 1)
            made += _episodes(session, self._play(self.policy, self.seed), self.samples)
        values = [_value(each.played.state) for each in made]
        llvm = made[0].played.actions if shown and values[0] is not None else None
        with contextlib.closing(_Judge(service, alone, program, llvm)) as judge:
            best = best_sample(
                values, lambda number: judge.accepts(made[number].played.actions)
            )
        if best is None:
            raise _why_not(made, function)
        return Kept(made[best].played.actions, len(made) + judge.compiles)

    def _play(self, policy: bytes, seed: int | None = None) -> pb.Play:
        return pb.Play(policy=policy, seed=seed, parallel=self.parallel)


def best_sample(
    values: Sequence[float | None], is_good: Callable[[int], bool]
) -> int | None:
    """The number of the compile that is kept.

    This is the lowest of the good ones. If none is good, it is the lowest of all. The
    first of several equals is kept.

    Args:
        values: What each comes to; None: the compiler did not survive.
        is_good: Says it of a number. It is asked about the lowest first, and no further
            than to the first that is good.

    Returns:
        The place among the values, from 0 on; None if the compiler survived none.
    """
    known = {number: value for number, value in enumerate(values) if value is not None}
    lowest_first = sorted(known, key=known.__getitem__)
    return next(filter(is_good, lowest_first), next(iter(lowest_first), None))


class _Judge:
    """Says whether a compile is no worse than LLVM's by the :data:`YARDSTICK`.

    To measure that takes longer than to compile, so it is put off until it is needed.

    Args:
        service: Where the function is compiled.
        request: How.
        program: What it is in.
        llvm: The actions of LLVM's own compile, which is good. None: they are not
            known.

    Attributes:
        compiles: How many were measured.
    """

    def __init__(
        self,
        service: Service,
        request: pb.Open,
        program: Compilable,
        llvm: bytes | None,
    ) -> None:
        self._service = service
        self._request = pb.Open()
        self._request.CopyFrom(request)
        self._request.objectives[:] = [YARDSTICK]
        self._program = program
        self._llvm = llvm
        self._session: Session | None = None
        self._measured: dict[bytes, float | None] = {}
        self.compiles = 0

    def accepts(self, actions: bytes) -> bool:
        """Whether the compile with these actions is good.

        Raises:
            ServiceError: It cannot be found out. If only this compile does not
                survive, it is not good.
        """
        if actions == self._llvm:
            return True
        measured = self._measure(actions)
        return measured is not None and measured <= self._bound

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()

    @cached_property
    def _bound(self) -> float:
        """What LLVM's own compile comes to; infinite if it does not survive."""
        measured = self._by_llvm() if self._llvm is None else self._measure(self._llvm)
        return math.inf if measured is None else measured

    def _by_llvm(self) -> float | None:
        """What comes of it if no policy is asked."""
        plain = pb.Open()
        plain.CopyFrom(self._request)
        for field in ("task", "options", "observations", "park"):
            plain.ClearField(field)
        self.compiles += 1
        with contextlib.closing(self._service.open(plain, self._program)) as session:
            return _value(session.opened.state)

    def _measure(self, actions: bytes) -> float | None:
        """What comes of actions; None if the compiler does not survive them."""
        if actions in self._measured:
            return self._measured[actions]
        if self._session is None:
            self._session = self._service.open(self._request, self._program)
        value = None
        self.compiles += 1
        with (
            contextlib.closing(self._session.fork()) as copy,
            contextlib.suppress(ServiceError),
        ):
            value = _value(copy.step(actions))
        self._measured[actions] = value
        return value


def _shows_llvm(service: Service, request: pb.Open) -> bool:
    """Whether a session has what the policy ``llvm`` decides from."""
    heuristic = service.describe_task(request.task, {}).heuristic
    given = {option.name: option.value for option in request.options}
    return heuristic.WhichOneof("answer") is not None and all(
        given.get(option.name) == option.value for option in heuristic.options
    )


def _episodes(session: Session, play: pb.Play, count: int) -> Iterator[pb.Episode]:
    """So many times what follows from here, each in a copy of the session."""
    first, made = play.seed, 0
    while made < count:
        play.episodes = count - made
        if play.HasField("seed"):
            play.seed = (first + made) % (1 << 64)
        reply = session.call(pb.Request(play=play)).play
        for number, episode in enumerate(reply.episodes):
            # An episode that is played first has more time.
            if number and episode.error.code == pb.DEADLINE_EXCEEDED:
                break
            made += 1
            yield episode


def _value(state: pb.State) -> float | None:
    """What a compile came to by its one objective; None if it has not ended."""
    if not state.HasField("outcome"):
        return None
    [measured] = state.outcome.measurements
    return measured.value


def _why_not(made: Iterable[pb.Episode], function: str) -> Exception:
    """The error of a function whose compiles all failed."""
    for each in made:
        if each.HasField("error"):
            error = error_of(each.error)
            error.message = f"{function}: {error.message}"
            return error
    stopped = next((each.played.stopped for each in made if each.played.stopped), "")
    return PolicyError(
        f"{function}: {stopped or 'it has more decisions than a reply has room for'}"
    )
