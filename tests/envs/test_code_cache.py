# SPDX-License-Identifier: Apache-2.0
"""Code that is not generated again: sizes are those of the whole object file."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from support.pass_ordering import orderings
from support.toolchain import KERNEL_NAMES, SOME, at_random, executable_bytes, play

from mlcompiler_gym import LocalService, Program
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.programs import load_programs
from mlcompiler_gym.v1 import compiler_service_pb2 as pb

#: Passes of each kind: they change functions one by one, across calls, or all at once.
PASSES = (
    "function(mem2reg)",
    "function(sroa)",
    "function(instcombine<no-verify-fixpoint>)",
    "function(simplifycfg)",
    "cgscc(inline)",
    "function(gvn)",
    "cgscc(function-attrs)",
    "globalopt",
    "deadargelim",
    "cgscc(argpromotion)",
    "function(loop(loop-rotate))",
    "function(loop-unroll)",
    "function(reg2mem)",
    "function(tailcallelim)",
    "ipsccp",
    "mergefunc",
    "hotcoldsplit",
    "partial-inliner",
    "default<Oz>",
    "default<O2>",
)


@pytest.fixture
def plain() -> Iterator[LocalService]:
    """A service that generates all code each time."""
    service = LocalService("--code-cache-bytes=0")
    yield service
    service.close()


def counts(service: LocalService) -> pb.CodeCache:
    """What sessions have made of each other's code."""
    stream = service.connect()
    try:
        return stream.call(pb.Request(describe=pb.Describe())).describe.code_cache
    finally:
        stream.close()


def size(
    service: LocalService, program: Program | str, pipeline: str = "no-op-module"
) -> float:
    """Bytes of code after a pipeline."""
    if isinstance(program, str):
        program = Program("text", program.encode())
    session = service.open(
        pb.Open(pipeline=pipeline, objectives=["text_size"]), program
    )
    try:
        (measured,) = session.opened.state.outcome.measurements
        return measured.value
    finally:
        session.close()


def pipelines(seed: int, count: int) -> Iterator[str]:
    """Each the one before and a pass more, now and then from the beginning."""
    rng = random.Random(seed)
    taken: list[str] = []
    for _ in range(count):
        if rng.random() < 0.2:
            taken.clear()
        taken.append(rng.choice(PASSES))
        yield ",".join(taken)


def check_orderings(
    service: LocalService, plain: LocalService, program: Program, count: int
) -> None:
    for pipeline in pipelines(len(program.bitcode), count):
        assert size(service, program, pipeline) == size(plain, program, pipeline), (
            f"{program.name} after {pipeline}"
        )


@pytest.mark.parametrize("name", SOME)
def test_orderings_of_passes(
    service: LocalService, plain: LocalService, name: str
) -> None:
    (program,) = load_programs(name)
    check_orderings(service, plain, program, 6)
    found = counts(service)
    assert found.functions_found > 0
    assert found.functions_generated > 0
    assert found.whole_modules == 0
    assert counts(plain) == pb.CodeCache()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", KERNEL_NAMES)
def test_orderings_of_passes_of_every_kernel(
    service: LocalService, plain: LocalService, name: str
) -> None:
    for program in load_programs(f"kernels/{name}"):
        check_orderings(service, plain, program, 12)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_orderings_of_passes_of_random_programs(
    service: LocalService, plain: LocalService
) -> None:
    for name in ("csmith", "llvm-stress"):
        for seed in range(12):
            (program,) = load_programs(f"{name}/{seed}")
            check_orderings(service, plain, program, 6)


def test_flips_of_decisions(
    make: Callable[..., CompilerEnv], service: LocalService
) -> None:
    """Copies of a session use the cache as well, and share what they put there."""
    env = make(programs="kernels/regex")
    bare = make(
        programs="kernels/regex",
        service=(other := LocalService("--code-cache-bytes=0")),
    )
    try:
        for each in (env, bare):
            each.reset(seed=0)
        for _ in range(4):
            assert env.action_values("inactive") == bare.action_values("inactive")
            for each in (env, bare):
                each.step(1)
        found = counts(service)
        assert found.functions_found > found.functions_generated
        for seed in range(3):
            assert play(env, at_random(seed)) == play(bare, at_random(seed))
    finally:
        bare.close()
        other.close()


def test_the_object_file_is_none_of_the_cache(
    service: LocalService, tmp_path: object
) -> None:
    with orderings(service) as make_ordering:
        env = make_ordering(programs="kernels/expr", objective="text_size")
        env.reset()
        for name in ("mem2reg", "instcombine<no-verify-fixpoint>", "simplifycfg"):
            *_, info = env.step(env.action_names.index(name))
            path = tmp_path / "unit.o"  # type: ignore[operator]
            path.write_bytes(env.emit("object"))
            assert info["objective"]["text_size"] == executable_bytes(path)
    assert counts(service).functions_generated > 0


