# SPDX-License-Identifier: Apache-2.0
"""What it takes and costs to bring changes of a source to a broker, whoever does it."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psycopg
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, TopicPartition

from tests.bench import processes
from tests.bench.logical import backlog, steadily
from tests.support.sources import Source

STEADY, WARM = 20.0, 5.0  # seconds; the first of them do not count
PATIENCE = 180.0
TOGETHER = 5  # changes in a transaction
END = "the-end"


@dataclass(frozen=True)
class Costs:
    """Of one side: `own` and `catalog` are processor time per change in us, `peak` is in MiB, p50 and p99 in ms."""

    name: str
    changes: int
    seconds: float
    own: float
    catalog: float
    peak: float
    rate: float
    p50: float
    p99: float

    def row(self) -> tuple[str, ...]:
        both = self.own + self.catalog
        return (
            self.name,
            f"{self.changes / self.seconds:,.0f}",
            f"{self.own:.0f}",
            f"{1e6 / self.own:,.0f}",
            f"{self.catalog:.0f}" if self.catalog else "",
            f"{1e6 / both:,.0f}",
            f"{self.rate:,.0f}",
            f"{self.p50:.1f}",
            f"{self.p99:.1f}",
            f"{self.peak:.0f}",
        )


HEADER = (
    "from commit to broker",
    "drained/s",
    "CPU us",
    "per core/s",
    "catalog CPU us",
    "with it, per core/s",
    "steady/s",
    "p50 ms",
    "p99 ms",
    "peak MiB",
)


@dataclass
class Heard:
    """What a topic of one partition takes: when each message was appended in ms, its key, its value."""

    kafka: str
    topic: str
    messages: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def listening(self) -> Iterator["Heard"]:
        thread = threading.Thread(target=self._listen)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()

    def _listen(self) -> None:
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": "bench", "enable.auto.commit": False})
        consumer.assign([TopicPartition(self.topic, 0, 0)])
        while not self._ended.is_set():
            for message in consumer.consume(1000, 0.05):
                assert message.error() is None, message.error()
                if message.value() is not None:  # a tombstone follows its event
                    kind, at = message.timestamp()
                    assert kind == TIMESTAMP_LOG_APPEND_TIME
                    self.messages.append((at, message.key(), message.value()))
        consumer.close()

    def until(self, key: str, since: int = 0) -> None:
        """Wait for the first message of a key from a place on."""
        wanted, at = key.encode(), since

        def met() -> bool:
            nonlocal at
            begin, at = at, len(self.messages)
            return any(wanted in each[1] for each in self.messages[begin:at])

        until(met)


@dataclass(frozen=True)
class Side:
    """One of both: how its flow is stopped and taken up, and which processes are its own."""

    name: str
    stop: Callable[[], None]
    resume: Callable[[], None]
    own: Callable[[], int]
    catalog: int | None
    committed: Callable[[bytes], float]
    """The time of a message's commit, in ms since 1970."""


def measured(side: Side, source: Source, heard: Heard, changes: int) -> Costs:
    """Measure a side that streams: a steady rate first, then what has gathered while it stood."""
    warm = steadily(source.dsn, WARM, changes, TOGETHER)
    since = len(heard.messages)
    made = steadily(source.dsn, STEADY, changes + warm, TOGETHER)
    mark(source, "steady")
    heard.until(f"{END}-steady", since)
    steady = heard.messages[since:]
    times = sorted(at - side.committed(value) for at, key, value in steady if END.encode() not in key)
    assert len(times) >= made * 0.9, f"{len(times)} of {made} changes"
    peak = processes.peak(side.own())
    side.stop()
    backlog(source.dsn, changes)
    mark(source, "backlog")
    since = len(heard.messages)
    side.resume()
    until(lambda: len(heard.messages) > since)
    pids = [side.own(), *([side.catalog] if side.catalog is not None else [])]
    before = [processes.cpu(pid) for pid in pids]
    heard.until(f"{END}-backlog", since)
    used = [processes.cpu(pid) - start for pid, start in zip(pids, before, strict=True)]
    taken = heard.messages[since:]
    count = len(taken)
    own, catalog = (each / count * 1e6 for each in (*used, 0.0)[:2])
    seconds = (taken[-1][0] - taken[0][0]) / 1000
    peak = max(peak, processes.peak(side.own())) / 2**20
    p50, p99 = (times[int(len(times) * share)] for share in (0.5, 0.99))
    return Costs(side.name, count, seconds, own, catalog, peak, made / STEADY, p50, p99)


def mark(source: Source, what: str) -> None:
    with psycopg.connect(source.dsn, autocommit=True) as writer:
        writer.execute("INSERT INTO bench_orders (id) VALUES (%s)", (f"{END}-{what}",))


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not met():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)
