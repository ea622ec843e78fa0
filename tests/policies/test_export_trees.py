# SPDX-License-Identifier: Apache-2.0
"""Forests and ONNX's tree ensembles decide the same as policies that are data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_export import EVICTION, INLINING, PRIORITY, Cases, log_softmax

from mlcompiler_gym.envs.wrappers import signed_log
from mlcompiler_gym.errors import ExportError
from mlcompiler_gym.policies.export import from_onnx, from_sklearn

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def cases() -> Iterator[Cases]:
    made = Cases()
    yield made
    made.close()


def targets(rows: NDArray[Any], outputs: int) -> NDArray[Any]:
    logs = signed_log(rows).astype(np.float64)
    made = logs @ np.random.default_rng(4).normal(size=(rows.shape[1], outputs))
    return np.asarray(made - np.median(made, axis=0), np.float64)


@pytest.mark.parametrize("name", ["tree", "forest", "extra", "best-first"])
@pytest.mark.parametrize(
    ("env_id", "outputs"), [(INLINING, 1), (INLINING, 2), (PRIORITY, 1), (EVICTION, 33)]
)
def test_averages_of_trees(cases: Cases, env_id: str, outputs: int, name: str) -> None:
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
    from sklearn.tree import DecisionTreeRegressor

    estimator: Any = {
        "tree": DecisionTreeRegressor(max_depth=6, random_state=0),
        "forest": RandomForestRegressor(7, max_depth=5, random_state=0),
        "extra": ExtraTreesRegressor(7, min_samples_leaf=2, random_state=0),
        "best-first": ExtraTreesRegressor(3, max_leaf_nodes=9, random_state=0),
    }[name]
    env, seen = cases.make(env_id), cases.seen(env_id)
    wanted = targets(seen.observations, outputs)
    estimator.fit(seen.observations, wanted[:, 0] if outputs == 1 else wanted)
    policy = from_sklearn(estimator, env)
    expected = estimator.predict(seen.observations).reshape(-1, outputs)
    np.testing.assert_allclose(
        policy.outputs(seen.observations), expected, rtol=1e-12, atol=1e-12
    )
    decided = policy.decide(seen.observations).actions
    if env_id == PRIORITY:
        return
    best = expected.argmax(axis=1) if outputs > 1 else (expected[:, 0] > 0).astype(int)
    assert decided.tolist() == best.tolist()
    assert len(set(best.tolist())) > 1


def test_averages_of_probabilities_are_refused(cases: Cases) -> None:
    from sklearn.ensemble import ExtraTreesClassifier

    env, seen = cases.make(INLINING), cases.seen(INLINING)
    known = (targets(seen.observations, 1)[:, 0] > 0).astype(int)
    with pytest.raises(ExportError, match="ExtraTreesClassifier averages probab"):
        from_sklearn(ExtraTreesClassifier(3).fit(seen.observations, known), env)


def run(model: Any, rows: NDArray[Any]) -> list[NDArray[Any]]:
    import os

    # It is read when the library is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    made: list[NDArray[Any]] = session.run(None, {"x": rows})
    return made


def ensemble(
    elements: int, outputs: int, modes: list[str], classifies: bool = False, **more: Any
) -> Any:
    """Random trees of ONNX: a root with two branches, and leaves of every output."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    rng = np.random.default_rng(5)
    nodes: dict[str, list[Any]] = {
        name: []
        for name in (
            *("treeids", "nodeids", "modes", "featureids", "values"),
            *("truenodeids", "falsenodeids"),
        )
    }
    leaves: dict[str, list[Any]] = {
        name: [] for name in ("treeids", "nodeids", "ids", "weights")
    }
    for tree in range(8):
        # Numbered against the order, so that children are not behind their parents.
        children = {6: (5, 4), 5: (3, 2), 4: (1, 0)}
        for node in range(6, -1, -1):
            if_true, if_false = children.get(node, (0, 0))
            row = (
                tree,
                node,
                modes[node % len(modes)] if node in children else "LEAF",
                int(rng.integers(elements)) if node in children else 0,
                float(np.round(rng.normal(scale=3))) if node in children else 0.0,
                if_true,
                if_false,
            )
            for name, value in zip(nodes, row, strict=True):
                nodes[name].append(value)
            for output in range(0 if node in children else outputs):
                leaf = (tree, node, output, float(rng.normal()))
                for name, value in zip(leaves, leaf, strict=True):
                    leaves[name].append(value)
    prefix = "class" if classifies else "target"
    attributes: dict[str, Any] = {
        **{f"nodes_{name}": values for name, values in nodes.items()},
        **{f"{prefix}_{name}": values for name, values in leaves.items()},
        **({} if classifies else {"n_targets": outputs}),
        **more,
    }
    kind = "TreeEnsembleClassifier" if classifies else "TreeEnsembleRegressor"
    made = ["label", "y"] if classifies else ["y"]
    node = helper.make_node(
        kind, ["x"], made, name="trees", domain="ai.onnx.ml", **attributes
    )
    types = onnx.TensorProto
    infos = [helper.make_tensor_value_info("y", types.FLOAT, None)]
    if classifies:
        infos.insert(0, helper.make_tensor_value_info("label", types.INT64, None))
    graph = helper.make_graph(
        [node],
        "policy",
        [helper.make_tensor_value_info("x", types.FLOAT, ["batch", elements])],
        infos,
    )
    return helper.make_model(
        graph,
        ir_version=8,
        opset_imports=[
            helper.make_opsetid("", 17),
            helper.make_opsetid("ai.onnx.ml", 3),
        ],
    )