def test_what_one_session_has_generated_no_other_does(service: LocalService) -> None:
    (program,) = load_programs("kernels/lisp")
    first = size(service, program, "default<Oz>")
    once = counts(service)
    assert once.functions_generated > 5
    assert size(service, program, "default<Oz>") == first
    again = counts(service)
    assert again.functions_generated == once.functions_generated
    assert again.functions_found == once.functions_generated


def test_only_what_has_changed_is_generated(service: LocalService) -> None:
    many = [
        f"define i32 @f{i}(i32 %x) {{\n  %y = mul i32 %x, {i + 3}\n  ret i32 %y\n}}\n"
        for i in range(60)
    ]
    size(service, "".join(many))
    before = counts(service)
    many[17] = many[17].replace("mul", "xor")
    size(service, "".join(many))
    after = counts(service)
    assert after.functions_generated - before.functions_generated == 1
    assert after.functions_found - before.functions_found == 59


# ----------------------------------------------------------------------------
# What a function's code depends on beside the function
# ----------------------------------------------------------------------------

_USER = """
target triple = "x86_64-pc-linux-gnu"
%G%
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @effect()
define internal void @callee(ptr %p) #0 {
  %S%
}
define void @user(ptr %p) %A% {
entry:
  call void @llvm.memcpy.p0.p0.i64(ptr %p, ptr @g, i64 16, i1 false)
  %v = load i32, ptr @h
  store volatile i32 %v, ptr %p%M%
  call void @callee(ptr %p)
  call void @effect()
  %T%call void @callee(ptr %p)
  ret void
}
attributes #0 = { noinline %C% }
!0 = !{!1, !1, i64 0}
!1 = !{!"t", !2}
!2 = !{!"root"}
%F%
"""
_SAME = {
    "G": '@g = constant [16 x i8] c"0123456789abcdef"\n@h = global i32 1',
    "S": "ret void",
    "A": "",
    "M": "",
    "C": "",
    "T": "tail ",
    "F": "",
}


def module(**changes: str) -> str:
    text = _USER
    for name, value in {**_SAME, **changes}.items():
        text = text.replace(f"%{name}%", value)
    return text


#: Each changes one thing; for most of them, the code of @user or its size.
CHANGES = {
    "contents of a constant": {
        "G": "@g = constant [16 x i8] zeroinitializer\n@h = global i32 1"
    },
    "no constant": {
        "G": '@g = global [16 x i8] c"0123456789abcdef"\n@h = global i32 1'
    },
    "alignment": {
        "G": '@g = constant [16 x i8] c"0123456789abcdef", align 64\n'
        "@h = global i32 1, align 1"
    },
    "near": {
        "G": "@g = external dso_local constant [16 x i8]\n"
        "@h = external dso_local global i32"
    },
    "far": {"G": "@g = external constant [16 x i8]\n@h = external global i32"},
    "thread-local": {
        "G": '@g = constant [16 x i8] c"0123456789abcdef"\n'
        "@h = thread_local global i32 1"
    },
    "thread-local, local": {
        "G": '@g = constant [16 x i8] c"0123456789abcdef"\n'
        "@h = thread_local(localexec) global i32 1"
    },
    "hidden": {
        "G": '@g = hidden constant [16 x i8] c"0123456789abcdef"\n'
        "@h = hidden global i32 1"
    },
    "callee's body": {"S": "call void @effect()\n  ret void"},
    "callee's attributes": {"C": "noreturn nounwind"},
    "callee changes no registers": {"C": '"no_caller_saved_registers"'},
    "attributes": {"A": "minsize optsize"},
    "frame pointer": {"A": '"frame-pointer"="all"'},
    "alignment of the function": {"A": "align 64"},
    "section": {"A": 'section ".text.startup"'},
    "comdat": {
        "G": '$user = comdat any\n@g = constant [16 x i8] c"0123456789abcdef"\n'
        "@h = global i32 1",
        "A": "comdat",
    },
    "stack protector": {"A": "sspreq"},
    "metadata": {"M": ", !tbaa !0"},
    "no tail call": {"T": ""},
    "musttail": {"T": "musttail "},
    "position-independent": {
        "F": '!llvm.module.flags = !{!3}\n!3 = !{i32 8, !"PIC Level", i32 2}'
    },
    "position-independent executable": {
        "F": '!llvm.module.flags = !{!3, !4}\n!3 = !{i32 8, !"PIC Level", i32 2}\n'
        '!4 = !{i32 7, !"PIE Level", i32 2}'
    },
    "large code model": {
        "F": '!llvm.module.flags = !{!3}\n!3 = !{i32 1, !"Code Model", i32 4}'
    },
    "stack protector by a flag": {
        "A": "sspreq",
        "F": "!llvm.module.flags = !{!3}\n"
        '!3 = !{i32 1, !"stack-protector-guard", !"global"}',
    },
}


