# SPDX-License-Identifier: Apache-2.0
"""A policy for RegAllocEviction that treats its 33 columns alike.

For environments made with `eviction_default=True` and `interference_weights=True`.
"""

from typing import Any

import torch
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from torch import Tensor, nn

COLUMNS = 33
PER_COLUMN = 20  # features that have one number for each column
WEIGHTS = 8  # spill weights of each column
PROGRESS = PER_COLUMN * COLUMNS  # where in an observation
DEFAULT = PROGRESS + 1  # what LLVM's heuristic would do; to learn from, not to see


class ColumnNet(nn.Module):
    """The same network for each column, so that what it learns of one holds for all.

    A column is encoded together with "evict nothing", the last column, which it
    competes with; the mean and the maximum of the legal ones tell it of the others.
    Takes observations, float32 (n, 926).
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.latent_dim_pi, self.latent_dim_vf = COLUMNS, width
        inputs = 2 * (2 * PER_COLUMN + 2) + 3
        self.encode = nn.Sequential(
            *(nn.Linear(inputs, width), nn.ReLU()),
            *(nn.Linear(width, width), nn.ReLU()),
        )
        self.score = nn.Sequential(nn.Linear(3 * width, width), nn.ReLU())
        self.logit = nn.Linear(width, 1)
        self.judge = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU())

    def columns(self, seen: Tensor) -> Tensor:
        """What is known of each column, (n, 33, inputs)."""
        features = seen[:, :PROGRESS].reshape(-1, PER_COLUMN, COLUMNS).transpose(1, 2)
        weights = seen[:, -COLUMNS * WEIGHTS :].reshape(-1, COLUMNS, WEIGHTS)
        own = torch.cat(
            [
                # Frequencies are of all magnitudes: the small ones by logarithm.
                features.log1p(),
                features.add(1e-3).log(),
                # What cannot be spilled weighs more than there are numbers for.
                weights.clamp(max=1e6).sum(2, keepdim=True).add(1e-4).log(),
                (weights > 0).float().sum(2, keepdim=True),
            ],
            2,
        )
        last = torch.zeros_like(own[:, :, 0])
        last[:, -1] = 1
        position = torch.linspace(0, 1, COLUMNS).expand_as(last)
        progress = seen[:, PROGRESS : PROGRESS + 1].expand_as(last)
        rest = torch.stack([last, position, progress], 2)
        return torch.cat([own, own - own[:, -1:], rest], 2)

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, 33) and what the value is read from (n, width)."""
        # LLVM divides by the largest weight, even where that is infinite.
        seen = seen.nan_to_num(nan=1.0)
        encoded = self.encode(self.columns(seen))
        legal = seen[:, :COLUMNS].unsqueeze(2)
        mean = (encoded * legal).sum(1) / legal.sum(1).clamp(min=1)
        most = (encoded * legal).amax(1)  # they are not negative
        around = torch.cat([mean, most], 1)
        each = around.unsqueeze(1).expand(-1, COLUMNS, -1)
        logits = self.logit(self.score(torch.cat([encoded, each], 2))).squeeze(2)
        return logits, self.judge(around)

    def forward_actor(self, seen: Tensor) -> Tensor:
        return self(seen)[0]  # type: ignore[no-any-return]

    def forward_critic(self, seen: Tensor) -> Tensor:
        return self(seen)[1]  # type: ignore[no-any-return]


class ColumnPolicy(MaskableActorCriticPolicy):
    """For MaskablePPO, around a :class:`ColumnNet`."""

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = ColumnNet()  # type: ignore[assignment]

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        # The network gives logits already. At first they are all the same.
        self.action_net = nn.Identity()
        net = self.mlp_extractor
        assert isinstance(net, ColumnNet)
        nn.init.zeros_(net.logit.weight)
        self.optimizer = self.optimizer_class(
            self.parameters(),
            lr=lr_schedule(1),  # type: ignore[call-arg]
            **self.optimizer_kwargs,
        )
