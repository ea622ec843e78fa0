# SPDX-License-Identifier: Apache-2.0
"""Bitcode out of objects, executables and archives that a build left."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.toolchain import always, play, run

from mlcompiler_gym import ProgramError, load_programs
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.programs.embedded import extract_embedded

Make = Callable[..., CompilerEnv]
Compile = Callable[..., Path]

SOURCES = {
    "one": (
        "static int leaf(int x) { return x * 31 + 7; }\n"
        "int one(int x) { return leaf(x) + leaf(x + 1); }\n"
    ),
    "two": "int one(int);\nint two(int x) { return one(x) - one(x + 1); }\n",
    "main": "int two(int);\nint main(int n, char **v) { return two(n) & 1; }\n",
}


@pytest.fixture
def compile_c(tmp_path: Path) -> Compile:
    """``compile_c("one", "-flto")``: path of the object."""

    def compile_one(name: str, *flags: str, output: str | None = None) -> Path:
        source = tmp_path / f"{name}.c"
        source.write_text(SOURCES[name])
        path = tmp_path / (output or f"{name}.o")
        path.parent.mkdir(exist_ok=True)
        run("clang-22", "-Oz", "-fPIC", *flags, "-c", source, "-o", path)
        return path

    return compile_one


def archive(path: Path, *members: Path, modifiers: str = "rcs") -> Path:
    run("llvm-ar-22", modifiers, path, *members)
    return path


def functions(path: Path) -> set[str]:
    """What a program defines; LLVM's own tool has to be able to read it."""
    text = run("llvm-dis-22", "-o", "-", data=path.read_bytes()).decode()
    return set(re.findall(r"^define .*@([\w.]+)\(", text, re.MULTILINE))


def extract(tmp_path: Path, *files: Path) -> dict[str, set[str]]:
    """Which programs were found, and the functions of each."""
    output = tmp_path / "out"
    found = extract_embedded(files, output)
    assert load_programs(output).names == sorted(str(output / f.file) for f in found)
    return {each.file: functions(output / each.file) for each in found}


# ---------------------------------------------------------------------------
# What holds bitcode


