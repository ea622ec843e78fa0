# SPDX-License-Identifier: Apache-2.0
"""A plugin whose policy is of no use leaves LLVM as it is, and says why."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.commands import cli

from mlcompiler_gym import PortablePolicy
from mlcompiler_gym.policies import plugin_path
from mlcompiler_gym.v1 import policy_pb2 as pb

#: Calls to inline, and more live ranges than there are registers.
SOURCE = """
static int small(int a, int b) { return a * b + 1; }
static int larger(int *a, int n) {
  int sum = 0;
  for (int i = 0; i < n; i++)
    sum += small(a[i], n) ^ small(a[n - i], i);
  return sum;
}
int f(int *a, int n) { return larger(a, n) + larger(a + n, n); }
int g(int *p, int n) {
  int v[24];
  for (int i = 0; i < 24; i++) v[i] = p[i];
  for (int j = 0; j < n; j++)
    for (int i = 0; i < 24; i++) v[i] = v[i] * v[(i + 7) % 24] + j;
  int s = 0;
  for (int i = 0; i < 24; i++) s += v[i];
  return s;
}
"""


def clang(folder: Path, policy: str | Path, *flags: str) -> tuple[bytes, str]:
    """The object file that clang makes, and what it says; it has to succeed."""
    source = folder / "some.c"
    source.write_text(SOURCE)
    made = folder / "some.o"
    done = subprocess.run(
        [
            *("clang-22", f"-fpass-plugin={plugin_path()}", *flags),
            *("-O2", "-c", "-o", made, source),
        ],
        env={**os.environ, "MLCOMPILER_GYM_POLICY": str(policy)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return made.read_bytes(), done.stderr


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What clang makes by itself."""
    made, said = clang(tmp_path_factory.mktemp("stock"), "")
    assert said == ""
    return made


def model(task: str, feature: str, elements: int = 1, outputs: int = 2) -> pb.Policy:
    policy = pb.Policy(task=task)
    policy.model.inputs.add(feature=feature, elements=elements)
    policy.model.network.layers.add(
        outputs=outputs, weights=[0.5] * elements * outputs, biases=[0] * outputs
    )
    policy.model.categorical.SetInParent()
    return policy


def beyond_numbers(task: str, feature: str, elements: int, outputs: int) -> pb.Policy:
    """Its outputs are no numbers where the feature is not 0."""
    policy = model(task, feature, elements, outputs)
    policy.model.inputs[0].transforms.add(scale=pb.Scale(shift=[-1], factor=[3e38]))
    weights = policy.model.network.layers[0].weights
    weights[:] = [3e38] * len(weights)
    return policy


def with_threshold(value: str) -> pb.Policy:
    policy = model("inlining", "callee_basic_block_count")
    policy.options.add(name="size_increase_threshold", value=value)
    return policy


def scalar(high: float) -> pb.Policy:
    policy = model("regalloc_priority", "weight", outputs=1)
    policy.model.scalar.high = high
    return policy


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (model("loop_distribution", "loop"), "it decides loop_distribution"),
        (model("nonsense", "loop"), "it decides nonsense"),
        (model("inlining", "nonsense"), "'nonsense' is no feature of inlining"),
        (model("inlining", "callee_users", 3), "the feature has 1"),
        (model("inlining", "callee_users", outputs=33), "one of 33 actions"),
        (model("regalloc_eviction", "progress"), "asks for one of 33 actions"),
        (scalar(1e10), "go beyond the bounds of regalloc_priority"),
        (model("regalloc_priority", "weight"), "asks for a number"),
        (with_threshold("many"), "size_increase_threshold is no number"),
        (with_threshold("nan"), "size_increase_threshold is no number"),
        (
            beyond_numbers("inlining", "callee_users", 1, 2),
            "an output of the policy is not a finite number",
        ),
        (
            beyond_numbers("regalloc_eviction", "mask", 33, 33),
            "an output of the policy is not a finite number",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_warns_of_a_policy_that_does_not_fit(
    policy: pb.Policy, says: str, stock: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "some.policy"
    PortablePolicy(policy).save(path)
    made, said = clang(tmp_path, path)
    assert f"the policy '{path}' is not used" in said
    assert says in said
    assert said.count("warning:") == 1
    assert "MLCOMPILER_GYM_POLICY" in said
    assert made == stock


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("nowhere.policy", "it cannot be read: No such file"),
        ("/dev/zero", "it is not a regular file"),
        ("/", "it is not a regular file"),
        ("clever", "inlining has no policy 'clever'; it has random, llvm, inactive"),
        ("regalloc_priority=always", "has no policy 'always'; it has random, llvm"),
        ("pass_ordering=random", "it decides pass_ordering"),
        ("always:inlining=inactive", "'always' decides inlining, too"),
    ],
)
def test_warns_of_a_name_that_is_none(
    named: str, says: str, stock: bytes, tmp_path: Path
) -> None:
    made, said = clang(tmp_path, named)
    assert says in said
    assert made == stock


