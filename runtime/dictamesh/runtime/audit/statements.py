# SPDX-License-Identifier: Apache-2.0
"""Signed statements of where all chains end: how one is made, and whether a series of them holds together. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import orjson
import rfc8785

from dictamesh.runtime.audit.chain import Tip, moment
from dictamesh.runtime.audit.findings import Finding
from dictamesh.runtime.audit.keys import KnownKeys, Signer

FORMAT = "dictamesh-audit-heads/1"
NO_STATEMENT = "0" * 64
_SHAPE: Mapping[str, type] = {
    "format": str,
    "mesh": str,
    "number": int,
    "previous": str,
    "signed_at": str,
    "complete": bool,
    "chains": list,
}
_RESTORED_SHAPE: Mapping[str, type] = {"first": int, "last": int, "by": str, "reason": str}
_CHAIN_SHAPE: Mapping[str, type] = {"product": str, "day": str, "sequence": int, "rows": int, "hash": str}


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A statement as it is stored and published; `statement` is the exact text that was signed."""

    number: int
    statement: str
    key_id: str
    signature: str
    signed_at: str = ""  # as the database says beside it; empty in a published line

    def line(self) -> bytes:
        """Return the line of a published file, with its end."""
        published = {"statement": self.statement, "keyId": self.key_id, "signature": self.signature}
        return orjson.dumps(published) + b"\n"

    @property
    def digest(self) -> str:
        """What the next statement names as `previous`."""
        return digest(self.statement)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a signed statement says of one row: its hash, and how many rows of its product there are up to it."""

    hash: str
    rows: int
    number: int


@dataclass(frozen=True, slots=True)
class Restored:
    """Somebody's word that a database was restored: statements `first` to `last` speak of rows that are gone."""

    first: int
    last: int
    by: str
    reason: str


Place = tuple[str, int]
"""Day and sequence."""


