# SPDX-License-Identifier: Apache-2.0
"""Loops at the ends of counters, of memory and of the stack compute what they did."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.partitions import check_outputs, partitions, random_partitions
from support.regalloc import MakeEnv

from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.policies import active, play
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

ID = "mlcompiler/LoopDistribution-v0"

HEAD = """
#include <stdint.h>
#include <stdlib.h>
int printf(const char *, ...);
#define APART __attribute__((noinline)) static
static int32_t a[1200], b[1200];
static volatile long runtime;
APART void fill(void) {
  for (int i = 0; i < 1200; i++) a[i] = i * i, b[i] = i * 7 % 64;
}
APART void show(void) {
  uint32_t s = 0;
  for (int i = 0; i < 1200; i++) s = s * 31 + a[i] + 7 * (uint32_t)b[i];
  printf("%u\\n", s);
}
"""

Open = Callable[..., CompilerEnv]


@pytest.fixture
def load(make_env: MakeEnv, tmp_path: Path) -> Open:
    """``load(source, …)``: an environment of one program, freshly reset."""

    def start(source: str, name: str = "loops.c", **settings: Any) -> CompilerEnv:
        file = tmp_path / name
        file.write_text(source)
        settings.setdefault("objective", "ir_instructions")
        if name.endswith(".c"):
            settings.setdefault("level", "O2")
        env = make_env(ID, programs=str(file), **settings)
        env.reset()
        return env

    return start


def reports(env: CompilerEnv) -> dict[str, dict[str, Any]]:
    """What became of each loop, by its name."""
    return {each["loop"]: each for each in json.loads(env.observe("loops")["loops"])}


def distributed(env: CompilerEnv) -> dict[str, dict[str, Any]]:
    """The same, after all that may be distributed is."""
    play(env, active(env))
    return reports(env)


#: Heads and ends of loops whose bodies move their pointers: how often the back edge
#: is taken at most has the top bit of the counter's type, or nearly.
COUNTERS = {
    f"{sign}{bits} {way}": (head.format(f"{sign}{bits}_t"), tail)
    for sign in ("int", "uint")
    for bits in (8, 16, 32, 64)
    for way, head, tail in [
        ("down to 0", "if (n) {{ {0} i = n; do {{", "} while (--i); }"),
        ("until 0", "{{ {0} i = n; while (i--) {{", "} }"),
        ("up", "for ({0} i = 0; i != ({0})n; i++) {{", "}"),
        ("down", "for ({0} i = n; i > 0; i -= 1) {{", "}"),
    ]
}
COUNTERS["once round a byte"] = ("{ uint8_t i = 0; do {", "} while (++i); }")
COUNTERS["once round a char"] = ("{ int8_t i = 0; do {", "} while (++i); }")
COUNTERS["a pointer"] = ("for (int32_t *e = p + n; p != e;) {", "}")

#: A recurrence, and what reads what later iterations overwrite; by pointers that move.
MOVING = "p[1] = p[0] + 1; q[0] = p[4] * 3; p++; q++;"


@pytest.mark.parametrize("pipeline", ["default<O0>", "default<O3>"])
def test_counters_of_every_width_and_direction(
    load: Open, tmp_path: Path, pipeline: str
) -> None:
    functions, calls = "", ""
    for number, (head, tail) in enumerate(COUNTERS.values()):
        functions += (
            f"APART void f{number}(int32_t *restrict p, int32_t *restrict q, long n)"
            f" {{ {head} {MOVING} {tail} }}\n"
        )
        calls += f"  fill(); f{number}(a, b, 100 + runtime); show();\n"
    env = load(
        f"{HEAD}{functions}int main() {{\n{calls}  return 0; }}", pipeline=pipeline
    )
    # Every other loop is split in a random partition.
    assert check_outputs(env, random_partitions(env, 6), tmp_path) == 6
    play(env, active(env))
    split = [each for each in reports(env).values() if each.get("groups") == [0, 1]]
    assert len(split) >= len(COUNTERS) // 2
    check_outputs(env, [env], tmp_path)


#: An access that only the first iterations make. At its distance from one iteration to
#: the next, it would reach below address 0 in later ones. It must not be split off,
#: because the other statement reads what it writes.
FAR = """
APART void f{0}(char *p, int32_t *q, {counter} n, {counter} m) {{
  for ({counter} i = 0; i < n; i++) {{
    q[i] = q[i] * 3 + (int32_t)i;
    if (i < m) *(int32_t *)(p {sign} (long)i * {step}L) = (int32_t)i + 9;
  }}
}}
"""


@pytest.mark.parametrize("pipeline", ["default<O0>", "default<O3>"])
def test_ranges_that_wrap_overlap(load: Open, tmp_path: Path, pipeline: str) -> None:
    functions, calls, number = "", "", 0
    for counter in ("int8_t", "uint8_t", "int16_t", "int32_t", "uint32_t", "int64_t"):
        for step in (65536, 524288, 1 << 20, 1 << 39):
            for sign in "-+":
                functions += FAR.format(number, counter=counter, step=step, sign=sign)
                calls += (
                    f"  fill(); f{number}((char *)(a + 5), a, 100 + runtime, "
                    "1 + runtime); show();\n"
                )
                number += 1
    env = load(
        f"{HEAD}{functions}int main() {{\n{calls}  return 0; }}", pipeline=pipeline
    )
    play(env, active(env))
    checked = [each for each in reports(env).values() if each.get("checks")]
    assert len(checked) >= 12
    check_outputs(env, [env], tmp_path)


SWAP = (
    "for (long i = 0; i < 1000; i++) { int32_t t = a[i]; a[i] = b[i]; b[i] = t + d; }"
)
PLAIN = f"APART int f(int d) {{ {SWAP} return a[d & 63]; }}\n"

#: Functions f that swap two arrays and may be running several times at once.
RECURSIVE = {
    "itself": f"""
