# SPDX-License-Identifier: Apache-2.0
"""The L1 cache of S25, RS-7 and RS-10."""

import asyncio

import pytest

from dictamesh.runtime.resilience import L1, Clock, Guard, cache_key, namespace
from dictamesh.runtime.resilience.cache import FORGOTTEN, Hit
from tests.unit.resilience.virtual_time import run


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = 0.0
        self.clock = Clock(now=lambda: self.at)


def test_keys_follow_the_scheme_of_s25():
    assert cache_key("shop", "Customer", "ab12", '["a:b",1]') == 'dictamesh:shop:Customer:ab12:["a:b",1]'
    assert cache_key("shop", "Customer", "ab12", "7").startswith(namespace("shop", "Customer"))


@pytest.mark.parametrize("parts", [("a:b", "C", "h"), ("a", "C:D", "h"), ("a", "C", ""), ("", "C", "h")])
def test_parts_of_a_namespace_cannot_reach_into_another(parts: tuple[str, str, str]):
    with pytest.raises(ValueError):
        cache_key(*parts, "1")


def test_an_entry_lives_its_ttl_then_counts_as_last_known_good_when_asked():
    hand = Hand()
    cache = L1(stale_for=3600, clock=hand.clock)
    row = ("1", "Ann")
    cache.put("k", row, ttl=300)
    hand.at = 299
    hit = cache.get("k")
    assert hit.value is row
    assert (hit.age, hit.stale) == (299, False)
    hand.at = 300
    assert cache.get("k") is None
    stale = cache.get("k", stale_ok=True)
    assert (stale.value, stale.age, stale.stale) == (row, 300, True)
    hand.at = 300 + 3600
    assert cache.get("k", stale_ok=True) is None
    assert len(cache) == 0


def test_a_put_renews():
    hand = Hand()
    cache = L1(clock=hand.clock)
    cache.put("k", 1, ttl=10)
    hand.at = 20
    cache.put("k", 2, ttl=10)
    hit = cache.get("k")
    assert (hit.value, hit.age, hit.stale) == (2, 0, False)


def test_expired_entries_go_first_then_a_tenth_by_last_use():
    hand = Hand()
    cache = L1(size=100, clock=hand.clock)
    for number in range(100):
        cache.put(f"k{number}", number, ttl=5 if number in (40, 41, 42) else 1000)
    hand.at = 10
    assert cache.get("k0").value == 0  # now the most recently used
    cache.put("new", 1, ttl=1000)
    assert all(cache.get(f"k{n}", stale_ok=True) is None for n in (40, 41, 42))
    assert [n for n in range(100) if cache.get(f"k{n}") is None] == [1, 2, 3, 4, 5, 6, 7, 40, 41, 42]
    assert len(cache) == 91


def test_when_enough_is_expired_nothing_alive_is_dropped():
    hand = Hand()
    cache = L1(size=100, clock=hand.clock)
    for number in range(100):
        cache.put(f"k{number}", number, ttl=5 if number >= 80 else 1000)
    hand.at = 10
    cache.put("new", 1, ttl=1000)
    assert all(cache.get(f"k{n}") for n in range(80))


def test_absence_is_not_cached():
    with pytest.raises(ValueError, match="absent"):
        L1().put("k", None, ttl=1)


def test_entries_are_deleted_by_key_and_by_prefix_within_a_mesh():
    cache = L1()
    for mesh in ("a", "ab"):
        for entity in ("Customer", "CustomerNote"):
            for key in ("1", "2"):
                cache.put(cache_key(mesh, entity, "h", key), key, ttl=1)
    assert cache.delete(cache_key("a", "Customer", "h", "1"))
    assert not cache.delete(cache_key("a", "Customer", "h", "1"))
    assert cache.delete_prefix(namespace("a", "Customer")) == 1
    assert cache.delete_prefix(cache_key("a", "CustomerNote", "h", "1")) == 1
    assert cache.delete_prefix(namespace("a")) == 1
    assert len(cache) == 4


