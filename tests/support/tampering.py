# SPDX-License-Identifier: Apache-2.0
"""Attacks on the audit log of `tests.support.audit_log` by somebody who may do everything in its database.

Each says which is the first bad row (product, day, sequence) or, where only the signed heads were touched, which head.
"""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from dictamesh.runtime.audit.chain import Entry, genesis, hash_of
from dictamesh.runtime.audit.keys import signer_from
from dictamesh.runtime.audit.statements import SignedHead, digest
from tests.support.audit_log import D1, D2, D3, Written

Connection = psycopg.Connection[Any]
Attack = Callable[[Connection, Written, Path], None]
C, V, P = "customers", "invoices", "products"
LOGS = "dictamesh_audit_logs"


@dataclass(frozen=True)
class Tampering:
    name: str
    attack: Attack
    first: tuple[str, str, int] | None
    fault: str
    head: int | None = None


def sql(*statements: str) -> Attack:
    def attack(connection: Connection, _log: Written, _path: Path) -> None:
        for statement in statements:
            connection.execute(statement.encode())

    return attack


def edit(assignment: str, where: str = f"product = '{C}' AND day = '{D2}' AND sequence = 2") -> Attack:
    return sql(f"UPDATE {LOGS} SET {assignment} WHERE {where}")


def at(product: str, day: str, sequence: int) -> str:
    return f"product = '{product}' AND day = '{day}' AND sequence = {sequence}"


def delete(where: str) -> Attack:
    return sql(f"DELETE FROM {LOGS} WHERE {where}")


TIP = "UPDATE dictamesh_audit_chains SET "
FREE = f"ALTER TABLE {LOGS} DROP CONSTRAINT uq_dictamesh_audit_logs_sequence"


def put(connection: Connection, entries: Iterable[Entry]) -> None:
    """Write rows over those with the same id, or anew."""
    for entry in entries:
        connection.execute(f"DELETE FROM {LOGS} WHERE id = %s".encode(), (entry["id"],))
        stored = {name: value for name, value in entry.items() if name not in {"format", "pii_access"}}
        stored |= {name: bytes.fromhex(stored[name]) for name in ("hash", "previous_hash")}
        names = ", ".join(stored)
        marks = ", ".join(f"%({name})s" for name in stored)
        connection.execute(f"INSERT INTO {LOGS} ({names}) VALUES ({marks})".encode(), stored)


def chain_of(log: Written, product: str, day: str | None = None) -> list[dict[str, Any]]:
    return [
        copy.deepcopy(dict(entry))
        for entry in log.entries
        if entry["product"] == product and day in {None, entry["day"]}
    ]


def rehashed(entries: list[dict[str, Any]], start: str) -> list[dict[str, Any]]:
    """The rows numbered and chained anew behind `start`, each day from 1."""
    before, day, sequence = start, "", 0
    for entry in entries:
        sequence = sequence + 1 if entry["day"] == day else 1
        day = entry["day"]
        entry |= {"previous_hash": before, "sequence": sequence}
        before = entry["hash"] = hash_of(entry)
    return entries


def move_tip(connection: Connection, entries: list[dict[str, Any]]) -> None:
    last = entries[-1]
    connection.execute(
        b"UPDATE dictamesh_audit_chains SET day = %s, sequence = %s, row_count = %s, hash = %s WHERE product = %s",
        (last["day"], last["sequence"], len(entries), bytes.fromhex(last["hash"]), last["product"]),
    )


def rewritten(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], product: str = C) -> Attack:
    """Change a product's rows at will, chain all of them anew and move the tip."""

    def attack(connection: Connection, log: Written, _path: Path) -> None:
        entries = rehashed(change(chain_of(log, product)), genesis(product))
        connection.execute(f"DELETE FROM {LOGS} WHERE product = %s".encode(), (product,))
        put(connection, entries)
        move_tip(connection, entries)

    return attack


def alone(product: str, day: str, sequence: int, **changes: Any) -> Attack:
    """Change one row and its hash, nothing else."""

    def attack(connection: Connection, log: Written, _path: Path) -> None:
        entry = {**log.at(product, day, sequence), **changes}
        entry["hash"] = hash_of(entry)
        put(connection, [entry])

    return attack


def index(entries: list[dict[str, Any]], day: str, sequence: int) -> int:
    return next(n for n, each in enumerate(entries) if (each["day"], each["sequence"]) == (day, sequence))


def without(day: str, sequence: int) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda entries: [each for each in entries if (each["day"], each["sequence"]) != (day, sequence)]