def test_all_that_code_depends_on_counts(
    service: LocalService, plain: LocalService
) -> None:
    """One module after the other, so that each could find the others' code."""
    sizes = set()
    for name, changes in {"nothing": {}, **CHANGES, "nothing again": {}}.items():
        text = module(**changes)
        found = size(service, text)
        assert found == size(plain, text), name
        sizes.add(found)
    assert len(sizes) > 12
    assert counts(service).whole_modules == 0


@pytest.mark.parametrize(
    "text",
    [
        'module asm ".text\\0A.nops 40"\ndefine void @f() {\n  ret void\n}',
        'define void @f() {\n  call void asm "nop", ""()\n  ret void\n}',
        "define void @f(i1 %c) {\n  indirectbr ptr blockaddress(@f, %b), [label %b]\n"
        "b:\n  ret void\n}",
        "@table = constant ptr blockaddress(@f, %b)\ndefine void @f() {\n"
        "  br label %b\nb:\n  ret void\n}",
        "define void @f() prefix i32 7 {\n  ret void\n}",
        "define private void @f() noinline {\n  ret void\n}\n"
        "define void @g() {\n  tail call void @f()\n  ret void\n}",
        "define internal void @0() noinline {\n  ret void\n}\n"
        "define void @f() {\n  call void @0()\n  ret void\n}",
        "@i = ifunc void (), ptr @r\ndefine ptr @r() {\n  ret ptr null\n}",
        "define void @f() {\n  ret void\n}\n!llvm.module.flags = !{!0}\n"
        '!0 = !{i32 8, !"cf-protection-branch", i32 1}',
        'define void @f(ptr %p) "target-features"="+retpoline-indirect-calls" {\n'
        "  call void %p()\n  ret void\n}",
        'target triple = "aarch64-unknown-linux-gnu"\ndefine void @f() minsize {\n'
        "  ret void\n}",
        'target triple = "i386-pc-linux-gnu"\ndefine void @f() {\n  ret void\n}',
    ],
    ids=[
        "module asm",
        "asm",
        "indirectbr",
        "blockaddress",
        "prefix",
        "private",
        "nameless",
        "ifunc",
        "landing pads",
        "thunks",
        "aarch64",
        "i386",
    ],
)
def test_where_functions_may_depend_on_each_other_all_code_is_generated(
    service: LocalService, plain: LocalService, text: str
) -> None:
    if "target triple" not in text:
        text = 'target triple = "x86_64-pc-linux-gnu"\n' + text
    for times in (1, 2):
        assert size(service, text) == size(plain, text)
        assert counts(service).whole_modules == times
    assert counts(service).functions_found == 0


def test_a_function_of_ones_own_is_not_the_librarys(
    service: LocalService, plain: LocalService
) -> None:
    """Where it is left out while the code of others is generated, neither."""
    text = """
target triple = "x86_64-pc-linux-gnu"
@text = constant [4 x i8] c"abc\\00"
define internal i64 @strlen(ptr %p) noinline {
  ret i64 1
}
define internal double @floor(double %x) noinline {
  ret double %x
}
define i64 @user(ptr %p) {
  %n = call i64 @strlen(ptr @text) memory(read)
  ret i64 %n
}
define double @other(double %x) "target-features"="+sse4.1" {
  %y = call double @floor(double %x) memory(none)
  %z = fadd double %y, VALUE
  ret double %z
}
"""
    for value in ("1.0", "2.0", "1.0"):
        changed = text.replace("VALUE", value)
        assert size(service, changed) == size(plain, changed)
    assert counts(service).whole_modules == 0
    assert counts(service).functions_generated == 5


