# SPDX-License-Identifier: Apache-2.0
"""What the next episode compiles."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from mlcompiler_gym.client import Work, block, opening
from mlcompiler_gym.envs.config import CompileConfig
from mlcompiler_gym.envs.setup import Setup
from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.measuring import check_runnable
from mlcompiler_gym.programs import Program

_OPTIONS = ("function", "program")


def choose(
    setup: Setup, rng: np.random.Generator, options: dict[str, Any] | None = None
) -> Work[tuple[Program, CompileConfig]]:
    """The program of an episode and how it is compiled.

    The options of ``reset`` name it. Otherwise it is drawn.
    """
    options = dict(options or {})
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise ValueError(
            f"unknown options {unknown}; reset() takes "
            f"{' and '.join(map(repr, _OPTIONS))}"
        )
    program = options.get("program")
    if program is None:
        program = setup.programs.sample(rng)
    elif not isinstance(program, Program):
        program = setup.programs.named(program)
    if setup.config.profile:
        program = with_profile(program)
    if setup.config.measured:
        check_runnable(program)
    function = options.get("function")
    if function is None and setup.each_function:
        functions = yield from find_functions(setup, program)
        function = functions[int(rng.integers(len(functions)))] if functions else None
    if function is None:
        return program, setup.config
    if not isinstance(function, str):
        raise TypeError(f"a function is named by a string, not {function!r}")
    if setup.config.measured:
        raise ValueError(
            f"{setup.config.measured[0]} is measured by running the whole program; "
            "leave out function"
        )
    return program, dataclasses.replace(setup.config, function=function)


def with_profile(program: Program) -> Program:
    """A program with the profile of a run, to be judged by its other inputs.

    Raises:
        ProgramError: It has no inputs.
    """
    from mlcompiler_gym.measuring import profile

    found = profile(program)
    inputs = found.inputs or ()
    if found is program or len(inputs) < 2:
        return found
    return dataclasses.replace(found, inputs=inputs[1:])


def functions_with_decisions(setup: Setup, program: Program) -> list[str]:
    """Functions of a program that decisions come up in, in the compiler's order.

    Raises:
        ProgramError: The task does not decide function by function.
        ServiceError: The program cannot be compiled.
    """
    return block(find_functions(setup, program))


def find_functions(setup: Setup, program: Program) -> Work[list[str]]:
    """:func:`functions_with_decisions` as work.

    Found out by compiling all of it once, and remembered by the service. Nothing
    that is decided in one function changes what comes up in another.
    """
    config = dataclasses.replace(setup.config, function="", objectives=())
    key = (program.sha256, config.task, config.pipeline, config.target, config.cpu)
    known = setup.service.functions.get(key)
    if known is not None:
        return known
    found: dict[str, None] = {}
    request = config.open_request(park=False)
    session = yield from opening(setup.service, request, program)
    try:
        state = session.opened.state
        while state.HasField("features"):
            if not state.function:
                raise ProgramError(
                    f"the decisions of {config.task} are not made function by function"
                )
            found[state.function] = None
            mask = setup.actions.mask(state.legal)
            action = 0 if mask is None else int(np.flatnonzero(mask)[-1])
            reply = yield session, (setup.actions.request(action),)
            state = reply.step
    finally:
        session.close()
    functions = list(found)
    setup.service.functions.put(key, functions)
    return functions
