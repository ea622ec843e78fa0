# SPDX-License-Identifier: Apache-2.0
"""What there is to know of an eviction besides LLVM's features."""

import json
import re
from typing import Any

import numpy as np
import pytest
from support.regalloc import (
    AARCH64,
    EVICTION,
    NOTHING,
    TARGETS,
    TWO,
    X86,
    MakeEnv,
    legal_at_random,
    walk,
)
from support.toolchain import finish


def check_weights(observation: dict[str, Any], decision: dict[str, Any]) -> None:
    """The weights are those of the description, which names who has them."""
    weights = observation["interference_weights"]
    assert weights.shape == (33, 8)
    assert (weights >= 0).all()
    assert (np.diff(weights, axis=1) <= 0).all()
    expected = np.zeros((33, 8), np.float32)
    for column, candidate in enumerate(decision["columns"]):
        found = [evicted["spill_weight"] for evicted in candidate["evicts"]]
        assert len(set(map(str, candidate["evicts"]))) == len(found)
        expected[column, : min(8, len(found))] = found[:8]
    expected[NOTHING, 0] = decision["spill_weight"]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    # LLVM sums up the same by its own features.
    legal = np.flatnonzero(observation["mask"])
    free = observation["is_free"].ravel()[legal]
    others = weights[legal, 0] > 0
    others[legal == NOTHING] = True
    np.testing.assert_array_equal(free, ~others)
    largest = weights[legal, 0].max()
    if 0 < largest < np.finfo(np.float32).max:
        np.testing.assert_allclose(
            observation["use_def_density"].ravel()[legal],
            weights[legal, 0] / largest,
            rtol=1e-5,
        )


@pytest.mark.parametrize("target", TARGETS)
def test_interference_weights(make_env: MakeEnv, target: str) -> None:
    env = make_env(
        EVICTION,
        programs="kernels/matrix",
        target=target,
        observation="dict",
        interference_weights=True,
    )
    finite = []

    def look(observation: dict[str, Any], decision: dict[str, Any]) -> None:
        check_weights(observation, decision)
        top = observation["interference_weights"][:, 0]
        finite.append(float(top.max()) < np.finfo(np.float32).max)

    assert walk(env, legal_at_random(env, 1), look) > 100
    assert sum(finite) > 20


@pytest.mark.parametrize("target", TARGETS)
def test_the_decision_and_the_machine_function(make_env: MakeEnv, target: str) -> None:
    env = make_env(EVICTION, programs="kernels/lz", target=target, observation="dict")
    registers = {X86: r"[A-Z][A-Z0-9]+", AARCH64: r"[WXQDSHB]\d+|LR|FP"}[target]

    def look(observation: dict[str, Any], decision: dict[str, Any]) -> None:
        mir = env.observe("mir")["mir"]
        assert f"# Machine code for function {decision['function']}:" in mir
        asked = decision["virtual_register"]
        declared = decision["register_class"].lower()
        assert re.search(rf"{asked}(\.\w+)?:{declared}\b", mir)
        for column, candidate in enumerate(decision["columns"]):
            assert re.fullmatch(registers, candidate["register"])
            assert observation["is_hint"][column] in (0, candidate["hint"])
            for evicted in candidate["evicts"]:
                assert re.search(rf"{evicted['virtual_register']}\b", mir)
        assert not observation["mask"][len(decision["columns"]) : NOTHING].any()

    walk(env, legal_at_random(env, 2), look, most=60)


def test_the_function_is_told(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs=TWO)
    _, info = env.reset()
    seen = []
    while True:
        decision = json.loads(env.observe("decision")["decision"])
        assert decision["function"] == info["function"]
        seen.append(info["function"])
        _, _, terminated, _, info = env.step(NOTHING if env.action_masks()[32] else 0)
        if terminated:
            break
    assert list(dict.fromkeys(seen)) == ["first", "second"]


def test_render(make_env: MakeEnv) -> None:
    env = make_env(EVICTION, programs=TWO, render_mode="ansi")
    env.reset()
    env.step(NOTHING)
    env.step(3)
    decision = json.loads(env.observe("decision")["decision"])
    labels = [label for label, _ in json.loads(env.observe("decisions")["decisions"])]
    assert [re.fullmatch(r"%\d+ in first", label) is not None for label in labels] == [
        True,
        True,
    ]
    text = str(env.render())
    for part in ("regalloc_eviction", "two", "first", decision["virtual_register"]):
        assert part in text
    assert re.search(rf"evict nothing +{labels[0]}", text)
    assert re.search(rf"take the register of column 3 +{labels[1]}", text)
    _, _, _, info = finish(env, legal_at_random(env, 0))
    text = str(env.render())
    assert "finished" in text
    assert f"{info['objective']['regalloc_score']:g}" in text
