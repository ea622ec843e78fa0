# SPDX-License-Identifier: Apache-2.0
"""Episodes on a cluster of one machine, which is started for them."""

from pathlib import Path

import pytest
from support.commands import cli

from mlcompiler_gym import EvaluationError
from mlcompiler_gym.evaluation import Evaluation
from mlcompiler_gym.evaluation.farm import RayPlayers

EVALUATION = Evaluation("mlcompiler/Inlining-v0", "always")


def test_a_cluster_plays_what_this_process_plays(tmp_path: Path) -> None:
    written = []
    for place in (["--ray-address", "local", "--workers", "1"], []):
        path = tmp_path / f"{len(place)}.jsonl"
        what = ["mlcompiler/Inlining-v0", "--policy", "random", "--limit", "2"]
        cli("eval", *what, "--episodes", "2", "--output", path, *place)
        written.append(sorted(path.read_text().splitlines()))
    assert len(written[0]) == 4
    assert written[0] == written[1]


def test_a_cluster_needs_a_worker() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RayPlayers(EVALUATION, workers=0)


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_no_cluster_at_an_address(scheme: str) -> None:
    with pytest.raises(EvaluationError, match=rf"{scheme}127\.0\.0\.1:1: .*refused"):
        RayPlayers(EVALUATION, address=f"{scheme}127.0.0.1:1")
