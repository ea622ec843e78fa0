# SPDX-License-Identifier: Apache-2.0
"""Training vocabularies."""

import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.commands import SCRIPT

from mlcompiler_gym.errors import ProgramError
from mlcompiler_gym.vocabularies import VocabularyError
from mlcompiler_gym.vocabularies.entities import list_entities, place_of
from mlcompiler_gym.vocabularies.fallback import complete
from mlcompiler_gym.vocabularies.kinds import KINDS
from mlcompiler_gym.vocabularies.reading import read_vectors
from mlcompiler_gym.vocabularies.train import train
from mlcompiler_gym.vocabularies.transe import Settings, expand
from mlcompiler_gym.vocabularies.triplets import (
    compile_triplet_tool,
    predicate_triplets,
)

TINY = Settings(dimension=8, samples=2000, epochs=2)
TWO_KERNELS = ["kernels/heaps", "kernels/huffman"]

WITHOUT_FLOATS = """
define i64 @f(i64 %a, i64 %b) {
  %sum = add i64 %a, %b
  %c = icmp slt i64 %sum, 10
  br i1 %c, label %small, label %large
small:
  %product = mul i64 %sum, %a
  br label %large
large:
  %result = phi i64 [ %product, %small ], [ %sum, %0 ]
  ret i64 %result
}
"""

TWO_FUNCTIONS_WITH_FLOATS = """
define double @f(double %a, double %b) {
  %sum = fadd double %a, %b
  ret double %sum
}
define double @g(double %a, double %b, double %c, double %d) {
  %x = fmul double %a, %b
  %y = fmul double %c, %d
  %z = fsub double %x, %y
  ret double %z
}
"""


