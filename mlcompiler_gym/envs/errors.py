# SPDX-License-Identifier: Apache-2.0
"""The errors of environments that are Gymnasium's, too.

They are not with the others, since a compiler driver, which is started for each file
of a build, is not to import Gymnasium.
"""

import gymnasium.error

from mlcompiler_gym.errors import MLCompilerGymError


class InvalidActionError(MLCompilerGymError, gymnasium.error.InvalidAction):
    """An action has the wrong type or shape, or is not legal now.

    The episode goes on, at the same decision.
    """


class ResetNeededError(MLCompilerGymError, gymnasium.error.ResetNeeded):
    """``step`` or ``fork`` without an episode under way."""
