# SPDX-License-Identifier: Apache-2.0
"""What is installed, and what of it works here: a block to paste into a bug report.

It needs nothing but the core, so that it can say what is missing.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

import mlcompiler_gym
from mlcompiler_gym.errors import MLCompilerGymError

_NAME = "mlcompiler_gym"
#: Libraries that people learn with, which no extra names.
_BESIDES = ("torchrl", "tianshou", "jax", "optax", "pufferlib")
#: Programs that parts of the package run, and what for.
_TOOLS = {
    "clang-22": "programs given as source, programs extract, mlcg-clang",
    "bwrap": "the sandbox of programs that run",
    "valgrind": "counting instructions where the kernel does not",
    "csmith": "the programs csmith/SEED",
    "llvm-stress-22": "the programs llvm-stress/SEED",
}
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(\[[^\]]*\])?")


def examine() -> dict[str, Any]:
    """Everything there is to say, as JSON has it."""
    return {
        "mlcompiler_gym": mlcompiler_gym.__version__,
        "python": f"{platform.python_version()}, {sys.executable}",
        "system": _system(),
        "service": _service(),
        "linker": _linker(),
        "counters": _counters(),
        "tools": {name: shutil.which(name) for name in _TOOLS},
        "extras": dict(_extras()),
        "packages": dict(_packages()),
        "settings": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith("MLCOMPILER_GYM_") and "TOKEN" not in name
        },
    }


def report(found: Mapping[str, Any]) -> str:
    """The same as text."""
    service = found["service"]
    lines = [
        f"mlcompiler_gym  {found['mlcompiler_gym']}",
        f"python          {found['python']}",
        f"system          {found['system']}",
    ]
    if "error" in service:
        lines.append(f"service         DOES NOT WORK: {service['error']}")
    else:
        lines += [
            f"service         {service['executable']}",
            f"LLVM            {service['llvm']}, for {', '.join(service['targets'])}",
            f"a compile       {service['compile']}",
            f"sandbox         {service['sandbox']}",
        ]
    lines.append(f"linker          {found['linker']}")
    lines.append(f"counters        {found['counters']}")
    lines.append("tools")
    for name, path in found["tools"].items():
        lines.append(f"  {name:<22} {path or f'not there ({_TOOLS[name]})'}")
    lines.append("extras")
    for name, missing in found["extras"].items():
        state = f"missing: {', '.join(missing)}" if missing else "complete"
        lines.append(f"  {name:<22} {state}")
    lines.append("packages")
    for name, version in found["packages"].items():
        lines.append(f"  {name:<22} {version}")
    for name, value in found["settings"].items():
        lines.append(f"{name}={value}")
    return "\n".join(lines)


def works(found: Mapping[str, Any]) -> bool:
    """Whether a program can be compiled."""
    return "error" not in found["service"]


def _system() -> str:
    library = " ".join(platform.libc_ver())
    processors = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return (
        f"{platform.system()} {platform.release()}, {platform.machine()}, {library}, "
        f"{processors} processors, {memory} GiB"
    )


def _service() -> dict[str, Any]:
    """What the service says of itself, after it has compiled a program."""
    from mlcompiler_gym.client import LocalService
    from mlcompiler_gym.client.executable import find_executable

    try:
        executable = find_executable()
        service = LocalService()
        with contextlib.closing(service):
            said = service.describe()
            compiled = _compile(service)
    except (MLCompilerGymError, OSError) as error:
        return {"error": str(error)}
    sandbox = said.sandbox
    parts = []
    if sandbox.system_calls:
        parts.append("seccomp")
    if sandbox.landlock:
        parts.append(f"Landlock {sandbox.landlock}")
    if sandbox.no_new_privileges:
        parts.append("no new privileges")
    return {
        "executable": str(executable),
        "version": said.version,
        "llvm": said.llvm_version,
        "targets": list(said.targets),
        "compile": compiled,
        "sandbox": ", ".join(parts) + "".join(f"; {each}" for each in sandbox.missing),
    }


def _compile(service: Any) -> str:
    from mlcompiler_gym.envs.inlining import InliningEnv

    with contextlib.closing(
        InliningEnv(programs="kernels/basic", inlining_default=True, service=service)
    ) as env:
        env.reset()
        info = env.finish("llvm")[4]
        value = info["objective"]["text_size"]
        return f"kernels/basic by -Oz, {value:g} bytes of code"


def _linker() -> str:
    """What links programs before they run."""
    from mlcompiler_gym.validation.link import find_linker

    try:
        return find_linker()
    except MLCompilerGymError as error:
        return f"none: {error}"


def _counters() -> str:
    """Whether instructions of programs that run can be counted."""
    from mlcompiler_gym.measuring.harness import counter_error
    from mlcompiler_gym.measuring.valgrind import find_valgrind

    instead = "valgrind counts" if find_valgrind() else "and there is no valgrind"
    try:
        why = counter_error("instructions")
    except MLCompilerGymError as error:
        return f"not known: {str(error).splitlines()[0]}"
    return f"none of the processor's ({why}); {instead}" if why else "the processor's"


def _extras() -> Iterator[tuple[str, list[str]]]:
    """Each extra, and which of its packages are not installed."""
    wanted = _requirements()
    for extra in sorted(wanted):
        if extra not in ("", "dev", "test"):
            needed = _needed(extra, wanted)
            yield extra, [name for name in needed if _version(name) is None]


def _requirements() -> dict[str, list[tuple[str, list[str]]]]:
    """Packages, and the extras asked of each, by our own extra; ``""``: the core."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    with contextlib.suppress(metadata.PackageNotFoundError):
        for line in metadata.distribution(_NAME).requires or ():
            requirement, _, marker = line.partition(";")
            match = _REQUIREMENT.match(requirement.strip())
            extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
            if match is not None:
                extras = (match[2] or "[]")[1:-1]
                asked = [each.strip() for each in extras.split(",") if each.strip()]
                found.setdefault(extra[1] if extra else "", []).append(
                    (match[1], asked)
                )
    return found


def _needed(extra: str, wanted: Mapping[str, list[tuple[str, list[str]]]]) -> list[str]:
    names: dict[str, None] = {}
    for name, asked in wanted.get(extra, ()):
        if name.replace("-", "_") == _NAME:
            for each in asked:
                names.update(dict.fromkeys(_needed(each, wanted)))
        else:
            names[name] = None
    return list(names)


def _packages() -> Iterator[tuple[str, str]]:
    known = {name for each in _requirements().values() for name, _ in each}
    for name in sorted({*known, *_BESIDES} - {_NAME}):
        if (version := _version(name)) is not None:
            yield name, version


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
