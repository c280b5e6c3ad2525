# SPDX-License-Identifier: Apache-2.0
"""Kafka through librdkafka; the only place that knows it. Its messages name hosts and topics, never a record."""

import asyncio
import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its typed package does not say what it exports
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

Settings = Mapping[str, Any]
Headers = list[tuple[str, str | bytes | None]]

# heard by nobody: it tells of each attempt, in texts that are not ours
_LOG_LIBRARY = logging.getLogger("librdkafka")
_LOG_LIBRARY.addHandler(logging.NullHandler())
_LOG_LIBRARY.propagate = False
_ADMIN_TIMEOUT = 15.0
_POISON = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})
_SILENT = ("LEADER", "PREFERRED")


class BusUnavailable(Exception):  # noqa: N818 - the name says what is the case
    """The brokers cannot be reached, or refuse; `code` is librdkafka's name for why."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the brokers cannot be used ({code})")
        self.code = code


class Message(NamedTuple):
    """What is produced; `value` None is a tombstone."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Received:
    """What was read; `timestamp` in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    timestamp: int


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the brokers have it; `config` holds the settings asked for."""

    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that was not delivered; `poison`: no other try would be."""

    topic: str
    partition: int
    key: bytes
    code: str
    poison: bool


@dataclass(slots=True)
class Sender:
    """An idempotent producer that waits for all replicas (EV-13); used by one task at a time."""

    settings: Settings = field(repr=False)
    failures: list[Failure] = field(default_factory=list, init=False)
    fatal: str | None = field(default=None, init=False)
    _producer: Producer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._producer = Producer(
            {**self.settings, "on_delivery": self._failed, "delivery.report.only.error": True, "error_cb": self._told},
            logger=_LOG_LIBRARY,
        )

    def send(self, messages: Iterable[Message]) -> None:
        """Hand messages to the library; what it refuses at once is among `failures`."""
        produce = self._producer.produce
        for each in messages:
            try:
                produce(each.topic, each.value, each.key, each.partition, headers=each.headers)
            except BufferError:
                self._producer.poll(0.1)
                self._again(each)
            except KafkaException as error:
                self._refused(each, error.args[0])

    def wait(self, seconds: float) -> bool:
        """Wait until everything handed over is delivered or has failed; False where something is still under way."""
        return self._producer.flush(seconds) == 0

    @property
    def waiting(self) -> int:
        """How many messages are under way."""
        return len(self._producer)

    def close(self) -> None:
        """Give up what is under way."""
        self._producer.purge()
        self._producer.flush(1)

    def _again(self, each: Message) -> None:
        while self.fatal is None:
            try:
                self._producer.produce(each.topic, each.value, each.key, each.partition, headers=each.headers)
                return
            except BufferError:
                self._producer.poll(0.5)
            except KafkaException as error:
                self._refused(each, error.args[0])
                return

    def _refused(self, each: Message, error: KafkaError) -> None:
        self.failures.append(Failure(each.topic, each.partition, each.key, error.name(), error.code() in _POISON))

    def _failed(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            poison = error.code() in _POISON
            self.failures.append(
                Failure(message.topic(), message.partition(), message.key() or b"", error.name(), poison)
            )

    def _told(self, error: KafkaError) -> None:
        if error.fatal():
            self.fatal = error.name()


@dataclass(slots=True)
class Reader:
    """Reads partitions from offsets, without a group of its own."""

    settings: Settings = field(repr=False)
    _consumer: Consumer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        settings = {
            "group.id": "dictamesh-reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": False,
        }
        self._consumer = Consumer({**settings, **self.settings}, logger=_LOG_LIBRARY)

    def begin(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Read partitions of a topic from offsets on."""
        self._consumer.assign([TopicPartition(topic, number, offset) for number, offset in offsets.items()])

    def partitions(self, topic: str) -> list[int]:
        """Return the numbers of a topic's partitions, none where there is no such topic; raises BusUnavailable."""
        with_topic = _or_unavailable(functools.partial(self._consumer.list_topics, topic, timeout=_ADMIN_TIMEOUT))
        return sorted(with_topic.topics[topic].partitions)

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first offset of a partition and the one after its last; raises BusUnavailable."""
        at = TopicPartition(topic, partition)
        low, high = _or_unavailable(functools.partial(self._consumer.get_watermark_offsets, at, timeout=_ADMIN_TIMEOUT))
        return int(low), int(high)

    def at_time(self, topic: str, partitions: Iterable[int], milliseconds: int) -> dict[int, int]:
        """Return the first offset of each partition at or after a time, -1 where there is none."""
        wanted = [TopicPartition(topic, number, milliseconds) for number in partitions]
        found = _or_unavailable(functools.partial(self._consumer.offsets_for_times, wanted, timeout=_ADMIN_TIMEOUT))
        return {each.partition: each.offset for each in found}

    def read(self, count: int, seconds: float) -> list[Received]:
        """Return up to `count` messages; raises BusUnavailable."""
        found = []
        for message in self._consumer.consume(count, seconds):
            error = message.error()
            if error is not None:
                if error.retriable() or error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its public name
                    continue
                raise BusUnavailable(error.name())
            found.append(
                Received(
                    message.topic() or "",
                    message.partition() or 0,
                    message.offset() or 0,
                    message.key(),
                    message.value(),
                    _headers(message),
                    message.timestamp()[1],
                )
            )
        return found

    def passed(self, topic: str, ends: Mapping[int, int]) -> list[int]:
        """Return the partitions whose reading is at or behind an end: compaction leaves no message at some offsets."""
        places = self._consumer.position([TopicPartition(topic, number) for number in ends])
        return [each.partition for each in places if each.offset >= ends[each.partition]]

    def close(self) -> None:
        self._consumer.close()


@dataclass(slots=True)
class Admin:
    """Topics: what there is, and changes of it. Raises BusUnavailable for settings that are of no use."""

    settings: Settings = field(repr=False)
    _client: AdminClient = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._client = _or_unavailable(functools.partial(AdminClient, dict(self.settings), logger=_LOG_LIBRARY))

    async def topics(self, names: Sequence[str], keys: Sequence[str]) -> dict[str, TopicState]:
        """Return those of some topics that are there, with the settings `keys`; raises BusUnavailable."""
        listing = await asyncio.to_thread(
            _or_unavailable, functools.partial(self._client.list_topics, timeout=_ADMIN_TIMEOUT)
        )
        there = [name for name in names if name in listing.topics and listing.topics[name].error is None]
        configs = await self._configs(there)
        return {
            name: TopicState(
                len(listing.topics[name].partitions),
                min(len(each.replicas) for each in listing.topics[name].partitions.values()),
                {key: configs[name][key] for key in keys if key in configs[name]},
            )
            for name in there
        }

    async def create(self, name: str, partitions: int, replication: int, config: Mapping[str, str]) -> bool:
        """Make a topic; False where it is there already. Raises BusUnavailable."""
        topic = NewTopic(name, partitions, replication, config=dict(config))
        future = self._client.create_topics([topic], request_timeout=_ADMIN_TIMEOUT)[name]
        try:
            await asyncio.wrap_future(future)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise BusUnavailable(error.args[0].name()) from None
        return True

    async def configure(self, name: str, config: Mapping[str, str]) -> None:
        """Set settings of a topic, and leave its others as they are; raises BusUnavailable."""
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        for future in self._client.incremental_alter_configs([resource], request_timeout=_ADMIN_TIMEOUT).values():
            await _done(future)

    async def grow(self, name: str, partitions: int) -> None:
        """Add partitions to a topic; raises BusUnavailable."""
        for future in self._client.create_partitions(
            [NewPartitions(name, partitions)], request_timeout=_ADMIN_TIMEOUT
        ).values():
            await _done(future)

    async def delete(self, names: Sequence[str]) -> None:
        """Delete topics; raises BusUnavailable."""
        for future in self._client.delete_topics(list(names), request_timeout=_ADMIN_TIMEOUT).values():
            await _done(future)

    async def _configs(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        found = {}
        for resource, future in self._client.describe_configs(resources, request_timeout=_ADMIN_TIMEOUT).items():
            entries = await _done(future)
            found[resource.name] = {key: str(entry.value) for key, entry in entries.items()}
        return found


def _headers(message: Any) -> dict[str, bytes]:
    try:
        return dict(message.headers() or ())
    except (SystemError, UnicodeError):  # how the library says that a name is no UTF-8
        return {}


async def _done(future: Any) -> Any:
    try:
        return await asyncio.wrap_future(future)
    except KafkaException as error:
        raise BusUnavailable(error.args[0].name()) from None


def _or_unavailable(call: Any) -> Any:
    try:
        return call()
    except KafkaException as error:
        raise BusUnavailable(error.args[0].name()) from None
    except ValueError:
        raise BusUnavailable("INVALID_SETTINGS") from None


BEGINNING = OFFSET_BEGINNING
