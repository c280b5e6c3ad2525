# SPDX-License-Identifier: Apache-2.0
"""From ODCS's logical and physical types to the types of values (S3)."""

import re
from collections.abc import Callable
from typing import Any

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model.product import Element
from dictamesh.specs.suggest import suggest
from dictamesh.specs.types import (
    BOOLEAN,
    BYTES,
    DATE,
    DECIMAL,
    FLOAT,
    INT,
    JSON,
    LONG,
    STRING,
    TIME,
    TIMESTAMP,
    Kind,
    Type,
)

DECIMAL_TEXT = re.compile(r"(?:decimal|numeric)(?:\(\s*(\d{1,4})\s*(?:,\s*(\d{1,4})\s*)?\))?\Z", re.IGNORECASE)
COLUMN_TYPES = {
    "string": STRING,
    "integer": LONG,
    "number": FLOAT,
    "decimal": DECIMAL,
    "boolean": BOOLEAN,
    "date": DATE,
    "time": TIME,
    "timestamp": TIMESTAMP,
    "bytes": BYTES,
    "object": JSON,
    "array": JSON,
    "json": JSON,
}
PLAIN = {"boolean": BOOLEAN, "date": DATE, "time": TIME, "timestamp": TIMESTAMP}


def decimal_type(text: str) -> Type | None:
    """Read `decimal(p,s)` or `numeric(p,s)`; None for any other text, and for a scale above the precision."""
    found = DECIMAL_TEXT.match(text.strip())
    if found is None:
        return None
    if found[1] is None:
        return DECIMAL
    precision, scale = int(found[1]), int(found[2] or 0)
    return Type(Kind.DECIMAL, precision=precision, scale=scale) if precision >= 1 and scale <= precision else None


def column_type(text: str) -> Type | None:
    """The type that an entry of `source.<Entity>.columns` names; None when it names none."""
    return COLUMN_TYPES.get(text) or decimal_type(text)


def check_column_type(text: str, site: Site, findings: Findings) -> Type:
    """Like `column_type`; an unknown word is recorded and read as a string."""
    found = column_type(text)
    if found is None:
        near = suggest(text, COLUMN_TYPES)
        names = ", ".join([*COLUMN_TYPES, "decimal(p,s)"])
        hint = f"did you mean '{near}'?" if near else f"The types are {names}."
        findings.error("DM104", site, f"unknown column type '{text}'", hint)
    return found or STRING


def items_of(element: Element) -> Element:
    """What an array holds, however deep; the element itself for anything else."""
    while element.items is not None and not element.properties:
        element = element.items
    return element


def element_type(element: Element, site: Site, findings: Findings, members: Callable[[], Type]) -> Type:
    """The type of a property or array item; `members` gives that of an object with properties."""
    logical = element.logical_type
    if logical is None:
        findings.error(
            "DM102", site, "the key 'logicalType' is missing", "Add 'logicalType:'; it decides the GraphQL type."
        )
        return STRING
    for key, given, wanted in (("properties", element.properties, "object"), ("items", element.items, "array")):
        if given and logical != wanted:
            article = "an" if logical[0] in "aio" else "a"
            message = f"'{key}' belong to an {wanted}, and this is {article} {logical}"
            findings.error(
                "DM212", (site / key).key_span, message, f"Write 'logicalType: {wanted}', or leave them out."
            )
    _check_timezone(element, site, findings)
    if logical == "string":
        return _string(element, site, findings)
    if logical == "integer":
        return _integer(element, site, findings)
    if logical == "number":
        return _number(element, site, findings)
    if logical == "object":
        return members() if element.properties else JSON
    if logical == "array":
        return _array(element, site, findings, members)
    return PLAIN[logical]


def _check_timezone(element: Element, site: Site, findings: Findings) -> None:
    zone = element.logical_type_options.default_timezone
    if zone not in {None, "UTC", "Etc/UTC"}:
        place = site / "logicalTypeOptions" / "defaultTimezone"
        hint = "Write it there: 'source: {Entity: {defaultTimezone: ...}}'."
        findings.error("DM212", place, "the zone of naive source timestamps is said once per entity", hint)


def _number(element: Element, site: Site, findings: Findings) -> Type:
    text = element.physical_type
    if text is None:
        return FLOAT
    found = decimal_type(text)
    if found is None and text.strip().lower().startswith(("decimal", "numeric")):
        message = f"'{text}' is no decimal type; it would be served as a float and lose digits"
        findings.error("DM104", site / "physicalType", message, "Write decimal(precision,scale), like decimal(12,2).")
    return found or FLOAT


def _string(element: Element, site: Site, findings: Findings) -> Type:
    if element.logical_type_options.format in {"byte", "binary"}:
        return BYTES
    for index, rule in enumerate(element.quality):
        if "invalidValues" in {rule.metric, rule.rule} and "validValues" in rule.arguments:
            place = site / "quality" / index / "arguments" / "validValues"
            return Type(Kind.STRING, values=_values(rule.arguments["validValues"], place, findings))
    return STRING


def _values(given: Any, place: Site, findings: Findings) -> tuple[str, ...]:
    if not isinstance(given, list) or not given:
        findings.error("DM104", place, "'validValues' is a list of at least one text", "List the texts that are valid.")
        return ()
    values: dict[str, None] = {}
    for index, value in enumerate(given):
        if not isinstance(value, str):
            findings.error("DM103", place / index, "'validValues' of a string holds text", "Put it in quotes.")
        elif value in values:
            findings.error("DM603", place / index, f"'{value}' stands twice in 'validValues'", "Remove one of them.")
        else:
            values[value] = None
    return tuple(values)


def _integer(element: Element, site: Site, findings: Findings) -> Type:
    form = element.logical_type_options.format or "i32"
    if form in {"i8", "i16", "i32", "u8", "u16"}:
        return INT
    if form in {"i64", "u32"}:
        return LONG
    place = site / "logicalTypeOptions" / "format"
    findings.error("DM104", place, f"integers have no format '{form}'", "Write i32 (the default) or i64.")
    return LONG


def _array(element: Element, site: Site, findings: Findings, members: Callable[[], Type]) -> Type:
    if element.items is None:
        findings.error("DM102", site, "an array says in 'items' what it holds", "Add 'items: {logicalType: ...}'.")
        return Type(Kind.ARRAY, item=JSON)
    return Type(Kind.ARRAY, item=element_type(element.items, site / "items", findings, members))
