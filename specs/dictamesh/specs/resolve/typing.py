# SPDX-License-Identifier: Apache-2.0
"""From ODCS's logical and physical types to the types of values (S3)."""

import re
from collections.abc import Callable

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
    """Read `decimal(p,s)` or `numeric(p,s)`; None for any other text."""
    found = DECIMAL_TEXT.match(text.strip())
    if found is None:
        return None
    if found[1] is None:
        return DECIMAL
    return Type(Kind.DECIMAL, precision=int(found[1]), scale=int(found[2] or 0))


def column_type(text: str) -> Type | None:
    """The type that an entry of `source.<Entity>.columns` names; None when it names none."""
    return COLUMN_TYPES.get(text) or decimal_type(text)


def check_column_type(text: str, site: Site, findings: Findings) -> Type:
    """Like `column_type`; an unknown word is recorded and read as a string."""
    found = column_type(text)
    if found is None:
        near = suggest(text, COLUMN_TYPES)
        names = ", ".join([*COLUMN_TYPES, "decimal(p,s)"])
        findings.error("DM104", site, f"unknown column type '{text}'", f"did you mean '{near}'?" if near else names)
    return found or STRING


def element_type(element: Element, site: Site, findings: Findings, members: Callable[[], Type]) -> Type:
    """The type of a property or array item; `members` gives that of an object with properties."""
    logical = element.logical_type
    if logical is None:
        findings.error(
            "DM102", site, "the key 'logicalType' is missing", "Add 'logicalType:'; it decides the GraphQL type."
        )
        return STRING
    if logical == "string":
        return _string(element, site, findings)
    if logical == "integer":
        return _integer(element, site, findings)
    if logical == "number":
        return (decimal_type(element.physical_type) if element.physical_type else None) or FLOAT
    if logical == "object":
        return members() if element.properties else JSON
    if logical == "array":
        return _array(element, site, findings, members)
    return PLAIN[logical]


def _string(element: Element, site: Site, findings: Findings) -> Type:
    if element.logical_type_options.format in {"byte", "binary"}:
        return BYTES
    for index, rule in enumerate(element.quality):
        if "invalidValues" in {rule.metric, rule.rule} and "validValues" in rule.arguments:
            values = rule.arguments["validValues"]
            if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
                return Type(Kind.STRING, values=tuple(dict.fromkeys(values)))
            place = site / "quality" / index / "arguments" / "validValues"
            findings.error("DM104", place, "'validValues' of a string is a list of text", "Quote each value.")
    return STRING


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