@pytest.mark.parametrize("prefix", ["", "d", "dictamesh", "dictamesh:", "dictamesh:a", "dictamesh::", "other:a:"])
def test_a_prefix_beyond_one_mesh_is_refused(prefix: str):
    cache = L1()
    cache.put(cache_key("a", "C", "h", "1"), 1, ttl=1)
    with pytest.raises(ValueError, match="dictamesh:<mesh>:"):
        cache.delete_prefix(prefix)
    assert len(cache) == 1


def test_a_second_read_is_at_least_twice_as_fast_and_equal():
    async def main(clock: Clock) -> None:
        cache = L1(clock=clock)
        guard = Guard("cms", clock=clock)
        asked = 0

        async def source() -> tuple[str, str]:
            nonlocal asked
            asked += 1
            await asyncio.sleep(0.05)
            return ("1", "Ann")

        async def read(key: str) -> object:
            if hit := cache.get(key):
                return hit.value
            row = await guard.call(source)
            cache.put(key, row, ttl=300)
            return row

        took, rows = [], []
        for _ in range(2):
            started = clock.now()
            rows.append(await read("k"))
            took.append(clock.now() - started)
        assert rows[0] == rows[1]
        assert took[1] <= took[0] / 2
        for number in range(100):
            await read(f"k{number % 10}")
        assert 1 - asked / 102 > 0.8

    run(main)


def test_a_row_that_was_read_before_it_changed_is_not_kept():
    hand = Hand()
    cache = L1(clock=hand.clock)
    began = cache.now()
    hand.at += 1
    assert cache.forget("k") is False
    cache.put("k", "old", ttl=10, read_at=began)
    cache.put("other", "same", ttl=10, read_at=began)
    assert cache.get("k") is None
    assert cache.get("other").value == "same"
    hand.at += 1
    cache.put("k", "new", ttl=10, read_at=cache.now())
    assert cache.get("k").value == "new"
    assert cache.forget("k") is True
    assert cache.get("k", stale_ok=True) is None


def test_what_has_changed_is_kept_as_last_known_good():
    hand = Hand()
    cache = L1(clock=hand.clock, stale_for=100)
    assert cache.expire("k") is False
    cache.put("k", "old", ttl=10)
    hand.at += 1
    assert cache.expire("k") is True
    assert cache.expire("k") is False
    assert cache.get("k") is None
    assert cache.get("k", stale_ok=True) == Hit("old", 1, stale=True)
    hand.at += 100
    assert cache.get("k", stale_ok=True) is None


def test_a_row_that_was_read_before_it_changed_is_kept_as_last_known_good():
    hand = Hand()
    cache = L1(clock=hand.clock)
    began = cache.now()
    hand.at += 1
    cache.expire("changed")
    cache.forget("both")
    cache.expire("both")
    for key in ("changed", "both"):
        cache.put(key, "old", ttl=10, read_at=began)
        assert cache.get(key) is None
    assert cache.get("changed", stale_ok=True).value == "old"
    assert cache.get("both", stale_ok=True) is None
    hand.at += 1
    cache.put("both", "new", ttl=10, read_at=cache.now())
    assert cache.get("both").value == "new"


def test_nothing_of_a_namespace_is_kept_that_was_read_before():
    hand = Hand()
    cache = L1(clock=hand.clock)
    began = cache.now()
    hand.at += 1
    cache.tell("dictamesh:m:E:h:", gone=True)
    cache.tell("dictamesh:m:E:h:", gone=False)
    cache.tell("dictamesh:m:G:h:", gone=False)
    for name in "EFG":
        cache.put(f"dictamesh:m:{name}:h:1", 1, ttl=10, read_at=began)
    assert cache.get("dictamesh:m:E:h:1", stale_ok=True) is None
    assert cache.get("dictamesh:m:F:h:1") is not None
    assert cache.get("dictamesh:m:G:h:1") is None
    assert cache.get("dictamesh:m:G:h:1", stale_ok=True) is not None


def test_more_changes_than_are_remembered_keep_nothing_of_before():
    hand = Hand()
    cache = L1(clock=hand.clock)
    began = cache.now()
    hand.at += 1
    for number in range(FORGOTTEN + 1):
        cache.forget(f"k{number}")
    cache.put("k0", "old", ttl=10, read_at=began)
    cache.put("x", "old", ttl=10, read_at=began)
    assert cache.get("k0", stale_ok=True) is None
    assert cache.get("x", stale_ok=True) is None
