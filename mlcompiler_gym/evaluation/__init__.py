# SPDX-License-Identifier: Apache-2.0
"""Evaluating policies: many episodes, in many processes, on many machines."""

from mlcompiler_gym.evaluation.evaluate import Players, evaluate
from mlcompiler_gym.evaluation.journal import Journal
from mlcompiler_gym.evaluation.local import LocalPlayers
from mlcompiler_gym.evaluation.plan import (
    EpisodePlan,
    EpisodePlayer,
    Evaluation,
    Job,
    Record,
    Result,
)
from mlcompiler_gym.evaluation.player import Player
from mlcompiler_gym.evaluation.summary import ProgramSummary, summarise

__all__ = [
    "EpisodePlayer",
    "Evaluation",
    "Job",
    "Journal",
    "LocalPlayers",
    "Player",
    "Players",
    "ProgramSummary",
    "Record",
    "Result",
    "EpisodePlan",
    "evaluate",
    "summarise",
]
