# SPDX-License-Identifier: Apache-2.0
"""The environment that all tasks share."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Self

import gymnasium
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from mlcompiler_gym.client import (
    Observed,
    Service,
    Session,
    block,
    find_service,
)
from mlcompiler_gym.envs.actions import Action, LegalDiscrete, LegalMultiDiscrete
from mlcompiler_gym.envs.counterfactuals import (
    Counterfactuals,
    Question,
    find_counterfactuals,
)
from mlcompiler_gym.envs.engine import Engine, Stats
from mlcompiler_gym.envs.episode import Episode, FunctionResult, StepResult
from mlcompiler_gym.envs.explore import (
    ActionValues,
    Appraiser,
    explore_request,
    read_values,
)
from mlcompiler_gym.envs.observer import View
from mlcompiler_gym.envs.options import describe_options
from mlcompiler_gym.envs.remake import Remade
from mlcompiler_gym.envs.render import RENDER_MODES, RenderMode, check_mode, render
from mlcompiler_gym.envs.rollout import PolicyData, Recorded, Rollout, play_request
from mlcompiler_gym.envs.scoring import baseline
from mlcompiler_gym.envs.setup import Setup, make_setup
from mlcompiler_gym.envs.trajectory import Trajectory
from mlcompiler_gym.files import write_file
from mlcompiler_gym.programs import Program

if TYPE_CHECKING:
    from mlcompiler_gym.validation import Validation


class CompilerEnv(Remade, gymnasium.Env[Any, Any]):
    """A compile in which LLVM stops at each decision and the agent answers.

    The tasks' environments are subclasses that say what a decision is. They all take
    these arguments, and besides the options that the service declares of the task:
    :meth:`describe_options` lists them.

    Args:
        programs: What to compile: a set (``"kernels"``), one of its splits
            (``"pypi:train"``) or one of its programs (``"kernels/regex"``). Also the
            path of a ``.bc``, ``.ll``, ``.c``, ``.cc``, ``.cpp`` or ``.cxx`` file, a
            :class:`~mlcompiler_gym.programs.Program`, or a list of these. See
            :func:`~mlcompiler_gym.programs.load_programs`. Each ``reset`` draws one
            with the environment's seed, unless ``options={"program": name}`` names it.
        objective: What is measured of the compiled code, or a dict of weights
            of several. ``None``: the task's own.
        observation: ``"flat"``: one float32 array; ``"dict"``: one float32 array
            per feature, by LLVM's names.
        observations: Names of further observations to send at each decision. They
            must have a fixed shape, as ``"autophase"`` has, or be graphs (only with
            ``"dict"``).
        pipeline: Passes to run, as for ``opt -passes=``.
        level: What the programs' functions are marked for, ``"Oz"`` or ``"O2"``.
            ``None``: as the pipeline says.
        target: Target triple. ``None``: the program's own.
        cpu: CPU to compile for, as for ``llc -mcpu``.
        clang_flags: Further flags for programs given as source.
        profile: ``"auto"``: each program has the block frequencies of a run on its
            first input, and is measured and validated on the others; see
            ``mlcompiler_gym.measuring.profile``. ``None``: LLVM guesses them.
        deadline: Wall-clock seconds that a ``reset`` or ``step`` may take before
            the compile is given up. ``None``: no limit.
        memory_limit: Bytes of memory that a compile may take. ``None``: no limit.
        measuring: How ``wall_time``, ``cpu_time`` and ``instructions`` are measured,
            which are objectives of programs that run; see
            :class:`~mlcompiler_gym.measuring.Measuring`. ``None``: as by default.
        service: Where to compile: a service, or the address of a server,
            ``"grpc://host:port"``. ``None``: on this machine.
        render_mode: ``"ansi"``: :meth:`render` returns text; ``"rgb_array"``: a
            picture of it, which needs ``mlcompiler_gym[render]``.

    Reward: 0 until the last decision, then the gain over LLVM's own decisions on
    the same program, ``(b - v) / b`` of the objective's value ``v`` and the
    heuristic compiler's ``b`` (with weights: the weighted sum).

    Info: a dictionary with these keys:

    - ``program``, at reset and at the end.
    - ``objective`` and ``baseline``, at the end: values by name. Objectives that are
      measured by running also have ``spread`` and ``paired``.
    - ``taken``, at the end, in tasks whose actions only ask: a list of what the
      compiler did at each decision.
    - ``no_decision``, if the program raises no decision. The only step then ends the
      episode.
    - ``error`` and ``error_code``, if the compiler did not survive a step. The
      episode is then truncated.
    - ``action_mask`` (int8, 1: legal), where not every action is always legal.
    """

    metadata = {  # noqa: RUF012 (Gymnasium)
        "render_modes": list(RENDER_MODES),
        "render_fps": 4,
    }

    #: Name of the task, as the service has it.
    task: ClassVar[str]

    def __init__(
        self, *, render_mode: RenderMode | None = None, **settings: Any
    ) -> None:
        check_mode(render_mode)
        self.setup = setup = self.make_setup(settings, ("render_mode",))
        self.observation_space = setup.features.space
        # Each environment has a copy, so that seeds and masks are not shared.
        self.action_space = copy.deepcopy(setup.actions.space)
        self.render_mode = render_mode
        self._engine = Engine(setup, Stats(), View(setup.features))

    @classmethod
    def make_setup(
        cls, settings: Mapping[str, Any], beside: Iterable[str] = ()
    ) -> Setup:
        """What environments that are made with these arguments share.

        Args:
            settings: The arguments.
            beside: Names of arguments that are not among them and might have been.
        """
        return make_setup(cls.task, settings, beside=beside)

    @classmethod
    def describe_options(cls, service: Service | str | None = None) -> str:
        """The task's own arguments as text: defaults, accepted values, meaning.

        Args:
            service: As for an environment.
        """
        return describe_options(
            find_service(service).describe_task(cls.task, {}).options
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin the compile of a program, and run to its first decision.

        Args:
            seed: Seeds the choice of programs.
            options: ``{"program": name or Program}`` chooses the program;
                ``{"function": name}`` the one function to generate code for.

        Raises:
            ServiceError: The program cannot be compiled.
            ProgramError: There is no program of that name.
        """
        super().reset(seed=seed)
        began = perf_counter()
        info = block(self._engine.reset(self.np_random, options))
        self._show_legal()
        self.stats.reset_seconds += perf_counter() - began
        return self._engine.view.observation, info

    def step(self, action: Any) -> StepResult:
        """Answer the decision that the compiler is stopped at.

        Raises:
            InvalidActionError: The action is not legal; the episode goes on.
            ResetNeededError: There is no episode under way.
        """
        episode = self._engine.unfinished("step")
        actions = self.setup.actions
        checked = actions.check_legal(action, episode.mask)
        return self._answer((checked,), actions.request(checked))

    def _answer(self, actions: Sequence[Action], request: bytes) -> StepResult:
        """Send checked actions, and take what comes of them."""
        began = perf_counter()
        engine = self._engine
        turn = block(engine.step(actions, request))
        self._show_legal()
        engine.stats.step_seconds += perf_counter() - began
        return engine.view.observation, *turn

    def finish(self, policy: PolicyData, *, seed: int | None = None) -> StepResult:
        """Let a policy decide to the end, inside the compiler, in one request.

        The object file is that of stepping by the same policy, without a crossing to
        Python for each decision. The deadline is for all of them together.

        Args:
            policy: A :class:`~mlcompiler_gym.policies.PortablePolicy`, or the name of a
                policy: ``"llvm"``, ``"inactive"``, ``"always"``, ``"random"``, and
                for inlining ``"last_use"`` and ``"reference"``; see
                :data:`mlcompiler_gym.policies.NAMED`.
            seed: Seed of the actions that it draws; None: it takes the likeliest, and
                ``"random"`` is refused.

        Returns:
            As the last :meth:`step`, with the sum of the rewards.

        Raises:
            InvalidRequestError: The policy is not for this task, or for features that
                the environment was not made with; the episode stays where it is.
            PolicyError: It could not decide; what it had decided stands.
            ResetNeededError: There is no episode under way.
        """
        made = self.rollout(policy, seed=seed)
        return (
            made.observation,
            made.reward,
            made.terminated,
            made.truncated,
            made.info,
        )

    def rollout(
        self,
        policy: PolicyData,
        *,
        seed: int | None = None,
        decisions: int | None = None,
        features: Recorded = False,
    ) -> Rollout:
        """Let a policy decide from here, and return what it decided.

        Args:
            policy: See :meth:`finish`.
            seed: See :meth:`finish`.
            decisions: How many; None: to the end, which pass ordering has none of.
            features: Also return what each decision was made from; ``"legal"``: of
                the features that have numbers for each action, those of legal
                actions alone, which are a tenth of an eviction's.

        Raises:
            InvalidRequestError: See :meth:`finish`.
            PolicyError: See :meth:`finish`.
            ResetNeededError: There is no episode under way.
        """
        request = play_request(
            self.setup.config.task, policy, seed, decisions, features
        )
        self._engine.unfinished("rollout")
        began = perf_counter()
        made = block(self._engine.rollout(request, features))
        self._show_legal()
        self._engine.stats.step_seconds += perf_counter() - began
        return made

    def rollouts(
        self,
        policy: PolicyData,
        n: int,
        *,
        seed: int | None = None,
        decisions: int | None = None,
        features: Recorded = False,
        parallel: int | None = None,
    ) -> list[Rollout]:
        """Let a policy decide from here, so many times, in copies of the session.

        The environment stays at its decision. All rollouts take one request, so that
        many of a small function cost little more than its compiles. The deadline is
        for each of them.

        Args:
            policy: See :meth:`finish`.
            n: How many.
            seed: Rollout ``i`` draws its actions with the seed ``seed + i``. None:
                all take the likeliest, and are the same.
            decisions: See :meth:`rollout`.
            features: See :meth:`rollout`.
            parallel: How many copies compute at the same time; None: one for each
                processor. A server may have fewer at a time.

        Returns:
            In the order of their seeds, what :meth:`rollout` returns. A rollout that
            failed is truncated. Its info has ``error`` and, from the compiler,
            ``error_code``.

        Raises:
            InvalidRequestError: See :meth:`finish`.
            ResetNeededError: There is no episode under way.
        """
        if n < 1:
            raise ValueError(f"n is a number from 1 on, not {n}")
        if parallel is not None and parallel < 1:
            raise ValueError(f"parallel is a number from 1 on, not {parallel}")
        request = play_request(
            self.setup.config.task, policy, seed, decisions, features
        )
        request.parallel = parallel or 0
        self._engine.unfinished("rollouts")
        began = perf_counter()
        made = block(self._engine.rollouts(request, features, n))
        self._engine.stats.step_seconds += perf_counter() - began
        return made

    def action_values(
        self,
        policy: PolicyData = "llvm",
        actions: Sequence[Any] | None = None,
        *,
        seed: int | None = None,
        parallel: int | None = None,
    ) -> ActionValues:
        """What each action is worth, if a policy decides everything that follows.

        The session copies itself for each of them, in one request: the copy takes
        the action, and the policy then brings it to its end. The environment stays
        at its decision. The deadline is for all of them together.

        In a task without an end, no decision follows. An action is worth what the
        objectives come to once it is taken, and there is no policy.

        Args:
            policy: See :meth:`finish`.
            actions: Which; None: all that are legal, of one choice.
            seed: See :meth:`finish`. The policy draws on as though it had drawn the
                action, so that its own comes to what :meth:`finish` comes to.
            parallel: How many copies compute at the same time; None: one for each
                processor. A server may have fewer at a time.

        Returns:
            A dict, by action in the order asked for, of what the objectives come to,
            by name. An action that the compiler did not survive, or that took too
            much time or memory, has NaN for values, and its error is in ``errors``
            of the result, by action. Empty if the program raises no decision.

        Raises:
            InvalidActionError: An action is not legal.
            InvalidRequestError: See :meth:`finish`.
            PolicyError: See :meth:`finish`.
            ResetNeededError: There is no episode under way.
            ServiceError: The session has ended.
            TypeError: There are too many to try all: they are numbers, or several
                choices at once.
            ValueError: There is a policy or a seed, and the task has no end.
        """
        episode = self._engine.unfinished("action_values")
        choices = len(self.setup.actions.counts)
        if not choices:
            raise TypeError(f"the actions are a {self.action_space}; there is no list")
        if actions is None and choices > 1:
            raise TypeError(f"the actions are a {self.action_space}; say which")
        checked = None
        if actions is not None:
            checked = [
                self.setup.actions.check_legal(action, episode.mask)
                for action in actions
            ]
        request = explore_request(self.setup, policy, seed, checked, parallel)
        if episode.over or checked == []:
            return ActionValues()
        make = Appraiser.make(self.setup, episode.config, episode.program)
        appraiser = block(make)
        reply = block(self._engine.explore(request))
        return read_values(self.setup, reply, appraiser)

    def counterfactuals(
        self,
        program: str | Program | None = None,
        policy: PolicyData = "llvm",
        decisions: int | Sequence[int] | None = None,
        actions: Sequence[int] | None = None,
        *,
        sample_seed: int = 0,
        seed: int | None = None,
        parallel: int | None = None,
        function: str | None = None,
    ) -> Counterfactuals:
        """What each action was worth at the decisions of an episode, as a table.

        A policy plays an episode of its own, apart from the environment's. At
        decisions of it, every other legal action is taken in a copy of the session,
        and the policy brings the copy to its end.

        Args:
            program: Its name, or itself; None: the one that is being compiled.
            policy: See :meth:`finish`.
            decisions: How many, drawn without replacement, or which, by number. None:
                all. A number beyond the last decision has no rows.
            actions: Which to try, where they are legal; None: all that are.
            sample_seed: Seed of the decisions that are drawn.
            seed: Seed of the actions that the policy draws; see :meth:`finish`.
            parallel: See :meth:`action_values`.
            function: The one function to generate code for; see :meth:`reset`.

        Returns:
            A row for each action at each of these decisions, the policy's own
            included, in that order.

        Raises:
            InvalidRequestError: See :meth:`finish`.
            PolicyError: See :meth:`finish`.
            ProgramError: There is no program of that name.
            ResetNeededError: No program is named, and none is being compiled.
            ServiceError: The program cannot be compiled, or the policy's own episode
                came to no end.
            TypeError: There are too many actions to try.
        """
        asked = Question(policy, decisions, actions, sample_seed, seed, parallel)
        if program is None:
            episode = self._running("counterfactuals")
            program, function = episode.program, function or episode.config.function
        return block(find_counterfactuals(self.setup, program, asked, function))

    def render(self) -> Any:
        """The decision at hand and the latest ones.

        Returns:
            Text, or with ``render_mode="rgb_array"`` a picture of it, a uint8 array
            of shape ``(480, 960, 3)``.

        Raises:
            MissingLibraryError: Pillow draws the picture, and is not installed.
        """
        return render(self.render_mode, self._running("render"))

    def fork(self) -> Self:
        """A second environment, stopped at the same decision.

        The two are independent from then on. A fork costs about a millisecond
        however far the compile has come.
        """
        self._running("fork")
        twin = self._shallow_copy()
        twin._engine = self._engine.fork()
        twin._np_random = copy.deepcopy(self._np_random)
        twin.action_space = copy.deepcopy(self.action_space)
        twin.observation_space = copy.deepcopy(self.observation_space)
        return twin

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are legal now, bool array of shape ``(n,)``.

        As sb3-contrib's MaskablePPO asks for it: of several choices, the flags of
        one behind those of the other.
        """
        mask = self._running("action_masks").mask
        if mask is not None:
            return mask.astype(np.bool_)
        flags = self.setup.actions.flags
        if not flags:
            raise TypeError(f"the actions are a {self.action_space}, which has no mask")
        return np.ones(flags, np.bool_)

    @property
    @override
    def running(self) -> bool:
        return self._engine.episode is not None

    @property
    def program(self) -> Program:
        """The program that is being compiled."""
        return self._running("program").program

    @property
    def trajectory(self) -> Trajectory:
        """What replays to the same object file; see :func:`replay`."""
        episode = self._running("trajectory")
        return Trajectory.record(episode.program, episode.config, episode.actions)

    @property
    def session(self) -> Session:
        """The session, for requests that the environment has no method for."""
        return self._running("session").session

    @property
    def baseline(self) -> dict[str, float]:
        """What LLVM's own decisions reach on this program, by objective."""
        config = self._running("baseline").config
        return dict(baseline(self.setup.service, config, self.program).values)

    @property
    def functions(self) -> list[FunctionResult]:
        """What the functions with decisions came to, in the compiler's order.

        Empty before the episode has ended, and of objectives that are no sums over
        functions.
        """
        return list(self._running("functions").functions)

    def observe(self, *names: str) -> dict[str, Observed]:
        """Compute observations on demand, for example ``observe("ir")``.

        Args:
            *names: ``"autophase"`` of the module, ``"autophase@function"`` of each
                function. Some observations also have ``"@loop"`` or ``"@callsite"``.
                ``docs/observations.md`` lists them.

        Returns:
            A dict by name. A value is a ``str``, ``bytes``, an array (of the
            module), a :class:`~mlcompiler_gym.client.Rows` (of its pieces) or a
            :class:`~mlcompiler_gym.client.Graph`.
        """
        return self.session.observe(*names)

    def measure(self, *objectives: str) -> dict[str, float]:
        """Measure the module as it stands; the environment's own by default.

        Args:
            *objectives: Any that the service describes, and of programs that run
                those of :data:`mlcompiler_gym.measuring.OBJECTIVES`.
        """
        from mlcompiler_gym.envs.measured import measure_now

        names = objectives or tuple(self.setup.scoring.weights)
        return measure_now(
            self.setup, self._running("measure").program, self.session, names
        )

    def emit(self, kind: str = "object") -> bytes:
        """The module as it stands, as ``object``, ``assembly`` or ``bitcode``."""
        return self.session.emit(kind)

    def write(self, path: str | os.PathLike[str], kind: str = "object") -> None:
        """Write :meth:`emit` to a file."""
        write_file(path, self.emit(kind))

    def validate(
        self, inputs: Sequence[Sequence[str]] | None = None, **settings: Any
    ) -> Validation:
        """Whether the optimised program still computes the same.

        Links the object file, runs it on each input, and compares output and
        exit status with those of the unoptimised program.

        Args:
            inputs: Command-line arguments of each run. ``None``: the program's.
            **settings: See :func:`mlcompiler_gym.validation.validate`.

        Returns:
            ``ok``, and which input made a difference; its ``report`` method has the
            trajectory that led here.

        Raises:
            ProgramError: The program cannot be run.
        """
        from mlcompiler_gym.validation import validate

        episode = self._running("validate")
        program = episode.program
        if inputs is not None:
            if isinstance(inputs, str) or any(isinstance(i, str) for i in inputs):
                raise TypeError(
                    "inputs is a list of the arguments of each run, as in "
                    f'[("100",), ("1000",)], not {inputs!r}'
                )
            given = tuple(tuple(each) for each in inputs)
            program = dataclasses.replace(program, inputs=given)
        validation = validate(
            program,
            self.emit("object"),
            service=self.setup.service,
            target=episode.config.target,
            cpu=episode.config.cpu,
            **settings,
        )
        return validation.with_trajectory(self.trajectory)

    def close(self) -> None:
        """End the compile that is under way. ``reset`` begins another."""
        self._engine.close()

    @property
    def stats(self) -> Stats:
        """What has been done so far."""
        return self._engine.stats

    def _show_legal(self) -> None:
        if isinstance(self.action_space, (LegalDiscrete, LegalMultiDiscrete)):
            self.action_space.legal = self._running("reset").mask

    def _running(self, what: str) -> Episode:
        return self._engine.running(what)
