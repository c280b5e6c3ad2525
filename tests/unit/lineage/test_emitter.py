# SPDX-License-Identifier: Apache-2.0
"""Sending never holds anybody up: bounded, in order, tried again, dropped and counted."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dictamesh.runtime.lineage.openlineage.events import Event
from dictamesh.runtime.observe.lineage import emitter as module
from dictamesh.runtime.observe.lineage.emitter import SinkFailed, start_emitter
from dictamesh.runtime.observe.lineage.sinks import FileSink, HttpSink, collector


def events(count: int, start: int = 0) -> list[Event]:
    return [Event({"number": number}) for number in range(start, start + count)]


class Recorder:
    """A sink on the wire's side of the house: answers as it is told to, in turn, then takes everything."""

    name = "file"

    def __init__(self, *answers: SinkFailed | Exception | None) -> None:
        self.answers = list(answers)
        self.taken: list[int] = []
        self.closed = False

    async def send(self, sent: Sequence[Event]) -> None:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, SinkFailed):
            self.taken += [event.body["number"] for event in sent[: answer.sent]]
        if answer is not None:
            raise answer
        self.taken += [event.body["number"] for event in sent]

    async def close(self) -> None:
        self.closed = True


class Counts(Counter[tuple[str, str]]):
    def told(self, sink: str, outcome: str, count: int) -> None:
        self[sink, outcome] += count


async def test_events_arrive_in_order_and_once() -> None:
    sink, counts = Recorder(SinkFailed("later", passing=True, sent=3), SinkFailed("later", passing=True)), Counts()
    emitter = start_emitter([sink], counts.told, first_wait=0.001)
    emitter.emit(events(250))
    await emitter.close(30)
    assert sink.taken == list(range(250))
    assert counts == {("file", "sent"): 250}
    assert sink.closed


async def test_what_is_refused_is_left_out_and_counted() -> None:
    sink, counts = Recorder(SinkFailed("no", passing=False, sent=1), SinkFailed("no", passing=False, sent=2)), Counts()
    emitter = start_emitter([sink], counts.told, first_wait=0.001)
    emitter.emit(events(6))
    await emitter.close(30)
    assert sink.taken == [0, 2, 3, 5]
    assert counts == {("file", "sent"): 4, ("file", "refused"): 2}


async def test_a_sink_that_stays_away_loses_a_batch_and_the_next_is_tried() -> None:
    sink, counts = (
        Recorder(*[SinkFailed("away", passing=True)] * module.ATTEMPTS, None, RuntimeError("geheim")),
        Counts(),
    )
    emitter = start_emitter([sink], counts.told, first_wait=0.001)
    for start in (0, 10, 20, 30):
        emitter.emit(events(10, start))
        await asyncio.wait_for(emitter._queues[0].join(), 30)
    assert sink.taken == [*range(10, 20), *range(30, 40)]
    assert counts == {("file", "sent"): 20, ("file", "dropped"): 20}
    await emitter.close()


async def test_a_full_queue_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING", 5)
    slow, fast, counts = Recorder(), Recorder(), Counts()
    fast.name = "http"
    emitter = start_emitter([slow, fast], counts.told)
    emitter.emit(events(8))  # no worker has had its turn yet
    await emitter.close(30)
    assert slow.taken == fast.taken == list(range(5))
    assert counts["file", "dropped"] == counts["http", "dropped"] == 3


async def test_the_end_waits_only_so_long() -> None:
    class Stuck(Recorder):
        async def send(self, sent: Sequence[Event]) -> None:
            await asyncio.sleep(3600)

    sink, counts = Stuck(), Counts()
    emitter = start_emitter([sink], counts.told)
    emitter.emit(events(300))
    await asyncio.sleep(0)
    await emitter.close(0.05)
    assert sink.closed
    assert counts["file", "dropped"] == 200, "those that waited; the batch under way is nobody's"


async def test_http_posts_each_event_with_the_key() -> None:
    got: list[tuple[str, str | None, object]] = []
    statuses = [201, 503, 200, 400, 302, 429, 200]

    async def take(request: web.Request) -> web.Response:
        got.append((request.path, request.headers.get("Authorization"), await request.json()))
        return web.Response(status=statuses.pop(0), headers={"Location": "http://127.0.0.1:9/"})

    app = web.Application()
    app.router.add_post("/api/v1/lineage", take)
    async with TestServer(app) as server:
        sink = HttpSink(f"http://{server.host}:{server.port}", "geheim")
        for expected in ((True, 1), None, (False, 0), (False, 0), (True, 0), None):
            if expected is None:
                await sink.send(events(1))
                continue
            with pytest.raises(SinkFailed) as failed:
                await sink.send(events(2))
            assert (failed.value.passing, failed.value.sent) == expected
            assert "geheim" not in str(failed.value)
        await sink.close()
        await sink.close()
    assert {path for path, _, _ in got} == {"/api/v1/lineage"}
    assert {key for _, key, _ in got} == {"Bearer geheim"}
    gone = HttpSink("http://127.0.0.1:9")
    with pytest.raises(SinkFailed, match="the collector cannot be reached") as failed:
        await gone.send(events(1))
    assert failed.value.passing
    await gone.close()


def test_the_address_of_a_collector() -> None:
    assert collector("http://marquez:5000") == "http://marquez:5000/api/v1/lineage"
    assert collector("http://marquez:5000/") == "http://marquez:5000/api/v1/lineage"
    assert collector("https://host/openlineage?x=1") == "https://host/openlineage?x=1"


async def test_a_file_gets_lines(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "new" / "events.jsonl")
    await sink.send(events(2))
    await sink.send(events(1, 2))
    lines = (tmp_path / "new" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [0, 1, 2]
    broken = FileSink(tmp_path)
    with pytest.raises(SinkFailed, match="the file cannot be written") as failed:
        await broken.send(events(1))
    assert failed.value.passing
    await broken.close()
