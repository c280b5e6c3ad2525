# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL as a source of polls: composite keys, moments to the microsecond, an order that is the server's."""

import asyncio
import contextlib
from typing import Any

import psycopg

from dictamesh.runtime.capture.poll import poll
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.documents import Memory
from tests.integration.capture.conftest import Mesh, until

MESH = """\
apiVersion: dictamesh/v1
kind: Mesh
name: acme
include: ["*.product.yaml"]
servers:
  crm: {type: postgres, dsn: "DSN"}
"""
PRODUCT = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: lines
name: customers
version: 1.0.0
status: active
domain: crm
team: {name: crm, members: [{username: ana, role: owner}]}
schema:
  - name: Customer
    physicalName: order_lines
    properties:
      - {name: shop, logicalType: string, primaryKey: true, primaryKeyPosition: 1, classification: public}
      - {name: line, logicalType: integer, primaryKey: true, primaryKeyPosition: 2, classification: public}
      - {name: amount, logicalType: number, physicalType: "decimal(12,2)", classification: internal}
      - {name: twice, logicalType: number, physicalType: "decimal(12,2)", transformLogic: "amount * 2",
         classification: internal}
source:
  server: crm
  Customer:
    columns: {changed: timestamp}
    changes: {poll: {every: 0.05s, cursor: changed, deletes: 0.3s, page: 3, pause: 0s}}
"""
TABLE = """
CREATE TABLE order_lines (shop text, line int, amount numeric(12,2), changed timestamptz DEFAULT clock_timestamp(),
                          PRIMARY KEY (shop, line));
INSERT INTO order_lines SELECT s, n, n FROM unnest(ARRAY['a', 'B', 'ä', 'z']) s, generate_series(1, 5) n;
"""


async def test_a_table_with_a_composite_key(mesh: Mesh, dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as source:
        source.execute(TABLE)
        files = {"mesh.yaml": MESH.replace("DSN", "${env:PEPPER}"), "a.product.yaml": PRODUCT}
        made = build(Memory(files), "mesh.yaml")
        assert made.plan is not None, [each.message for each in made.diagnostics]
        mesh.plan = made.plan

        async def has(count: int) -> Any:
            async def enough() -> Any:
                found = await mesh.told()
                return found if len(found) >= count else None

            return await until(enough)

        async with mesh.making(mesh.recorder(), {"PEPPER": dsn}) as making:
            task = asyncio.create_task(poll(making).run())
            try:
                assert len(await has(20)) == 20
                source.execute("UPDATE order_lines SET amount = 9, changed = clock_timestamp() WHERE line = 2")
                source.execute("DELETE FROM order_lines WHERE shop = 'ä'")
                source.execute("INSERT INTO order_lines (shop, line, amount) VALUES ('new', 1, 1)")
                # four lines were changed, one of which may have been deleted before it was seen
                await has(20 + 3 + 5 + 1)
                await asyncio.sleep(0.5)
                found = await mesh.told()
            finally:
                assert not task.done(), task.exception()
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
    kinds = [kind for _, _, kind in found]
    assert (kinds.count("CREATED"), kinds.count("DELETED")) == (21, 5)
    assert kinds.count("UPDATED") in {3, 4}
    changed = [set(each.changed_fields) for each in await mesh.events() if each.event_type == "UPDATED"]
    assert changed[0] == {"amount", "twice"}
