# SPDX-License-Identifier: Apache-2.0
"""From what a library has learned to a policy that is data.

Each function takes the environment that it was learned in, whose wrappers become
part of the policy. These wrappers can:
:class:`~mlcompiler_gym.envs.wrappers.SignedLogObservation` and its vector form,
Gymnasium's ``NormalizeObservation`` and ``FlattenObservation``, and SB3's
``VecNormalize``. What cannot be exported raises
:class:`~mlcompiler_gym.errors.ExportError`, which names the layer or the wrapper.
"""

from mlcompiler_gym.policies.export.onnx import from_onnx
from mlcompiler_gym.policies.export.sb3 import from_sb3
from mlcompiler_gym.policies.export.sklearn import from_sklearn
from mlcompiler_gym.policies.export.torch import from_torch

__all__ = ["from_onnx", "from_sb3", "from_sklearn", "from_torch"]