def machine_ir(module: str, triple: str) -> bytes:
    return subprocess.run(
        ["llc-22", f"-mtriple={triple}", "-stop-after=finalize-isel", "-o", "-"],
        input=module.encode(),
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout


def counted(tool: Path, mir: bytes) -> Counter[tuple[str, str, str]]:
    done = subprocess.run([tool], input=mir, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    return Counter({(h, r, t): int(count) for h, r, t, count in rows})


@pytest.fixture(scope="module")
def triplet_tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_triplet_tool(tmp_path_factory.mktemp("tool"))


def test_the_same_data_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    made = [
        train(
            "ir2vec",
            TWO_KERNELS,
            settings,
            output=tmp_path / folder,
            work=tmp_path / f"{folder}-work",
            show=False,
        )
        for folder, settings in (
            ("one", TINY),
            ("two", TINY),
            ("other", Settings(**{**TINY.__dict__, "seed": 1})),
        )
    ]
    one, two, other = made
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes() != other.read_bytes()
    card, same = (path.parent / "cards" / path.name for path in (one, two))
    assert card.read_bytes() == same.read_bytes()
    vectors = read_vectors(one)
    assert list(vectors) == list_entities(KINDS["ir2vec"])
    assert {vector.shape for vector in vectors.values()} == {(8,)}
    assert all(vector.any() for vector in vectors.values())


@pytest.mark.slow
def test_an_interrupted_training_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    def command(folder: str) -> list[str]:
        return [
            *(str(SCRIPT), "vocabulary", "train", "--kind", "ir2vec", "--dim", "16"),
            *("--programs", "kernels/heaps", "--samples", "20000", "--epochs", "40"),
            *("--work", str(tmp_path / f"{folder}-work")),
            *("--output", str(tmp_path / folder)),
        ]

    interrupted = subprocess.Popen(command("one"), stderr=subprocess.DEVNULL)
    checkpoints = tmp_path / "one-work" / "checkpoints"
    while not list(checkpoints.glob("*.pt")):
        assert interrupted.poll() is None, "ended before there was a checkpoint"
        time.sleep(0.05)
    interrupted.send_signal(signal.SIGINT)
    assert interrupted.wait(60) != 0
    assert not (tmp_path / "one" / "ir2vec-16d.json").exists()
    for folder in ("one", "two"):
        subprocess.run(command(folder), check=True, stderr=subprocess.DEVNULL)
    one, two = (tmp_path / folder / "ir2vec-16d.json" for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mir2vec-x86-64", "mir2vec-aarch64"])
def test_machine_ir_can_be_learned_from(kind: str, tmp_path: Path) -> None:
    path = train(
        kind, TWO_KERNELS, TINY, output=tmp_path, work=tmp_path / "work", show=False
    )
    vectors = read_vectors(path)
    assert list(vectors) == list_entities(KINDS[kind])
    assert all(vector.any() for vector in vectors.values())


def test_unknown_kinds_and_programs_are_errors(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="mir2vec-aarch64"):
        train("mir2vec-arm", TWO_KERNELS, TINY, output=tmp_path, work=tmp_path)
    with pytest.raises(ProgramError, match="kernels/heaps"):
        train("ir2vec", ["kernels/heap"], TINY, output=tmp_path, work=tmp_path)
    with pytest.raises(VocabularyError, match="no end"):
        train("ir2vec", ["csmith"], TINY, output=tmp_path, work=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("triple", ["x86_64-linux-gnu", "aarch64-linux-gnu"])
def test_triplets_are_those_of_llvms_tool_where_it_works(
    triple: str, triplet_tool: Path, tmp_path: Path
) -> None:
    mir = machine_ir(WITHOUT_FLOATS, triple)
    file = tmp_path / "f.mir"
    file.write_bytes(mir)

    def listing(command: str) -> list[list[str]]:
        done = subprocess.run(
            ["llvm-ir2vec-22", command, "--mode=mir", str(file)],
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        )
        return [line.split("\t") for line in done.stdout.splitlines()[1:]]

    names = [name for name, _ in listing("entities")]
    expected = Counter(
        (
            names[int(head)],
            "Next" if relation == "0" else f"Arg{int(relation) - 1}",
            names[int(tail)],
        )
        for head, tail, relation in listing("triplets")
    )
    assert counted(triplet_tool, mir) == expected
    assert any(tail.startswith("VirtReg_") for _, _, tail in expected)


@pytest.mark.slow
def test_registers_are_those_of_their_own_function(triplet_tool: Path) -> None:
    """And $mxcsr, which is of no class, is left out."""
    found = counted(
        triplet_tool, machine_ir(TWO_FUNCTIONS_WITH_FLOATS, "x86_64-linux-gnu")
    )
    assert found["MULSDrr", "Arg0", "VirtReg_FR64"] == 2
    assert found["SUBSDrr", "Arg2", "VirtReg_FR64"] == 1
    assert found["ADDSDrr", "Arg1", "VirtReg_FR64"] == 1
    assert not [triplet for triplet in found if "mxcsr" in str(triplet).lower()]


def test_predicates_are_known_by_what_is_around_them() -> None:
    text = """
define i32 @f(ptr %p, i32 %n) {
  %x = load i32, ptr %p, align 4
  %c = icmp samesign ult i32 %x, %n, !dbg !3
  %d = icmp eq ptr %p, null
  %e = fcmp reassoc nnan olt double %f, 1.000000e+00
  br i1 %c, label %1, label %2
"""
    found = predicate_triplets(text, list_entities(KINDS["ir2vec"]))
    assert found == Counter(
        {
            ("ICmp", "Arg2", "ICMP_ult"): 1,
            ("Load", "Next", "ICMP_ult"): 1,
            ("ICMP_ult", "Arg1", "Variable"): 1,
            ("ICMP_ult", "Next", "ICmp"): 1,
            ("ICmp", "Arg2", "ICMP_eq"): 1,
            ("ICmp", "Next", "ICMP_eq"): 1,
            ("ICMP_eq", "Arg1", "Pointer"): 1,
            ("ICMP_eq", "Next", "FCmp"): 1,
            ("FCmp", "Arg2", "FCMP_olt"): 1,
            ("ICmp", "Next", "FCMP_olt"): 1,
            ("FCMP_olt", "Arg1", "Constant"): 1,
            ("FCMP_olt", "Next", "Br"): 1,
        }
    )


def test_every_distinct_triplet_is_in_an_epoch() -> None:
    counts = Counter({("A", "Next", "B"): 10_000, ("B", "Next", "A"): 1})
    assert expand(counts, 101) == [(("A", "Next", "B"), 100), (("B", "Next", "A"), 1)]
    assert expand(counts, 10)[1] == (("B", "Next", "A"), 1)


def test_what_was_not_seen_is_like_its_kin() -> None:
    kind = KINDS["ir2vec"]
    entities = list_entities(kind)
    rng = np.random.default_rng(0)
    trained = {
        name: vector / np.linalg.norm(vector)
        for name in entities
        if name not in ("CallBr", "FCMP_true", "AtomicRMW")
        for vector in [rng.standard_normal(5).astype(np.float32)]
    }
    vectors = complete(entities, place_of(entities, kind), trained)
    assert set(vectors) == set(entities)
    np.testing.assert_allclose(vectors["CallBr"], trained["Call"], rtol=1e-6)
    mean = trained["Load"] + trained["Store"]
    np.testing.assert_allclose(
        vectors["AtomicRMW"], mean / np.linalg.norm(mean), rtol=1e-5
    )
    assert np.linalg.norm(vectors["FCMP_true"]) == pytest.approx(1)


def test_a_section_without_data_is_an_error() -> None:
    kind = KINDS["ir2vec"]
    entities = list_entities(kind)
    with pytest.raises(VocabularyError, match="Arguments, Types"):
        complete(entities, place_of(entities, kind), {"Add": np.ones(3, np.float32)})
