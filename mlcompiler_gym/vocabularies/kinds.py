# SPDX-License-Identifier: Apache-2.0
"""Kinds of vocabularies: what they have vectors for, and from what they are made."""

from __future__ import annotations

from dataclasses import dataclass

from mlcompiler_gym.vocabularies.errors import VocabularyError

#: Instructions that baseline x86-64 and ARMv8-A lack, but vocabularies should know.
_X86_64_V4 = (
    "+avx512f,+avx512vl,+avx512bw,+avx512dq,+avx2,+fma,+f16c,"
    "+bmi,+bmi2,+lzcnt,+popcnt,+movbe"
)
_ARMV9 = "+sve2,+lse,+fullfp16,+dotprod,+rcpc"

#: Passes behind which Machine IR is read: instruction selection, which leaves it in SSA
#: form, the last one before register allocation, and frame lowering.
_STAGES = ("finalize-isel", "machine-scheduler", "prologepilog")
#: Without optimisation there is no scheduler.
_STAGES_O0 = ("finalize-isel", "prologepilog")


@dataclass(frozen=True)
class Level:
    """One way to compile each program.

    Attributes:
        front_end: Level that the front end marked functions for: ``Oz`` or ``O2``.
        pipeline: A pipeline of ``opt``, as in ``default<O3>``: ``O3``.
        stages: Passes after which ``llc`` stops; none for IR.
        features: Given to ``llc`` as ``-mattr``.
    """

    front_end: str
    pipeline: str
    stages: tuple[str, ...] = ()
    features: str = ""

    def __str__(self) -> str:
        parts = (self.pipeline, *self.stages, self.features)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Kind:
    """One kind of vocabulary.

    Attributes:
        name: Without the dimension: ``"mir2vec-x86-64"``.
        architecture: Architecture of the programs that it is trained on.
        triple: Target triple; empty for IR.
        levels: At which it is trained.
        digits: After the point, in the file.
    """

    name: str
    architecture: str
    triple: str
    levels: tuple[Level, ...]
    digits: int

    @property
    def is_machine(self) -> bool:
        """Whether it is for machine IR."""
        return bool(self.triple)


def _machine(name: str, architecture: str, triple: str, features: str) -> Kind:
    levels = (
        Level("O2", "O0", _STAGES_O0),
        Level("O2", "O2", _STAGES),
        Level("Oz", "Oz", _STAGES),
        Level("O2", "O3", _STAGES[::2], features),
    )
    return Kind(name, architecture, triple, levels, digits=2)


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "ir2vec",
            "x86_64",
            "",
            (
                Level("Oz", "Oz"),
                *(Level("O2", level) for level in ("O0", "O1", "O2", "O3")),
            ),
            digits=4,
        ),
        _machine("mir2vec-x86-64", "x86_64", "x86_64-linux-gnu", _X86_64_V4),
        _machine("mir2vec-aarch64", "aarch64", "aarch64-linux-gnu", _ARMV9),
    )
}


def kind_named(name: str) -> Kind:
    """The kind of this name.

    Raises:
        VocabularyError: There is none.
    """
    if name not in KINDS:
        raise VocabularyError(f"no kind {name!r}; there are: {', '.join(KINDS)}")
    return KINDS[name]