def changed(day: str, sequence: int, **changes: Any) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    def change(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        entries[index(entries, day, sequence)] |= changes
        return entries

    return change


def swapped(day: str, one: int, other: int) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    def change(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        a, b = index(entries, day, one), index(entries, day, other)
        entries[a], entries[b] = entries[b], entries[a]
        return entries

    return change


FORGED_ID = "00000000-0000-4000-8000-000000000001"


def inserted(product: str, day: str, sequence: int, *, move: bool) -> Attack:
    """A forged row that is rightly chained to the one before; `move`: those behind it are numbered one higher."""

    def attack(connection: Connection, log: Written, _path: Path) -> None:
        entries = chain_of(log, product)
        behind = [each for each in entries if each["day"] == day and each["sequence"] >= sequence]
        before = [each for each in entries if (each["day"], each["sequence"]) < (day, sequence)]
        forged = {**entries[0], "id": FORGED_ID, "principal": "nobody", "day": day, "sequence": sequence}
        forged["previous_hash"] = before[-1]["hash"] if before else genesis(product)
        forged["hash"] = hash_of(forged)
        connection.execute(FREE.encode())
        if move:
            put(connection, [{**each, "sequence": each["sequence"] + 1} for each in behind])
        put(connection, [forged])

    return attack


def duplicated(connection: Connection, log: Written, _path: Path) -> None:
    connection.execute(FREE.encode())
    put(connection, [{**log.at(C, D2, 2), "id": FORGED_ID}])


def removed_and_renumbered(day: str, sequence: int) -> Attack:
    return sql(
        FREE,
        f"DELETE FROM {LOGS} WHERE {at(C, day, sequence)}",
        f"UPDATE {LOGS} SET sequence = sequence - 1 WHERE product = '{C}' AND day = '{day}' AND sequence > {sequence}",
    )


def cut_tip(connection: Connection, log: Written, _path: Path) -> None:
    move_tip(connection, chain_of(log, C)[:-1])


def to_another_chain(connection: Connection, log: Written, _path: Path) -> None:
    """A row of `customers` taken out and chained to the end of `invoices`."""
    end = chain_of(log, V)[-1]
    moved = {**log.at(C, D2, 2), "product": V, "day": D3, "sequence": 5, "previous_hash": end["hash"]}
    moved["hash"] = hash_of(moved)
    put(connection, [moved])
    tip = (bytes.fromhex(moved["hash"]), V)
    connection.execute((TIP + "sequence = 5, row_count = row_count + 1, hash = %s WHERE product = %s").encode(), tip)


def head(number: int, **columns: Any) -> Attack:
    def attack(connection: Connection, _log: Written, _path: Path) -> None:
        names = ", ".join(f"{name} = %({name})s" for name in columns)
        statement = f"UPDATE dictamesh_audit_heads SET {names} WHERE number = {number}"
        connection.execute(statement.encode(), columns)

    return attack


def truncated(log: Written, product: str, day: str, keep: int) -> list[dict[str, Any]]:
    return [each for each in chain_of(log, product) if (each["day"], each["sequence"]) <= (day, keep)]


def cut(product: str, day: str, keep: int) -> Attack:
    """Take away all behind a row, and move the tip, so that the database agrees with itself."""

    def attack(connection: Connection, log: Written, _path: Path) -> None:
        left = truncated(log, product, day, keep)
        statement = f"DELETE FROM {LOGS} WHERE product = %s AND (day, sequence) > (%s, %s)"
        connection.execute(statement.encode(), (product, day, keep))
        move_tip(connection, left)

    return attack


def other_heads(product: str, day: str, keep: int, sign: Callable[[Written, str], SignedHead]) -> Attack:
    """Cut the log, and put a statement of one's own that agrees in the place of the last one, also in the file."""

    def attack(connection: Connection, log: Written, path: Path) -> None:
        cut(product, day, keep)(connection, log, path)
        made = sign(log, truncated(log, product, day, keep)[-1]["hash"])
        columns = {"statement": made.statement, "signature": made.signature, "key_id": made.key_id}
        head(made.number, **columns)(connection, log, path)
        path.write_bytes(b"".join(each.line() for each in [*log.heads[:-1], made]))

    return attack


def _lied(log: Written, known: str) -> str:
    """The text of the last statement with another end of `customers`."""
    last = log.heads[-1]
    true = log.at(C, D3, 4)["hash"]
    assert true in last.statement
    return last.statement.replace(f'"hash":"{true}"', f'"hash":"{known}"').replace(
        f'"product":"{C}","rows":16,"sequence":4', f'"product":"{C}","rows":15,"sequence":3'
    )


def with_an_old_signature(log: Written, known: str) -> SignedHead:
    return replace(log.heads[-1], statement=_lied(log, known))


def with_another_key(log: Written, known: str) -> SignedHead:
    other = signer_from(b"a key of the attacker's own, long enough")
    text = _lied(log, known)
    return SignedHead(log.heads[-1].number, text, other.key_id, other.sign(text))


def with_another_key_under_our_name(log: Written, known: str) -> SignedHead:
    return replace(with_another_key(log, known), key_id=log.signer.key_id)


def replayed(connection: Connection, log: Written, path: Path) -> None:
    """The log cut to what statement 4 knew, and statement 4 in the place of the last two."""
    old = log.heads[3]
    for number in (5, 6):
        head(number, statement=old.statement, signature=old.signature)(connection, log, path)
    for product in (C, V):
        connection.execute(f"DELETE FROM {LOGS} WHERE product = '{product}' AND day = '{D3}'".encode())
        move_tip(connection, [each for each in chain_of(log, product) if each["day"] < D3])


def swapped_heads(connection: Connection, _log: Written, _path: Path) -> None:
    for number, other in ((2, 99), (3, 2), (99, 3)):
        connection.execute(f"UPDATE dictamesh_audit_heads SET number = {other} WHERE number = {number}".encode())


def relinked(connection: Connection, log: Written, path: Path) -> None:
    """A statement signed with the right key, put between others: whoever holds the key forges no history."""
    old = log.heads[2]
    text = old.statement.replace(log.heads[1].digest, digest("something else"))
    head(3, statement=text, signature=log.signer.sign(text))(connection, log, path)
    path.write_bytes(b"")


def file_of(*numbers: int, stored: str = "true") -> Attack:
    """A published file with these statements alone, and only those in the database that meet a condition."""

    def attack(connection: Connection, log: Written, path: Path) -> None:
        path.write_bytes(b"".join(log.heads[number - 1].line() for number in numbers))
        connection.execute(f"DELETE FROM dictamesh_audit_heads WHERE NOT ({stored})".encode())

    return attack


def forged_line(_connection: Connection, log: Written, path: Path) -> None:
    heads = [*log.heads]
    heads[4] = replace(heads[4], signature=heads[3].signature)
    path.write_bytes(b"".join(each.line() for each in heads))


def several(*attacks: Attack) -> Attack:
    def attack(connection: Connection, log: Written, path: Path) -> None:
        for each in attacks:
            each(connection, log, path)

    return attack


_EDITS = {
    "principal": "principal = 'somebody'",
    "principal to anonymous": "principal = NULL",
    "purpose": "purpose = 'analytics'",
    "operation": "operation = 'SEARCH'",
    "entity_type": "entity_type = 'Invoice'",
    "fields": "fields = '{email}'",
    "denied_fields": "denied_fields = '{}'",
    "success": "success = true",
    "error_code": "error_code = NULL",
    "subject_tokens": "subject_tokens = '{t9}'",
    "subject_count": "subject_count = 4",
    "subject_count beyond JSON": "subject_count = 9007199254740993",
    "occurrences": "occurrences = 2",
    "plan_hash": "plan_hash = 'plan-2'",
    "trace_id": "trace_id = NULL",
    "duration_ms": "duration_ms = 2.2500000000000004",
    "duration_ms to NaN": "duration_ms = 'NaN'",
    "duration_ms to infinity": "duration_ms = 'infinity'",
    "occurred_at": "occurred_at = occurred_at + interval '1 microsecond'",
    "occurred_at to infinity": "occurred_at = 'infinity'",
    "recorded_at": "recorded_at = recorded_at - interval '1 day'",
    "id": f"id = '{FORGED_ID}'",
    "previous_hash": "previous_hash = sha256('x')",
    "hash": "hash = sha256('x')",
}

TAMPERINGS = (
    *(Tampering(f"edit: {name}", edit(change), (C, D2, 2), "changed") for name, change in _EDITS.items()),
    Tampering("edit: product", edit(f"product = '{P}', sequence = 4"), (C, D2, 2), "missing"),
    Tampering("edit: day", edit("day = '2026-01-12'"), (C, D2, 2), "missing"),
    Tampering("edit: sequence", edit("sequence = 99"), (C, D2, 2), "missing"),
    Tampering("edit: the first row", edit("principal = 'x'", at(C, D1, 1)), (C, D1, 1), "changed"),
    Tampering("edit: an unsigned row", edit("principal = 'x'", at(C, D3, 6)), (C, D3, 6), "changed"),
    Tampering("edit: two products", edit("principal = 'x'", "sequence = 3"), (C, D1, 3), "changed"),
    Tampering("delete: the first row", delete(at(C, D1, 1)), (C, D1, 1), "missing"),
    Tampering("delete: the first row of a later day", delete(at(C, D2, 1)), (C, D2, 1), "missing"),
    Tampering("delete: in the middle", delete(at(C, D2, 4)), (C, D2, 4), "missing"),
    Tampering("delete: two in the middle", delete(f"day = '{D2}' AND sequence IN (2, 3)"), (C, D2, 2), "missing"),
    Tampering("delete: the last row of a day", delete(at(C, D2, 6)), (C, D2, 6), "missing"),
    Tampering("delete: an unsigned row in the middle", delete(at(C, D3, 5)), (C, D3, 5), "missing"),
    Tampering("delete: the last row, its tip left", delete(at(C, D3, 6)), (C, D3, 6), "missing"),
    Tampering("delete: everything", sql(f"TRUNCATE {LOGS}"), (C, D1, 1), "missing"),
    Tampering("delete: a whole day", delete(f"day = '{D2}'"), (C, D2, 1), "missing"),
    Tampering("delete: a whole day of one product", delete(f"product = '{C}' AND day = '{D2}'"), (C, D2, 1), "missing"),
    Tampering("delete: the first day", delete(f"day = '{D1}'"), (C, D1, 1), "missing"),
    Tampering("delete: the last day", delete(f"day = '{D3}'"), (C, D3, 1), "missing"),
    Tampering(
        "delete: a whole product with its tip",
        sql(f"DELETE FROM {LOGS} WHERE product = '{P}'", f"DELETE FROM dictamesh_audit_chains WHERE product = '{P}'"),
        (P, D2, 1),
        "missing",
    ),
    Tampering("truncate: to the last head but one", cut(C, D3, 3), (C, D3, 4), "missing"),
    Tampering("truncate: beyond a day", cut(C, D2, 2), (C, D2, 3), "missing"),
    Tampering("truncate: another product", cut(V, D3, 1), (V, D3, 2), "missing"),
    Tampering("truncate: everything of a product", cut(V, D1, 0 + 1), (V, D1, 2), "missing"),
    Tampering("delete and renumber", removed_and_renumbered(D2, 3), (C, D2, 3), "missing"),
    Tampering("delete and chain anew to the end", rewritten(without(D2, 3)), (C, D2, 1), "rewritten"),
    Tampering("delete behind a head and chain anew", rewritten(without(D2, 4)), (C, D2, 4), "rewritten"),
    Tampering("edit with its hash", alone(C, D2, 2, principal="x"), (C, D2, 2), "replaced"),
    Tampering("edit with its hash where a head stands", alone(C, D2, 3, principal="x"), (C, D2, 3), "replaced"),
    Tampering("edit with its hash at the end of a day", alone(C, D2, 6, principal="x"), (C, D2, 6), "replaced"),
    Tampering("edit with its hash at the beginning", alone(C, D1, 1, principal="x"), (C, D1, 1), "replaced"),
    Tampering("edit with its hash at the end, its tip left", alone(C, D3, 6, principal="x"), (C, D3, 6), "replaced"),
    Tampering("edit behind a head, chained anew", rewritten(changed(D2, 4, principal="x")), (C, D2, 4), "rewritten"),
    Tampering("edit of the first row, chained anew", rewritten(changed(D1, 1, principal="x")), (C, D1, 1), "rewritten"),
    Tampering(
        "reorder: two numbers exchanged",
        sql(
            FREE,
            f"UPDATE {LOGS} SET sequence = CASE sequence WHEN 2 THEN 5 ELSE 2 END"
            f" WHERE product = '{C}' AND day = '{D2}' AND sequence IN (2, 5)",
        ),
        (C, D2, 2),
        "changed",
    ),
    Tampering("reorder: neighbours, chained anew", rewritten(swapped(D2, 4, 5)), (C, D2, 4), "rewritten"),
    Tampering(
        "reorder: contents exchanged",
        sql(
            f"UPDATE {LOGS} l SET principal = o.principal, trace_id = o.trace_id FROM {LOGS} o"
            f" WHERE l.product = '{C}' AND o.product = '{C}' AND l.day = '{D2}' AND o.day = '{D2}'"
            " AND l.sequence IN (2, 3) AND o.sequence = 5 - l.sequence"
        ),
        (C, D2, 2),
        "changed",
    ),
    Tampering("insert: a second row at a place", inserted(C, D2, 3, move=False), (C, D2, 3), "inserted"),
    Tampering("insert: others numbered anew", inserted(C, D2, 3, move=True), (C, D2, 3), "inserted"),
    Tampering("insert: before the first row", inserted(C, D1, 1, move=True), (C, D1, 1), "inserted"),
    Tampering("insert: at the end, behind the tip", inserted(C, D3, 7, move=False), (C, D3, 7), "inserted"),
    Tampering("insert: a day that was not", inserted(C, "2026-01-12", 1, move=False), (C, "2026-01-12", 1), "replaced"),
    Tampering(
        "insert: a day behind the last", inserted(C, "2026-01-20", 1, move=False), (C, "2026-01-20", 1), "inserted"
    ),
    Tampering(
        "duplicate: a row under another id",
        duplicated,
        (C, D2, 2),
        "inserted",
    ),
    Tampering("swap: a row into another product's chain", to_another_chain, (C, D2, 2), "missing"),
    Tampering(
        "swap: rows of two products exchanged",
        sql(
            FREE,
            f"UPDATE {LOGS} SET product = CASE product WHEN '{C}' THEN '{P}' ELSE '{C}' END"
            f" WHERE day = '{D2}' AND sequence = 2",
        ),
        (C, D2, 2),
        "changed",
    ),
    Tampering("tip moved forward", sql(f"{TIP} sequence = 9 WHERE product = '{C}'"), (C, D3, 7), "missing"),
    Tampering("tip moved back", cut_tip, (C, D3, 6), "inserted"),
    Tampering("tip counts more", sql(f"{TIP} row_count = 99 WHERE product = '{C}'"), (C, D3, 6), "miscounted"),
    Tampering(
        "cut, head forged with its old signature", other_heads(C, D3, 3, with_an_old_signature), None, "head-forged", 6
    ),
    Tampering(
        "cut, head signed with another key", other_heads(C, D3, 3, with_another_key), None, "head-unknown-key", 6
    ),
    Tampering(
        "cut, head of another key under our key's name",
        other_heads(C, D3, 3, with_another_key_under_our_name),
        None,
        "head-forged",
        6,
    ),
    Tampering("old head replayed, log cut to it", replayed, (C, D3, 1), "missing"),
    Tampering(
        "head deleted in the middle", sql("DELETE FROM dictamesh_audit_heads WHERE number = 3"), None, "head-missing", 3
    ),
    Tampering("last head deleted", sql("DELETE FROM dictamesh_audit_heads WHERE number = 6"), None, "head-missing", 6),
    Tampering("all heads deleted", sql("DELETE FROM dictamesh_audit_heads"), None, "head-missing", 1),
    Tampering("head deleted with no copy left", file_of(stored="number <> 3"), None, "head-missing", 3),
    Tampering("first heads deleted with no copy left", file_of(stored="number > 2"), None, "head-missing", 1),
    Tampering("heads exchanged", swapped_heads, None, "head-replaced", 2),
    Tampering("head with another time", head(4, signed_at="2026-01-11T00:00:00Z"), None, "head-replaced", 4),
    Tampering("head with another signature", head(4, signature="AAAA"), None, "head-forged", 4),
    Tampering("head with a signature that is none", head(4, signature="?"), None, "head-forged", 4),
    Tampering("head without a statement", head(4, statement="{}"), None, "head-forged", 4),
    Tampering("head of another mesh", head(4, mesh="other"), None, "head-missing", 4),
    Tampering("history relinked with the right key", relinked, None, "head-replaced", 3),
    Tampering("forged line in the published file", forged_line, None, "head-forged", 5),
    Tampering(
        "cut with the last heads of the database, the file left",
        several(sql("DELETE FROM dictamesh_audit_heads WHERE number > 4"), cut(C, D2, 6), cut(V, D1, 4)),
        (C, D3, 1),
        "missing",
    ),
)

UNSEEN = (
    Tampering("cut behind the last head, the tip moved", cut(C, D3, 4), None, ""),
    Tampering("edit behind the last head, chained anew", rewritten(changed(D3, 6, principal="x")), None, ""),
    Tampering(
        "cut with its heads, wherever they were kept",
        several(file_of(1, 2, 3, 4, stored="number <= 4"), cut(C, D2, 6), cut(V, D1, 4)),
        None,
        "",
    ),
)
"""What nobody can see in the database and the copies that are left: the limits that `docs/adr/0009` names."""
