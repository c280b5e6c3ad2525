# SPDX-License-Identifier: Apache-2.0
"""Webhooks on a real server: attacks, replays, floods, second deliveries; what was answered with 202 is in the log."""

import asyncio
import io
import json
import logging
import time
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
import pytest

from dictamesh.runtime.capture.contract import Batch, Seen
from dictamesh.runtime.capture.states_of import states_of
from dictamesh.runtime.capture.webhook.receiver import Budget
from dictamesh.runtime.catalog.pool import Pool
from tests.support.webhooks import SEAL, SIGNATURE, delivery, order, shop

TRACE = f"00-{'ab' * 16}-{'cd' * 8}-01"


async def letters(pool: Pool) -> list[dict]:
    return await pool.rows(b"SELECT * FROM dictamesh_dead_letters ORDER BY first_failed_at")


async def test_a_signed_delivery_is_in_the_log_when_it_is_answered(catalog: Pool) -> None:
    async with shop(catalog) as one:
        status, answer = await one.send(delivery(1, address={"city": "Ulm"}), traceparent=TRACE)
        assert (status, answer) == (202, {"status": "accepted"})
        (event,) = await one.recorder.log()
        assert (event.entity_id, event.event_type) == ("o-1", "CREATED")
        assert event.envelope["payload"]["city"] == "Ulm"
        assert event.envelope["trace_context"]["trace_id"] == "ab" * 16


async def test_words_say_what_happened(catalog: Pool) -> None:
    words = {
        "path": "meta.kind",
        "created": "order/new",
        "updated": ["order/edit", "order/pay"],
        "deleted": "order/gone",
    }
    async with shop(catalog, order({"event": words})) as one:
        for number, word in enumerate(["order/new", "order/pay", "order/gone"]):
            body = {"delivery": number, "meta": {"kind": word}, "data": {"id": f"o-{number}"}}
            assert (await one.send(body))[0] == 202
        assert [each.deleted for batch in one.recorder.batches for each in batch.seen] == [False, False, True]


async def test_a_number_of_any_size_as_a_key_is_answered(catalog: Pool) -> None:
    """A key of more than 64 bits used to end in a status of 500, whenever it came again."""
    body = b'{"delivery": "d-1", "event": "updated", "data": {"id": %s, "total": "1.50"}}' % (b"9" * 30)
    async with shop(catalog) as one:
        assert (await one.send(body))[0] in {202, 400}
        assert one.outcomes in (["accepted"], ["invalid"])


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Shop_Signature": None},
        {"X_Shop_Signature": ""},
        {"X_Shop_Signature": "sha256="},
        {"X_Shop_Signature": "sha256=" + "0" * 64},
        {"X_Shop_Signature": "0" * 64},
        {"X_Shop_Signature": "sha512=" + "0" * 128},
        {"X_Shop_Signature": "sha256=" + "é" * 32},
        {"X_Shop_Signature": "sha256=" + "0" * 5000},
        {"X_Time": None},
        {"X_Time": ""},
        {"X_Time": "now"},
        {"X_Time": "9" * 12},
        {"X_Time": "-1"},
    ],
)
async def test_what_is_not_signed_is_refused(catalog: Pool, headers: dict[str, str | None]) -> None:
    async with shop(catalog) as one:
        status, answer = await one.send(delivery(1), **headers)
        assert status == 401
        assert answer["error"]["message"] == "the delivery is not signed as it must be"
        assert one.outcomes == ["unsigned"]
        assert await one.recorder.log() == []
        assert await letters(catalog) == []


async def test_a_truncated_a_foreign_and_a_moved_signature_are_refused(catalog: Pool) -> None:
    async with shop(catalog) as one:
        body = json.dumps(delivery(1)).encode()
        now = time.time()
        right = one.signed(body, now)["X-Shop-Signature"]
        for wrong in (right[:-1], right[:-32], right + "0", right.replace("sha256=", "sha1=")):
            assert (await one.send(body, at=now, X_Shop_Signature=wrong))[0] == 401
        other = json.dumps(delivery(2)).encode()
        assert (await one.send(other, at=now, X_Shop_Signature=right))[0] == 401
        assert (await one.send(body, at=now + 1, X_Shop_Signature=right))[0] == 401
        assert (await one.send(body + b" ", at=now, X_Shop_Signature=right))[0] == 401
        assert (await one.send(body, at=now, X_Shop_Signature=right.upper().replace("SHA256", "sha256")))[0] == 202