@pytest.mark.parametrize(
    "flags",
    [
        ("-fembed-bitcode",),
        ("-flto",),
        ("-flto=thin",),
        ("-flto", "-ffat-lto-objects"),
        ("-flto=thin", "-ffat-lto-objects"),
        ("-emit-llvm",),
    ],
    ids=" ".join,
)
def test_objects(
    make: Make, compile_c: Compile, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    path = compile_c("one", *flags)
    assert extract(tmp_path, path)["one.o.bc"] >= {"one"}
    _, terminated, truncated, info = play(make(programs=tmp_path / "out"), always(1))
    assert terminated
    assert not truncated
    assert info["program"] == str(tmp_path / "out/one.o.bc")


@pytest.mark.parametrize("flags", [("-pie",), ("-shared",), ("-r", "-nostdlib")])
def test_what_was_linked_of_several_objects(
    compile_c: Compile, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    objects = [compile_c(name, "-fembed-bitcode") for name in SOURCES]
    program = tmp_path / "program"
    run("clang-22", *flags, *objects, "-o", program)
    found = extract(tmp_path, program)
    assert found == {
        "program.bc": {"one"},
        "program.2.bc": {"two"},
        "program.3.bc": {"main"},
    }


@pytest.mark.parametrize("modifiers", ["rcs", "rcsT"], ids=["archive", "thin archive"])
@pytest.mark.parametrize(
    "flags",
    [("-flto",), ("-flto=thin",), ("-fembed-bitcode",), ("-flto", "-ffat-lto-objects")],
    ids=" ".join,
)
def test_archives(
    compile_c: Compile, tmp_path: Path, flags: tuple[str, ...], modifiers: str
) -> None:
    members = [compile_c(name, *flags) for name in ("one", "two")]
    # One without, as of an assembler, is passed over.
    members.append(compile_c("main"))
    path = archive(tmp_path / "libboth.a", *members, modifiers=modifiers)
    found = extract(tmp_path, path)
    assert set(found) == {"one.o.bc", "two.o.bc"}
    assert found["one.o.bc"] >= {"one"}
    assert found["two.o.bc"] >= {"two"}


def test_a_thin_archive_is_found_from_elsewhere(
    compile_c: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its members' paths are relative to it, not to the working directory."""
    compile_c("one", "-flto", output="build/one.o")
    with monkeypatch.context() as patched:
        patched.chdir(tmp_path / "build")
        archive(Path("lib.a"), Path("one.o"), modifiers="rcsT")
    monkeypatch.chdir(tmp_path)
    assert set(extract(tmp_path, Path("build/lib.a"))) == {"one.o.bc"}


def test_members_of_the_same_name(compile_c: Compile, tmp_path: Path) -> None:
    first = compile_c("one", "-flto", output="a/part.o")
    second = compile_c("two", "-flto", output="b/part.o")
    path = archive(tmp_path / "lib.a", first, second, modifiers="qcs")
    found = extract(tmp_path, path)
    assert set(found) == {"part.o.bc", "part.o.2.bc"}
    assert found["part.o.bc"] >= {"one"}
    assert found["part.o.2.bc"] >= {"two"}


def test_a_module_that_looks_like_the_beginning_of_another(
    tmp_path: Path, compile_c: Compile
) -> None:
    """The linker puts modules behind each other; each begins with four bytes."""
    odd = tmp_path / "odd.ll"
    odd.write_bytes(
        b'target triple = "x86_64-unknown-linux-gnu"\n'
        b'define void @"BC\\C0\\DEBC\\C0\\DE"() {\n  ret void\n}\n'
        b"define void @odd() {\n  ret void\n}\n"
    )
    run("clang-22", "-fembed-bitcode", "-c", odd, "-o", tmp_path / "odd.o")
    objects = [tmp_path / "odd.o", compile_c("one", "-fembed-bitcode")]
    run("clang-22", "-r", "-nostdlib", *objects, "-o", tmp_path / "linked.o")
    found = extract(tmp_path, tmp_path / "linked.o")
    assert [sorted(names) for names in found.values()] == [["odd"], ["one"]]
    assert (tmp_path / "out" / "linked.o.bc").read_bytes().count(b"BC\xc0\xde") > 1


def test_two_modules_in_one_object(tmp_path: Path) -> None:
    """ThinLTO puts what has to be linked whole into a second one."""
    source = tmp_path / "virtual.cpp"
    source.write_text(
        "struct Base { virtual int get(); };\nstruct More : Base { int get() override;"
        " };\nint Base::get() { return 1; }\nint More::get() { return 2; }\n"
        "int call(Base *b) { return b->get(); }\n"
    )
    flags = ("-flto=thin", "-fvisibility=hidden", "-fwhole-program-vtables")
    path = tmp_path / "virtual.o"
    run("clang-22", "-O1", *flags, "-fsplit-lto-unit", "-c", source, "-o", path)
    found = extract(tmp_path, path)
    assert set(found) == {"virtual.o.bc", "virtual.o.2.bc"}
    assert set.union(*found.values()) >= {"_ZN4Base3getEv", "_Z4callP4Base"}


def test_what_was_there_is_kept(compile_c: Compile, tmp_path: Path) -> None:
    extract_embedded([compile_c("one", "-flto")], tmp_path / "out")
    extract_embedded([compile_c("two", "-flto")], tmp_path / "out")
    extract_embedded([compile_c("one", "-flto", "-O2")], tmp_path / "out")
    programs = load_programs(tmp_path / "out")
    names = [Path(name).name for name in programs.names]
    assert names == ["one.o.2.bc", "one.o.bc", "two.o.bc"]
    assert len({program.sha256 for program in programs}) == 3


# ---------------------------------------------------------------------------
# What does not


def test_files_without_bitcode(compile_c: Compile, tmp_path: Path) -> None:
    plain = compile_c("one")
    lib = archive(tmp_path / "lib.a", plain)
    empty = tmp_path / "empty.o"
    empty.write_bytes(b"")
    text = tmp_path / "one.c"
    for files in ([plain], [lib], [empty], [text], [plain, lib, text]):
        with pytest.raises(ProgramError, match=r"no bitcode in .*-fembed-bitcode"):
            extract_embedded(files, tmp_path / "out")
    # Beside others they do no harm.
    assert set(extract(tmp_path, plain, compile_c("two", "-flto"), lib)) == {"two.o.bc"}


def test_a_marker_is_no_bitcode(compile_c: Compile, tmp_path: Path) -> None:
    path = compile_c("one", "-fembed-bitcode-marker")
    with pytest.raises(ProgramError, match="no bitcode in"):
        extract_embedded([path], tmp_path / "out")


@pytest.mark.parametrize("flags", ["-fembed-bitcode", "-flto", "archive"])
def test_truncated_files(compile_c: Compile, tmp_path: Path, flags: str) -> None:
    path = compile_c("one", "-flto" if flags == "archive" else flags)
    if flags == "archive":
        path = archive(tmp_path / "lib.a", path)
    whole = path.read_bytes()
    for part in (0.2, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(ProgramError, match=re.escape(str(path))) as caught:
            extract_embedded([path], tmp_path / "out")
        assert "Stack dump" not in str(caught.value)
        assert not list(tmp_path.glob("out/**/*"))


@pytest.mark.parametrize("flags", ["-fembed-bitcode", "-flto"])
def test_damaged_files(compile_c: Compile, tmp_path: Path, flags: str) -> None:
    """Whatever is in them: modules, or an error that names the file."""
    path = compile_c("one", flags)
    whole = path.read_bytes()
    messages = []
    for at in range(16, len(whole), len(whole) // 40):
        path.write_bytes(whole[:at] + b"\xff" * 8 + whole[at + 8 :])
        try:
            for each in extract_embedded([path], tmp_path / f"out{at}"):
                assert (tmp_path / f"out{at}" / each.file).is_file()
        except ProgramError as error:
            messages.append(str(error))
    assert messages
    for message in messages:
        assert str(path) in message
        assert "Stack dump" not in message


def test_files_that_are_not_there(compile_c: Compile, tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"nonsuch\.o.*No such file"):
        extract_embedded([tmp_path / "nonsuch.o"], tmp_path / "out")
    with pytest.raises(ProgramError, match=r"[Ii]s a directory"):
        extract_embedded([tmp_path], tmp_path / "out")
    member = compile_c("one", "-flto")
    path = archive(tmp_path / "lib.a", member, modifiers="rcsT")
    member.unlink()
    with pytest.raises(ProgramError, match=r"lib\.a.*No such file"):
        extract_embedded([path], tmp_path / "out")


def test_an_output_that_is_a_file(compile_c: Compile, tmp_path: Path) -> None:
    path = compile_c("one", "-flto")
    with pytest.raises(ProgramError, match=r"one\.c cannot be written"):
        extract_embedded([path], tmp_path / "one.c")
