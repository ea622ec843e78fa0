# SPDX-License-Identifier: Apache-2.0
"""Policies in builds: what they decide, and what becomes of policies that cannot."""

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.builds import clang, mlcg, run
from support.policies import two_features
from support.processes import processes_of
from support.regalloc import EVICTION, MakeEnv
from support.toolchain import KERNELS, executable_bytes

from mlcompiler_gym import PortablePolicy, Program
from mlcompiler_gym.building.build import Build
from mlcompiler_gym.building.jobs import plan
from mlcompiler_gym.building.policies import load_policies
from mlcompiler_gym.clang import find_clang
from mlcompiler_gym.evaluation.naming import find_policy
from mlcompiler_gym.policies import play, settings_for

INLINING = "mlcompiler/Inlining-v0"
ORDERING = "mlcompiler/PassOrdering-v0"


@pytest.fixture
def source(small_c: Path) -> Path:
    """A file whose object by LLVM is beside it."""
    assert clang("-Oz", "-c", small_c, "-o", "llvm.o", folder=small_c.parent)
    return small_c


def report_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "report").read_text().splitlines()]


BAD: dict[str, tuple[list[str], dict[str, str], str]] = {
    "no file": (["nowhere.policy"], {}, "cannot read the policy nowhere.policy"),
    "no policy": (["broken.policy"], {}, "broken.policy: the policy file is broken"),
    "cut": (["cut.policy"], {}, "cut.policy|the policy file"),
    "other options": (["other.policy"], {}, "task 'inlining' has no option 'x'"),
    "no name": (["nonsuch"], {}, "inlining has no policy 'nonsuch'"),
    "no task": (["nonsuch=llvm"], {}, "nonsuch"),
    "needs a seed": (["random"], {}, "needs a seed"),
    "open-ended": (["pass_ordering=llvm"], {}, "has no end of its own"),
    "not by function": (
        ["inlining=best_of_2"],
        {},
        "inlining does not decide function by function",
    ),
    "no reference": (
        ["regalloc=best_of_2"],
        {},
        "there is no reference policy for regalloc",
    ),
    "no samples": (["best_of_0"], {}, "inlining has no policy 'best_of_0'"),
    "two of evictions": (
        ["best_of_2", "regalloc_eviction=llvm"],
        {},
        "both decide regalloc_eviction",
    ),
    "two of the pipeline": (
        ["llvm", "pass_ordering=reference"],
        {},
        "decide in the same part of the compiler",
    ),
    "two": (["llvm", "always"], {}, "llvm and always both decide inlining"),
    "two in codegen": (
        ["regalloc_eviction=llvm", "regalloc_priority=llvm"],
        {},
        "decide in the same part of the compiler",
    ),
    "no service": (["llvm"], {"MLCOMPILER_GYM_SERVICE": "/nowhere"}, "/nowhere"),
    "broken service": (["llvm"], {"MLCOMPILER_GYM_SERVICE": "/bin/false"}, "ends as"),
    "too slow": (["llvm"], {"MLCOMPILER_GYM_TIMEOUT": "0.001"}, "deadline"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_policy_that_fails_costs_a_warning(case: str, source: Path) -> None:
    policies, settings, message = BAD[case]
    folder = source.parent
    (folder / "broken.policy").write_bytes(b"no policy")
    content = PortablePolicy(two_features()).to_bytes()
    (folder / "other.policy").write_bytes(content)
    (folder / "cut.policy").write_bytes(content[:-9])
    wanted = [f"--mlcg-policy={each}" for each in policies]
    done = mlcg(*wanted, "-Oz", "-c", source, "-o", "o", folder=folder, **settings)
    assert done.returncode == 0, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("mlcg-clang: warning: ")
    assert "compiled by LLVM alone" in line
    assert any(each in line for each in message.split("|"))
    assert (folder / "o").read_bytes() == (folder / "llvm.o").read_bytes()


@pytest.mark.parametrize(
    ("flags", "policies"),
    [
        ("-fsanitize=undefined", ["llvm"]),
        ("-fprofile-instr-generate", ["llvm"]),
        ("-mllvm -inline-threshold=3", ["llvm"]),
        ("-pg", ["llvm"]),
        ("-ffp-contract=fast", ["regalloc_eviction=llvm"]),
        ("-gsplit-dwarf -g", ["llvm", "regalloc_eviction=llvm"]),
    ],
)
def test_a_flag_that_sessions_do_not_have_is_named(
    flags: str, policies: list[str], source: Path
) -> None:
    folder = source.parent
    arguments = ["-Oz", *flags.split(), "-c", str(source), "-o", "o.o"]
    clang(*arguments, folder=folder)
    theirs = (folder / "o.o").read_bytes()
    wanted = [f"--mlcg-policy={each}" for each in policies]
    done = mlcg(*wanted, *arguments, folder=folder)
    assert done.returncode == 0
    [line] = done.stderr.splitlines()
    assert "is not supported together with policies" in line
    named = flags.split()[0].split("=")[0].removeprefix("-g")
    known = (named, "-fprofile-", "-split-dwarf", "-enable-tlsdesc")
    assert any(each in line for each in known)
    assert (folder / "o.o").read_bytes() == theirs


def test_a_warning_of_the_source_is_not_repeated(source: Path) -> None:
    source.write_text(source.read_text() + "int f(void) { int unused; return 1; }\n")
    done = mlcg(
        "--mlcg-policy=nonsuch", "-Wall", "-Oz", "-c", source, folder=source.parent
    )
    assert done.stderr.count("unused variable") == 1
    assert done.stderr.count("compiled by LLVM alone") == 1


def test_the_environment_names_policies(source: Path) -> None:
    folder = source.parent
    variables = {
        "MLCOMPILER_GYM_POLICY": "inactive:regalloc_eviction=inactive",
        "MLCOMPILER_GYM_REPORT": "report",
    }
    arguments = ["-Oz", "-c", str(source), "-o", "o"]
    assert mlcg(*arguments, folder=folder, **variables).returncode == 0
    # The command line comes first.
    done = mlcg("--mlcg-policy", "last_use", *arguments, folder=folder, **variables)
    assert done.returncode == 0
    first, second = report_of(folder)
    assert set(first["policies"]) == {"inactive", "regalloc_eviction=inactive"}
    assert set(first["decisions"]) == {"inlining", "regalloc_eviction"}
    assert set(second["policies"]) == {"last_use"}
    assert second["unit"] == str(source)
    assert second["kept"] == "policy"
    assert second["text_size"] == executable_bytes(folder / "o")


def test_the_guard_keeps_the_smaller_object(source: Path) -> None:
    folder = source.parent
    arguments = ["-Oz", "-c", str(source), "-o"]
    for policy in ("inactive", "last_use"):
        done = mlcg(f"--mlcg-policy={policy}", *arguments, policy, folder=folder)
        assert (done.returncode, done.stderr) == (0, "")
        done = mlcg(
            f"--mlcg-policy={policy}",
            *arguments,
            "guarded",
            "--mlcg-guard",
            "text_size",
            "--mlcg-report=report",
            folder=folder,
        )
        assert (done.returncode, done.stderr) == (0, "")
        ours, theirs = (executable_bytes(folder / each) for each in (policy, "llvm.o"))
        kept = "policy" if ours <= theirs else "llvm.o"
        best = folder / (policy if ours <= theirs else "llvm.o")
        assert (folder / "guarded").read_bytes() == best.read_bytes()
        line = report_of(folder)[-1]
        assert line["kept"] == kept.removesuffix(".o")
        assert line["llvm_text_size"] == theirs
        assert line["text_size"] == min(ours, theirs)
        assert ("the guard" in line["reason"]) == (kept == "llvm.o")
    # The case is one that needs a guard, and one that does not.
    assert {each["kept"] for each in report_of(folder)} == {"llvm", "policy"}


@pytest.mark.parametrize("kernel", ["lisp", "json"])
def test_several_policies_decide_as_each_by_itself(
    kernel: str, make_env: MakeEnv, tmp_path: Path
) -> None:
    """Inlining in the pipeline, then eviction from what the pipeline left."""
    source = KERNELS / "src" / f"{kernel}.c"
    arguments = ["-O2", "-fno-addrsig", "-c", str(source)]
    planned = plan([find_clang(), *arguments, "-o", str(tmp_path / "o")])
    assert planned is not None
    build = Build(load_policies(["last_use", "regalloc_eviction=inactive"]))
    status, made = build.compile(planned.jobs[0])
    build.close()
    assert (status, made.kept) == (0, "policy")

    unit_bc = tmp_path / "unit.bc"
    flags = ["-emit-llvm", "-Xclang", "-disable-llvm-passes"]
    clang(*arguments, *flags, "-Xclang", "-emit-llvm-uselists", "-o", unit_bc,
          folder=tmp_path)  # fmt: skip
    inlining = make_env(
        INLINING,
        programs=Program(kernel, unit_bc),
        pipeline="default<O2>",
        inlining_default=True,
        linkage=True,
    )
    inlining.reset()
    inlining.finish("last_use")
    optimised = Program(kernel, inlining.emit("bitcode"))
    eviction = make_env(EVICTION, programs=optimised, pipeline="no-op-module")
    eviction.reset()
    eviction.finish("inactive")
    same = (tmp_path / "o").read_bytes() == eviction.emit("object")
    assert same, "the objects differ"


def test_a_saved_network_decides(
    make_env: MakeEnv, source: Path, write_file: Callable[[str, str], Path]
) -> None:
    """What a policy file decides in a build is what it decides in an episode."""
    from mlcompiler_gym.v1 import policy_pb2 as pb

    message = pb.Policy(task="inlining")
    message.model.inputs.add(feature="callee_users", elements=1)
    message.model.network.layers.add(outputs=1, weights=[-1.0], biases=[2.5])
    message.model.bernoulli.SetInParent()
    policy = PortablePolicy(message)
    folder = source.parent
    policy.save(folder / "a b.policy")
    arguments = ["-Oz", "-fno-addrsig", "-fno-slp-vectorize", "-c", str(source)]
    done = mlcg("--mlcg-policy", "a b.policy", *arguments, "-o", "o", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    env = make_env(INLINING, programs=source)
    env.reset()
    env.finish(policy)
    assert (folder / "o").read_bytes() == env.emit("object")


@pytest.mark.parametrize("level", ["-Oz", "-Os"])
def test_a_portfolio_chooses_the_pipeline(
    level: str, make_env: MakeEnv, source: Path
) -> None:
    """What it chooses in a build is what it chooses in an episode."""
    folder = source.parent
    arguments = [level, "-fno-addrsig", "-fno-slp-vectorize", "-c", str(source)]
    done = mlcg(
        "--mlcg-policy=pass_ordering=reference",
        "--mlcg-report=report",
        *arguments,
        "-o",
        "o",
        folder=folder,
    )
    assert (done.returncode, done.stderr) == (0, "")
    [line] = report_of(folder)
    assert (line["kept"], line["decisions"]) == ("policy", {"pass_ordering": 1})
    env = make_env(
        ORDERING,
        programs=source,
        level=level.removeprefix("-"),
        **settings_for(make_env(ORDERING), "reference"),
    )
    policy = find_policy("reference")(env, 0)
    env.step(policy(*env.reset()))
    assert (folder / "o").read_bytes() == env.emit("object")


def test_a_pipeline_that_crashes_is_not_chosen(source: Path) -> None:
    folder = source.parent
    message = PortablePolicy.named("best", "pass_ordering").message
    message.options.add(name="actions", value="trigger-crash-function\ndefault<Oz>")
    PortablePolicy(message).save(folder / "two.policy")
    message.options[0].value = "trigger-crash-function"
    PortablePolicy(message).save(folder / "one.policy")
    arguments = ["-Oz", "-fno-addrsig", "-c", str(source), "-o"]
    done = mlcg("--mlcg-policy=two.policy", *arguments, "two", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    done = mlcg("--mlcg-policy=one.policy", *arguments, "one", folder=folder)
    assert done.returncode == 0
    assert "compiled by LLVM alone: CRASHED" in done.stderr
    assert (folder / "two").read_bytes() == (folder / "one").read_bytes()


def test_a_portfolio_is_for_small_code(source: Path) -> None:
    folder = source.parent
    arguments = ["-O2", "-c", str(source), "-o"]
    clang(*arguments, "llvm.o", folder=folder)
    done = mlcg("--mlcg-policy=pass_ordering=reference", *arguments, "o", folder=folder)
    assert "-O2 does not ask for small code; use -Os or -Oz" in done.stderr
    assert (folder / "o").read_bytes() == (folder / "llvm.o").read_bytes()


@pytest.mark.parametrize(
    ("level", "name"), [("-Oz", "best_of_3"), ("-O2", "regalloc_eviction=best_of_3")]
)
def test_the_best_of_several_samples_is_that_of_an_episode(
    level: str, name: str, make_env: MakeEnv, tmp_path: Path
) -> None:
    source = KERNELS / "src" / "btree.c"
    arguments: list[str | Path] = [
        level,
        "-fno-addrsig",
        "-fno-slp-vectorize",
        "-c",
        source,
        "-o",
        "o",
    ]
    made: dict[str, bytes] = {}
    for policy in (name, "regalloc_eviction=llvm"):
        done = mlcg(
            f"--mlcg-policy={policy}",
            "--mlcg-report=report",
            *arguments,
            folder=tmp_path,
        )
        assert (done.returncode, done.stderr) == (0, "")
        made[policy] = (tmp_path / "o").read_bytes()
    lines = report_of(tmp_path)
    assert {each["kept"] for each in lines} == {"policy"}
    env = make_env(
        EVICTION,
        programs=source,
        level=level.removeprefix("-"),
        **settings_for(make_env(EVICTION), "best_of_3"),
    )
    end = play(env, find_policy("best_of_3")(env, 0))
    assert lines[0]["decisions"] == {"regalloc_eviction": end.steps}
    same = made[name] == env.emit("object")
    assert same, "the objects differ"
    assert len(set(made.values())) == 2


def test_a_program_of_the_best_samples_computes_the_same(tmp_path: Path) -> None:
    """Behind a policy that inlines, in a module that is optimised already."""
    source = KERNELS / "src" / "btree.c"
    done = mlcg(
        "--mlcg-policy=last_use",
        "--mlcg-policy=best_of_3",
        "--mlcg-report=report",
        "-O2",
        source,
        "-o",
        "ours",
        folder=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    [line] = report_of(tmp_path)
    assert line["kept"] == "policy"
    assert all(line["decisions"][each] for each in ("inlining", "regalloc_eviction"))
    assert clang("-O2", source, "-o", "theirs", folder=tmp_path).returncode == 0
    printed = run(["./ours", "300"], tmp_path).stdout
    assert "btree checksum" in printed
    assert printed == run(["./theirs", "300"], tmp_path).stdout


def test_a_service_that_dies_among_samples_costs_a_warning(tmp_path: Path) -> None:
    source = KERNELS / "src" / "btree.c"
    arguments = ["-O2", "-c", str(source)]
    planned = plan([find_clang(), *arguments, "-o", str(tmp_path / "o")])
    assert planned is not None
    warned: list[str] = []
    # It would take an hour.
    build = Build(load_policies(["best_of_99999"]), warn=warned.append)

    ended = threading.Event()

    def kill() -> None:
        # The first time may be too early: a service that dies before it has opened a
        # session is started again.
        while not ended.wait(0.5):
            if (pid := build._service.pid) is not None:
                for each in processes_of(pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(each, signal.SIGKILL)

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        status, made = build.compile(planned.jobs[0])
    finally:
        ended.set()
        killing.join()
        build.close()
    assert (status, made.kept) == (0, "llvm")
    assert warned == [f"{source}: compiled by LLVM alone: {made.reason}"]
    assert "SESSION_LOST" in made.reason
    clang(*arguments, "-o", "llvm.o", folder=tmp_path)
    same = (tmp_path / "o").read_bytes() == (tmp_path / "llvm.o").read_bytes()
    assert same, "the objects differ"
