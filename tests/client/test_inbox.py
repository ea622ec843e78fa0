# SPDX-License-Identifier: Apache-2.0
"""Events for many inboxes from one thread: none is lost, none announced twice."""

import select
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import examples

from mlcompiler_gym.client.inbox import Inbox

pytestmark = pytest.mark.timeout(60)

SOURCE = object()


@examples(100)
@given(actions=st.lists(st.sampled_from(["put", "take", "listen"])))
def test_the_descriptor_tells_what_there_is(actions: list[str]) -> None:
    inbox: Inbox[int] = Inbox()
    inbox.listen_to(SOURCE)
    there: list[int] = []
    for number, action in enumerate(actions):
        if action == "put":
            inbox.put(SOURCE, number)
            inbox.put("another", -1)
            there.append(number)
        elif action == "listen":
            inbox.listen_to(SOURCE)
            there = []
        elif there:
            assert inbox.take() == there.pop(0)
        assert inbox.wait(0) is bool(there)
    assert inbox.close()
    assert not inbox.close()
    assert inbox.fileno() == -1
    inbox.put(SOURCE, 1)


def test_many_inboxes_and_two_threads() -> None:
    rounds = 3000
    inboxes: list[Inbox[int]] = [Inbox() for _ in range(8)]
    for inbox in inboxes:
        inbox.listen_to(SOURCE)

    def bring() -> None:
        for number in range(rounds):
            for inbox in inboxes[: 1 + number % len(inboxes)]:
                inbox.put(SOURCE, number)

    thread = threading.Thread(target=bring)
    thread.start()
    taken: dict[Inbox[int], list[int]] = {inbox: [] for inbox in inboxes}
    missing = sum(1 + number % len(inboxes) for number in range(rounds))
    while missing:
        found = select.select(inboxes, [], [], 10)[0]
        assert found, f"{missing} events were not announced"
        for inbox in found:
            taken[inbox].append(inbox.take())
            missing -= 1
    thread.join()
    for index, inbox in enumerate(inboxes):
        expected = [n for n in range(rounds) if n % len(inboxes) >= index]
        assert taken[inbox] == expected
        assert not inbox.wait(0)
        inbox.close()
