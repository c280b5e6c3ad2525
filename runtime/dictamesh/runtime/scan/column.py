# SPDX-License-Identifier: Apache-2.0
"""The sampled values of one column, and what can be said of them without any of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from itertools import pairwise
from typing import Any
from uuid import UUID

from dictamesh.runtime.scan.formats import LONGEST

MOST = 1_000  # distinct values that are looked at
MOST_PROSE = 300  # distinct texts that are searched
LONGEST_PROSE = 3_000  # characters of a text that are searched
_PROSE_WORDS = 5  # words of a text that is no single value any more
_COUNTING = 0.9  # share of neighbours that follow each other in a column that counts


@dataclass(frozen=True)
class Column:
    """Values of one column or field; `values` never leave this object but into checks.

    `name` is what the source or the spec calls it; `secret_name`: it is a key of a document, which may be a value
    itself and is not told. `of_people`: whether the rows of its entity are people. `regions` are countries that a
    neighbouring column names.
    """

    name: str
    values: tuple[Any, ...] = field(default=(), repr=False)
    secret_name: bool = False
    of_people: bool = False
    regions: tuple[str, ...] = ()

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The distinct values as text, in the order of their coming; numbers without a fraction as digits."""
        found = dict.fromkeys(text for value in self.values if (text := as_text(value)))
        return tuple(found)[:MOST]

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The distinct texts at more of their length, for a search within them."""
        found = dict.fromkeys(value[:LONGEST_PROSE] for value in self.values if isinstance(value, str) and value)
        return tuple(found)[:MOST_PROSE]

    @cached_property
    def dates(self) -> tuple[date, ...]:
        """The values that are days, or ISO texts of days."""
        return tuple(day for value in self.values if (day := _day(value)) is not None)

    @cached_property
    def present(self) -> int:
        """How many values are not null and not empty."""
        return sum(1 for value in self.values if value is not None and value != "")

    @cached_property
    def lengths(self) -> tuple[int, int, float]:
        """The least, the greatest and the mean length of the distinct texts."""
        sizes = [len(text) for text in self.texts] or [0]
        return min(sizes), max(sizes), round(sum(sizes) / len(sizes), 1)

    @cached_property
    def distinct(self) -> float:
        """The share of distinct values among those present."""
        seen = {as_text(value) for value in self.values} - {""}
        return round(len(seen) / self.present, 3) if self.present else 0.0

    @cached_property
    def counts_up(self) -> bool:
        """Whether the values are whole numbers in steady steps: a counter, which passes any check now and then."""
        numbers = sorted(int(text) for text in self.texts if text.isascii() and text.isdecimal() and len(text) < 19)
        if len(numbers) < 5 or len(numbers) < 0.9 * len(self.texts):
            return False
        steps = [after - before for before, after in pairwise(numbers)]
        usual = sorted(steps)[len(steps) // 2]
        return usual <= 10 and sum(step <= 2 * usual for step in steps) >= _COUNTING * len(steps)

    @cached_property
    def prose(self) -> bool:
        """Whether most values are sentences rather than single values."""
        long = sum(1 for text in self.texts if len(text.split()) >= _PROSE_WORDS)
        return bool(self.texts) and long >= 0.4 * len(self.texts)


def as_text(value: Any) -> str:
    """A value as text for checks, empty for what has none; cut at the length that checks look at."""
    match value:
        case bool() | None:
            return ""
        case str():
            return value.strip()[:LONGEST]
        case int():
            return str(value) if abs(value) < 10**30 else ""
        case Decimal():
            return format(value, "f")[:LONGEST] if value.is_finite() else ""
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case datetime() | date() | time():
            return value.isoformat()
        case IPv4Interface() | IPv6Interface():  # a driver's own types; an interface is an address, too
            return str(value.ip)
        case IPv4Address() | IPv6Address() | UUID():
            return str(value)
    return ""


def leaves(value: Any, path: str = "", depth: int = 8) -> Iterable[tuple[str, Any]]:
    """The single values within an object or list, each with its path of keys; positions of lists are left out."""
    if depth == 0:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key), depth - 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner, path, depth - 1)
    else:
        yield path, value


def _day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str) and 10 <= len(value) <= 32 and value[:4].isdigit():
        try:
            return datetime.fromisoformat(value).date()
        except ValueError:
            return None
    return None
