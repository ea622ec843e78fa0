# SPDX-License-Identifier: Apache-2.0
"""Graphs in every task: spaces, determinism, what is kept, other libraries."""

import itertools
import sys
from collections import Counter
from collections.abc import Iterator

import gymnasium
import numpy as np
import pytest
from support.graphs import OpenUnchanged, observe, opened, same
from support.regalloc import MakeEnv
from support.samples import CALLS, NO_CALLS

from mlcompiler_gym import LocalService, Program

NAMES = ("programl", "call_graph")
IDS = ["Inlining", "RegAllocEviction", "RegAllocPriority", "PassOrdering"]


@pytest.fixture
def unchanged(service: LocalService) -> Iterator[OpenUnchanged]:
    with opened(service) as begin:
        yield begin


def test_every_task_shows_them_as_gymnasium_graphs(make_env: MakeEnv) -> None:
    for task in IDS:
        env = make_env(
            f"mlcompiler/{task}-v0",
            programs="kernels/sorting",
            observation="dict",
            observations=NAMES,
        )
        env.action_space.seed(1)
        observation, _ = env.reset(seed=1)
        for _ in range(10):
            assert observation in env.observation_space
            shown = env.observe(*NAMES)
            for name in NAMES:
                assert np.array_equal(observation[name].nodes, shown[name].nodes)
                links = observation[name].edge_links
                assert np.array_equal(links, shown[name].edge_links)
            observation, _, terminated, truncated, _ = env.step(
                env.action_space.sample()
            )
            if terminated or truncated:
                break
        assert observation in env.observation_space


def test_what_is_kept_is_what_a_fresh_look_gives(
    make_env: MakeEnv, unchanged: OpenUnchanged
) -> None:
    env = make_env("mlcompiler/PassOrdering-v0", programs="kernels/sorting")
    env.action_space.seed(3)
    env.reset(seed=3)
    before = env.observe(*NAMES)
    effects = Counter[bool]()
    for _ in range(25):
        info = env.step(env.action_space.sample())[-1]
        after = env.observe(*NAMES)
        fresh = unchanged(Program("emitted", env.emit("bitcode")))
        for name in NAMES:
            assert same(after[name], observe(fresh, name))
            if info["no_effect"]:
                assert same(after[name], before[name])
        effects[info["no_effect"]] += 1
        before = after
    assert effects[True]
    assert effects[False]


def test_decisions_change_them_and_forks_and_repetitions_do_not(
    make_env: MakeEnv,
) -> None:
    envs = [make_env("mlcompiler/Inlining-v0", programs=CALLS) for _ in range(2)]
    for env in envs:
        env.reset(seed=0)
    seen = []
    for action in (1, 1, 0, 1):
        envs.append(envs[0].fork())
        graphs = [env.observe(*NAMES) for env in envs]
        for name in NAMES:
            assert all(same(graphs[0][name], each[name]) for each in graphs[1:])
        seen.append(graphs[0]["programl"])
        for env in envs:
            env.step(action)
    assert not any(same(a, b) for a, b in itertools.pairwise(seen[:2]))


def test_arrays_for_pytorch_geometric(unchanged: OpenUnchanged) -> None:
    graph = observe(unchanged(CALLS))
    arrays = graph.geometric()
    assert arrays["x"].shape == graph.nodes.shape
    assert arrays["edge_index"].shape == (2, len(graph.edges))
    assert arrays["edge_attr"].shape == graph.edges.shape
    for array in arrays.values():
        assert array.flags.c_contiguous
        assert array.flags.writeable
    assert arrays["edge_index"].T.tolist() == graph.edge_links.tolist()
    assert "torch_geometric" not in sys.modules


def test_pytorch_geometric_takes_them(unchanged: OpenUnchanged) -> None:
    import torch
    from torch_geometric import data

    for text in (CALLS, NO_CALLS, ""):
        graph = observe(unchanged(text))
        arrays = {k: torch.from_numpy(v) for k, v in graph.geometric().items()}
        made = data.Data(**arrays)
        assert made.validate()
        assert made.num_nodes == len(graph.nodes)
        assert made.num_edges == len(graph.edges)
        assert made.num_edge_features == 2


def test_vector_environments_batch_them(service: LocalService) -> None:
    envs = gymnasium.make_vec(
        "mlcompiler/Inlining-v0",
        num_envs=2,
        programs=CALLS,
        observation="dict",
        observations=NAMES,
        service=service,
    )
    try:
        observation, _ = envs.reset(seed=0)
        assert observation in envs.observation_space
        for action in (1, 0, 1):
            observation, *_ = envs.step(np.full(2, action))
            assert observation in envs.observation_space
        first, second = observation["programl"]
        assert np.array_equal(first.nodes, second.nodes)
    finally:
        envs.close()


def test_graphs_have_no_flat_observation(service: LocalService) -> None:
    for name in NAMES:
        with pytest.raises(ValueError, match="observation='dict'"):
            gymnasium.make(
                "mlcompiler/Inlining-v0",
                programs=CALLS,
                observations=(name,),
                service=service,
            )
