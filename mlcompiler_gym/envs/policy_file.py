# SPDX-License-Identifier: Apache-2.0
"""The contents of a policy file, see ``policy.proto``."""

from __future__ import annotations

from mlcompiler_gym.v1 import policy_pb2 as pb

_MAGIC = b"MLCGPOL1"
#: What is before the message.
HEADER_BYTES = len(_MAGIC) + 4


def encode_policy(message: pb.Policy) -> bytes:
    """The contents of a file, the same each time."""
    content = message.SerializeToString(deterministic=True)
    return _MAGIC + len(content).to_bytes(4, "little") + content
