# SPDX-License-Identifier: Apache-2.0
"""Topics of Kafka, through librdkafka: what there is, and changes of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its typed package does not say what it exports
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from dictamesh.runtime.bus.connecting import TIMEOUT, asked, made
from dictamesh.runtime.bus.refusals import BusUnavailable, Hearing

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the brokers have it; `config` holds the settings asked for, None where they may not be seen."""

    partitions: int
    replication: int
    config: Mapping[str, str] | None


@dataclass(slots=True)
class Admin:
    """Topics: what there is, and changes of it. Raises BusUnavailable for settings that are of no use."""

    settings: Settings = field(repr=False)
    _hearing: Hearing = field(init=False, repr=False)
    _client: AdminClient = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._hearing = Hearing(self.settings)
        self._client = made(AdminClient, {**self.settings, "error_cb": self._hearing})

    async def topics(self, names: Sequence[str], keys: Sequence[str]) -> dict[str, TopicState]:
        """Return those of some topics that are there, with the settings `keys`; raises BusUnavailable."""
        listing = await asyncio.to_thread(asked, self._client.list_topics, self._client, self._hearing)
        there = [name for name in names if name in listing.topics and listing.topics[name].error is None]
        configs = await self._configs(there)
        return {
            name: TopicState(
                len(listing.topics[name].partitions),
                min(len(each.replicas) for each in listing.topics[name].partitions.values()),
                {key: held[key] for key in keys if key in held} if (held := configs.get(name)) is not None else None,
            )
            for name in there
        }

    async def create(self, name: str, partitions: int, replication: int, config: Mapping[str, str]) -> bool:
        """Make a topic; False where it is there already. Raises BusUnavailable."""
        topic = NewTopic(name, partitions, replication, config=dict(config))
        future = self._client.create_topics([topic], request_timeout=TIMEOUT)[name]
        try:
            await asyncio.wrap_future(future)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise await self._unavailable(error, name) from None
        return True

    async def configure(self, name: str, config: Mapping[str, str]) -> None:
        """Set settings of a topic, and leave its others as they are; raises BusUnavailable."""
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        for future in self._client.incremental_alter_configs([resource], request_timeout=TIMEOUT).values():
            await self._done(future, name)

    async def grow(self, name: str, partitions: int) -> None:
        """Add partitions to a topic; raises BusUnavailable."""
        for future in self._client.create_partitions(
            [NewPartitions(name, partitions)], request_timeout=TIMEOUT
        ).values():
            await self._done(future, name)

    async def delete(self, names: Sequence[str]) -> None:
        """Delete topics; raises BusUnavailable."""
        for name, future in self._client.delete_topics(list(names), request_timeout=TIMEOUT).items():
            await self._done(future, name)

    async def _configs(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """The settings of topics; those of which our principal may not ask are left out."""
        if not names:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        found = {}
        for resource, future in self._client.describe_configs(resources, request_timeout=TIMEOUT).items():
            try:
                entries = await asyncio.wrap_future(future)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    raise await self._unavailable(error, resource.name) from None
                continue
            found[resource.name] = {key: str(entry.value) for key, entry in entries.items()}
        return found

    async def _done(self, future: Any, topic: str) -> None:
        try:
            await asyncio.wrap_future(future)
        except KafkaException as error:
            raise await self._unavailable(error, topic) from None

    async def _unavailable(self, error: KafkaException, topic: str) -> BusUnavailable:
        self._client.poll(0)
        return await asyncio.to_thread(self._hearing.unavailable, error.args[0].name(), topic)
