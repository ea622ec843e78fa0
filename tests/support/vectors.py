# SPDX-License-Identifier: Apache-2.0
"""Programs whose episodes are short, for vectors of environments."""

from collections.abc import Callable

from mlcompiler_gym import Program
from mlcompiler_gym.envs import CompilerVectorEnv

MakeVec = Callable[..., CompilerVectorEnv]

NO_DECISION = Program("none", b"define i32 @alone() {\n  ret i32 1\n}\n")


def chain(length: int) -> Program:
    """``length`` decisions: an exported function that calls a local one so often."""
    calls = "".join(
        f"  %c{i} = call i32 @leaf(i32 %{'x' if i == 0 else f'c{i - 1}'})\n"
        for i in range(length)
    )
    return Program(
        f"chain{length}",
        (
            "@g = global i32 0\n"
            "define internal i32 @leaf(i32 %x) {\n"
            "  %y = mul i32 %x, %x\n  store volatile i32 %y, ptr @g\n"
            "  %z = xor i32 %y, 77\n  store volatile i32 %z, ptr @g\n  ret i32 %z\n}\n"
            f"define i32 @entry(i32 %x) {{\n{calls}  ret i32 %c{length - 1}\n}}\n"
        ).encode(),
    )


#: Few decisions each, and different numbers of them, so that episodes end often
#: and not together; one raises none.
SMALL = [NO_DECISION, chain(2), chain(3), chain(5), chain(6)]
