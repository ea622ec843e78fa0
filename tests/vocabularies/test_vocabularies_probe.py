# SPDX-License-Identifier: Apache-2.0
"""Whether vocabularies mean something, and the command line about them."""

import json
import subprocess
from pathlib import Path

import pytest
from support.commands import SCRIPT

from mlcompiler_gym import vocabularies
from mlcompiler_gym.vocabularies import VocabularyError
from mlcompiler_gym.vocabularies.kinds import KINDS
from mlcompiler_gym.vocabularies.modules import Module, gather_modules
from mlcompiler_gym.vocabularies.probe import (
    class_of_neighbour,
    random_like,
    run_probes,
    table,
)
from mlcompiler_gym.vocabularies.reading import read_vectors


def cli(*arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [SCRIPT, "vocabulary", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if status == 0 else done.stderr


@pytest.mark.parametrize("name", ["ir2vec-75d", "ir2vec-300d"])
def test_neighbours_are_of_the_same_class_far_more_often_than_by_chance(
    name: str,
) -> None:
    vectors = read_vectors(vocabularies.path(name))
    seen = vocabularies.card(name)["seen"].split()
    random = [class_of_neighbour(random_like(vectors, s), seen) for s in range(10)]
    assert class_of_neighbour(vectors, seen) > max(random) + 0.1


def test_packages_to_learn_on_are_not_those_to_be_told() -> None:
    module = Module("kernels/lz", "kernels/lz", "Oz", {"Add": 1.0}, 1, 10, False)
    vectors = read_vectors(vocabularies.path("ir2vec-75d"))
    with pytest.raises(VocabularyError, match="kernels/lz"):
        run_probes(vectors, [module], [module])


@pytest.mark.slow
def test_probes_score_real_programs(tmp_path: Path) -> None:
    learn, test = (
        gather_modules(
            [f"loops:{split}"],
            KINDS["ir2vec"],
            work=tmp_path,
            per_package=None,
            jobs=2,
            show=False,
        )
        for split in ("validation", "test")
    )
    vectors = read_vectors(vocabularies.path("ir2vec-75d"))
    rows = run_probes(vectors, learn, test, seeds=3)
    scores = {row.probe.name: row for row in rows}
    # Five levels: whatever the vectors, more than chance can be told of them.
    assert scores["level, linear"].trained > 0.3
    assert min(scores["level, linear"].random) > 0.3
    assert len(table(rows).splitlines()) == 2 + len(rows)


def test_the_command_lists_and_describes_what_is_shipped() -> None:
    lines = cli("list").splitlines()
    assert [line.split()[0] for line in lines] == vocabularies.names()
    assert json.loads(cli("info", "ir2vec-75d")) == vocabularies.card("ir2vec-75d")
    assert "no vocabulary 'ir2vec'" in cli("info", "ir2vec", status=1)


def test_the_command_prints_neighbours() -> None:
    printed = cli("neighbours", "ir2vec-75d", "FAdd", "--count", "3")
    assert printed.startswith("FAdd: F")
    assert printed.count(", ") == 2
    assert "no entity 'Foo'" in cli("neighbours", "ir2vec-75d", "Foo", status=1)
