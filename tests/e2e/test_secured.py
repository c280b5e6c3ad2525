# SPDX-License-Identifier: Apache-2.0
"""A mesh before a broker that asks who it is, as its users run it: what they read where it does not let them in."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.test_bus import command, mesh, metric, write
from tests.support.bus import event
from tests.support.fronted import fronted
from tests.support.running import Sources, running, until
from tests.support.secured import USER, Authority, SecuredBroker, secured
from tests.support.services import registry, unique

__all__ = ["registry", "secured"]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.kafka, pytest.mark.timeout(240)]
ALL = ("CREATE", "WRITE", "READ", "DESCRIBE", "DESCRIBE_CONFIGS")
SECRET = "${env:KAFKA_PASSWORD}"


def secured_mesh(folder: Path, topic: str, section: dict[str, Any]) -> Path:
    """The example with a secured bus and no registry; its password stands in the environment alone."""
    config = mesh(folder, topic, "unused", "http://unused")
    section = {**section, "replication": 1}
    if section.get("sasl"):
        section["sasl"] = {**section["sasl"], "password": SECRET}
    found = yaml.safe_load(config.read_text("utf-8"))
    found["events"] = {"capture": False, "kafka": section}
    config.write_text(yaml.safe_dump(found, sort_keys=False), "utf-8")
    return config


async def test_a_mesh_publishes_by_password(tmp_path: Path, sources: Sources, secured: SecuredBroker) -> None:
    topic = unique("acme")
    for prefix in (topic, "system."):
        secured.allow(prefix, *ALL, principal=f"User:{USER}", prefix=True)
    config = secured_mesh(tmp_path, topic, secured.scram())
    environment = {**sources.environment, "KAFKA_PASSWORD": secured.password}
    data, customers = tmp_path / "data", f"{topic}.customer"
    async with running(config, data, environment) as runtime:
        await runtime.until_said("bus ready")
        await write(data, *(event(customers, f"c-{number}") for number in range(5)))
        line = f'dictamesh_events_published_total{{outcome="published",topic="{customers}"}}'
        await until(lambda: _is(runtime, line, 5), "five events are published")
        tail = ("events", "tail", "--topic", customers, "--format", "json", "--data-dir", str(data))
        code, out, err = await command(config, environment, *tail)
        assert (code, err, len(out.splitlines())) == (0, "", 5)
        code, out, _ = await command(config, environment, "events", "topics", "--format", "json")
        assert code == 0 and json.loads(out)["hidden"] == []
        assert secured.password not in "".join(runtime.errors + runtime.output)


async def test_a_wrong_password_is_told_once_in_log_health_and_metric_and_the_mesh_serves(
    tmp_path: Path, sources: Sources, secured: SecuredBroker
) -> None:
    topic = unique("acme")
    config = secured_mesh(tmp_path, topic, secured.scram())
    environment = {**sources.environment, "KAFKA_PASSWORD": "pass-wrong"}
    data = tmp_path / "data"
    async with running(config, data, environment) as runtime:
        (told, *_) = await runtime.until_said("the relay waits")
        assert (told["level"], told["reason"], told["place"]) == ("ERROR", "refused", "events.kafka.sasl")
        assert told["fault"].startswith("the brokers do not accept these credentials; see username")
        assert await metric(runtime, 'dictamesh_relay_waiting{reason="refused"}') == 1
        _, health = await runtime.get("/health/ready")
        assert health["checks"]["events"]["status"] == "degraded"
        assert (await runtime.ask("{ __typename }"))["data"]
        await runtime.until_said("nothing is published for now", 2)
        assert len(runtime.said("the relay waits")) == 1
        await write(data, event(f"{topic}.customer", "c-0"))
        one = ("--entity", "Customer", "--id", "c-0", "--from", "0")
        for verb in (
            ("events", "topics"),
            ("events", "tail", "--topic", f"{topic}.customer"),
            ("events", "replay", *one),
        ):
            code, out, err = await command(config, environment, *verb, "--data-dir", str(data))
            assert code == 3, verb
            assert "events.kafka.sasl: the brokers do not accept these credentials" in err
            assert "see username, password and mechanism" in err
            assert "pass-" not in out + err
        said = "".join(runtime.errors + runtime.output)
        assert "pass-" not in said and "PRIVATE" not in said


async def test_doctor_names_what_is_wrong_with_the_bus(
    tmp_path: Path, sources: Sources, secured: SecuredBroker
) -> None:
    environment = {**sources.environment, "KAFKA_PASSWORD": "pass-wrong"}
    config = secured_mesh(tmp_path, unique("acme"), secured.scram())
    code, out, err = await command(config, environment, "doctor")
    assert code == 3
    assert "FAIL kafka: events.kafka.sasl: the brokers do not accept these credentials" in out
    assert "= see username, password and mechanism" in out and "pass-" not in out + err


async def test_a_file_that_is_not_there_stops_the_start(
    tmp_path: Path, sources: Sources, secured: SecuredBroker
) -> None:
    section = secured.mutual()
    section["tls"]["key"] = "nothing.key"
    config = secured_mesh(tmp_path, unique("acme"), section)
    code, out, err = await command(config, sources.environment, "--data-dir", str(tmp_path / "data"), "--port", "0")
    assert code == 3
    assert "events.kafka.tls.key: the file is not there" in out + err


async def test_a_registry_that_refuses_stops_the_start(
    tmp_path: Path, sources: Sources, secured: SecuredBroker, registry: str
) -> None:
    config = secured_mesh(tmp_path, unique("acme"), secured.scram())
    authority = Authority(config.parent / "tls")
    environment = {**sources.environment, "KAFKA_PASSWORD": secured.password, "REGISTRY_PASSWORD": "pass-wrong"}
    async with fronted(registry, authority.certify("registry", "127.0.0.1"), "us", "pass-right") as url:
        found = yaml.safe_load(config.read_text("utf-8"))
        declared = {"url": url, "username": "us", "password": "${env:REGISTRY_PASSWORD}", "tls": {"ca": "tls/ca.pem"}}
        found["events"]["registry"] = declared
        config.write_text(yaml.safe_dump(found, sort_keys=False), "utf-8")
        code, out, err = await command(config, environment, "--data-dir", str(tmp_path / "data"), "--port", "0")
    assert code == 3
    assert "events.registry: the schema registry does not accept these credentials (401)" in out + err
    assert "see its username and password" in out + err and "pass-" not in out + err


async def _is(runtime: Any, line: str, value: float) -> bool:
    return await metric(runtime, line) == value
