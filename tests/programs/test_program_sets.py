# SPDX-License-Identifier: Apache-2.0
"""Sets of programs: splits, levels, licences, and what chance draws from them."""

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.toolchain import run

from mlcompiler_gym import Program, ProgramError, ProgramSet, load_programs
from mlcompiler_gym.envs import CompilerEnv
from mlcompiler_gym.programs import NAMED_SETS, ProgramSource
from mlcompiler_gym.programs.catalogue import SPLITS, entries_of
from mlcompiler_gym.programs.named_set import CatalogueSet, package_of
from mlcompiler_gym.programs.variant import Variant

Make = Callable[..., CompilerEnv]

TABLED = ["kernels", "loops", "pypi"]


def draw(programs: ProgramSource, count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [programs.sample(rng).name for _ in range(count)]


def dummy(name: str) -> Program:
    return Program(name, name.encode())


# ---------------------------------------------------------------------------
# Splits


@pytest.mark.parametrize("name", TABLED)
def test_splits_are_disjoint_and_complete(name: str) -> None:
    everything = [entry.name for entry in entries_of(name)]
    parts = [[e.name for e in entries_of(name, split)] for split in SPLITS]
    assert all(parts)
    assert sorted(itertools.chain(*parts)) == sorted(everything)
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize("name", TABLED)
def test_a_package_is_in_one_split(name: str) -> None:
    splits = defaultdict(set)
    for entry in entries_of(name):
        # The class of a loop nest is the first word of its name.
        package = package_of(entry.name)
        key = package.split("_")[0] if name == "loops" else package
        splits[key].add(entry.split)
    assert len(splits) > len(SPLITS)
    assert {key: found for key, found in splits.items() if len(found) > 1} == {}


@pytest.mark.parametrize("name", ["kernels", "loops"])
def test_splits_by_name(name: str) -> None:
    whole = load_programs(name).names
    parts = [load_programs(f"{name}:{split}").names for split in SPLITS]
    assert sorted(itertools.chain(*parts)) == sorted(whole)
    for split, part in zip(SPLITS, parts, strict=True):
        assert part == [entry.name for entry in entries_of(name, split)]
    assert load_programs([f"{name}:{s}" for s in SPLITS]).size == len(whole)


@pytest.mark.parametrize("name", ["csmith", "llvm-stress"])
def test_splits_of_generators_are_by_the_last_digit(name: str) -> None:
    digits = {"train": "01234567", "validation": "8", "test": "9"}
    for split in SPLITS:
        programs = load_programs(f"{name}:{split}")
        assert programs.size is None
        in_order = [p.name for p in itertools.islice(programs, 20)]
        assert len(set(in_order)) == 20
        drawn = draw(programs, 200)
        assert {n[-1] for n in drawn} == set(digits[split])
        assert {n[-1] for n in in_order} == set(digits[split])
        assert len(set(drawn)) > 190
        assert programs.named(f"{name}/123{digits[split][0]}")
        for other in set("0123456789") - set(digits[split]):
            with pytest.raises(ProgramError, match=f"{name}:{split}"):
                programs.named(f"{name}/123{other}")


def test_an_environment_draws_from_its_split_only(make: Make) -> None:
    env = make(programs="kernels:test")
    allowed = {entry.name for entry in entries_of("kernels", "test")}
    seen = {env.reset(seed=seed)[1]["program"] for seed in range(12)}
    assert len(seen) > 3
    assert seen <= allowed
    outside = entries_of("kernels", "train")[0].name
    with pytest.raises(ProgramError, match=outside):
        env.reset(options={"program": outside})


# ---------------------------------------------------------------------------
# Chance


@pytest.mark.parametrize(
    "programs", ["kernels", "loops:train", "csmith", ["kernels", "llvm-stress:test"]]
)
def test_the_same_seed_draws_the_same(programs: str | list[str]) -> None:
    loaded = load_programs(programs)
    assert draw(loaded, 40, seed=1) == draw(load_programs(programs), 40, seed=1)
    assert draw(loaded, 40, seed=1) != draw(loaded, 40, seed=2)


def test_an_environments_seed_draws_the_same_programs(make: Make) -> None:
    def drawn(seed: int) -> list[str]:
        env = make(programs=["kernels", "loops"])
        first = env.reset(seed=seed)[1]["program"]
        return [first] + [env.reset()[1]["program"] for _ in range(5)]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_every_program_is_drawn_as_often() -> None:
    loops = load_programs("loops")
    counts = Counter(draw(loops, 6600))
    assert set(counts) == set(loops.names)
    # 100 are expected; five standard deviations to either side.
    assert min(counts.values()) > 50
    assert max(counts.values()) < 150


def test_weights() -> None:
    programs = ProgramSet([dummy(n) for n in "abcd"], [1, 0, 2, 5])
    counts = Counter(draw(programs, 8000))
    assert "b" not in counts
    assert counts["a"] == pytest.approx(1000, abs=150)
    assert counts["c"] == pytest.approx(2000, abs=200)
    assert counts["d"] == pytest.approx(5000, abs=250)
    # A slice and a union keep them.
    assert set(draw(programs[:2], 50)) == {"a"}
    union = load_programs([programs[1:3], dummy("e")])
    assert set(draw(union, 100)) == {"c", "e"}


def test_a_package_of_many_files_does_not_outweigh_the_others() -> None:
    """Without the cache: only what the table says is needed."""
    pypi = NAMED_SETS["pypi"]
    assert isinstance(pypi, CatalogueSet)
    programs = CatalogueSet.load(pypi, Variant())
    total: Counter[str] = Counter()
    for program, weight in zip(programs, programs.weights, strict=True):
        total[package_of(program.name)] += weight  # type: ignore[assignment]
    sizes = Counter(package_of(name) for name in programs.names)
    assert max(sizes.values()) > 64
    assert max(total.values()) == pytest.approx(64)
    assert all(
        total[package] == pytest.approx(min(size, 64))
        for package, size in sizes.items()
    )


# ---------------------------------------------------------------------------
# Endless sets, alone and beside others


def test_an_endless_set() -> None:
    programs = load_programs("csmith")
    assert programs.size is None
    assert [p.name for p in itertools.islice(programs, 3)] == [
        "csmith/0",
        "csmith/1",
        "csmith/2",
    ]
    assert programs[12].name == "csmith/12"
    with pytest.raises(ProgramError, match="no end"):
        programs.names  # noqa: B018


def test_endless_and_finite_sets_together() -> None:
    programs = load_programs(["csmith:train", "kernels", "llvm-stress", "loops"])
    assert programs.size is None
    sets = Counter(name.split("/")[0] for name in draw(programs, 900))
    # One third each of the finite, taken together, and of either generator.
    assert sets["csmith"] == pytest.approx(300, abs=75)
    assert sets["llvm-stress"] == pytest.approx(300, abs=75)
    assert sets["kernels"] + sets["loops"] == pytest.approx(300, abs=75)
    in_order = [program.name for program in itertools.islice(programs, 400)]
    assert len(set(in_order)) == 400
    assert {entry.name for entry in entries_of("loops")} <= set(in_order)
    for name in ("csmith/7", "llvm-stress/9", "kernels/lz", "loops/split_chain"):
        assert programs.named(name).name == name
    with pytest.raises(ProgramError, match="csmith/8"):
        programs.named("csmith/8")
    # A single seed is a finite set.
    assert load_programs(["csmith/8", "kernels/lz"]).size == 2


def test_nothing_is_made_before_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    programs = load_programs(["csmith", "llvm-stress:test", "csmith/3", "kernels"])
    program = programs.named("csmith/3")
    assert draw(programs, 100)
    assert program.inputs == ((),)
    with pytest.raises(ProgramError, match="csmith is not there"):
        program.bitcode  # noqa: B018


# ---------------------------------------------------------------------------
# Levels and licences


@pytest.mark.parametrize("name", ["kernels/lz", "loops/split_chain", "csmith/5"])
def test_levels(name: str) -> None:
    for level, marked in ((None, True), ("Oz", True), ("O2", False)):
        [program] = load_programs(name, level=level)
        text = run("llvm-dis-22", "-o", "-", data=program.bitcode)
        assert (b"minsize" in text) is marked
        assert b"optnone" not in text
        # Ready to be optimised, and not optimised yet.
        assert b"alloca" in text


@pytest.mark.parametrize(
    ("settings", "marked"),
    [
        ({}, True),
        ({"pipeline": "default<O2>"}, False),
        ({"pipeline": "default<O3>"}, False),
        ({"pipeline": "default<O3>", "level": "Oz"}, True),
        ({"level": "O2"}, False),
    ],
)
def test_the_pipeline_says_the_level(
    make: Make, settings: dict[str, str], marked: bool
) -> None:
    env = make(programs="kernels/lz", **settings)
    env.reset()
    assert ("minsize" in env.observe("ir")["ir"]) is marked


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"level": "O3"}, "levels Oz and O2, not 'O3'"),
        ({"level": "oz"}, "levels Oz and O2, not 'oz'"),
        ({"target": "riscv64-linux-gnu"}, "'riscv64-linux-gnu'; there are for: x86_64"),
    ],
)
def test_there_are_none_for(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ProgramError, match=re.escape(message)):
        load_programs("kernels", **settings)


