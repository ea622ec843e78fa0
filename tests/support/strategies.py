# SPDX-License-Identifier: Apache-2.0
"""Random programs and answers for property tests."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from mlcompiler_gym import Program

# Without these, LLVM's tools fill in what they like.
_HEADER = """source_filename = "random.ll"
target triple = "x86_64-unknown-linux-gnu"
@g = global i32 0
"""


@st.composite
def call_graphs(draw: st.DrawFn) -> Program:
    """A module of a few functions that call each other, recursion included.

    Calls go anywhere, but a callee that was generated earlier is likelier, so
    that most of the graph is acyclic, as in programs that people write.
    """
    count = draw(st.integers(2, 7))
    text = ""
    for index in range(count):
        linkage = draw(st.sampled_from(["", "internal ", "linkonce_odr "]))
        # Somebody has to be exported, or nothing is left to measure.
        if index == count - 1:
            linkage = ""
        body = []
        last = "%x"
        callees = draw(
            st.lists(
                st.one_of(st.integers(0, max(0, index - 1)), st.integers(0, count - 1)),
                min_size=min(index, 1),
                max_size=4,
            )
        )
        for step, callee in enumerate(callees):
            operator = draw(st.sampled_from(["add", "mul", "xor", "sub"]))
            argument = draw(st.sampled_from([last, "%x", "5"]))
            body += [
                f"  %c{step} = call i32 @f{callee}(i32 {argument})",
                f"  %o{step} = {operator} i32 %c{step}, {last}",
            ]
            last = f"%o{step}"
        stores = draw(st.integers(0, 12))
        body += [f"  store volatile i32 {n}, ptr @g" for n in range(stores)]
        # Recursion stays behind a condition, so that no call is known to loop.
        text += (
            f"define {linkage}i32 @f{index}(i32 %x) minsize optsize {{\n"
            "  %stop = icmp slt i32 %x, 1\n"
            "  br i1 %stop, label %done, label %more\n"
            "more:\n" + "".join(line + "\n" for line in body) + f"  ret i32 {last}\n"
            "done:\n  ret i32 1\n}\n"
        )
    return Program("random", (_HEADER + text).encode())


#: Answers, repeated when an episode asks for more.
answers = st.lists(st.integers(0, 1), min_size=1, max_size=40)


def examples(count: int) -> settings:
    """That many examples, however long one takes.

    They share the test's service: what an earlier one parked must not matter.
    """
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
