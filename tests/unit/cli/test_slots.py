# SPDX-License-Identifier: Apache-2.0
"""Which slots a reset concerns."""

from datetime import UTC, datetime
from typing import Any

from dictamesh.runtime.capture.state import Stand
from dictamesh.runtime.cli.slots import slots_of


def stand(entity: str, position: dict[str, Any] | None, kind: str = "postgres") -> Stand:
    now = datetime.now(UTC)
    return Stand(entity, kind, "erp", "t", "running", position, 1, "", None, None, None, now)


def test_slots_are_named_by_positions_once_each() -> None:
    at = {"lsn": "0/1", "system": "7", "slot": "s", "publication": "p"}
    stands = [stand("a#A", at), stand("a#B", at), stand("b#C", None), stand("b#D", {"at": 1}), stand("c#E", at, "poll")]
    assert slots_of(stands) == [("erp", "s", "p")]
