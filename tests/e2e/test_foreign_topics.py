# SPDX-License-Identifier: Apache-2.0
"""A running mesh that follows a topic of somebody else, and starts that fail for what events refer to (AD-6, S27)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support.running import command, edit, example_sources, example_tree, running, spawn, until
from tests.support.services import kafka, unique

__all__ = ["kafka"]
TOPIC = "products.shop.entity_changed"
WEBHOOK = re.compile(r"    changes: # the shop posts.*?(?=    list:)", re.DOTALL)


def changed(config: Path, changes: str) -> None:
    """Let the shop's products be noticed in another way."""
    path = config.parent / "products" / "products.yaml"
    text = path.read_text(encoding="utf-8")
    edit(path, WEBHOOK.search(text)[0], f"    changes: {changes}\n")


@pytest.mark.timeout(240)
async def test_a_topic_is_followed_and_goes_on_after_a_restart(tmp_path: Path, kafka: str) -> None:
    config, home, topic = example_tree(tmp_path), tmp_path / "data", unique("shop")
    changed(config, f'{{kafka: {{topic: {topic}, bootstrap: "${{env:SHOP_KAFKA}}"}}}}')
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(20)
    producer = Producer({"bootstrap.servers": kafka})

    def tell(*numbers: int) -> None:
        for number in numbers:
            row = {"id": f"k-{number}", "sku": "s", "name": "saw", "price": {"amount": "1.00"}, "inventory": number}
            producer.produce(topic, json.dumps(row), f"k-{number}")
        assert producer.flush(20) == 0

    async with example_sources(tmp_path) as sources:
        environment = {**sources.environment, "SHOP_KAFKA": kafka}
        at = ("--config", str(config), "--data-dir", str(home), "--format", "json", "--from", "beginning")

        async def events() -> list[dict[str, Any]]:
            code, out, err = await command("events", "tail", *at, "--topic", TOPIC, environment=environment)
            assert code == 0, err
            return [json.loads(line) for line in out.splitlines()]

        async def ids(count: int) -> bool:
            return len(await events()) >= count

        tell(1, 2)
        async with running(config, home, environment):
            await until(lambda: ids(2), "what was told before the start arrives", 60)
        producer.produce(topic, None, "k-1")
        tell(3)
        async with running(config, home, environment) as runtime:
            await until(lambda: ids(4), "what was told meanwhile arrives", 60)
            assert "SHOP_KAFKA" not in "".join(runtime.errors)
        found = [(each["event_type"], each["entity"]["id"], each["entity"]["version"]) for each in await events()]
        assert sorted(found) == [
            ("CREATED", "k-1", "1"),
            ("CREATED", "k-2", "1"),
            ("CREATED", "k-3", "1"),
            ("DELETED", "k-1", "2"),
        ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ('{webhook: {signature: {secret: "${env:NOT_THERE}"}}}', "environment variable NOT_THERE is not there"),
        ('{webhook: {signature: {secret: "${env:EMPTY}"}}}', "${env:EMPTY} is empty"),
        ('{kafka: {topic: t, bootstrap: "${env:NOT_THERE}"}}', "environment variable NOT_THERE is not there"),
    ],
)
async def test_what_is_referred_to_and_missing_stops_the_start(tmp_path: Path, changes: str, told: str) -> None:
    config = example_tree(tmp_path)
    changed(config, changes)
    async with example_sources(tmp_path) as sources:
        environment = {**sources.environment, "EMPTY": ""}
        runtime = await spawn(config, tmp_path / "data", environment)
        assert not await runtime.ready()
        assert runtime.process.returncode == 3
        assert told in "".join([*runtime.errors, *runtime.output])
