# SPDX-License-Identifier: Apache-2.0
"""A graph network that learns to allocate registers from nothing.

    python examples/gnn_full_regalloc.py --episodes 4000 --seed 0

PyTorch Geometric convolves over the interference graph, as it stands at each decision.
REINFORCE (Williams, 1992) learns on the functions of `kernels:train`, one per episode,
in the order of spill weights; what an episode pays is compared with what the same
function has paid before. Programs, curve and report are those of ppo_full_regalloc.py.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from ppo_full_regalloc import COLUMNS, ENV_ID, REGISTERS, exam, mean_of, paid, report
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import SAGEConv, global_mean_pool
from tqdm import tqdm

import mlcompiler_gym
from mlcompiler_gym.envs.wrappers import signed_log

gym.register_envs(mlcompiler_gym)

#: Numbers of a live range; behind them come its state, its register, and the MIR2Vec
#: embedding of its instructions.
RANGE = 14
STATES = 3
EMBEDDING = 100
#: What a column is: a register, to spill, to split at blocks or around a loop.
KINDS = np.repeat(np.eye(4, dtype=np.float32), [REGISTERS, 1, 1, 4], axis=0)
PER_COLUMN = (
    "free",
    "hint",
    "saves_copies",
    "saves_later",
    "denies",
    "opens_saved",
    "spills",
    "heaviest",
    "cost",
)


def seen_as_graph(observation: dict[str, Any]) -> Data:
    """The decision that a compile stands at."""
    graph = observation["interference"]
    state = graph.nodes[:, RANGE].astype(int)
    numbers = signed_log(np.delete(graph.nodes, [RANGE, RANGE + 1], axis=1))
    nodes = np.hstack([numbers, np.eye(STATES)[state]])
    # Without any edge, Gymnasium has no array of them.
    links = np.zeros((0, 2), np.int64) if graph.edges is None else graph.edge_links
    links = np.vstack([links, links[:, ::-1]])
    columns = np.stack([signed_log(observation[name]) for name in PER_COLUMN], 1)
    return Data(
        x=torch.as_tensor(nodes, dtype=torch.float32),
        edge_index=torch.as_tensor(links.T.copy()),
        columns=torch.as_tensor(np.hstack([columns, KINDS]), dtype=torch.float32)[None],
        mask=torch.as_tensor(observation["mask"] > 0)[None],
        # The name has it renumbered in a batch.
        at_index=torch.tensor([int(np.argmax(state == 1))]),
    )


class GraphPolicy(nn.Module):
    """Logits (graphs, 54) of a batch of decisions."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.first = SAGEConv(RANGE + EMBEDDING + STATES, width)
        self.second = SAGEConv(width, width)
        self.column = nn.Sequential(
            nn.Linear(len(PER_COLUMN) + KINDS.shape[1] + 2 * width, width),
            nn.ReLU(),
            nn.Linear(width, 1),
        )

    def forward(self, batch: Any) -> Tensor:
        x = self.first(batch.x, batch.edge_index).relu()
        x = self.second(x, batch.edge_index).relu()
        around = torch.cat([x[batch.at_index], global_mean_pool(x, batch.batch)], 1)
        around = around[:, None].expand(-1, COLUMNS, -1)
        logits = self.column(torch.cat([batch.columns, around], 2)).squeeze(2)
        return torch.as_tensor(logits.masked_fill(~batch.mask, -torch.inf))


class Learner:
    """Plays episodes and learns from them."""

    def __init__(self, programs: list[str], rate: float) -> None:
        self.env = make(programs)
        self.policy = GraphPolicy()
        self.optimizer = torch.optim.Adam(self.policy.parameters(), rate)
        self.usual: dict[str, float] = defaultdict(float)
        self.decisions = 0

    def episode(self) -> tuple[list[Data], list[int], float]:
        """The decisions of one function, and what they were worth."""
        observation, info = self.env.reset()
        function = f"{info['program']} {info['function']}"
        graphs, actions, over = [], [], False
        while not over:
            graphs.append(seen_as_graph(observation))
            with torch.no_grad():
                logits = self.policy(Batch.from_data_list(graphs[-1:]))
            actions.append(int(torch.multinomial(logits.softmax(1), 1)))
            observation, reward, over, cut, info = self.env.step(actions[-1])
            if cut:
                raise SystemExit(f"{function}: {info['error']}")
        self.decisions += len(actions)
        worth = float(paid(reward))
        advantage = worth - self.usual[function]
        self.usual[function] += 0.2 * advantage
        return graphs, actions, advantage

    def learn(self, episodes: int) -> None:
        """One step of the optimiser, from so many episodes."""
        played = [self.episode() for _ in range(episodes)]
        graphs = [graph for each, _, _ in played for graph in each]
        actions = torch.tensor([a for _, each, _ in played for a in each])
        gains = torch.tensor([gain for _, each, gain in played for _ in each])
        logs = self.policy(Batch.from_data_list(graphs)).log_softmax(1)
        chosen = logs.gather(1, actions[:, None]).squeeze(1)
        # What is masked has no part in the entropy.
        entropy = -(logs.exp() * logs.clamp(min=-100)).sum(1)
        loss = -(gains * chosen).mean() - 0.003 * entropy.mean()
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.policy.parameters(), 0.5)
        self.optimizer.step()

    def exam(self, programs: list[str]) -> dict[str, float]:
        """By function: the score of what the policy thinks best over LLVM's."""
        with make(programs) as env:

            def best(observation: Any, _: dict[str, Any]) -> int:
                graph = seen_as_graph(observation)
                with torch.no_grad():
                    return int(self.policy(Batch.from_data_list([graph])).argmax())

            return exam(env, best)


def make(programs: list[str]) -> Any:
    return gym.make(
        ENV_ID,
        programs=programs,
        order="weight",
        function="each",
        observation="dict",
        observations=("interference",),
    )


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", nargs="+", default=["kernels:train"])
    parser.add_argument("--validation", nargs="+", default=["kernels:validation"])
    parser.add_argument("--test", nargs="+", default=["kernels:test"])
    parser.add_argument("--episodes", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=16, help="episodes in a step")
    parser.add_argument("--validate-every", type=int, default=50, help="steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("full_regalloc_gnn"))
    args = parser.parse_args()
    torch.set_num_threads(1)  # the compiler needs the processors more
    torch.manual_seed(args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    learner = Learner(args.train, rate=3e-3)
    learner.env.reset(seed=args.seed)
    curve = []
    steps = max(1, args.episodes // args.batch)
    for step in tqdm(range(steps), desc="steps"):
        if step % args.validate_every == 0:
            curve.append((learner.decisions, mean_of(learner.exam(args.validation))))
        learner.learn(args.batch)
    curve.append((learner.decisions, mean_of(learner.exam(args.validation))))
    ratios = learner.exam(args.test)
    learner.env.close()
    torch.save(learner.policy.state_dict(), args.output / f"policy-{args.seed}.pt")
    report(curve, ratios, args.output, args.seed)


if __name__ == "__main__":
    main()
