# SPDX-License-Identifier: Apache-2.0
"""Attacks on masked fields by listening: what a subscriber hears is the same to the byte in two worlds that differ, and
change, only in what the subscriber may not see.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.e2e.probing import worlds as probing
from tests.e2e.probing.subscribed import SETTLE, SUBSCRIBED, keep
from tests.e2e.probing.worlds import BADGES, CLOSED, COLUMNS, ONE, OPEN, TWO, World, world
from tests.support.running import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENOUGH = 5
FOURTH = {"id": 4, "team": "z", "level": 4, "email": "dan@z.example"}
CREATED = re.compile(r'^dictamesh_captured_changes_total\{[^}]*outcome="created"[^}]*\} (\S+)$', re.MULTILINE)
SNAPSHOT = "Person: {changes: {snapshot: {every: 300ms, page: 1000, pause: 0s}}}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, tuple[World, World]]]:
    folder = tmp_path_factory.mktemp("heard")
    folder.chmod(0o755)
    fourth = tuple(FOURTH.get(name) for name in COLUMNS)  # the same in both worlds; it ends attacks
    badge = "  Badge: {surrogate: {hmac: pepper}}\n"
    with pytest.MonkeyPatch.context() as patched:
        assert badge in probing.PEOPLE
        patched.setattr(probing, "PEOPLE", probing.PEOPLE.replace(badge, f"{badge}  {SNAPSHOT}\n"))
        async with AsyncExitStack() as stack:
            made = [
                await stack.enter_async_context(world(folder / f"{name}", [*rows, fourth], BADGES[which], text))
                for policies, text in (("closed", CLOSED), ("open", OPEN))
                for which, rows in (("one", ONE), ("two", TWO))
                for name in (f"{policies}-{which}",)
            ]
            for each in made:
                keep(each)
                await _captured(each)
            await asyncio.sleep(SETTLE)
            yield {"closed": (made[0], made[1]), "open": (made[2], made[3])}


async def _captured(target: World) -> None:
    """Wait for the records whose fields can all be computed: in the first world one cannot."""

    async def known() -> bool:
        found = CREATED.search(await target.runtime.metrics())
        return found is not None and float(found[1]) >= 3

    await until(known, "all people are captured")


async def test_there_are_enough() -> None:
    assert len(SUBSCRIBED) >= ENOUGH


@pytest.mark.parametrize("name", SUBSCRIBED)
async def test_listening_tells_nothing(heard: dict[str, tuple[World, World]], name: str) -> None:
    attack = SUBSCRIBED[name]
    one, two, *closed = await asyncio.gather(*(attack(each) for each in (*heard["open"], *heard["closed"])))
    assert one != two, "without protection the attack does not work"
    assert "VALIDATION_ERROR" not in one
    assert closed[0] == closed[1]
    assert closed[0] != one