@dataclass(slots=True)
class Heads:
    """What a series of statements proves: marks by product and place; and what is wrong with the series itself."""

    marks: dict[str, dict[Place, Mark]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    count: int = 0
    signed_at: str | None = None


def of_mesh(mesh: str, heads: Iterable[SignedHead]) -> list[SignedHead]:
    """Return the heads of one mesh: several may publish to one place."""
    return [head for head in heads if (_parsed(head.statement) or {}).get("mesh") in {mesh, None}]


def digest(statement: str) -> str:
    """Return the SHA-256 of a statement, in hex."""
    return hashlib.sha256(statement.encode()).hexdigest()


def signed(
    mesh: str,
    last: SignedHead | None,
    now: datetime,
    chains: Iterable[Tip],
    signer: Signer,
    *,
    complete: bool,
    restored: Restored | None = None,
) -> SignedHead:
    """Make and sign the statement that follows `last`, the first one where that is None."""
    number, previous = (last.number + 1, last.digest) if last else (1, NO_STATEMENT)
    content: dict[str, Any] = {
        "format": FORMAT,
        "mesh": mesh,
        "number": number,
        "previous": previous,
        "signed_at": moment(now),
        "complete": complete,
        "chains": [asdict(tip) for tip in sorted(chains, key=lambda tip: tip.product)],
    }
    if restored is not None:
        content["restored"] = asdict(restored)
    statement = rfc8785.dumps(content).decode()
    return SignedHead(number, statement, signer.key_id, signer.sign(statement), moment(now))


def read_line(line: bytes) -> SignedHead:
    """Return the statement of a published line; raises ValueError where it is none."""
    try:
        found = orjson.loads(line)
        statement, key_id, signature = found["statement"], found["keyId"], found["signature"]
        number = orjson.loads(statement)["number"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise ValueError("no signed head") from None
    if not all(isinstance(each, str) for each in (statement, key_id, signature)) or type(number) is not int:
        raise ValueError("no signed head")
    return SignedHead(number, statement, key_id, signature)


def check(
    mesh: str,
    stored: Sequence[SignedHead] | None,
    published: Sequence[SignedHead],
    keys: KnownKeys,
    *,
    from_the_first: bool,
) -> Heads:
    """Check the statements of the database and of published copies against one another, and take what they prove.

    `stored` is None where there is no database to compare with. `from_the_first`: the series has to begin at number 1.
    """
    heads = Heads()
    sound: dict[int, tuple[SignedHead, dict[str, Any]]] = {}
    for head in [*(stored or ()), *published]:
        content = _content(mesh, head, keys, heads)
        known = sound.get(head.number)
        if content is None or (known and known[0].statement == head.statement):
            continue
        if known is not None:
            told = f"two different statements bear the number {head.number}"
            heads.findings.append(Finding("head-contradicted", told, head=head.number))
            continue
        sound[head.number] = head, content
    void = _void(sound, heads)
    if stored is not None:
        _check_stored(stored, sound, void, heads)
    _check_series(sound, heads, from_the_first=from_the_first)
    for number in sorted(sound.keys() - void):
        _mark(number, sound[number][1], heads)
    heads.count = len(sound)
    return heads


def _content(mesh: str, head: SignedHead, keys: KnownKeys, heads: Heads) -> dict[str, Any] | None:
    """What a statement says, None where nobody can be sure that it was signed."""
    fault = told = ""
    content = _parsed(head.statement)
    if head.key_id not in keys:
        fault, told = "head-unknown-key", f"statement {head.number} is signed with a key that is not known"
    elif content is None or not keys.holds(head.key_id, head.statement, head.signature):
        fault, told = "head-forged", f"the signature of statement {head.number} does not hold"
    elif content["mesh"] != mesh:
        fault, told = "head-foreign", f"statement {head.number} is of another mesh"
    elif content["number"] != head.number or head.signed_at not in {"", content["signed_at"]}:
        fault, told = "head-replaced", f"in the place of statement {head.number} stands another one"
    if fault:
        heads.findings.append(Finding(fault, told, head=head.number))
        return None
    return content


def _parsed(statement: str) -> dict[str, Any] | None:
    try:
        content = orjson.loads(statement)
    except orjson.JSONDecodeError:
        return None
    if not _has_shape(content, _SHAPE) or content["format"] != FORMAT:
        return None
    return content if all(_has_shape(each, _CHAIN_SHAPE) for each in content["chains"]) else None


def _has_shape(value: Any, shape: Mapping[str, type]) -> bool:
    return isinstance(value, dict) and all(type(value.get(name)) is kind for name, kind in shape.items())


def restored_of(content: Mapping[str, Any]) -> Restored | None:
    """Return what a statement says of a restore, None where it says nothing."""
    told: Any = content.get("restored")
    if not _has_shape(told, _RESTORED_SHAPE) or told["last"] >= content["number"]:
        return None
    return Restored(**{name: told[name] for name in _RESTORED_SHAPE})


def _void(sound: Mapping[int, tuple[SignedHead, dict[str, Any]]], heads: Heads) -> set[int]:
    """The statements that a later one declares lost with the database that held them, and a note of each such word."""
    void: set[int] = set()
    for number in sorted(sound):
        told = restored_of(sound[number][1])
        if told is not None:
            void.update(range(told.first, told.last + 1))
            heads.notes.append(
                f"statement {number}, by {told.by}: the database was restored, what statements {told.first} to"
                f" {told.last} sign is lost ({told.reason})"
            )
    return void


def _check_stored(
    stored: Sequence[SignedHead], sound: Mapping[int, tuple[SignedHead, Any]], void: set[int], heads: Heads
) -> None:
    there = {head.number for head in stored}
    lost = sorted(number for number in sound if number not in there and number not in void)
    if lost:
        told = f"{_numbers(lost)} published, and not in the database"
        heads.findings.append(Finding("head-missing", told, head=lost[0]))


def _check_series(
    sound: Mapping[int, tuple[SignedHead, dict[str, Any]]], heads: Heads, *, from_the_first: bool
) -> None:
    accused = {finding.head for finding in heads.findings}
    before = None
    for number in sorted(sound):
        head, content = sound[number]
        expected = 1 if before is None else before.number + 1
        lost = range(expected, number) if before is not None or from_the_first else range(0)
        if lost and not accused.intersection(lost):
            heads.findings.append(Finding("head-missing", f"{_numbers(lost)} missing", head=lost[0]))
        elif not lost:
            previous = before.digest if before is not None else NO_STATEMENT if number == 1 else None
            if previous not in {None, content["previous"]}:
                told = f"statement {number} does not follow statement {number - 1}"
                heads.findings.append(Finding("head-replaced", told, head=number))
        before = head


def _numbers(lost: Sequence[int]) -> str:
    return f"statement {lost[0]} is" if len(lost) == 1 else f"statements {lost[0]} to {lost[-1]} are"


def _mark(number: int, content: Mapping[str, Any], heads: Heads) -> None:
    heads.signed_at = content["signed_at"]
    for each in content["chains"]:
        marks = heads.marks.setdefault(each["product"], {})
        marks.setdefault((each["day"], each["sequence"]), Mark(each["hash"], each["rows"], number))
