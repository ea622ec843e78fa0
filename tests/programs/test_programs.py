# SPDX-License-Identifier: Apache-2.0
"""Programs: what they are called, and files that hold them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.toolchain import KERNEL_NAMES, always, play, run

from mlcompiler_gym import Program, ProgramError, ProgramSet, load_programs
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.programs.named_set import package_of

Make = Callable[..., CompilerEnv]
Write = Callable[[str, str], Path]

# ---------------------------------------------------------------------------
# Names and sets


def test_the_set_of_kernels() -> None:
    programs = load_programs("kernels")
    assert programs.names == [f"kernels/{name}" for name in KERNEL_NAMES]
    assert load_programs("kernels/regex").names == ["kernels/regex"]
    assert programs.named("kernels/regex") == load_programs("kernels/regex")[0]
    arm = load_programs("kernels", target="aarch64-linux-gnu")
    assert arm.names == programs.names
    assert not {p.sha256 for p in arm} & {p.sha256 for p in programs}


@pytest.mark.parametrize(
    "name", ["kernels/regex", "loops/stencil_five_point", "csmith/12", "llvm-stress/5"]
)
def test_one_program_by_its_name(name: str) -> None:
    programs = load_programs(name)
    assert programs.names == [name]
    assert programs.named(name).name == name


def test_a_file_may_be_marked_as_one(small_c: Path, tmp_path: Path) -> None:
    [marked] = load_programs(f"file:{small_c}")
    [plain] = load_programs(small_c)
    assert marked.sha256 == plain.sha256
    # Whatever it is called.
    odd = tmp_path / "kernels.ll"
    odd.write_bytes(b"define void @f() {\n ret void\n}\n")
    assert load_programs(f"file:{odd}")[0].bitcode == odd.read_bytes()
    with pytest.raises(ProgramError, match=r"odd\.txt is none of \.bc"):
        load_programs("file:odd.txt")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("nonsuch", "unknown program 'nonsuch'.*Name a set"),
        ("kernels/", "unknown program 'kernels/'"),
        ("kernels/regex:train", "unknown program 'kernels/regex:train'"),
        ("kernels:trian", "train, validation, test, not 'trian'"),
        ("csmith:tests", "train, validation, test, not 'tests'"),
        ("csmith/seed", "unknown program 'csmith/seed'"),
        ("csmith/-1", "unknown program 'csmith/-1'"),
        ("csmith/012", "unknown program 'csmith/012'"),
        (f"csmith/{2**31}", f"unknown program 'csmith/{2**31}'"),
        ("pypi/lz4/nonsuch", "unknown program 'pypi/lz4/nonsuch'"),
    ],
)
def test_names_of_nothing(wrong: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        load_programs(wrong)


def test_a_folder_without_bitcode(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"no bitcode \(\.bc\) in the folder"):
        load_programs(tmp_path)


@pytest.mark.parametrize("prefix", ["", "file:"])
def test_a_folder_of_bitcode(tmp_path: Path, prefix: str) -> None:
    names = ["lz", "deeper/basic"]
    for name in names:
        file = tmp_path / f"{name}.bc"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(load_programs(f"kernels/{Path(name).name}")[0].bitcode)
    found = load_programs(f"{prefix}{tmp_path}")
    assert found.names == sorted(str(tmp_path / f"{name}.bc") for name in names)
    assert [package_of(name) for name in found.names] == [
        str(Path(name).parent) for name in found.names
    ]


def test_a_program_set_is_a_sequence() -> None:
    programs = load_programs("kernels")
    assert isinstance(programs, ProgramSet)
    assert isinstance(programs[:3], ProgramSet)
    assert programs[:3].names == programs.names[:3]
    assert programs[-1].name == programs.names[-1]
    assert list(programs) == [programs[i] for i in range(len(programs))]
    assert load_programs(programs[2:5]).names == programs.names[2:5]
    with pytest.raises(ProgramError, match=r"'nonsuch'.*kernels/lz"):
        programs.named("nonsuch")


def test_several_at_once(small_c: Path) -> None:
    own = Program("own", b"define void @f() {\n ret void\n}\n")
    programs = load_programs(["kernels/lz", small_c, own])
    assert programs.names == ["kernels/lz", str(small_c), "own"]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("kernels/regexx", "kernels/regex"),
        ("kernels/Json", "kernels/json"),
        ("kernel", "kernels"),
        ("kernals", "kernels"),
        ("loops/stencil_five_pint", "loops/stencil_five_point"),
        ("loop", "loops"),
        ("csmit/12", "csmith"),
        ("llvmstress", "llvm-stress"),
        ("pypi/lz4/lz4hd", "pypi/lz4/lz4hc"),
    ],
)
def test_misspelled_names_get_suggestions(wrong: str, meant: str) -> None:
    with pytest.raises(ProgramError, match=re.escape(f"'{wrong}'")) as caught:
        load_programs(wrong)
    suggested = re.search("did you mean (.*)[?]", str(caught.value))
    assert suggested is not None
    assert meant in suggested[1].split(" or ")


def test_an_empty_set_and_a_name_twice() -> None:
    with pytest.raises(ProgramError, match="no programs"):
        load_programs([])
    with pytest.raises(ProgramError, match=r"two programs.*kernels/lz"):
        load_programs(["kernels/lz", "kernels"])


@pytest.mark.parametrize("name", ["nonsuch.bc", "nonsuch.c"])
def test_a_file_that_is_not_there(name: str) -> None:
    with pytest.raises(ProgramError, match=re.escape(name)):
        load_programs(name)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gone.bc"
    path.write_bytes(b"")
    [program] = load_programs(path)
    path.unlink()
    with pytest.raises(ProgramError, match=r"gone\.bc"):
        program.sha256  # noqa: B018


# ---------------------------------------------------------------------------
# Files and sources


def test_bitcode_text_and_source_are_the_same_program(
    make: Make, small_c: Path, tmp_path: Path
) -> None:
    [compiled] = load_programs(small_c)
    (tmp_path / "small.bc").write_bytes(compiled.bitcode)
    text = run("llvm-dis-22", "-o", "-", data=compiled.bitcode)
    (tmp_path / "small.ll").write_bytes(text)
    objects = []
    for suffix in ("c", "bc", "ll"):
        env = make(programs=tmp_path / f"small.{suffix}")
        _, _, _, info = play(env, always(1))
        assert info["program"] == str(tmp_path / f"small.{suffix}")
        objects.append(env.emit("object"))
    assert objects[0] == objects[1] == objects[2]


@pytest.mark.parametrize("suffix", ["cc", "cpp", "cxx"])
def test_cpp(make: Make, write_file: Write, suffix: str) -> None:
    source = write_file(
        f"list.{suffix}",
        "#include <vector>\nint sum(const std::vector<int> &v) {\n"
        "  int s = 0;\n  for (int x : v) s += x;\n  return s;\n}\n",
    )
    env = make(programs=source)
    assert len(play(env, always(1))[0]) > 1
    assert "_Z3sumRKSt6vector" in env.observe("ir")["ir"]


def test_sources_are_not_optimised_yet_but_ready_to_be(small_c: Path) -> None:
    text = run("llvm-dis-22", "-o", "-", data=load_programs(small_c)[0].bitcode)
    assert b"alloca" in text
    assert b"minsize" in text
    assert b"optnone" not in text


def test_clang_flags(write_file: Write) -> None:
    source = write_file("flags.c", "int value(void) { return VALUE; }\n")
    [program] = load_programs(source, clang_flags=["-DVALUE=4242", "-O2"])
    text = run("llvm-dis-22", "-o", "-", data=program.bitcode)
    assert b"4242" in text
    assert b"minsize" not in text


def test_clang_flags_in_one_string_are_refused(small_c: Path) -> None:
    """A string is a sequence too: of flags of one letter."""
    with pytest.raises((TypeError, ValueError), match="clang_flags"):
        load_programs(small_c, clang_flags="-O2")


def test_the_target_is_clangs_too(small_c: Path) -> None:
    [program] = load_programs(small_c, target="aarch64-linux-gnu")
    text = run("llvm-dis-22", "-o", "-", data=program.bitcode)
    assert re.search(rb'^target triple = "aarch64-', text, re.MULTILINE)


def test_clangs_message_is_shown(write_file: Write) -> None:
    source = write_file("broken.c", "int f(void) { return nonsuch; }\n")
    with pytest.raises(ProgramError) as caught:
        load_programs(source, clang_flags=["-DSOME=1"])
    message = str(caught.value)
    assert f"{source} does not compile" in message
    assert f"{source}:1:22: error: use of undeclared identifier 'nonsuch'" in message
    # The command, to try by hand.
    assert "-DSOME=1" in message


def test_clang_is_looked_for_where_the_user_says(
    write_file: Write, small_c: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLCOMPILER_GYM_CLANG", "/nonsuch/clang")
    with pytest.raises(ProgramError, match="/nonsuch/clang") as caught:
        load_programs(small_c)
    assert "MLCOMPILER_GYM_CLANG" in str(caught.value)
    wrapper = write_file("my-clang", '#!/bin/sh\nexec clang-22 -DMARK="$0" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("MLCOMPILER_GYM_CLANG", str(wrapper))
    small_c.write_text("#ifndef MARK\n#error not through the wrapper\n#endif\n")
    assert load_programs(small_c)


def test_without_clang(
    small_c: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLCOMPILER_GYM_CLANG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match=r"clang-22.*MLCOMPILER_GYM_CLANG"):
        load_programs(small_c)
    # Nobody else needs it.
    assert load_programs("kernels/lz")[0].bitcode