async def test_a_second_signature_header_is_refused(catalog: Pool) -> None:
    async with shop(catalog) as one:
        body = json.dumps(delivery(1)).encode()
        headers = [*one.signed(body).items(), ("X-Shop-Signature", "sha256=" + "0" * 64)]
        async with one.session.post(one.url, data=body, headers=headers) as answer:
            assert answer.status == 401


async def test_a_replay_is_refused_outside_the_window_and_adds_nothing_inside(catalog: Pool) -> None:
    async with shop(catalog) as one:
        now = time.time()
        for offset in (-301, 301, -86_400):
            assert (await one.send(delivery(1), at=now + offset))[0] == 401
        assert (await one.send(delivery(1), at=now - 200))[0] == 202
        assert await one.send(delivery(1), at=now - 200) == (200, {"status": "duplicate"})
        assert await one.send(delivery(1), at=now) == (200, {"status": "duplicate"})
        assert len(await one.recorder.log()) == 1


async def test_a_replay_under_another_unsigned_id_adds_nothing(catalog: Pool) -> None:
    async with shop(catalog, order({"id": "header:X-Delivery"})) as one:
        now = time.time()
        assert (await one.send(delivery(1), at=now, X_Delivery="a"))[0] == 202
        assert (await one.send(delivery(1), at=now, X_Delivery="b"))[0] == 200
        assert (await one.send(delivery(1, total="9"), at=now + 1, X_Delivery="a"))[0] == 200
        assert len(await one.recorder.log()) == 1


async def test_the_same_body_may_come_again_rightly_where_nothing_makes_it_known(catalog: Pool) -> None:
    bare = {name: value for name, value in SIGNATURE.items() if name != "timestamp"}
    async with shop(catalog, order({"id": None, "signature": bare})) as one:
        for body in (delivery(1), delivery(1, total="9"), delivery(1)):
            assert (await one.send(body))[0] == 202
        assert [each.columns["total"] for batch in one.recorder.batches for each in batch.seen] == ["1.50", "9", "1.50"]


