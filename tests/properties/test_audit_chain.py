# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to rows that a signed head stands behind is found; what nobody touched is never accused."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dictamesh.runtime.audit.chain import Entry, hash_of, untouched
from dictamesh.runtime.audit.chain_check import Known
from dictamesh.runtime.audit.findings import Finding
from dictamesh.runtime.audit.keys import known_keys
from dictamesh.runtime.audit.statements import Heads, check
from dictamesh.runtime.audit.verify import Verifier
from tests.support.audit_log import MESH, SIGNER, Written, row

START = datetime(2026, 1, 1, 22, tzinfo=UTC)
PRODUCTS = ("a", "b")
KEYS = known_keys([SIGNER.pem.encode()])
EVENTS = st.lists(
    st.tuples(st.sampled_from(["row", "row", "row", "sign"]), st.sampled_from(PRODUCTS), st.integers(0, 20)),
    min_size=4,
    max_size=40,
)
Rows = list[dict[str, Any]]


def log_of(events: Iterable[tuple[str, str, int]]) -> Written:
    """A log whose writing and signing took hours and days."""
    log, now = Written(), START
    for number, (what, product, hours) in enumerate(events):
        now += timedelta(hours=hours)
        if what == "row":
            log.add([row(product, number, now)], now)
        else:
            log.sign(now)
    return log


def heads_of(log: Written) -> Heads:
    return check(MESH, log.heads, log.heads, KEYS, from_the_first=True)


def verified(entries: Iterable[Entry], log: Written, *, tips: bool) -> list[Finding]:
    heads = heads_of(log)
    assert heads.findings == []
    known = {
        name: Known(untouched(name), heads.marks.get(name, {}), log.tips.get(name) if tips else None)
        for name in PRODUCTS
    }
    verifier = Verifier(known)
    for entry in sorted(entries, key=lambda each: (each["product"], each["day"], each["sequence"])):
        verifier.take(entry)
    return verifier.finish()


@given(EVENTS, st.booleans())
def test_what_nobody_touched_is_intact(events: list[tuple[str, str, int]], tips: bool) -> None:
    log = log_of(events)
    assert verified(log.entries, log, tips=tips) == []


def deleted(rows: Rows, at: int, _other: int) -> Rows:
    return rows[:at] + rows[at + 1 :]


def edited(rows: Rows, at: int, other: int) -> Rows:
    column = ("principal", "plan_hash", "trace_id", "id", "recorded_at", "error_code")[other % 6]
    rows[at][column] = "edited"
    return rows


def edited_with_its_hash(rows: Rows, at: int, other: int) -> Rows:
    rows = edited(rows, at, other)
    rows[at]["hash"] = hash_of(rows[at])
    return rows


def exchanged(rows: Rows, at: int, other: int) -> Rows:
    other %= len(rows)
    assume(at != other)
    places = ("product", "day", "sequence")
    one, two = [rows[at][name] for name in places], [rows[other][name] for name in places]
    rows[at] |= dict(zip(places, two, strict=True))
    rows[other] |= dict(zip(places, one, strict=True))
    return rows


def doubled(rows: Rows, at: int, _other: int) -> Rows:
    return [{**rows[at], "id": "another"}, *rows]


def moved(rows: Rows, at: int, other: int) -> Rows:
    rows[at]["sequence"] += 1 + other
    return rows


def chained_anew(change: Callable[[Rows, int, int], Rows]) -> Callable[[Rows, int, int], Rows]:
    """The same by somebody who recomputes every hash of the product behind it."""

    def attack(rows: Rows, at: int, other: int) -> Rows:
        product = rows[at]["product"]
        rows = change(rows, at, other)
        before, day, sequence = untouched(product).hash, "", 0
        for each in sorted(
            (each for each in rows if each["product"] == product), key=lambda each: (each["day"], each["sequence"])
        ):
            sequence = sequence + 1 if each["day"] == day else 1
            day = each["day"]
            each |= {"sequence": sequence, "previous_hash": before}
            before = each["hash"] = hash_of(each)
        return rows

    return attack


ATTACKS = (
    deleted,
    edited,
    edited_with_its_hash,
    exchanged,
    doubled,
    moved,
    chained_anew(deleted),
    chained_anew(edited),
    chained_anew(doubled),
)


@settings(max_examples=600)
@given(EVENTS, st.sampled_from(ATTACKS), st.data())
def test_what_was_done_before_the_last_head_is_found(
    events: list[tuple[str, str, int]], attack: Callable[[Rows, int, int], Rows], data: st.DataObject
) -> None:
    log = log_of(events)
    marks = heads_of(log).marks
    signed = [
        number
        for number, each in enumerate(log.entries)
        if max(marks.get(each["product"], {}), default=("", 0)) >= (each["day"], each["sequence"])
    ]
    assume(signed)
    at = data.draw(st.sampled_from(signed))
    rows = attack([dict(each) for each in log.entries], at, data.draw(st.integers(0, 50)))
    assert verified(rows, log, tips=False)
