# SPDX-License-Identifier: Apache-2.0
"""The public leaderboard: submissions that anyone can check."""

from mlcompiler_gym.leaderboard.errors import (
    LeaderboardError,
    Problem,
    SubmissionError,
)
from mlcompiler_gym.leaderboard.pack import new, pack, seal
from mlcompiler_gym.leaderboard.ranking import Ranking, Standing, rank
from mlcompiler_gym.leaderboard.submission import Submission, read
from mlcompiler_gym.leaderboard.tracks import Board, Track
from mlcompiler_gym.leaderboard.verdict import (
    Finding,
    Row,
    Verdict,
    read_verdicts,
    write_verdict,
)
from mlcompiler_gym.leaderboard.verify import verify

__all__ = [
    "Board",
    "Finding",
    "LeaderboardError",
    "Problem",
    "Ranking",
    "Row",
    "Standing",
    "Submission",
    "SubmissionError",
    "Track",
    "Verdict",
    "new",
    "pack",
    "rank",
    "read",
    "read_verdicts",
    "seal",
    "verify",
    "write_verdict",
]
