# SPDX-License-Identifier: Apache-2.0
"""Nothing personal stands in what capture keeps and tells, keys included."""

import asyncio
import contextlib
import logging

import pytest

from dictamesh.runtime.capture.snapshot import snapshot
from tests.integration.capture.conftest import MESH, PRODUCT, Mesh, plan_of, until

CANARY = "canary"
TAXONOMY = "apiVersion: dictamesh/v1\nkind: Taxonomy\ntags:\n  pii: {pii: true}\n"
PERSONAL = (
    PRODUCT.replace(
        "{name: id, logicalType: string, primaryKey: true, classification: public}",
        "{name: id, logicalType: string, primaryKey: true, classification: restricted, tags: [pii]}",
        1,
    )
    .replace(
        "{name: name, logicalType: string, classification: internal}",
        "{name: name, logicalType: string, classification: restricted, tags: [pii]}",
    )
    .replace(
        "{name: label, logicalType: string, classification: internal,",
        "{name: label, logicalType: string, classification: restricted, tags: [pii],",
    )
    .replace("  Customer:\n", "  Customer:\n    surrogate: {hmac: pepper}\n")
)


def personal(changes: str) -> dict[str, str]:
    return {
        "mesh.yaml": MESH.replace('include: ["*.product.yaml"]', 'include: ["*.product.yaml", tags.yaml]'),
        "tags.yaml": TAXONOMY,
        "a.product.yaml": PERSONAL.replace("CHANGES", changes),
    }


async def test_no_canary_is_kept_or_told(mesh: Mesh, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    mesh.plan = plan_of(**personal("{snapshot: {every: 1h, page: 2, pause: 60s}}"))
    for number in range(5):
        mesh.sql(f"INSERT INTO customers VALUES ('{CANARY}{number}@x.example', '{CANARY}', 1, '{CANARY}', NULL)")
    mesh.sql(f"INSERT INTO customers VALUES ('{CANARY}0a@x.example', '{CANARY}', '{CANARY}', NULL, NULL)")  # no number
    for pause in ("60s", "0s"):  # broken off in the middle, then to the end
        mesh.plan = plan_of(**personal(f"{{snapshot: {{every: 1h, page: 2, pause: {pause}}}}}"))
        async with mesh.making(mesh.recorder()) as making:
            task = asyncio.create_task(snapshot(making).run())

            async def so_far(wanted: int = 1 if pause == "60s" else 6) -> bool:
                return len(await mesh.told()) >= wanted

            await until(so_far)
            await asyncio.sleep(0.2)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    events = await mesh.events()
    assert len(events) == 6
    assert all(len(each.entity_id) == 32 for each in events)
    for table in ("dictamesh_event_log", "dictamesh_entity_state", "dictamesh_capture_state"):
        for kept in await mesh.pool.rows(f"SELECT t::text AS t FROM {table} t".encode()):
            # the relation leads to a key that is public, so that its value is no secret
            text = kept["t"].replace(f'""entity_id"": ""{CANARY}""', "")
            assert CANARY not in text
            assert CANARY.encode().hex() not in text
    assert CANARY not in caplog.text