def test_warns_of_a_file_that_is_too_large(stock: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.policy"
    path.touch()
    os.truncate(path, 1 << 40)
    made, said = clang(tmp_path, path)
    assert "a policy has at most 16777216" in said
    assert made == stock


def test_warns_at_level_0_too(tmp_path: Path) -> None:
    plain, _ = clang(tmp_path, "", "-O0")
    made, said = clang(tmp_path, "nowhere.policy", "-O0")
    assert "it cannot be read" in said
    assert made == plain


def test_a_warning_can_be_switched_off_or_be_an_error(tmp_path: Path) -> None:
    _, said = clang(tmp_path, "nowhere.policy", "-Wno-backend-plugin")
    assert said == ""
    with pytest.raises(AssertionError, match="error: mlcompiler_gym"):
        clang(tmp_path, "nowhere.policy", "-Werror")


def test_leaves_out_functions_with_too_many_registers(tmp_path: Path) -> None:
    """PowerPC has 64 vector registers, and LLVM's features room for 32."""
    lines = ["typedef double pair __attribute__((vector_size(16)));"]
    lines += ["pair f(pair *p, long n) {"]
    lines += [f"pair v{i} = p[{i}];" for i in range(80)]
    lines += ["for (long j = 0; j < n; j++) {"]
    lines += [f"v{i} = v{i} * v{(i + 1) % 80} + v{(i + 9) % 80};" for i in range(80)]
    lines += ["}", "pair s = v0;", *(f"s += v{i};" for i in range(1, 80))]
    source = tmp_path / "wide.c"
    source.write_text("\n".join([*lines, "return s;", "}", ""]))
    made = {}
    for policy in ("", "regalloc_eviction=inactive"):
        done = subprocess.run(
            [
                *("clang-22", f"-fpass-plugin={plugin_path()}", "-ffreestanding"),
                *("--target=powerpc64le-linux-gnu", "-mcpu=pwr9"),
                *("-O2", "-c", "-o", "-", source),
            ],
            env={**os.environ, "MLCOMPILER_GYM_POLICY": policy},
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
        made[policy] = done
    assert made[""].stderr == b""
    said = made["regalloc_eviction=inactive"].stderr
    assert b"registers to choose from" in said
    assert said.count(b"warning:") == 1


#: Whole policies that decide something in SOURCE.
WHOLE = [
    PortablePolicy(each).to_bytes()[12:]
    for each in (
        model("inlining", "callee_users"),
        model("regalloc_eviction", "mask", 33, 33),
        scalar(1e9),
        PortablePolicy.named("last_use", "inlining").message,
    )
]


def check_survives(
    content: bytes, changes: list[tuple[int, bytes]], folder: Path
) -> None:
    """Whatever is overwritten in a policy, clang ends with an object file."""
    mutable = bytearray(content)
    for at, replacement in changes:
        at %= len(mutable)
        mutable[at : at + len(replacement)] = replacement
    path = folder / "some.policy"
    path.write_bytes(b"MLCGPOL1" + len(mutable).to_bytes(4, "little") + bytes(mutable))
    _, said = clang(folder, path)
    assert said.count("warning:") <= 1


CONTENTS = st.sampled_from(WHOLE)
CHANGES = st.lists(
    st.tuples(st.integers(0, 10**6), st.binary(max_size=9)), min_size=1, max_size=6
)
IN_ONE_FOLDER = [HealthCheck.function_scoped_fixture]


@settings(max_examples=15, deadline=None, suppress_health_check=IN_ONE_FOLDER)
@given(CONTENTS, CHANGES)
def test_survives_any_file(
    tmp_path: Path, content: bytes, changes: list[tuple[int, bytes]]
) -> None:
    check_survives(content, changes, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=500, deadline=None, suppress_health_check=IN_ONE_FOLDER)
@given(CONTENTS, CHANGES)
def test_survives_many_files(
    tmp_path: Path, content: bytes, changes: list[tuple[int, bytes]]
) -> None:
    check_survives(content, changes, tmp_path)


FOREIGN = Path("/usr/lib/llvm-14/bin/opt")


@pytest.mark.skipif(not FOREIGN.exists(), reason="there is no other LLVM")
def test_leaves_another_llvm_alone(tmp_path: Path) -> None:
    made = [
        subprocess.run(
            [FOREIGN, *plugin, "-passes=default<Oz>", "-S", "-o", "-"],
            input=b"define i32 @f(i32 %a) {\n %b = add i32 %a, 0\n ret i32 %b\n}\n",
            env={**os.environ, "MLCOMPILER_GYM_POLICY": "always"},
            capture_output=True,
            check=True,
            timeout=120,
        )
        for plugin in ([], [f"-load-pass-plugin={plugin_path()}"])
    ]
    assert b"the plugin is for libLLVM.so.22.1, and this compiler has" in made[1].stderr
    assert made[0].stdout == made[1].stdout


def test_two_copies_are_as_one(tmp_path: Path) -> None:
    """LLVM ends where the options of a plugin are registered twice."""
    for name in ("libmlcg-plugin.so", "libmlcg-plugin-llvm22.so"):
        shutil.copy(plugin_path().with_name(name), tmp_path)
    once = clang(tmp_path, "always:regalloc_eviction=inactive")
    assert once[1] == ""
    flag = f"-fpass-plugin={tmp_path}/libmlcg-plugin.so"
    assert clang(tmp_path, "always:regalloc_eviction=inactive", flag) == once


def test_exports_nothing_that_could_clash() -> None:
    for name in ("libmlcg-plugin.so", "libmlcg-plugin-llvm22.so"):
        listed = subprocess.run(
            ["llvm-nm-22", "-D", "--defined-only", "-j", plugin_path().with_name(name)],
            capture_output=True,
            check=True,
            timeout=60,
        )
        symbols = set(listed.stdout.decode().split())
        assert symbols
        assert symbols <= {
            "llvmGetPassPluginInfo",
            "mlcg_plugin_first",
            "mlcg_plugin_register",
        }


def test_the_command_prints_where_it_is() -> None:
    assert Path(cli("plugin-path").stdout.strip()) == plugin_path()
    assert plugin_path().is_file()
