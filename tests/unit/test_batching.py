"""Lookups that are shared: fresh for each asker, and failing for each."""

import asyncio
from collections.abc import Collection

import pytest

from app.core.batching import Batch
from app.core.cache import Recent


async def test_those_who_ask_at_once_share_a_lookup() -> None:
    lookups: list[set[str]] = []

    async def lookup(keys: Collection[str]) -> dict[str, int]:
        lookups.append(set(keys))
        await asyncio.sleep(0)
        return {"a": 1}

    batch = Batch(lookup)
    answers = await asyncio.gather(*(batch.get(key) for key in ("a", "b", "a")))
    assert (answers, lookups) == ([1, None, 1], [{"a", "b"}])


async def test_who_asks_during_a_lookup_is_answered_by_a_later_one() -> None:
    value = 1
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def lookup(keys: Collection[str]) -> dict[str, int]:
        read = value
        asked.set()
        await go_on.wait()
        return dict.fromkeys(keys, read)

    batch = Batch(lookup)
    first = asyncio.create_task(batch.get("a"))
    await asked.wait()
    value = 2
    second = asyncio.create_task(batch.get("a"))
    await asyncio.sleep(0)
    go_on.set()
    assert (await first, await second) == (1, 2)


async def test_failure_reaches_all_and_ends_there() -> None:
    failing = True

    async def lookup(keys: Collection[str]) -> dict[str, int]:
        if failing:
            raise OSError
        return dict.fromkeys(keys, 1)

    batch = Batch(lookup)
    results = await asyncio.gather(batch.get("a"), batch.get("b"), return_exceptions=True)
    assert [type(result) for result in results] == [OSError, OSError]
    failing = False
    assert await batch.get("a") == 1


async def test_asker_who_leaves_takes_nothing_from_the_others() -> None:
    go_on = asyncio.Event()

    async def lookup(keys: Collection[str]) -> dict[str, int]:
        await go_on.wait()
        return dict.fromkeys(keys, 1)

    batch = Batch(lookup)
    leaving, staying = (asyncio.create_task(batch.get("a")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    go_on.set()
    assert await staying == 1
    with pytest.raises(asyncio.CancelledError):
        await leaving


def test_the_value_used_longest_ago_is_forgotten() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)
