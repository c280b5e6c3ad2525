# SPDX-License-Identifier: Apache-2.0
"""Personal data of captured records is in no topic of Kafka and not in the log, unless a topic's readers may see it."""

from pathlib import Path

import orjson
import pytest

from dictamesh.runtime.catalog.ownership import running_owner
from dictamesh.runtime.catalog.pool import open_pool
from tests.e2e.test_bus import mesh, metric
from tests.support.bus import consumed, read
from tests.support.running import Runtime, Sources, edit, running, until
from tests.support.services import kafka, registry, unique

__all__ = ["kafka", "registry"]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.kafka]
FIELDS = ("email", "phone", "last_name")


async def test_no_personal_data_is_in_a_topic_unless_its_readers_may_see_it(
    tmp_path: Path, sources: Sources, kafka: str, registry: str
) -> None:
    topic = unique("acme")
    config = mesh(tmp_path, topic, kafka, registry, capture="true")
    customers = f"{topic}.customer"
    count = len(sources.records.customers)
    canaries = {str(each[name]) for each in sources.records.customers for name in FIELDS if len(str(each[name])) > 5}
    async with running(config, tmp_path / "data", sources.environment) as runtime:
        await until(lambda: _published(runtime, customers, count), "all customers are captured and published", 90)
        plain, envelopes = _everything(kafka, registry, customers, count)
        assert not {canary for canary in canaries if canary in plain}
        assert {each["payload"]["country"] for each in envelopes} == {
            each["country"] for each in sources.records.customers
        }
        assert all(each["payload"]["email"] is None for each in envelopes)
        logged = await _log(tmp_path / "data", customers)
        assert not {canary for canary in canaries if canary in logged}
    spec = config.parent / "products" / "customers.yaml"
    edit(spec, f"topic: {customers}, ", f"topic: {customers}2, roles: [support], purpose: service, ")
    async with running(config, tmp_path / "data2", sources.environment) as runtime:
        await until(lambda: _published(runtime, f"{customers}2", count), "the same for readers of support", 90)
        plain, envelopes = _everything(kafka, registry, f"{customers}2", count)
        assert {each["payload"]["email"] for each in envelopes} >= {each["email"] for each in sources.records.customers}


async def _published(runtime: Runtime, topic: str, count: int) -> bool:
    return await metric(runtime, f'dictamesh_events_published_total{{outcome="published",topic="{topic}"}}') >= count


def _everything(kafka: str, registry: str, topic: str, count: int) -> tuple[str, list[dict]]:
    found = consumed(kafka, topic, 3, lambda found: len(found) >= count)
    plain = "\n".join(
        str((m.key(), m.value().decode("utf-8", "replace"), [(k, v.decode()) for k, v in m.headers()])) for m in found
    )
    return plain, [read(m.value(), registry) for m in found]


async def _log(data_dir: Path, topic: str) -> str:
    dsn = running_owner(data_dir)
    assert dsn is not None
    pool = await open_pool(dsn)
    rows = await pool.rows(b"SELECT * FROM dictamesh_event_log WHERE topic = %(topic)s", {"topic": topic})
    await pool.close()
    return orjson.dumps([{k: str(v) for k, v in row.items()} for row in rows]).decode()