@pytest.mark.parametrize("target", ["arm64-apple-none", "aarch64-unknown-linux-gnu"])
def test_targets_of_the_same_architecture(target: str) -> None:
    one = load_programs("kernels/lz", target=target)[0].sha256
    assert one == load_programs("kernels/lz", target="aarch64-linux-gnu")[0].sha256


def test_licences() -> None:
    kernels = load_programs("kernels", licences=["Apache-2.0"])
    assert kernels.names == load_programs("kernels").names
    with pytest.raises(ProgramError, match=r"kernels.*'MIT'.*Apache-2\.0"):
        load_programs("kernels", licences=["MIT"])
    with pytest.raises(ProgramError, match="csmith is 'BSD"):
        load_programs("csmith", licences=["Apache-2.0"])
    with pytest.raises(TypeError, match="licences is a list"):
        load_programs("kernels", licences="Apache-2.0")


def test_every_set_says_what_it_is() -> None:
    assert list(NAMED_SETS) == [
        "kernels",
        "loops",
        "pypi",
        "apps",
        "csmith",
        "llvm-stress",
    ]
    for name, each in NAMED_SETS.items():
        assert each.description
        assert each.licence
        assert each.example.startswith(f"{name}/")


def test_programs_that_were_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLCOMPILER_GYM_CACHE", str(tmp_path))
    for name in ("pypi:validation", "pypi/lz4", "pypi/lz4/lz4hc"):
        fetch = re.escape(f"`mlcompiler-gym programs fetch {name[:8]}")
        with pytest.raises(ProgramError, match=f"not in the cache.*{fetch}"):
            load_programs(name)
    with pytest.raises(ProgramError, match="--target aarch64 --level O2"):
        load_programs("pypi/lz4", target="aarch64-linux-gnu", level="O2")


def test_programs_are_left_out_by_name() -> None:
    some = load_programs(["kernels", "-kernels/lz", "loops:test", "-kernels/vm"])
    everything = load_programs(["kernels", "loops:test"])
    assert set(everything.names) - set(some.names) == {"kernels/lz", "kernels/vm"}
    assert some.names == [n for n in everything.names if n in some.names]
    with pytest.raises(ProgramError, match="no program 'kernels/none'"):
        load_programs(["kernels", "-kernels/none"])
    with pytest.raises(ProgramError, match="no end"):
        load_programs(["csmith", "-csmith/1"])