def test_what_a_callee_returns_counts(
    service: LocalService, plain: LocalService
) -> None:
    """The code generator uses it in the caller, if it is one and the same global."""
    text = """
target triple = "x86_64-pc-linux-gnu"
@a = internal global ptr null
@b = internal global ptr null
declare void @effect()
define internal ptr @first(i1 %c) noinline {
  call void @effect()
  br i1 %c, label %x, label %y
x:
  ret ptr FIRST
y:
  ret ptr @a
}
define internal ptr @second() noinline {
  %p = call ptr @first(i1 true)
  ret ptr SECOND
}
define i64 @user(ptr %q) {
  %p = call ptr @first(i1 false)
  store volatile i32 ODD, ptr %q
  %r = call ptr @second()
  %v = load volatile i64, ptr @a
  store volatile ptr @a, ptr %p
  store volatile ptr @b, ptr %r
  store volatile ptr @b, ptr @a
  ret i64 %v
}
"""
    for odd in range(3):
        for first in ("@a", "@b", "null", "@a"):
            for second in ("@a", "%p", "@b", "null"):
                changed = text.replace("FIRST", first).replace("SECOND", second)
                changed = changed.replace("ODD", str(odd))
                assert size(service, changed) == size(plain, changed), changed
    assert counts(service).whole_modules == 0
    assert counts(service).functions_found > 0


def test_aliases(service: LocalService, plain: LocalService) -> None:
    text = """
target triple = "x86_64-pc-linux-gnu"
declare void @effect()
define dso_local void @f%(i32 %x) noinline {
  call void @effect()
  ret void
}
@near = internal alias void (i32), ptr @f%
@far = alias void (i32), ptr @f%
define void @user(i32 %x) minsize optsize {
  %c = icmp eq i32 %x, 0
  br i1 %c, label %a, label %b
a:
  tail call void @near(i32 VALUE)
  ret void
b:
  tail call void @far(i32 2)
  ret void
}
!llvm.module.flags = !{!0}
!0 = !{i32 8, !"PIC Level", i32 2}
""".replace("f%", "f")
    for value in (1, 1, 7, 1 << 20):
        changed = text.replace("VALUE", str(value))
        assert size(service, changed) == size(plain, changed)
    assert counts(service).whole_modules == 0
    assert counts(service).functions_found > 0


# ----------------------------------------------------------------------------
# How far branches reach
# ----------------------------------------------------------------------------


def jumping(rng: random.Random) -> str:
    """Functions of all sizes that jump to each other."""
    count = rng.randint(3, 14)
    lines = ['target triple = "x86_64-pc-linux-gnu"', "@v = global i32 0"]
    linkages = ["internal", "dso_local", "hidden", "", "linkonce_odr dso_local"]
    tight = rng.random() < 0.6
    for i in range(count):
        attributes = ["noinline"]
        if tight or rng.random() < 0.5:
            attributes.append("minsize optsize")
        if rng.random() < 0.15:
            attributes.append(f"align {rng.choice([2, 8, 32, 64])}")
        if rng.random() < 0.1:
            attributes.append('section ".text.startup"')
        lines.append(
            f"define {rng.choice(linkages)} void @f{i}(i32 %x) "
            f"{' '.join(attributes)} {{"
        )

        def stores(upto: int) -> None:
            lines.extend(
                f"  store volatile i32 {rng.choice([0, 1, 70000])}, ptr @v"
                for _ in range(rng.randint(0, upto))
            )

        blocks = rng.randint(1, 5)
        for block in range(blocks):
            stores(14)
            lines.extend(
                (
                    f"  %c{block} = icmp eq i32 %x, {block}",
                    f"  br i1 %c{block}, label %t{block}, label %n{block}",
                    f"t{block}:",
                )
            )
            stores(6)
            lines.extend(
                (
                    f"  tail call void @f{rng.randrange(count)}(i32 %x)",
                    "  ret void",
                    f"n{block}:",
                )
            )
        stores(10)
        if rng.random() < 0.3:
            lines.append(f"  br label %n{rng.randrange(blocks)}")
        else:
            lines.extend(
                (f"  tail call void @f{rng.randrange(count)}(i32 %x)", "  ret void")
            )
        lines.append("}")
    if rng.random() < 0.7:
        lines.append('!llvm.module.flags = !{!0}\n!0 = !{i32 8, !"PIC Level", i32 2}')
    return "\n".join(lines)


def check_jumps(
    service: LocalService, plain: LocalService, seeds: range, generated: bool
) -> None:
    for seed in seeds:
        text = jumping(random.Random(seed))
        for _ in range(2):
            # Once from generated code, and once from what is known.
            assert size(service, text) == size(plain, text), f"seed {seed}"
    assert (counts(service).functions_generated > 0) is generated
    assert counts(service).whole_modules == 0


def test_branches_between_functions(service: LocalService, plain: LocalService) -> None:
    check_jumps(service, plain, range(12), generated=True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_branches_between_functions_of_many_modules(
    service: LocalService, plain: LocalService
) -> None:
    check_jumps(service, plain, range(1000, 1400), generated=True)
