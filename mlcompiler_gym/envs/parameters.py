# SPDX-License-Identifier: Apache-2.0
"""Parameters: which numbers LLVM compiles with."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any, cast

from typing_extensions import override

from mlcompiler_gym.envs.actions import make_actions
from mlcompiler_gym.envs.core import CompilerEnv
from mlcompiler_gym.envs.setup import Setup, make_setup
from mlcompiler_gym.envs.vector import vector_maker

#: Where an action has one element for each parameter.
_ACTIONS = ("vector", "dict")


class ParametersEnv(CompilerEnv):
    """``mlcompiler/Parameters-v0``: the numbers that LLVM compiles with.

    A decision is all of LLVM's options that the service lists, at once, before the
    pipeline begins; what is decided holds for the code generator, too.
    ``docs/parameters.md`` has the table. With ``one_at_a_time=True`` a decision is
    one of them, in that order.

    Action: ``MultiDiscrete``, an element for each parameter: 0 leaves it to LLVM, and
    i sets it to the i-th value of its list. With ``action="dict"`` a ``Dict`` of a
    ``Discrete`` for each, by the option's name. With ``one_at_a_time=True``
    ``Discrete``, masked, since not all have as many values.

    Observation: Autophase's 56 counts of the program, unless ``observations`` says
    otherwise, and the pipeline's level. With ``one_at_a_time=True`` also which
    parameter is asked about, and what has been chosen so far.

    Objective: ``text_size`` unless told otherwise, with the pipeline ``default<Oz>``.
    A reward of 0 is LLVM's own; all zeros give LLVM's own object file.

    Args:
        action: ``"vector"`` or ``"dict"``.
    """

    task = "parameters"

    @override
    @classmethod
    def make_setup(
        cls, settings: Mapping[str, Any], beside: Iterable[str] = ()
    ) -> Setup:
        given = dict(settings)
        action = given.pop("action", "vector")
        if action not in _ACTIONS:
            raise ValueError(f"action is 'vector' or 'dict', not {action!r}")
        given.setdefault("observations", ("autophase",))
        setup = make_setup(cls.task, given, beside=(*beside, "action"))
        if action == "vector":
            return setup
        return dataclasses.replace(
            setup, actions=make_actions(setup.spec, by_name=True)
        )

    @property
    def parameters(self) -> dict[str, list[str]]:
        """By name of the option, what each value of an action sets it to.

        The first is what LLVM has by itself.
        """
        options = {**self.setup.config.options, "one_at_a_time": "false"}
        spec = self.setup.service.describe_task(self.task, options)
        return {each.name: list(each.meanings) for each in spec.action.choices}

    def action(self, values: Mapping[str, Any]) -> Any:
        """The action that sets options to values of their lists.

        Args:
            values: By name of the option; what is left out stays LLVM's.

        Raises:
            ValueError: There is no such parameter or value.
            TypeError: A decision is one parameter.
        """
        actions = self.setup.actions
        if not self.setup.spec.action.choices:
            raise TypeError("a decision is one parameter; there is no action of all")
        known = self.parameters
        chosen = dict.fromkeys(known, 0)
        for name, value in values.items():
            if name not in known:
                raise ValueError(
                    f"there is no parameter {name!r}; there are {', '.join(known)}"
                )
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if text not in known[name]:
                raise ValueError(
                    f"{name} is {', '.join(known[name])}; it is never {text}"
                )
            chosen[name] = known[name].index(text)
        return actions.compose(list(chosen.values()))

    @property
    def llvm_arguments(self) -> list[str]:
        """What `opt` and `llc` must be told to compile with what has been chosen.

        ``clang`` takes each of them behind ``-mllvm``.
        """
        taken = self._running("llvm_arguments").actions
        single = self.setup.config.options["one_at_a_time"] == "true"
        values = taken if single else [v for a in taken for v in cast(Any, a)]
        return [
            f"--{name}={meanings[cast(int, value)]}"
            for (name, meanings), value in zip(
                self.parameters.items(), values, strict=False
            )
            if value
        ]

    def commandline(self, source: str = "input.bc", output: str = "output.o") -> str:
        """The `opt` and `llc` that give ``emit("object")``, to the byte.

        Args:
            source: Name of a file that holds ``program.bitcode``.
            output: Name of the file to write.
        """
        config = self._running("commandline").config
        request = config.open_request()
        del request.observations[:]
        with closing(self.setup.service.open(request, self.program)) as session:
            observed = session.observe("opt_arguments")
        passes, *target = json.loads(observed["opt_arguments"])
        chosen = self.llvm_arguments
        opt = ["opt-22", passes, *target, *chosen, source, "-o", "-"]
        llc = ["llc-22", *target, *chosen, "-filetype=obj", "-o", output]
        return f"{shlex.join(opt)} | {shlex.join(llc)}"


#: ``gymnasium.make_vec("mlcompiler/Parameters-v0", num_envs, ...)``.
make_vector = vector_maker(ParametersEnv)
