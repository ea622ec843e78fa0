# SPDX-License-Identifier: Apache-2.0
"""TransE (Bordes et al., 2013), which IR2Vec takes for its seed embeddings."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlcompiler_gym.vocabularies.errors import VocabularyError
from mlcompiler_gym.vocabularies.triplets import Triplet


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        dimension: Dimension of the vectors.
        samples: Triplets per epoch. Each distinct one is there in proportion to the
            square root of its count, once at least.
        epochs: Passes over the samples.
        batch: Triplets per step.
        negatives: Corrupted triplets for each true one.
        margin: Margin of the ranking loss.
        learning_rate: Adam's.
        seed: Seed of everything that is drawn.
    """

    dimension: int
    samples: int = 50_000
    epochs: int = 20
    batch: int = 2048
    negatives: int = 4
    margin: float = 1.0
    learning_rate: float = 0.005
    seed: int = 0


@dataclass(frozen=True)
class Trained:
    """What came out.

    Attributes:
        vectors: float32 of shape ``(dimension,)`` and length 1 for each entity that
            occurs in a triplet.
        losses: Mean loss of each epoch.
        samples: Triplets that an epoch really had.
    """

    vectors: dict[str, npt.NDArray[np.float32]]
    losses: list[float]
    samples: int


def expand(counts: Counter[Triplet], samples: int) -> list[tuple[Triplet, int]]:
    """Distinct triplets, sorted, and how often an epoch has each."""
    ordered = sorted(counts.items())
    roots = np.sqrt([count for _, count in ordered])
    times = np.maximum(1, np.rint(roots * (samples / roots.sum())).astype(int))
    return [(triplet, int(n)) for (triplet, _), n in zip(ordered, times, strict=True)]


def train_transe(
    counts: Counter[Triplet], settings: Settings, work: Path, *, show: bool = True
) -> Trained:
    """Train with PyKEEN, on one thread, so that the same data give the same bytes.

    An interrupted training goes on from its last checkpoint in ``work``.

    Raises:
        VocabularyError: PyKEEN or PyTorch is missing.
    """
    try:
        import torch
        from pykeen.losses import MarginRankingLoss
        from pykeen.models import TransE
        from pykeen.training import SLCWATrainingLoop
        from pykeen.triples import CoreTriplesFactory
    except ImportError as error:
        raise VocabularyError(
            "training needs PyTorch and PyKEEN: run "
            "`pip install 'mlcompiler_gym[vocabulary]'`"
        ) from error

    sampled = expand(counts, settings.samples)
    entities = sorted({name for (h, _, t), _ in sampled for name in (h, t)})
    relations = sorted({relation for (_, relation, _), _ in sampled})
    entity_ids = {name: index for index, name in enumerate(entities)}
    relation_ids = {name: index for index, name in enumerate(relations)}
    rows = np.repeat(
        np.array(
            [
                (entity_ids[head], relation_ids[relation], entity_ids[tail])
                for (head, relation, tail), _ in sampled
            ]
        ),
        [times for _, times in sampled],
        axis=0,
    )
    fingerprint = hashlib.sha256(rows.tobytes() + repr(asdict(settings)).encode())
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    try:
        factory = CoreTriplesFactory(
            torch.from_numpy(rows), len(entities), len(relations)
        )
        model = TransE(
            triples_factory=factory,
            embedding_dim=settings.dimension,
            loss=MarginRankingLoss(margin=settings.margin),
            random_seed=settings.seed,
        )
        loop = SLCWATrainingLoop(
            model=model,
            triples_factory=factory,
            optimizer=torch.optim.Adam(
                model.get_grad_params(), lr=settings.learning_rate
            ),
            negative_sampler_kwargs={"num_negs_per_pos": settings.negatives},
        )
        checkpoint = work / "checkpoints" / f"{fingerprint.hexdigest()[:32]}.pt"
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        _drop_if_broken(checkpoint)
        with warnings.catch_warnings():
            # PyKEEN asks for pinned memory whatever the device is.
            warnings.filterwarnings("ignore", "'pin_memory' argument is set as true")
            losses = loop.train(
                factory,
                num_epochs=settings.epochs,
                batch_size=settings.batch,
                use_tqdm=show,
                use_tqdm_batch=False,
                drop_last=False,
                checkpoint_directory=checkpoint.parent,
                checkpoint_name=checkpoint.name,
                checkpoint_frequency=0,
            )
        (weights,) = (
            representation(indices=None).detach().numpy()
            for representation in model.entity_representations
        )
    finally:
        torch.set_num_threads(threads)
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    vectors = dict(zip(entities, weights / lengths, strict=True))
    return Trained(vectors, [float(loss) for loss in losses or []], len(rows))


def _drop_if_broken(checkpoint: Path) -> None:
    """PyKEEN does not write checkpoints atomically: half of one is none."""
    if not zipfile.is_zipfile(checkpoint):
        checkpoint.unlink(missing_ok=True)
