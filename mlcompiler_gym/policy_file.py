# SPDX-License-Identifier: Apache-2.0
"""The contents of a policy file, see ``policy.proto``."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from mlcompiler_gym.errors import PolicyError
from mlcompiler_gym.v1 import policy_pb2 as pb

_MAGIC = b"MLCGPOL1"
#: What is before the message.
_HEADER_BYTES = len(_MAGIC) + 4


def encode_policy(message: pb.Policy) -> bytes:
    """The contents of a file, the same each time."""
    content = message.SerializeToString(deterministic=True)
    return _MAGIC + len(content).to_bytes(4, "little") + content


def decode_policy(content: bytes) -> pb.Policy:
    """The message in the contents of a file.

    Whether it is a policy that can decide is for the evaluator to say.

    Raises:
        PolicyError: They do not hold one.
    """
    message = pb.Policy()
    if not content.startswith(_MAGIC):
        raise PolicyError(
            "the policy file is broken: it does not begin as a policy file does"
        )
    try:
        message.ParseFromString(content[_HEADER_BYTES:])
    except DecodeError:
        raise PolicyError(
            "the policy file is broken: its contents are not a Policy message"
        ) from None
    return message
