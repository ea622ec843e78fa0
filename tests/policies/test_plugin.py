# SPDX-License-Identifier: Apache-2.0
"""Policies in LLVM's own clang, opt and llc decide as they do in sessions."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from support.networks import random_network
from support.toolchain import KERNEL_NAMES

from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.policies import plugin_path

#: What each task's policies may decide from, and the pipeline of its episodes.
TASKS: dict[str, tuple[str, dict[str, Any], str]] = {
    "inlining": (
        "mlcompiler/Inlining-v0",
        {"inlining_default": True, "linkage": True},
        "default<Oz>",
    ),
    "regalloc_eviction": (
        "mlcompiler/RegAllocEviction-v0",
        {"eviction_default": True, "interference_weights": True},
        "default<O2>",
    ),
    "regalloc_priority": (
        "mlcompiler/RegAllocPriority-v0",
        {"priority_default": True},
        "default<O2>",
    ),
}
#: Names of policies, and a network for each of these seeds.
POLICIES: dict[str, list[str | int]] = {
    "inlining": ["llvm", "inactive", "always", "last_use", "random", 0, 1],
    "regalloc_eviction": ["llvm", "inactive", "random", 0, 1],
    "regalloc_priority": ["llvm", "random", 0],
}
QUICK: list[tuple[str, str | int, str]] = [
    ("inlining", "always", "lz"),
    ("inlining", "random", "regex"),
    ("inlining", 0, "json"),
    ("regalloc_eviction", "inactive", "lz"),
    ("regalloc_eviction", 0, "aes"),
    ("regalloc_priority", "random", "lz"),
    ("regalloc_priority", 0, "regex"),
]


def run(
    *command: str | Path, data: bytes = b"", policy: str | Path = ""
) -> subprocess.CompletedProcess[bytes]:
    """A command that succeeds, with a policy in the environment."""
    done = subprocess.run(
        command,
        input=data,
        env={**os.environ, "MLCOMPILER_GYM_POLICY": str(policy)},
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
    return done


def opt_and_llc(
    bitcode: bytes, pipeline: str, policy: str | Path, *flags: str
) -> bytes:
    """The object file that they make with the plugin, which says nothing."""
    plugin = plugin_path()
    passes = (f"-load-pass-plugin={plugin}", f"-passes={pipeline}")
    opt = run(
        *("opt-22", "-relocation-model=pic", *passes, *flags),
        data=bitcode,
        policy=policy,
    )
    llc = run(
        *("llc-22", "-relocation-model=pic", f"-load={plugin}", "-filetype=obj"),
        *(*flags, "-o", "-"),
        data=opt.stdout,
        policy=policy,
    )
    assert (opt.stderr, llc.stderr) == (b"", b"")
    return llc.stdout


def make(task: str, **settings: Any) -> CompilerEnv:
    env_id, shown, _ = TASKS[task]
    made: Any = gymnasium.make(env_id, programs="kernels", **shown, **settings)
    env: CompilerEnv = made.unwrapped
    return env


@pytest.fixture(scope="module")
def envs() -> Iterator[dict[str, CompilerEnv]]:
    made = {task: make(task) for task in TASKS}
    yield made
    for env in made.values():
        env.close()


def episode(env: CompilerEnv, kernel: str, policy: str | int, path: Path) -> bytes:
    """The object file of an episode, whose policy is written to a file."""
    env.reset(options={"program": f"kernels/{kernel}"})
    portable = (
        PortablePolicy.named(policy, env.setup.config.task)
        if isinstance(policy, str)
        else random_network(env, seed=policy)
    )
    portable.save(path)
    env.finish(portable, seed=0 if policy == "random" else None)
    return env.emit("object")


@pytest.mark.parametrize(("task", "policy", "kernel"), QUICK)
def test_makes_the_object_file_of_the_episode(
    task: str,
    policy: str | int,
    kernel: str,
    envs: dict[str, CompilerEnv],
    tmp_path: Path,
) -> None:
    path = tmp_path / "some.policy"
    expected = episode(envs[task], kernel, policy, path)
    bitcode = envs[task].program.bitcode
    pipeline = TASKS[task][2]
    assert opt_and_llc(bitcode, pipeline, path) == expected
    assert opt_and_llc(bitcode, pipeline, "") != expected, "the policy decides as LLVM"


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNEL_NAMES)
@pytest.mark.parametrize(
    ("task", "policy"),
    [(task, policy) for task, each in POLICIES.items() for policy in each],
)
def test_makes_the_object_file_of_every_kernel(
    task: str,
    policy: str | int,
    kernel: str,
    envs: dict[str, CompilerEnv],
    tmp_path: Path,
) -> None:
    path = tmp_path / "some.policy"
    expected = episode(envs[task], kernel, policy, path)
    made = opt_and_llc(envs[task].program.bitcode, TASKS[task][2], path)
    assert made == expected


def test_generates_code_for_aarch64(tmp_path: Path) -> None:
    env = make("regalloc_eviction", target="aarch64-linux-gnu")
    path = tmp_path / "some.policy"
    expected = episode(env, "lz", 0, path)
    assert opt_and_llc(env.program.bitcode, "default<O2>", path) == expected
    env.close()


#: As the episodes are, whose pipeline and code generation are those of opt and llc.
AS_OPT = ("-Oz", "-fPIC", "-fno-addrsig", "-fno-slp-vectorize")
#: The modules have a triple of their own.
QUIET = "-Wno-override-module"


def clang(source: Path, *flags: str, policy: str | Path = "") -> bytes:
    """The object file that clang makes with the plugin, which says nothing."""
    made = source.with_suffix(".o")
    command = ("clang-22", f"-fpass-plugin={plugin_path()}", QUIET, *flags)
    done = run(*command, "-c", source, "-o", made, policy=policy)
    assert done.stderr == b""
    return made.read_bytes()


@pytest.mark.parametrize("policy", ["last_use", 0])
def test_clang_makes_the_object_file_of_the_episode(
    policy: str | int, envs: dict[str, CompilerEnv], tmp_path: Path
) -> None:
    path = tmp_path / "some.policy"
    expected = episode(envs["inlining"], "lz", policy, path)
    source = tmp_path / "lz.bc"
    source.write_bytes(envs["inlining"].program.bitcode)
    assert clang(source, *AS_OPT, policy=path) == expected
    # As an option, which comes before the variable.
    option = ("-mllvm", f"-mlcompiler-gym-policy={path}")
    assert clang(source, *AS_OPT, *option, policy="always") == expected
    if isinstance(policy, str):
        assert clang(source, *AS_OPT, policy=policy) == expected


def test_takes_policies_for_several_tasks(tmp_path: Path) -> None:
    env = make("regalloc_eviction")
    env.reset(options={"program": "kernels/lz"})
    source = tmp_path / "lz.bc"
    source.write_bytes(env.program.bitcode)
    network = tmp_path / "small.policy"
    random_network(env).save(network)
    env.close()
    alone = {
        policy: clang(source, "-O2", policy=policy)
        for policy in ("", "always", str(network), "regalloc_eviction=inactive")
    }
    both = clang(source, "-O2", policy=f"inlining=always:{network}")
    assert len({*alone.values(), both}) == 5
    by_option = ("-mlcompiler-gym-policy=always", f"-mlcompiler-gym-policy={network}")
    options = [word for option in by_option for word in ("-mllvm", option)]
    assert clang(source, "-O2", *options) == both


def test_draws_by_a_seed(tmp_path: Path, envs: dict[str, CompilerEnv]) -> None:
    env = envs["inlining"]
    env.reset(options={"program": "kernels/lz"})
    env.finish("random", seed=7)
    expected = env.emit("object")
    source = tmp_path / "lz.bc"
    source.write_bytes(env.program.bitcode)
    seed = ("-mllvm", "-mlcompiler-gym-seed=7")
    assert clang(source, *AS_OPT, *seed, policy="random") == expected
    assert clang(source, *AS_OPT, policy="random") != expected


def test_keeps_to_the_threshold_of_the_policy(tmp_path: Path) -> None:
    env = make("inlining", size_increase_threshold=1.05)
    env.reset(options={"program": "kernels/lz"})
    env.finish("always")
    expected = env.emit("object")
    source = tmp_path / "lz.bc"
    source.write_bytes(env.program.bitcode)
    message = PortablePolicy.named("always", "inlining").message
    message.options.add(name="size_increase_threshold", value="1.05")
    path = tmp_path / "some.policy"
    PortablePolicy(message).save(path)
    assert clang(source, *AS_OPT, policy=path) == expected
    assert clang(source, *AS_OPT, policy="always") != expected
    # The command line is above the policy.
    option = ("-mllvm", "-ml-advisor-size-increase-threshold=100")
    assert clang(source, *AS_OPT, *option, policy=path) == clang(
        source, *AS_OPT, policy="always"
    )
    env.close()
