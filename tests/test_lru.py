# SPDX-License-Identifier: Apache-2.0
"""Caches hold what was used last, and no more than they may."""

from mlcompiler_gym.lru import Lru


def test_the_least_recently_used_gives_way() -> None:
    cache: Lru[str] = Lru(2)
    cache.put("a", "A")
    cache.put("b", "B")
    assert cache.get("a") == "A"
    cache.put("c", "C")
    assert [cache.get(key) for key in "abc"] == ["A", None, "C"]
    assert len(cache) == 2


def test_values_weigh_no_more_than_they_may() -> None:
    cache: Lru[bytes] = Lru(10, 100, len)
    for _ in range(5):
        cache.put("a", bytes(40))
    cache.put("b", bytes(60))
    assert len(cache) == 2
    cache.put("c", bytes(1))
    assert [cache.get(key) for key in "abc"] == [None, bytes(60), b"\0"]
    cache.put("huge", bytes(101))
    assert len(cache) == 0
    cache.put("d", bytes(100))
    assert len(cache) == 1


def test_a_new_value_takes_the_place_of_the_old() -> None:
    cache: Lru[bytes] = Lru(10, 100, len)
    cache.put("a", bytes(90))
    cache.put("a", bytes(10))
    cache.put("b", bytes(90))
    assert cache.get("a") == bytes(10)
