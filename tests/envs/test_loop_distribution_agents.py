# SPDX-License-Identifier: Apache-2.0
"""Loop distribution by two agents: which node comes next, and whether it is split."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import api_test
from support.regalloc import MakeEnv

import mlcompiler_gym
from mlcompiler_gym import LocalService
from mlcompiler_gym.envs.errors import InvalidActionError, ResetNeededError
from mlcompiler_gym.integrations.pettingzoo import LoopDistributionAEC
from mlcompiler_gym.policies import (
    active,
    exhaustive_search,
    inactive,
    play,
    random_legal,
)

ID = "mlcompiler/LoopDistribution-v0"
PROGRAM = "loops/recur_split_tail"

#: Two stores that do not depend on each other, and one that overwrites what the
#: second reads.
ORDERS = """
void f(int *restrict a, int *restrict b, int *restrict c, long n) {
  for (long i = 0; i < n; i++) {
    a[i] = a[i] * 3 + 1;
    b[i] = b[i] * 5 + 1;
    b[i + 64] = c[i] * 7;
  }
}
"""


def test_a_row_for_each_node_that_may_come_next(make_env: MakeEnv) -> None:
    env = make_env(ID, programs=PROGRAM, agents=2, observation="dict")
    observation, info = env.reset()
    assert env.action_space.n == 16  # type: ignore[attr-defined]
    assert observation["node"].shape == (8, observation["group"].size)
    while info.get("program") is None or "objective" not in info:
        seen = json.loads(env.observe("decision")["decision"])
        ready = seen["next"]
        placed = [n for n, group in enumerate(seen["groups"]) if group is not None]
        waits = {to for before, to in seen["edges"] if before not in placed}
        assert set(ready) == set(range(len(seen["nodes"]))) - waits - set(placed)
        mask = info["action_mask"].reshape(8, 2)
        rows = len(ready)
        # Nothing to merge with yet.
        assert (mask[:rows, 0] == bool(placed)).all()
        assert (mask[:rows, 1] == seen["may_distribute"]).all()
        assert not mask[rows:].any()
        assert observation["node"][:rows, 0].all()
        assert not observation["node"][rows:].any()
        action = int(np.flatnonzero(mask.ravel())[-1])
        observation, _, _, _, info = env.step(action)


@pytest.mark.parametrize("policy", [inactive, active])
def test_the_graphs_order_gives_what_one_agent_gives(
    make_env: MakeEnv, policy: Any
) -> None:
    objects = []
    for agents in (1, 2):
        env = make_env(ID, programs=PROGRAM, agents=agents)
        play(env, policy(env))
        objects.append(env.emit())
    assert objects[0] == objects[1]


def test_other_orders_give_other_loops(make_env: MakeEnv, tmp_path: Path) -> None:
    source = tmp_path / "orders.c"
    source.write_text(ORDERS)
    env = make_env(ID, programs=str(source), agents=2)
    codes = set()
    for seed in range(12):
        play(env, random_legal(env, seed=seed))
        codes.add(env.observe("ir")["ir"])
        (loop,) = [
            loop
            for loop in json.loads(env.observe("loops")["loops"])
            if "groups" in loop
        ]
        assert set(loop["groups"]) == set(range(max(loop["groups"]) + 1))
    # There are four partitions in the one order of a single agent.
    assert len(codes) > 4
    again = mlcompiler_gym.replay(
        env.trajectory, env.program, service=env.setup.service
    )
    assert again.object_code == env.emit()


def test_two_agents_find_at_least_as_much(make_env: MakeEnv, tmp_path: Path) -> None:
    source = tmp_path / "orders.c"
    source.write_text(ORDERS)
    found = []
    for agents in (1, 2):
        env = make_env(ID, programs=str(source), agents=agents)
        env.reset()
        found.append(exhaustive_search(env))
    assert found[1].tried > found[0].tried
    assert found[1].reward >= found[0].reward


@pytest.mark.parametrize("agents", [0, 3, "2"])
def test_other_numbers_of_agents(make_env: MakeEnv, agents: Any) -> None:
    with pytest.raises(ValueError, match=r"agents is an integer in 1\.\.2, not"):
        make_env(ID, programs=PROGRAM, agents=agents)


@pytest.mark.parametrize("agents", [1, 2])
def test_embeddings_of_loop_nodes_and_group(make_env: MakeEnv, agents: int) -> None:
    env = make_env(ID, programs=PROGRAM, agents=agents, ir2vec=True, observation="dict")
    seen, _ = env.reset()
    rows = (75,) if agents == 1 else (8, 75)
    assert seen["node_ir2vec"].shape == rows
    assert seen["group_ir2vec"].shape == seen["loop_ir2vec"].shape == (75,)
    decision = json.loads(env.observe("decision")["decision"])
    # The loop as it stands: what the observation of loops has for it, too.
    known = env.observe("ir2vec@loop")["ir2vec@loop"]
    assert any(
        np.allclose(seen["loop_ir2vec"], each, rtol=1e-4, atol=1e-4)
        for each in known.values
    ), decision["loop"]
    nodes = seen["node_ir2vec"].reshape(-1, 75)
    assert nodes[0].any()
    assert not np.allclose(nodes[0], seen["loop_ir2vec"])
    flat = make_env(ID, programs=PROGRAM, agents=agents, ir2vec=True)
    assert np.array_equal(
        flat.reset()[0], np.concatenate(list(seen.values()), axis=None)
    )


def test_a_group_of_all_nodes_is_the_loop(make_env: MakeEnv) -> None:
    env = make_env(ID, programs=PROGRAM, ir2vec=True, observation="dict")
    seen, _ = env.reset()
    decision = json.loads(env.observe("decision")["decision"])
    while True:
        groups = decision["groups"]
        if groups.count(None) == 1:
            break
        seen, _, over, _, _ = env.step(0)
        assert not over
        decision = json.loads(env.observe("decision")["decision"])
    # The last node and the group hold all of the body between them, and share some.
    both = seen["group_ir2vec"] + seen["node_ir2vec"]
    assert not np.allclose(both, seen["loop_ir2vec"])
    assert seen["merged"][0] <= seen["group"][0] + seen["node"][0]


@pytest.fixture
def game(service: LocalService) -> Iterator[LoopDistributionAEC]:
    made = LoopDistributionAEC(programs=PROGRAM, service=service, render_mode="ansi")
    yield made
    made.close()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pettingzoo_checks_it(game: LoopDistributionAEC) -> None:
    api_test(game, num_cycles=100)


def test_the_game_is_the_one_action_in_two_turns(
    game: LoopDistributionAEC, make_env: MakeEnv
) -> None:
    env = make_env(ID, programs=PROGRAM, agents=2, observation="dict")
    seen, _ = env.reset()
    game.reset()
    rng = np.random.default_rng(0)
    over = False
    while not over:
        first = game.observe("select")
        assert game.agent_selection == "select"
        masks = env.action_masks().reshape(8, 2)
        assert np.array_equal(first["action_mask"], masks.any(axis=1))
        parts = [seen[n].ravel() for n in ("loop", "node", "group", "merged")]
        assert np.array_equal(first["observation"], np.concatenate(parts))
        assert game.observation_space("select").contains(first)
        row = int(rng.choice(np.flatnonzero(first["action_mask"])))
        assert not game.observe("distribute")["observation"].any()
        game.step(row)
        second = game.observe("distribute")
        assert np.array_equal(second["action_mask"], masks[row])
        rows = [seen[n][row] for n in ("loop", "node")]
        rows += [seen["group"], seen["merged"][row]]
        assert np.array_equal(second["observation"], np.concatenate(rows))
        assert game.observation_space("distribute").contains(second)
        answer = int(rng.choice(np.flatnonzero(second["action_mask"])))
        game.step(answer)
        seen, reward, over, _, info = env.step(2 * row + answer)
    assert game.terminations == {"select": True, "distribute": True}
    assert game.rewards == {"select": reward, "distribute": reward}
    assert game.infos["select"]["objective"] == info["objective"]
    assert game.env.emit() == env.emit()


def test_what_the_game_refuses(game: LoopDistributionAEC) -> None:
    with pytest.raises(ResetNeededError):
        game.step(0)
    game.reset()
    with pytest.raises(InvalidActionError, match="'select' is not legal here"):
        game.step(7)
    game.step(0)
    # There is no loop yet that the first node could join.
    with pytest.raises(InvalidActionError, match=r"'distribute'.* legal are: 1"):
        game.step(0)
    game.step(1)
    assert game.agent_selection == "select"
    with pytest.raises(TypeError, match="no argument 'agents'"):
        LoopDistributionAEC(agents=1)


def test_a_game_without_decision(service: LocalService, tmp_path: Path) -> None:
    source = tmp_path / "none.c"
    source.write_text("int f(int x) { return x; }\n")
    game = LoopDistributionAEC(programs=str(source), service=service)
    game.reset()
    assert game.infos["select"]["no_decision"]
    game.step(0)
    game.step(0)
    assert game.terminations == {"select": True, "distribute": True}
    game.close()
