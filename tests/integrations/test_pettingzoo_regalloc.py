# SPDX-License-Identifier: Apache-2.0
"""Register allocation as a game of four agents."""

from collections.abc import Iterator

import numpy as np
import pytest
from pettingzoo.test import api_test
from support.regalloc import EMPTY, TWO

from mlcompiler_gym import InvalidActionError, LocalService, replay
from mlcompiler_gym.integrations.pettingzoo import RegAllocAEC


@pytest.fixture
def game(service: LocalService) -> Iterator[RegAllocAEC]:
    made = RegAllocAEC(programs=TWO, service=service)
    yield made
    made.close()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pettingzoo_checks_it(game: RegAllocAEC) -> None:
    api_test(game, num_cycles=200)


def test_all_four_take_part_in_one_allocation(game: RegAllocAEC) -> None:
    game.reset()
    rng = np.random.default_rng(0)
    turns = []
    while not game.terminations[game.agent_selection]:
        agent = game.agent_selection
        seen = game.observe(agent)
        assert game.observation_space(agent).contains(seen)
        others = set(game.agents) - {agent}
        assert not any(game.observe(each)["action_mask"].any() for each in others)
        before = game.env.action_masks()
        action = int(rng.choice(np.flatnonzero(seen["action_mask"])))
        game.step(action)
        turns.append(agent)
        if agent in ("select", "colour"):
            assert before[action]
            assert game.env.trajectory.actions[-1] == action
        elif agent == "split":
            assert game.env.trajectory.actions[-1] == 50 + action
        elif action in (1, 2):
            assert game.env.trajectory.actions[-1] == 47 + action
        else:
            assert game.agent_selection == ("split" if action else "colour")
    assert {"select", "task", "colour"} <= set(turns)
    assert len(set(game.rewards.values())) == 1
    replayed = replay(game.env.trajectory, TWO, service=game.env.setup.service)
    same = replayed.object_code == game.env.emit("object")
    assert same


def test_what_the_game_refuses(game: RegAllocAEC, service: LocalService) -> None:
    game.reset()
    with pytest.raises(InvalidActionError, match="'select' is not legal here"):
        game.step(16)
    with pytest.raises(TypeError, match="no argument 'order'"):
        RegAllocAEC(order="size")
    empty = RegAllocAEC(programs=EMPTY, service=service)
    empty.reset()
    assert empty.infos["select"]["no_decision"]
    empty.step(0)
    assert all(empty.terminations.values())
    empty.close()
