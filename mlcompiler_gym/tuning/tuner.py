# SPDX-License-Identifier: Apache-2.0
"""What to try next, from what has been tried: Optuna on LLVM's parameters."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mlcompiler_gym.errors import MissingLibraryError, TuningError

if TYPE_CHECKING:
    import optuna

#: The samplers of Optuna that a user can name.
SAMPLERS = ("tpe", "random", "cmaes")

#: Trials at the beginning, of which each changes a few parameters: TPE learns from
#: what is good, and where all are changed at once, nothing is.
_WARM_UP = 20
#: How many they change, on average.
_CHANGED = 4.0
#: The name of the one study in a file.
_STUDY = "mlcompiler_gym"

#: If a lock is older than so many seconds, its process was killed. Writing a line takes
#: milliseconds.
_GRACE = 5


@dataclass(frozen=True)
class Tried:
    """Parameters to compile with, and what came of it.

    Attributes:
        number: Number of the trial, from 0.
        chosen: By name of the option, what it is set to; the others are LLVM's.
        values: The objectives' values, in order; None if it has not been told, or
            the compiler did not survive.
    """

    number: int
    chosen: dict[str, str]
    values: tuple[float, ...] | None = None


class Tuner:
    """Proposes parameters, and learns from what it is told of them.

    :meth:`ask` and :meth:`tell` are Optuna's; compiling is left to the caller. The
    first proposal is LLVM's own parameters. The same seed, calls and answers give the
    same proposals, also by a tuner that goes on from a file.

    Args:
        parameters: By name of the option, the values that it can have, of which the
            first is LLVM's own, as
            ``ParametersEnv.parameters`` has them.
        objectives: Names of what is told; lower is better for each.
        sampler: One of ``SAMPLERS``.
        seed: Seed of the proposals.
        study: File to keep the trials in. What is in it is gone on from.
        what: What is being tuned. A file that has been written for something else is
            refused.

    Raises:
        MissingLibraryError: Optuna is not installed, or for ``"cmaes"`` cmaes.
        TuningError: The file is of another study, or cannot be read.
        ValueError: There is no such sampler, or it takes only one objective.
    """

    def __init__(
        self,
        parameters: Mapping[str, Sequence[str]],
        objectives: Sequence[str],
        *,
        sampler: str = "tpe",
        seed: int = 0,
        study: str | os.PathLike[str] | None = None,
        what: Mapping[str, Any] | None = None,
    ) -> None:
        if sampler not in SAMPLERS:
            raise ValueError(f"sampler is {', '.join(SAMPLERS)}, not {sampler!r}")
        if sampler == "cmaes" and len(objectives) > 1:
            raise ValueError(f"cmaes takes one objective, not {len(objectives)}")
        self._optuna = _import_optuna()
        self.objectives = tuple(objectives)
        self._sampler, self._seed = sampler, seed
        self._values = {name: list(values) for name, values in parameters.items()}
        self._make_sampler(0)  # what is missing is said now
        self._study = self._open(study, {"sampler": sampler, **(what or {})})

    def _open(
        self, file: str | os.PathLike[str] | None, what: Mapping[str, Any]
    ) -> optuna.Study:
        library = self._optuna
        described = {
            **what,
            "objectives": list(self.objectives),
            "parameters": self._values,
        }
        try:
            storage = None
            if file is not None:
                # The lock is a link to the file. From another folder, a relative link
                # leads nowhere, and the lock of a killed process would stay for ever.
                path = os.path.abspath(file)
                journal = library.storages.journal
                lock = journal.JournalFileSymlinkLock(path, grace_period=_GRACE)
                storage = library.storages.JournalStorage(
                    journal.JournalFileBackend(path, lock_obj=lock)
                )
            study: optuna.Study = library.create_study(
                storage=storage,
                study_name=_STUDY,
                directions=["minimize"] * len(self.objectives),
                load_if_exists=True,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TuningError(f"cannot keep a study in {file}: {error}") from error
        known = study.user_attrs
        for key, value in described.items():
            if known and known.get(key) != value:
                raise TuningError(
                    f"{file} is the study of another {key}; name another file, or "
                    "tune what it was begun with"
                )
        if not known:
            for key, value in described.items():
                study.set_user_attr(key, value)
        # What had been asked for when an earlier tuner was stopped.
        for trial in study.get_trials(
            deepcopy=False, states=[library.trial.TrialState.RUNNING]
        ):
            study.tell(trial.number, state=library.trial.TrialState.FAIL)
        return study

    def ask(self) -> Tried:
        """Parameters to compile with next."""
        number = len(self._study.get_trials(deepcopy=False))
        # Each trial has a seed of its own. So proposals do not depend on how many
        # trials this process has made before.
        seed = np.random.SeedSequence([self._seed, number])
        if number == 0 or (number < _WARM_UP and self._sampler == "tpe"):
            rng = np.random.default_rng(seed)
            self._study.enqueue_trial(self._few(rng, 0 if number == 0 else _CHANGED))
        self._study.sampler = self._make_sampler(int(seed.generate_state(1)[0]))
        trial = self._study.ask(self._distributions())
        return Tried(trial.number, self._chosen(trial.params))

    def tell(self, tried: Tried, values: Sequence[float] | None) -> Tried:
        """Say what came of a proposal.

        Args:
            tried: What :meth:`ask` returned.
            values: The objectives' values, in order; None, or with a NaN, if the
                compiler did not survive.
        """
        if values is None or any(map(math.isnan, values)):
            state = self._optuna.trial.TrialState.FAIL
            self._study.tell(tried.number, state=state)
            return tried
        self._study.tell(tried.number, list(values))
        return Tried(tried.number, tried.chosen, tuple(map(float, values)))

    def add(self, chosen: Mapping[str, str]) -> Tried:
        """A proposal of one's own, to be told of as one of :meth:`ask`'s."""
        params = {name: values[0] for name, values in self._values.items()}
        self._study.enqueue_trial({**params, **chosen})
        trial = self._study.ask(self._distributions())
        return Tried(trial.number, self._chosen(trial.params))

    @property
    def tried(self) -> list[Tried]:
        """Everything that has been told, in order, also by earlier tuners."""
        complete = self._optuna.trial.TrialState.COMPLETE
        return [
            Tried(
                trial.number,
                self._chosen(trial.params),
                tuple(trial.values) if trial.state == complete else None,
            )
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state.is_finished()
        ]

    @property
    def front(self) -> list[Tried]:
        """What nothing else is better than in every objective, by the first of them.

        If several gave the same, the one that sets fewest parameters.
        """
        by_values: dict[tuple[float, ...], Tried] = {}
        for each in self.tried:
            if each.values is None:
                continue
            known = by_values.get(each.values)
            if known is None or len(each.chosen) < len(known.chosen):
                by_values[each.values] = each
        return [
            by_values[values]
            for values in sorted(by_values)
            if not any(
                other != values
                and all(o <= v for o, v in zip(other, values, strict=True))
                for other in by_values
            )
        ]

    def _chosen(self, params: Mapping[str, Any]) -> dict[str, str]:
        return {
            name: params[name]
            for name, values in self._values.items()
            if params[name] != values[0]
        }

    def _distributions(self) -> dict[str, Any]:
        categorical = self._optuna.distributions.CategoricalDistribution
        return {name: categorical(values) for name, values in self._values.items()}

    def _few(self, rng: np.random.Generator, changed: float) -> dict[str, str]:
        """LLVM's own parameters except for a few."""
        share = changed / len(self._values)
        return {
            name: values[int(rng.integers(1, len(values)))]
            if rng.random() < share
            else values[0]
            for name, values in self._values.items()
        }

    def _make_sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        samplers = self._optuna.samplers
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self._sampler == "random":
                made = samplers.RandomSampler(seed=seed)
            elif self._sampler == "tpe":
                made = samplers.TPESampler(seed=seed, n_startup_trials=_WARM_UP)
            else:
                try:
                    made = samplers.CmaEsSampler(seed=seed)
                except ImportError as error:
                    raise MissingLibraryError("cmaes", "tuning") from error
        return cast("optuna.samplers.BaseSampler", made)


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingLibraryError("optuna", "tuning") from error
    # It says in its log what the caller is told anyhow.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
