# SPDX-License-Identifier: Apache-2.0
"""A mesh with Kafka and a schema registry as its users run it: topics, tail, drift, schemas that do not fit."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from dictamesh.runtime.catalog.ownership import running_owner
from dictamesh.runtime.catalog.pool import open_pool
from dictamesh.runtime.events.envelope import Event
from dictamesh.runtime.events.log import append_events
from tests.support.bus import event
from tests.support.running import (
    PROGRAM,
    Runtime,
    Sources,
    clean_environment,
    example_tree,
    running,
    spawn,
    until,
)
from tests.support.services import free_port, kafka, registered, registry, unique

__all__ = ["kafka", "registry"]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.kafka]

EVENTS = """
events:
  capture: {capture}
  kafka: {{bootstrap: "{kafka}", replication: 1}}
  registry: {{url: "{registry}", password: "${{env:REGISTRY_SECRET:-}}", username: us}}
"""


def mesh(folder: Path, topic: str, kafka: str, registry: str, capture: str = "false") -> Path:
    """The example with a bus, and a topic of its own for each entity."""
    config = example_tree(folder)
    config.write_text(
        config.read_text("utf-8") + EVENTS.format(kafka=kafka, registry=registry, capture=capture), "utf-8"
    )
    for name, entities in {
        "customers": ["Customer"],
        "invoices": ["Invoice", "InvoiceItem"],
        "products": ["Product"],
    }.items():
        spec = config.parent / "products" / f"{name}.yaml"
        ports = "".join(f"  {each}: {{topic: {topic}.{each.lower()}, partitions: 3}}\n" for each in entities)
        spec.write_text(spec.read_text("utf-8") + f"\noutput:\n{ports}", "utf-8")
    return config


async def write(data_dir: Path, *events: Event) -> None:
    dsn = running_owner(data_dir)
    assert dsn is not None
    pool = await open_pool(dsn)
    async with pool.transaction() as connection:
        await append_events(connection, events, {each.topic: 3 for each in events})
    await pool.close()


async def command(config: Path, environment: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        *arguments,
        "--config",
        str(config),
        env=clean_environment(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def metric(runtime: Runtime, line: str) -> float:
    found = [each for each in (await runtime.metrics()).splitlines() if each.startswith(line)]
    return float(found[0].rpartition(" ")[2]) if found else -1.0


async def test_a_topic_reads_the_same_on_both_buses(
    tmp_path: Path, sources: Sources, kafka: str, registry: str
) -> None:
    topic = unique("acme")
    config = mesh(tmp_path, topic, kafka, registry)
    data = tmp_path / "data"
    customers = f"{topic}.customer"
    async with running(config, data, sources.environment) as runtime:
        await runtime.until_said("bus ready")
        written = [
            event(customers, f"c-{n}", payload={"country": "DE", "createdAt": "2026-01-02T03:04:05Z"}) for n in range(9)
        ]
        await write(data, *written, event(customers, "c-0", "DELETED", 2))

        async def published() -> bool:
            return (
                await metric(runtime, f'dictamesh_events_published_total{{outcome="published",topic="{customers}"}}')
                == 10
            )

        await until(published, "ten events are published")
        assert await metric(runtime, 'dictamesh_freshness_seconds{product="customers"}') >= 0
        _, health = await runtime.get("/health/ready")
        assert health["checks"]["events"]["status"] == "healthy"
        tails = {}
        for bus in ("log", "kafka"):
            more = ("--bus", bus, "--data-dir", str(data), "--format", "json")
            code, out, err = await command(config, sources.environment, "events", "tail", "--topic", customers, *more)
            assert (code, err) == (0, "")
            tails[bus] = [json.loads(line) for line in out.splitlines()]
        assert len(tails["log"]) == 10
        place = lambda each: (each["partition"], each["offset"])  # noqa: E731
        assert {each["event_id"] for each in tails["log"]} == {str(each.event_id) for each in written} | {
            each["event_id"] for each in tails["log"] if each["event_type"] == "DELETED"
        }
        names = ("event_id", "event_type", "entity", "timestamp", "trace_context", "topic", "partition", "offset")
        for one, other in zip(sorted(tails["log"], key=place), sorted(tails["kafka"], key=place), strict=True):
            assert {name: one[name] for name in names} == {name: other[name] for name in names}
            assert {k: v for k, v in (other["payload"] or {}).items() if v is not None} == (one["payload"] or {})
        more = ("--from", "1", "--limit", "2", "--format", "json", "--data-dir", str(data))
        code, out, _ = await command(config, sources.environment, "events", "tail", "--topic", customers, *more)
        assert code == 0 and len(out.splitlines()) == 2
        assert all(json.loads(line)["offset"] >= 1 for line in out.splitlines())

        replay = ("events", "replay", "--product", "customers", "--from", "beginning", "--format", "json")
        code, out, _ = await command(config, sources.environment, *replay, "--dry-run", "--data-dir", str(data))
        assert code == 0 and json.loads(out)["events"] == 10
        one = ("events", "replay", "--entity", "Customer", "--id", "c-0", "--from", "0", "--format", "json")
        code, out, err = await command(config, sources.environment, *one, "--data-dir", str(data))
        assert (code, json.loads(out)["published"]) == (0, 2), err
        code, _, _ = await command(config, sources.environment, *replay, "--data-dir", str(data))
        assert code == 0
        await until(lambda: _counted(runtime, customers, 20), "all events are published again")


async def _counted(runtime: Runtime, topic: str, count: int) -> bool:
    return await metric(runtime, f'dictamesh_events_published_total{{outcome="published",topic="{topic}"}}') == count


async def test_drift_of_a_topic_is_told_and_changed_on_request_alone(
    tmp_path: Path, sources: Sources, kafka: str, registry: str
) -> None:
    topic = unique("acme")
    config = mesh(tmp_path, topic, kafka, registry)
    ask = ("events", "topics", "--format", "json")
    code, out, _ = await command(config, sources.environment, *ask)
    assert code == 1
    assert f"{topic}.customer" in json.loads(out)["missing"]
    code, out, _ = await command(config, sources.environment, *ask, "--apply")
    assert f"{topic}.customer" in json.loads(out)["created"]
    _change(kafka, f"{topic}.customer", "retention.ms", "1000")
    _grow(kafka, f"{topic}.product", 5)
    async with running(config, tmp_path / "data", sources.environment) as runtime:
        told = await runtime.until_said("a topic is not as the plan says", 2)
        assert any("retention.ms is 1000, the plan says 2592000000" in each["reason"] for each in told)
        await until(lambda: _drifts(runtime, f"{topic}.customer"), "drift is a metric")
        code, out, _ = await command(config, sources.environment, *ask)
        own = [each for each in json.loads(out)["drift"] if each["topic"].startswith(topic)]
        assert code == 1
        assert {(each["setting"], each["found"], each["curable"]) for each in own} == {
            ("retention.ms", "1000", True),
            ("partitions", "5", False),
        }
        code, out, _ = await command(config, sources.environment, *ask, "--apply")
        assert {"topic": f"{topic}.customer", "setting": "retention.ms", "to": "2592000000"} in json.loads(out)[
            "changed"
        ]
        _, out, _ = await command(config, sources.environment, *ask)
        assert [each["setting"] for each in json.loads(out)["drift"] if each["topic"].startswith(topic)] == [
            "partitions"
        ]


async def _drifts(runtime: Runtime, topic: str) -> bool:
    return await metric(runtime, f'dictamesh_topic_drift{{topic="{topic}"}}') == 1


def _change(kafka: str, topic: str, key: str, value: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()


def _grow(kafka: str, topic: str, partitions: int) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.create_partitions([NewPartitions(topic, partitions)]).values():
        future.result()


async def test_a_schema_that_does_not_fit_stops_the_start_before_anything_is_touched(
    tmp_path: Path, sources: Sources, kafka: str, registry: str
) -> None:
    topic = unique("acme")
    config = mesh(tmp_path, topic, kafka, registry)
    _, out, _ = await command(config, sources.environment, "schema", "avro", "Customer")
    schema = json.loads(out)
    schema = next(iter(schema.values())) if "fields" not in schema else schema
    payload = next(each for each in schema["fields"] if each["name"] == "payload")["type"][1]
    country = next(each for each in payload["fields"] if each["name"] == "country")
    country["type"] = ["null", "long"]
    _register(registry, f"{topic}.customer-value", schema)
    runtime = await spawn(config, tmp_path / "data", sources.environment)
    assert not await runtime.ready()
    assert await runtime.stop() == 3
    said = "".join(runtime.errors) + "".join(runtime.output)
    assert f"the schema of topic {topic}.customer is not BACKWARD compatible: payload.country" in said
    assert registered(registry, f"{topic}.customer-value") == [1]
    assert registered(registry, f"{topic}.product-value") == []
    topics = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics
    assert not [name for name in topics if name.startswith(topic)]


def _register(registry: str, subject: str, schema: object) -> None:
    body = json.dumps({"schema": json.dumps(schema)}).encode()
    request = urllib.request.Request(f"{registry}/subjects/{subject}/versions", body, method="POST")
    request.add_header("Content-Type", "application/vnd.schemaregistry.v1+json")
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200


async def test_a_registry_that_is_away_stops_nothing_and_loses_nothing(
    tmp_path: Path, sources: Sources, kafka: str, registry: str
) -> None:
    topic = unique("acme")
    there = urlsplit(registry)
    port = free_port()
    config = mesh(tmp_path, topic, kafka, f"http://127.0.0.1:{port}{there.path}")
    data = tmp_path / "data"
    customers = f"{topic}.customer"
    async with running(config, data, sources.environment) as runtime:
        await runtime.until_said("the schema registry cannot be asked")
        assert (await runtime.ask("{ __typename }"))["data"]
        await write(data, *(event(customers, f"c-{n}") for n in range(5)))
        await runtime.until_said("the relay waits")
        await until(lambda: _stands(runtime, "degraded"), "health tells of it")
        assert await metric(runtime, 'dictamesh_relay_waiting{reason="registry"}') == 1
        async with forwarding(port, there.hostname or "", there.port or 80):
            await until(lambda: _counted(runtime, customers, 5), "what waited is published", 60)
        assert await metric(runtime, 'dictamesh_relay_waiting{reason="registry"}') == 0
        await write(data, *(event(customers, f"d-{n}") for n in range(5)))
        await until(lambda: _counted(runtime, customers, 10), "a registry that is away in flight keeps nothing back")


async def _stands(runtime: Runtime, status: str) -> bool:
    code, health = await runtime.get("/health/ready")
    return (code, health["status"], health["checks"]["events"]["status"]) == (200, status, status)


@asynccontextmanager
async def forwarding(port: int, host: str, to: int) -> AsyncIterator[None]:
    """A port that leads to a server."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection(host, to)
        await asyncio.gather(pump(reader, back), pump(onward, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
