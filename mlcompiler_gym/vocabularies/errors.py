# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with vocabularies."""

from mlcompiler_gym.errors import MLCompilerGymError


class VocabularyError(MLCompilerGymError):
    """A vocabulary does not exist, cannot be trained or cannot be read."""
