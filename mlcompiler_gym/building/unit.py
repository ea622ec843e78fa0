# SPDX-License-Identifier: Apache-2.0
"""One file that clang compiles: its command line, taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from mlcompiler_gym.building.jobs import level
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: How hard the code generator tries, by the level of the pipeline.
_CODEGEN_LEVELS = {"O1": 1, "O2": 2, "Os": 2, "Oz": 2, "O3": 3}

#: Flags by which clang puts passes into its pipeline, or takes notes while it runs,
#: that the service does not have.
_OF_PIPELINE = re.compile(
    r"-fsanitize.*|-fprofile-.*|-fcoverage-mapping|-fmemory-profile.*|-fcs-profile.*"
    r"|-coverage-(?:notes|data)-file=.*|-fpseudo-probe-for-profiling"
    r"|-fdebug-info-for-profiling|-finstrument-.*|-pg|-mllvm|-load|-f(?:pass-)?plugin=.*"
    r"|-flto.*|-ffat-lto-objects|-fthinlto-index=.*|-f?veclib=.*|-fveclib=.*"
    r"|-floop-interchange|-fexperimental-loop-fusion|-opt-record-.*|-Rpass.*"
    r"|-fobjc-arc|-fembed-bitcode.*|-fembed-offload-object=.*|-f(?:cuda|sycl)-is-device"
    r"|-fopenmp-is-target-device|-mlink-b(?:itcode-file|uiltin-bitcode)|-fenable-matrix"
    r"|-fverify-debuginfo-preserve.*|-fexperimental-assignment-tracking=.*"
    r"|-fxray-.*|-fexperimental-sanitize-metadata.*|-mdebug-pass"
)

#: Flags of the code generator that no module carries and that the service's does
#: not have, either.
_OF_CODEGEN = re.compile(
    r"-split-dwarf-.*|-stack-usage-file|-fbasic-block-.*|-fsplit-machine-functions"
    r"|-fno-unique-section-names|-funique-basic-block-section-names|-femulated-tls"
    r"|-mtls-size=.*|-fstack-size-section|-fforce-dwarf-frame"
    r"|-mrelax-.*|--compress-debug-sections.*|-msave-temp-labels|-mnoexecstack"
    r"|-fno-dwarf-directory-asm|-massembler-.*|-gdwarf64|-gstrict-dwarf|-fjmc"
    r"|-f(?:ms-)?hotpatch|-fno-use-init-array|-fno-zero-initialized-in-bss"
    r"|-mfloat-abi|-msoft-float|-mthread-model|-ffp-contract=fast.*|-ffast-math"
    r"|-mlimit-float-precision|-exception-model=.*|-falign-loops=.*|-fbinutils-version=.*"
    r"|-debugger-tuning=(?!gdb).*|-fcall-graph-section|-fexperimental-call-graph-section"
    r"|-femit-.*unwind.*|-object-file-name=.*|-mincremental-linker-compatible"
    r"|-fswift-async-fp=.*|-fpartition-static-data-sections"
)

#: Options for files that only the front end writes or reads, with their number of
#: arguments. The code generator must not do it again.
_OF_FRONT_END = {
    "-dependency-file": 1,
    "-MT": 1,
    "-MP": 0,
    "-MG": 0,
    "-sys-header-deps": 0,
    "-module-file-deps": 0,
    "-header-include-file": 1,
    "-serialize-diagnostic-file": 1,
    "-include-pch": 1,
    "-include": 1,
}


@dataclass(frozen=True)
class Unit:
    """A job of clang that optimises one file and writes an object.

    Attributes:
        command: The whole job, ``clang -cc1 ...``; see
            :func:`~mlcompiler_gym.building.jobs.is_unit`.
    """

    command: Sequence[str]

    @cached_property
    def level(self) -> str:
        """``"O1"``, ``"O2"``, ``"O3"``, ``"Os"`` or ``"Oz"``."""
        return level(self.command)

    @property
    def source(self) -> str:
        """The file that is compiled, as the command line names it."""
        return self.command[-1]

    @cached_property
    def output(self) -> str:
        """The object file to write, as the command line names it."""
        return self.command[self.command.index("-o") + 1]

    def unsupported(self, in_codegen: bool) -> str | None:
        """A flag by which clang would compile otherwise than a policy's session.

        Args:
            in_codegen: Whether the session generates code, too.
        """
        for each in self.command[2:-1]:
            if _OF_PIPELINE.fullmatch(each):
                return each
            if in_codegen and _OF_CODEGEN.fullmatch(each):
                return each
        return None

    def writes_besides(self) -> str | None:
        """A flag by which the code generator writes a second file."""
        return next(
            (
                each
                for each in self.command
                if each in ("-split-dwarf-output", "-stack-usage-file")
            ),
            None,
        )

    def front_end(self, bitcode: str) -> list[str]:
        """The command that does all before the optimiser and writes bitcode."""
        command = list(self.command)
        command[command.index("-o") + 1] = bitcode
        # Without the order of uses the optimiser may choose differently.
        command[command.index("-emit-obj") : command.index("-emit-obj") + 1] = [
            "-emit-llvm-bc",
            "-emit-llvm-uselists",
            "-disable-llvm-passes",
        ]
        return command

    def back_end(self, bitcode: str, output: str, *, optimise: bool) -> list[str]:
        """The command that goes on from bitcode to the object file.

        Args:
            bitcode: What :meth:`front_end` wrote, or what became of it.
            output: The object file to write.
            optimise: Whether clang's own pipeline is still to be run.
        """
        command = list(_without_front_end(self.command[:-1]))
        language = len(command) - 1 - command[::-1].index("-x")
        command[language + 1] = "ir"
        command[command.index("-o") + 1] = output
        if not optimise:
            command.append("-disable-llvm-passes")
        return [*command, bitcode]

    @property
    def pipeline(self) -> str:
        """Clang's pipeline, in the syntax of `opt -passes=`."""
        return self.begin_as_clang(f"default<{self.level}>")

    def begin_as_clang(self, pipeline: str) -> str:
        """A pipeline behind what clang has at the start of every one, and opt has not.

        Args:
            pipeline: In the syntax of `opt -passes=`.
        """
        tracked = "-debugger-tuning=lldb" not in self.command
        return f"{'function(declare-to-assign),' if tracked else ''}{pipeline}"

    @property
    def tuning(self) -> pb.Tuning:
        """How clang's pipeline is put together."""
        return pb.Tuning(
            loop_vectorization="-vectorize-loops" in self.command,
            slp_vectorization="-vectorize-slp" in self.command,
            loop_unrolling=self._flag("unroll-loops", True),
            # One flag sets both. By default, unrolling is on at -O1 and interleaving is
            # not.
            loop_interleaving=self._flag("unroll-loops", self.level != "O1"),
            merge_functions="-fmerge-functions" in self.command,
        )

    @property
    def codegen(self) -> pb.CodegenSettings:
        """What the code generator is told that is not in the bitcode."""
        debug = any(
            each in self.command
            for each in (
                "-debug-info-kind=constructor",
                "-debug-info-kind=limited",
                "-debug-info-kind=standalone",
                "-debug-info-kind=unused-types",
            )
        )
        return pb.CodegenSettings(
            function_sections="-ffunction-sections" in self.command,
            data_sections="-fdata-sections" in self.command,
            address_significance="-faddrsig" in self.command,
            call_site_info=debug and "-gno-call-site-info" not in self.command,
            tls_descriptors="-enable-tlsdesc" in self.command,
        )

    @property
    def codegen_level(self) -> int:
        """As in `llc -O`."""
        return _CODEGEN_LEVELS[self.level]

    @property
    def cpu(self) -> str:
        """What it is compiled for; ``""``: the target's generic one."""
        if "-target-cpu" not in self.command:
            return ""
        return self.command[self.command.index("-target-cpu") + 1]

    def _flag(self, name: str, default: bool) -> bool:
        """The last of ``-fname`` and ``-fno-name``."""
        for each in reversed(self.command):
            if each in (f"-f{name}", f"-fno-{name}"):
                return each == f"-f{name}"
        return default


def _without_front_end(arguments: Sequence[str]) -> Iterator[str]:
    rest = iter(arguments)
    for each in rest:
        if each not in _OF_FRONT_END:
            yield each
        elif _OF_FRONT_END[each]:
            next(rest, None)