@pytest.mark.parametrize(("encoding", "algorithm"), [("hex", "sha512"), ("base64", "sha256")])
async def test_other_signatures(catalog: Pool, encoding: str, algorithm: str) -> None:
    declared = {**SIGNATURE, "prefix": "", "encoding": encoding, "algorithm": algorithm}
    async with shop(catalog, order({"signature": declared})) as one:
        assert (await one.send(delivery(1)))[0] == 202
        assert (await one.send(delivery(2), X_Shop_Signature="AAAA"))[0] == 401


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"{", "INVALID_JSON"),
        (b"", "INVALID_JSON"),
        (b"\xff\xfe", "INVALID_JSON"),
        (b'{"delivery": "d-1", "event": "updated", "data": NaN}', "INVALID_JSON"),
        (b"[" * 100_000, "INVALID_JSON"),
        (b"[" * 100 + b"]" * 100, "TOO_DEEP"),
        (b"[]", "UNKNOWN_EVENT_TYPE"),
        (b'{"event": "exploded", "data": {"id": "1"}}', "UNKNOWN_EVENT_TYPE"),
        (b'{"event": ["updated"], "data": {"id": "1"}}', "UNKNOWN_EVENT_TYPE"),
        (b'{"event": "updated", "data": "canary@example.com"}', "NO_ROW"),
        (b'{"event": "deleted", "data": {"email": "canary@example.com"}}', "NO_KEY"),
    ],
)
async def test_a_signed_delivery_that_is_no_record_is_kept(catalog: Pool, body: bytes, rule: str, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    async with shop(catalog) as one:
        status, answer = await one.send(body)
        assert status == 400
        (letter,) = await letters(catalog)
        assert (letter["stage"], letter["rule"], letter["kind"]) == ("decode", rule, "webhook")
        assert SEAL.opened(letter["body"], "orders#Order", letter["seal_id"]) == body
        assert "canary" not in f"{answer}{caplog.text}{letter['error']}{letter['origin']}"
        assert (await one.send(body))[0] == 400
        assert len(await letters(catalog)) == 1
        assert await one.recorder.log() == []


async def test_unsigned_garbage_leaves_nothing(catalog: Pool) -> None:
    async with shop(catalog) as one:
        assert (await one.send(b"{", X_Shop_Signature="sha256=" + "0" * 64))[0] == 401
        assert await letters(catalog) == []


async def test_what_is_not_there_or_no_json(catalog: Pool) -> None:
    async with shop(catalog) as one:
        for kind in (None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"):
            assert (await one.send(delivery(1), Content_Type=kind))[0] == 415
        assert (await one.send(delivery(1), Content_Encoding="gzip"))[0] == 415
        assert (await one.send(delivery(1), Content_Type="application/vnd.shop+json"))[0] == 202
        other = replace(one, url=one.url.replace("Order", "Nothing"))
        assert (await other.send(delivery(1)))[0] == 404
        async with one.session.get(one.url) as answer:
            assert answer.status == 405


async def test_a_body_of_ten_megabytes_is_not_read(catalog: Pool) -> None:
    async with shop(catalog) as one:
        body = b"{" + b" " * 10_000_000

        async def parts():
            for start in range(0, len(body), 65_536):
                yield body[start : start + 65_536]

        async def refused(data: object) -> None:
            try:
                async with one.session.post(one.url, data=data, headers=one.signed(body)) as answer:
                    assert answer.status == 413
            except aiohttp.ClientConnectionError:
                pass  # the server closed while the body was still being sent

        await refused(io.BytesIO(body))  # its length stands in a header
        tracemalloc.start()
        try:
            await refused(parts())
            assert tracemalloc.get_traced_memory()[1] < 8_000_000
        finally:
            tracemalloc.stop()
        assert one.outcomes == ["too_large", "too_large"]
        assert (await one.send(delivery(1)))[0] == 202


async def test_bodies_in_memory_are_bounded_together(catalog: Pool) -> None:
    budget = Budget(20_000)
    async with shop(catalog, budget=budget) as one:
        assert (await one.send(delivery(1, note="x" * 30_000)))[0] == 429
        assert (await one.send(delivery(1)))[0] == 202
        assert budget.left == 20_000


async def test_a_flood_of_large_unsigned_bodies_is_bounded_and_harms_nobody(catalog: Pool) -> None:
    budget = Budget(8_000_000)
    async with shop(catalog, budget=budget) as one:
        body = b'{"a": "' + b"x" * 800_000 + b'"}'
        wrong = {**one.signed(body), "X-Shop-Signature": "sha256=" + "0" * 64}
        statuses: list[int] = []

        async def parts():
            for start in range(0, len(body), 65_536):
                yield body[start : start + 65_536]

        async def flood() -> None:
            try:
                async with one.session.post(one.url, data=parts(), headers=wrong) as answer:
                    statuses.append(answer.status)
            except aiohttp.ClientConnectionError:
                statuses.append(429)  # closed while the body was still being sent

        async def insist() -> int:
            while (status := (await one.send(delivery(1)))[0]) == 429:
                await asyncio.sleep(0.05)
            return status

        tracemalloc.start()
        try:
            floods = [asyncio.create_task(flood()) for _ in range(300)]
            assert await insist() == 202
            await asyncio.gather(*floods)
            assert tracemalloc.get_traced_memory()[1] < 120_000_000, "all of it would be 240 MB"
        finally:
            tracemalloc.stop()
        assert set(statuses) <= {401, 429}
        assert budget.left == 8_000_000


async def test_a_body_that_never_comes_is_given_up(catalog: Pool) -> None:
    async with shop(catalog, patience=0.2) as one:
        gate = asyncio.Event()

        async def slow():
            yield b"{"
            await gate.wait()

        async with one.session.post(one.url, data=slow(), headers=one.signed(b"{")) as answer:
            assert answer.status == 408
        gate.set()


async def test_a_thousand_at_once_lose_nothing(catalog: Pool) -> None:
    async with shop(catalog, order({"buffer": 200})) as one:

        async def insist(number: int) -> list[int]:
            statuses = []
            while True:
                status, _, headers = await one.send_raw(json.dumps(delivery(number)).encode())
                statuses.append(status)
                if status != 429:
                    return statuses
                assert headers["Retry-After"] == "1"
                await asyncio.sleep(0.5)

        answers = await asyncio.gather(*(insist(number) for number in range(1000)))
        assert {each[-1] for each in answers} == {202}
        assert any(429 in each for each in answers)
        assert sorted(each.entity_id for each in await one.recorder.log()) == sorted(f"o-{n}" for n in range(1000))
        assert max(len(batch.seen) for batch in one.recorder.batches) > 1
        assert max(len(batch.seen) for batch in one.recorder.batches) <= 200


async def test_the_same_delivery_many_times_at_once_makes_one_event(catalog: Pool) -> None:
    async with shop(catalog) as one, shop(catalog) as replica:
        sent = [each.send(delivery(7)) for each in (one, replica) for _ in range(25)]
        statuses = [status for status, _ in await asyncio.gather(*sent)]
        assert set(statuses) <= {200, 202}
        assert len(await one.recorder.log()) == 1


async def test_good_and_bad_ones_in_one_batch_do_not_harm_each_other(catalog: Pool) -> None:
    async with shop(catalog) as one:
        bodies = [json.dumps(delivery(n)).encode() if n % 2 else b'{"n": %d' % n for n in range(60)]
        statuses = [status for status, _ in await asyncio.gather(*(one.send(body) for body in bodies))]
        assert statuses == [202 if n % 2 else 400 for n in range(60)]
        assert len(await one.recorder.log()) == 30
        assert len(await letters(catalog)) == 30


async def test_a_late_delivery_does_not_undo_a_newer_one(catalog: Pool) -> None:
    poll = {"cursor": "updated", "every": "30s"}
    async with shop(catalog, order(poll=poll)) as one:
        newer, older = "2026-01-01T10:00:01.5Z", "2026-01-01T10:00:00Z"
        assert (await one.send(delivery(1, updated=newer)))[0] == 202
        assert await one.send({**delivery(1, updated=older), "delivery": "late"}) == (200, {"status": "stale"})
        assert (await one.send({**delivery(1, updated=newer), "delivery": "again"}))[0] == 202
        assert (await one.send({**delivery(2, updated=older), "delivery": "other"}))[0] == 202
        assert (await one.send({**delivery(1, "deleted"), "delivery": "gone"}))[0] == 202
        assert (await one.send({**delivery(1, updated=older), "delivery": "later"}))[1] == {"status": "stale"}
        (first, *_) = [each for batch in one.recorder.batches for each in batch.seen]
        assert first.at.isoformat() == "2026-01-01T10:00:01.500000+00:00"


async def test_without_a_catalog_the_sender_is_asked_to_come_again(catalog: Pool) -> None:
    async with shop(catalog) as one:
        await catalog.connections.close()
        status, answer, headers = await one.send_raw(json.dumps(delivery(1)).encode())
        assert (status, headers["Retry-After"]) == (503, "1")
        assert answer["error"]["message"] == "the delivery cannot be recorded now"


async def test_a_delivery_older_than_what_a_poll_told_is_stale(catalog: Pool) -> None:
    poll = {"cursor": "updated", "every": "30s"}
    async with shop(catalog, order(poll=poll)) as one:
        state = next(each for each in states_of(one.plan.name, one.recorder.entity) if each.kind == "poll")
        at = datetime(2026, 1, 1, 10, tzinfo=UTC)
        row = {"id": "o-1", "total": "2.00", "updated": at}
        await one.recorder.record(Batch(state, [Seen(columns=row, at=at)]))
        older = delivery(1, updated="2026-01-01T09:59:59Z")
        assert await one.send(older) == (200, {"status": "stale"})
        assert (await one.send({**delivery(1, updated="2026-01-01T10:00:01Z"), "delivery": "d-2"}))[0] == 202
