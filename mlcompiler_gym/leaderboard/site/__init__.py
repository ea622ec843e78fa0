# SPDX-License-Identifier: Apache-2.0
"""The leaderboard as static pages."""

from mlcompiler_gym.leaderboard.site.write import write_site

__all__ = ["write_site"]
