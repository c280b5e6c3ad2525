# SPDX-License-Identifier: Apache-2.0
"""Messages to and from Kafka, through librdkafka. What it tells names hosts and topics, never a record."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from dictamesh.runtime.bus.connecting import asked, made
from dictamesh.runtime.bus.refusals import Hearing
from dictamesh.runtime.bus.tls import Fault
from dictamesh.runtime.events.headers import headers_of

Settings = Mapping[str, Any]
Headers = list[tuple[str, str | bytes | None]]

# the library asks for a group, too, and we use none
_PASSING = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError.GROUP_AUTHORIZATION_FAILED})  # noqa: SLF001
_POISON = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})


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
    _hearing: Hearing = field(init=False, repr=False)
    _producer: Producer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._hearing = Hearing(self.settings)
        reports = {"on_delivery": self._failed, "delivery.report.only.error": True, "error_cb": self._told}
        self._producer = made(Producer, {**self.settings, **reports})

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
        if self._producer.flush(seconds) != 0:
            return False
        self._hearing.answered()
        return True

    def hear(self) -> None:
        """Take in what the library tells, as long as nothing is sent."""
        self._producer.poll(0)

    def fault(self) -> Fault | None:
        """Return why the brokers do not take us, where that is known; may take some seconds: not on the loop."""
        return self._hearing.unavailable(self.fatal).fault if self.fatal is not None else self._hearing.fault()

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
        self._hearing(error)


@dataclass(slots=True)
class Reader:
    """Reads partitions from offsets, without a group of its own; what there is to ask is asked before `begin`.

    Raises BusUnavailable for settings that are of no use.
    """

    settings: Settings = field(repr=False)
    _hearing: Hearing = field(init=False, repr=False)
    _consumer: Consumer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        settings = {
            "group.id": "dictamesh-reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": False,
        }
        self._hearing = Hearing(self.settings)
        self._consumer = made(Consumer, {**settings, **self.settings, "error_cb": self._hearing})

    def begin(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Read partitions of a topic from offsets on."""
        self._consumer.assign([TopicPartition(topic, number, offset) for number, offset in offsets.items()])

    def partitions(self, topic: str) -> list[int]:
        """Return the numbers of a topic's partitions, none where there is no such topic; raises BusUnavailable."""
        found = asked(functools.partial(self._consumer.list_topics, topic), self._consumer, self._hearing).topics[topic]
        if found.error is not None and found.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise self._hearing.unavailable(found.error.name(), topic)
        return sorted(found.partitions)

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first offset of a partition and the one after its last; raises BusUnavailable."""
        at = TopicPartition(topic, partition)
        ask = functools.partial(self._consumer.get_watermark_offsets, at)
        low, high = asked(ask, self._consumer, self._hearing, topic)
        return int(low), int(high)

    def at_time(self, topic: str, partitions: Iterable[int], milliseconds: int) -> dict[int, int]:
        """Return the first offset of each partition at or after a time, -1 where there is none."""
        wanted = [TopicPartition(topic, number, milliseconds) for number in partitions]
        ask = functools.partial(self._consumer.offsets_for_times, wanted)
        found = asked(ask, self._consumer, self._hearing, topic)
        return {each.partition: each.offset for each in found}

    def read(self, count: int, seconds: float) -> list[Received]:
        """Return up to `count` messages; raises BusUnavailable."""
        found = []
        messages = self._consumer.consume(count, seconds)
        if not messages and self._hearing.fault() is not None:
            raise self._hearing.unavailable("_TRANSPORT")
        for message in messages:
            error = message.error()
            if error is not None:
                if error.retriable() or error.code() in _PASSING:
                    continue
                raise self._hearing.unavailable(error.name(), message.topic())
            self._hearing.answered()
            found.append(
                Received(
                    message.topic() or "",
                    message.partition() or 0,
                    message.offset() or 0,
                    message.key(),
                    message.value(),
                    headers_of(message),
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


BEGINNING = OFFSET_BEGINNING
