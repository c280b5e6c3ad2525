# SPDX-License-Identifier: Apache-2.0
"""Reading a topic of somebody else: partitions assigned by hand, offsets kept elsewhere. Nothing is committed."""

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from dictamesh.runtime.events.headers import headers_of

T = TypeVar("T")
BEGINNING = -2
_ANSWER = 10.0  # seconds for an answer about partitions
_FIRST, _BREATH = 0.5, 0.1  # of it, then twice as long each time: in between what was told is heard
# Heard by nobody: it tells of each attempt, in texts that are not ours.
_LIBRARY = logging.getLogger("librdkafka.capture")
_LIBRARY.addHandler(logging.NullHandler())
_LIBRARY.propagate = False


class Unreachable(Exception):  # noqa: N818 - the name says what is the case
    """The brokers do not answer, or refuse; `code` is librdkafka's name for why."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the brokers cannot be used ({code})")
        self.code = code


class NotHeld(Exception):  # noqa: N818 - the name says what is the case
    """The topic does not hold the offset any more at which reading should go on."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition} does not hold the offset to go on at")
        self.partition = partition


@dataclass(frozen=True, slots=True)
class Record:
    """A message; `timestamp` in milliseconds since 1970, None where the broker knows none."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int | None
    headers: Mapping[str, bytes] = field(default_factory=dict)


class TopicReader:
    """Reads one topic from offsets on; `settings` say how brokers are reached, and hold secrets."""

    def __init__(self, settings: Mapping[str, Any], topic: str) -> None:
        self._topic = topic
        chosen = {
            **{name: value for name, value in settings.items() if name != "allow.auto.create.topics"},
            "group.id": "dictamesh-capture",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "queued.max.messages.kbytes": 32_768,
            "reconnect.backoff.max.ms": 2000,
        }
        self._told: str | None = None
        self._early: list[Message] = []  # came before anybody read
        self._consumer = _kafka(functools.partial(Consumer, {**chosen, "error_cb": self._hear}, logger=_LIBRARY))

    async def partitions(self) -> list[int]:
        """Return the partitions of the topic, none where there is no such topic; raises Unreachable."""
        found = (await asyncio.to_thread(self._listed)).topics[self._topic]
        if found.error is not None and found.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise Unreachable(found.error.name())
        return sorted(found.partitions)

    async def begin(self, offsets: Mapping[int, int]) -> None:
        """Go on at the offset of each partition."""
        wanted = [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
        await asyncio.to_thread(_kafka, functools.partial(self._consumer.assign, wanted))

    async def read(self, count: int, seconds: float) -> list[Record]:
        """Return up to `count` messages after at most `seconds`; raises Unreachable, NotHeld."""
        found, self._early = self._early, []
        if not found:
            found = await asyncio.to_thread(_kafka, functools.partial(self._consumer.consume, count, seconds))
        records = [record for message in found if (record := _record(message)) is not None]
        told = self._told
        if told is not None and (records or told in _REFUSALS):
            self._told = None
        if told in _REFUSALS and not records:
            raise Unreachable(told)
        return records

    def _listed(self) -> Any:
        """The topic as the brokers have it; where they refuse us that is known soon, and told by none but `_hear`."""
        give_up = monotonic() + _ANSWER
        patience = _FIRST
        while True:
            left = max(give_up - monotonic(), _FIRST)
            try:
                return _kafka(functools.partial(self._consumer.list_topics, self._topic, timeout=min(patience, left)))
            except Unreachable as silent:
                self._early += self._consumer.consume(1, _BREATH)  # hears, and may be given a message
                if self._told in _REFUSALS or monotonic() >= give_up:
                    raise Unreachable(self._told or silent.code) from None
                patience *= 2

    def _hear(self, error: KafkaError) -> None:
        if error.code() not in _SAYS_NOTHING:
            self._told = error.name()

    async def close(self) -> None:
        """End it, without an exception."""
        await asyncio.to_thread(self._consumer.close)


def _record(message: Message) -> Record | None:
    error = message.error()
    if error is not None:
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - its public name
            raise NotHeld(message.partition() or 0)
        if error.retriable() or error.code() in _PASSING:
            return None
        raise Unreachable(error.name())
    kind, at = message.timestamp()
    return Record(
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        timestamp=at if kind and at >= 0 else None,
        headers=headers_of(message),
    )


_REFUSALS = ("_AUTHENTICATION", "_SSL")
_SAYS_NOTHING = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT})  # noqa: SLF001 - its public names
# The library itself tries again; a group it asks for is none that we use.
_PASSING = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._PARTITION_EOF,  # noqa: SLF001
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
)


def _bytes(value: Any) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _kafka(call: Callable[[], T]) -> T:
    try:
        return call()
    except KafkaException as error:
        reason = error.args[0] if error.args else None
        raise Unreachable(reason.name() if isinstance(reason, KafkaError) else "error") from None