@pytest.mark.parametrize(
    ("env_id", "outputs", "more"),
    [
        (PRIORITY, 1, {"base_values": [3.0]}),
        (INLINING, 2, {}),
        (INLINING, 2, {"aggregate_function": "AVERAGE", "base_values": [0.5, -0.5]}),
        (EVICTION, 33, {}),
    ],
)
@pytest.mark.parametrize(
    "modes",
    [["BRANCH_LEQ"], ["BRANCH_LT"], ["BRANCH_GT", "BRANCH_GTE", "BRANCH_LEQ"]],
    ids=["leq", "lt", "others"],
)
def test_onnx_regressors(
    cases: Cases, env_id: str, outputs: int, more: dict[str, Any], modes: list[str]
) -> None:
    env, seen = cases.make(env_id), cases.seen(env_id)
    model = ensemble(seen.observations.shape[1], outputs, modes, **more)
    [expected] = run(model, seen.observations)
    policy = from_onnx(model, env)
    made = policy.outputs(seen.observations)
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-5)
    assert len(np.unique(made)) > 1
    if outputs > 1:
        decided = policy.decide(seen.observations).actions
        assert decided.tolist() == expected.argmax(axis=1).tolist()


@pytest.mark.parametrize(
    ("env_id", "outputs", "more"),
    [
        (INLINING, 1, {"post_transform": "LOGISTIC", "base_values": [0.25]}),
        (INLINING, 2, {"post_transform": "SOFTMAX"}),
        (EVICTION, 33, {"post_transform": "SOFTMAX"}),
    ],
)
def test_onnx_classifiers(
    cases: Cases, env_id: str, outputs: int, more: dict[str, Any]
) -> None:
    env, seen = cases.make(env_id), cases.seen(env_id)
    actions = max(outputs, 2)
    model = ensemble(
        seen.observations.shape[1],
        outputs,
        ["BRANCH_LEQ"],
        classifies=True,
        classlabels_int64s=list(range(actions)),
        **more,
    )
    # With two classes, onnxruntime names the second whenever its score is positive.
    _, scores = run(model, seen.observations)
    policy = from_onnx(model, env)
    decided = policy.decide(seen.observations)
    assert decided.actions.tolist() == scores.argmax(axis=1).tolist()
    np.testing.assert_allclose(
        decided.log_probabilities, np.log(scores.max(axis=1)), atol=1e-5
    )
    made = policy.outputs(seen.observations)
    if outputs == 1:
        made = np.hstack([np.zeros_like(made), made])
    np.testing.assert_allclose(
        log_softmax(made, None), np.log(scores), rtol=1e-4, atol=1e-4
    )


def test_onnx_says_what_it_does_not_know(cases: Cases) -> None:
    env = cases.make(INLINING)

    def refused(says: str, **settings: Any) -> None:
        given: dict[str, Any] = {"elements": 38, "outputs": 2, "modes": ["BRANCH_LEQ"]}
        with pytest.raises(ExportError, match=says):
            from_onnx(ensemble(**{**given, **settings}), env)

    classifier = {"classifies": True, "classlabels_int64s": [0, 1]}
    refused("aggregate_function MAX of node trees", aggregate_function="MAX")
    refused("post_transform PROBIT of node trees", post_transform="PROBIT")
    refused("nodes of the mode BRANCH_EQ", modes=["BRANCH_EQ"])
    refused("compares element", elements=500)
    refused("makes no logits", **classifier)
    refused("the classes \\[0, 2\\]", classifies=True, classlabels_int64s=[0, 2])
    refused("3 outputs, which are no actions", outputs=3)
    broken = ensemble(38, 2, ["BRANCH_LEQ"])
    [true] = [
        each
        for each in broken.graph.node[0].attribute
        if each.name == "nodes_truenodeids"
    ]
    true.ints[0] = 6
    with pytest.raises(ExportError, match="tree 0 of node trees is broken"):
        from_onnx(broken, env)
