# SPDX-License-Identifier: Apache-2.0
"""Tests for services that others write; needs ``mlcompiler_gym[testing]``."""

from mlcompiler_gym.errors import MissingLibraryError

try:
    import pytest
except ImportError as error:
    raise MissingLibraryError("pytest", extra="testing") from error

# This comes before their import, so that a failure shows what was compared.
pytest.register_assert_rewrite(f"{__name__}.compliance", f"{__name__}.samples")
