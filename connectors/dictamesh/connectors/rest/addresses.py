# SPDX-License-Identifier: Apache-2.0
"""Addresses of calls: every key is one path segment or one query value, whatever it holds (S24)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote

import orjson

from dictamesh.connectors.rest.options import Style
from dictamesh.connectors.sdk.errors import Fault, Terminal

Query = list[tuple[str, str]]

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_SEPARATORS = re.compile(r"[/\\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def text(value: Any) -> str:
    """Return the canonical text of a value: its JSON text without quotes (S6)."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
        case date() | time():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)


def placeholders(template: str) -> tuple[str, ...]:
    """Return the names between braces in a path template."""
    return tuple(_PLACEHOLDER.findall(template))


def segment(value: Any, place: str) -> str:
    """Encode a value as one path segment; `Terminal(REFUSED)` where it could leave its place on some server."""
    raw = text(value)
    if not raw or _CONTROL.search(raw) or _climbs(raw) or _climbs(unquote(raw)):
        raise Terminal(Fault.REFUSED, place=place)
    try:
        return quote(raw, safe="")
    except UnicodeEncodeError:
        raise Terminal(Fault.REFUSED, place=place) from None


def _climbs(raw: str) -> bool:
    return any(part in {".", ".."} for part in _SEPARATORS.split(raw))


def path(template: str, values: Mapping[str, Any]) -> str:
    """Fill a path template; what stands outside braces is encoded but for `/`."""
    place = f"GET {template}"
    parts: list[str] = []
    end = 0
    for found in _PLACEHOLDER.finditer(template):
        parts += [_literal(template[end : found.start()]), segment(values[found[1]], place)]
        end = found.end()
    return "".join([*parts, _literal(template[end:])])


def _literal(part: str) -> str:
    return quote(part, safe="/%:@!$&'()*+,;=~")


def query(pairs: Iterable[tuple[str, str]]) -> str:
    """Encode query parameters in the given order; `Terminal(REFUSED)` for text that is not Unicode."""
    try:
        return "&".join(f"{quote(name, safe='')}={quote(value, safe=',')}" for name, value in pairs)
    except UnicodeEncodeError:
        raise Terminal(Fault.REFUSED) from None


def fits_csv(value: Any) -> bool:
    """Whether a value keeps its borders between commas."""
    raw = text(value)
    return bool(raw) and "," not in raw and raw == raw.strip() and not _CONTROL.search(raw)


def spread(pairs: Mapping[str, str], mark: str, values: Sequence[Any], style: Style, place: str) -> Query:
    """Put `values` where `mark` stands in the query; `Terminal(REFUSED)` for a value that a csv list would split."""
    if style == "csv" and not all(map(fits_csv, values)):
        raise Terminal(Fault.REFUSED, place=place)
    found: Query = []
    for name, template in pairs.items():
        if mark not in template:
            found.append((name, template))
        elif style == "repeat":
            found += [(name, template.replace(mark, text(value))) for value in values]
        else:
            found.append((name, template.replace(mark, _joined(values, style))))
    return found


def _joined(values: Sequence[Any], style: Style) -> str:
    if style == "csv":
        return ",".join(map(text, values))
    try:
        return orjson.dumps(list(values), default=text).decode()
    except orjson.JSONEncodeError:
        raise Terminal(Fault.REFUSED) from None
