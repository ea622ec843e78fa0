# SPDX-License-Identifier: Apache-2.0
"""The vocabularies that are shipped, as LLVM's own tools read them."""

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mlcompiler_gym import load_programs, vocabularies
from mlcompiler_gym.vocabularies import VocabularyError
from mlcompiler_gym.vocabularies.entities import list_entities
from mlcompiler_gym.vocabularies.kinds import KINDS, kind_named
from mlcompiler_gym.vocabularies.modules import entity_weights
from mlcompiler_gym.vocabularies.reading import nearest, read_vectors
from mlcompiler_gym.vocabularies.triplets import ir_triplets, optimise

SHIPPED = (
    "ir2vec-300d",
    "ir2vec-75d",
    "mir2vec-aarch64-100d",
    "mir2vec-x86-64-100d",
)

FUNCTION = """
define i32 @f(ptr %p, i32 %n) {
  %x = load i32, ptr %p
  %c = icmp slt i32 %x, %n
  %y = select i1 %c, i32 %x, i32 1
  ret i32 %y
}
"""


def llvm(*command: str, content: str = "") -> str:
    done = subprocess.run(
        command, input=content, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def printed_vocabulary(listing: str) -> Iterator[tuple[str, list[float]]]:
    """Entities and vectors as LLVM prints what it has read."""
    for key, numbers in re.findall(r"^Key: (\S+?):\s+\[(.*?)\]", listing, re.M):
        yield key, [float(number) for number in numbers.split()]


def read_by_llvm(name: str) -> dict[str, list[float]]:
    path = vocabularies.path(name)
    kind = kind_named(name.rpartition("-")[0])
    if not kind.is_machine:
        listing = llvm(
            "opt-22",
            "-passes=print<ir2vec-vocab>",
            f"-ir2vec-vocab-path={path}",
            "-disable-output",
            content=FUNCTION,
        )
    else:
        listing = llvm(
            "llc-22",
            f"-mtriple={kind.triple}",
            "-print-mir2vec-vocab",
            f"-mir2vec-vocab-path={path}",
            "-o",
            "/dev/null",
            content=FUNCTION,
        )
    return dict(printed_vocabulary(listing))


def test_names_are_those_that_are_documented() -> None:
    assert vocabularies.names() == list(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_path_is_that_of_a_file(name: str) -> None:
    assert vocabularies.path(name).is_file()
    assert vocabularies.path(name).name == f"{name}.json"


@pytest.mark.parametrize("name", ["ir2vec-76d", "", "../errors", "ir2vec-75d.json"])
def test_an_unknown_name_is_an_error_with_the_known_ones(name: str) -> None:
    with pytest.raises(VocabularyError, match="ir2vec-300d, ir2vec-75d") as caught:
        vocabularies.path(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_llvm_reads_a_vector_for_every_entity(name: str) -> None:
    kind, _, dimension = name.rpartition("-")
    read = read_by_llvm(name)
    assert list(read) == list_entities(KINDS[kind])
    assert {len(vector) for vector in read.values()} == {int(dimension[:-1])}
    # LLVM prints two digits: a vector of length 1 cannot vanish in them.
    assert [entity for entity, vector in read.items() if not any(vector)] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_vectors_are_of_length_one(name: str) -> None:
    for vector in read_vectors(vocabularies.path(name)).values():
        assert np.linalg.norm(vector) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_is_that_of_its_file(name: str) -> None:
    card = vocabularies.card(name)
    content = vocabularies.path(name).read_bytes()
    assert card["sha256"] == hashlib.sha256(content).hexdigest()
    assert card["bytes"] == len(content)
    assert f"{card['kind']}-{card['dimension']}d" == name
    assert card["entities"] == len(read_vectors(vocabularies.path(name)))
    assert card["entities_seen"] == len(card["seen"].split())
    assert card["loss_last_epoch"] < card["loss_first_epoch"]


@pytest.mark.parametrize("name", ["ir2vec-75d", "ir2vec-300d"])
def test_the_sum_of_entities_is_what_llvm_computes(name: str, tmp_path: Path) -> None:
    """The probes' vector of a module is IR2Vec's, to the digits that LLVM prints."""
    kind = KINDS["ir2vec"]
    level = kind.levels[-1]
    bitcode = load_programs("kernels/heaps", level=level.front_end)[0].bitcode
    file = tmp_path / "module.bc"
    file.write_bytes(optimise(bitcode, level))
    printed = llvm(
        "llvm-ir2vec-22",
        "embeddings",
        f"--ir2vec-vocab-path={vocabularies.path(name)}",
        str(file),
    )
    functions = re.findall(r"^ *\[(.*?)\]", printed, re.M)
    expected = np.sum([np.fromstring(f, sep=" ") for f in functions], axis=0)

    weights, _ = entity_weights(ir_triplets(bitcode, level), kind)
    vectors = read_vectors(vocabularies.path(name))
    found = sum(weight * vectors[entity] for entity, weight in weights.items())
    np.testing.assert_allclose(found, expected, atol=0.006 * len(functions))


def test_arithmetic_is_near_arithmetic_of_its_type() -> None:
    vectors = read_vectors(vocabularies.path("ir2vec-75d"))
    seen = set(vocabularies.card("ir2vec-75d")["seen"].split())
    near = [name for name, _ in nearest(vectors, "FAdd", 3, seen)]
    assert {"FSub", "FMul"} & set(near)


def test_a_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(json.dumps({"Opcodes": {"Add": [1.0, 2.0], "Sub": [1.0]}}))
    with pytest.raises(VocabularyError, match="not of one dimension"):
        read_vectors(file)
    file.write_text("{")
    with pytest.raises(VocabularyError, match=str(file)):
        read_vectors(file)