APART int f(int d) {{ {SWAP} return d > 0 ? f(d - 1) + a[d & 63] : 0; }}
""",
    "another": f"""
APART int g(int d);
APART int f(int d) {{ {SWAP} return d > 0 ? g(d) + a[d & 63] : 0; }}
APART int g(int d) {{ return f(d - 1) ^ 1; }}
""",
    "a pointer": f"""
APART int f(int d);
static int (*volatile g)(int) = f;
APART int f(int d) {{ {SWAP} return d > 0 ? g(d - 1) + a[d & 63] : 0; }}
""",
    "a callback": f"""
APART int f(int d);
static int deep;
static int compare(const void *x, const void *y) {{
  if (deep > 0) return f(deep--) & 1;
  return *(const int *)x - *(const int *)y;
}}
APART int f(int d) {{
  int of[2] = {{d, 1}};
  {SWAP}
  qsort(of, 2, sizeof(int), compare);
  return of[0] ^ a[d & 63];
}}
""",
}


@pytest.mark.parametrize("pipeline", ["default<O0>", "default<O3>"])
@pytest.mark.parametrize("by", RECURSIVE)
def test_functions_that_may_recurse_have_no_arrays(
    load: Open, tmp_path: Path, by: str, pipeline: str
) -> None:
    depth = "(deep = 3000, f(1))" if by == "a callback" else "f(3000)"
    main = f'int main() {{ fill(); printf("%d\\n", {depth}); show(); return 0; }}'
    env = load(HEAD + RECURSIVE[by] + main, pipeline=pipeline)
    swap = distributed(env)["f loop 0"]
    assert swap["nodes"] == 2
    assert swap["arrays"] == 0
    env.reset()
    check_outputs(env, partitions(env, random=4), tmp_path)


@pytest.mark.parametrize("pipeline", ["default<O0>", "default<O3>"])
def test_others_have_them(load: Open, tmp_path: Path, pipeline: str) -> None:
    # What calls it does not matter, nor what prints.
    calls = 'printf("%d\\n", f(5)); show();'
    source = (
        f"{HEAD}{PLAIN}APART int g(int d) {{ return d > 0 ? g(d - 1) + f(d) : d; }}\n"
    )
    env = load(
        f"{source}int main() {{ fill(); {calls} g(9); show(); }}", pipeline=pipeline
    )
    assert distributed(env)["f loop 0"]["arrays"] == 1
    check_outputs(env, [env], tmp_path)


def arrays_of(text: str) -> dict[str, int]:
    """The bytes of each array that holds values of 32 bits, in textual IR."""
    found = re.findall(r"(%\S*crossing\S*) = alloca \[(\d+) x i32\]", text)
    return {name: 4 * int(elements) for name, elements in found}


@pytest.mark.parametrize("pipeline", ["default<O0>", "default<O3>"])
def test_all_arrays_of_a_function_have_a_bound(
    load: Open, tmp_path: Path, pipeline: str
) -> None:
    # 4000 bytes each: four fit into 16 KiB.
    loops = "\n".join([SWAP] * 12)
    source = f"{HEAD}APART int many(int d) {{ {loops} return a[d & 63]; }}\n"
    main = 'int main() { fill(); printf("%d\\n", many(5)); show(); return 0; }'
    env = load(source + main, pipeline=pipeline)
    play(env, active(env))
    arrays = [
        each["arrays"] for name, each in reports(env).items() if name.startswith("many")
    ]
    assert arrays == [1] * 4 + [0] * 8
    if pipeline == "default<O0>":
        assert list(arrays_of(env.observe("ir")["ir"]).values()) == [4000] * 4
    check_outputs(env, [env], tmp_path)


def test_arrays_live_from_before_the_loops_to_behind_them(
    load: Open, tmp_path: Path
) -> None:
    source = f"{HEAD}APART int two(int d) {{ {SWAP} {SWAP} return a[d & 63]; }}\n"
    main = 'int main() { fill(); printf("%d\\n", two(5)); show(); return 0; }'
    env = load(source + main, pipeline="default<O2>")
    play(env, active(env))
    text = env.observe("ir")["ir"]
    names = arrays_of(text)
    assert len(names) == 2
    for name in names:
        for marker in ("start", "end"):
            assert (
                len(re.findall(rf"lifetime\.{marker}\.p0\(ptr \S* ?{name}\)", text))
                == 1
            )
    # So they have one place between them.
    frames = [
        int(n)
        for n in re.findall(r"subq\s+\$(\d+), %rsp", env.emit("assembly").decode())
    ]
    assert 3500 < max(frames) < 7000
    check_outputs(env, [env], tmp_path)


#: What may be in the gs segment, whose first address is 0 in these programs.
SPACES = {
    "in segments of their own": ("SEGMENT(256) int32_t", "SEGMENT(257) int32_t", False),
    "one in a segment": ("SEGMENT(256) int32_t", "int32_t", False),
    "of 32 bits": ("SEGMENT(270) int32_t", "int32_t", False),
    "both in one segment": ("SEGMENT(256) int32_t", "SEGMENT(256) int32_t", True),
    "ordinary": ("int32_t", "int32_t", True),
}


@pytest.mark.parametrize("pipeline", ["default<O0>", "default<O3>"])
@pytest.mark.parametrize("kinds", SPACES)
def test_pointers_of_two_address_spaces_are_not_compared(
    load: Open, tmp_path: Path, kinds: str, pipeline: str
) -> None:
    first, second, compared = SPACES[kinds]
    body = "p[i] = (int32_t)(i * 7 / 3); q[i] = q[i] * 5 + 1;"
    source = (
        f"#define SEGMENT(n) __attribute__((address_space(n)))\n{HEAD}"
        f"APART void f({first} *p, {second} *q, long n) {{\n"
        f"  for (long i = 0; i < n; i++) {{ {body} }}\n}}\n"
        "int main() { for (int far = 0; far < 900; far += 30) {\n"
        f"  fill(); f(({first} *)(uintptr_t)(a + far), ({second} *)(uintptr_t)"
        "(a + 90), runtime + 100); show(); } return 0; }"
    )
    env = load(source, pipeline=pipeline)
    found = distributed(env)["f loop 0"]
    assert bool(found.get("checks")) == compared
    if "257" not in first + second:
        env.reset()
        check_outputs(env, random_partitions(env, 4), tmp_path)


#: What is wrong for a flag, which is a number or nothing.
MALFORMED = [
    '!"yes"',
    "null",
    "!{}",
    "!0",
    "double 1.0",
    "i1 undef",
    "ptr null",
    "i1 true, i1 false",
    "i1 true, null",
]
LOOP = """
target triple = "x86_64-unknown-linux-gnu"
define void @f(ptr noalias %a, ptr noalias %b, i64 %n) {
entry:
  br label %l
l:
  %i = phi i64 [0, %entry], [%j, %l]
  %p = getelementptr i32, ptr %a, i64 %i
  %r = getelementptr i32, ptr %b, i64 %i
  %t = trunc i64 %i to i32
  %u = mul i32 %t, 7
  store i32 %u, ptr %p
  store i32 %t, ptr %r
  %j = add nuw i64 %i, 1
  %c = icmp eq i64 %j, %n
  br i1 %c, label %x, label %l, !llvm.loop !0
x:
  ret void
}
!0 = distinct !{!0, !1, !2}
!1 = !{!"NAME", VALUE}
!2 = !{!"llvm.loop.vectorize.width", i32 2}
"""


@pytest.mark.parametrize("value", MALFORMED)
def test_malformed_metadata_is_as_if_it_were_not_there(load: Open, value: str) -> None:
    text = LOOP.replace("NAME", "llvm.loop.distribute.enable").replace("VALUE", value)
    env = load(text, "f.ll", pipeline="default<O0>")
    (report,) = distributed(env).values()
    assert report["groups"] == [0, 1]
    # LLVM's own pass, which comes later in -O3, stops the compiler at it.
    asked = pb.Open(task="loop_distribution", pipeline="default<O3>")
    session = env.setup.service.open(asked, env.program)
    session.step((1).to_bytes(8, "little"))
    (report,) = json.loads(str(session.observe("loops")["loops"]))
    assert report["groups"] == [0, 1]
    assert "llvm.loop.distribute.enable" not in str(session.observe("ir")["ir"])
    session.close()


@pytest.mark.parametrize(
    ("value", "splits"), [("i1 true", 1), ("i32 0", 0), ("i64 8", 1)]
)
def test_flags_that_are_well_formed(load: Open, value: str, splits: int) -> None:
    text = LOOP.replace("NAME", "llvm.loop.distribute.enable").replace("VALUE", value)
    env = load(text, "f.ll", pipeline="default<O2>")
    (report,) = distributed(env).values()
    assert ("groups" in report) == splits
    if not splits:
        assert report["skipped"] == "distribution is turned off in the source"
