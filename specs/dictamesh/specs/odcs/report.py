# SPDX-License-Identifier: Apache-2.0
"""Faults of a contract as diagnostics: the codes that `validate` has for the same faults of a spec."""

from collections.abc import Callable, Mapping
from typing import Any

from dictamesh.specs.diagnostics import Findings, Located
from dictamesh.specs.documents import Path, Site
from dictamesh.specs.odcs.faults import Fault, Kind
from dictamesh.specs.suggest import suggest

Told = tuple[str, Located, str, str | None]
"""Code, place, message and hint."""

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
_COUNTS = {
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "{} or more",
    "maximum": "{} at most",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "multiples of {}",
    "uniqueItems": "entries that differ from one another",
}
_FORMS = {
    "from": "Write entity.property, or a path of ids such as schema/orders/properties/order_id.",
    "to": "Write entity.property, or a path of ids such as schema/orders/properties/order_id.",
    "id": "Write letters, digits, '-' and '_'.",
}


def report(fault: Fault, site: Site, known: Callable[[Path], tuple[str, ...]], findings: Findings) -> None:
    """Record a fault; `known` gives the keys that may stand in the mapping at a path."""
    code, at, message, hint = _TELL[fault.kind](fault, _below(site, fault.path), known)
    findings.error(code, at, message, hint)


def _below(site: Site, path: Path) -> Site:
    for step in path:
        site = site / step
    return site


def _what(path: Path) -> str:
    return next((f"'{step}'" for step in reversed(path) if isinstance(step, str)), "the contract")


def _listed(keys: tuple[Any, ...], joint: str) -> str:
    quoted = [f"'{key}'" for key in keys]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {joint} {quoted[-1]}"


def _unknown(fault: Fault, at: Site, known: Callable[[Path], tuple[str, ...]]) -> Told:
    keys = known(fault.path)
    if fault.keys[0] in keys:
        return _misplaced(fault, at, known)
    near = suggest(fault.keys[0], keys)
    hint = f"did you mean '{near}'?" if near else "A fact of your own stands under 'customProperties'."
    return "DM101", (at / fault.keys[0]).key_span, f"unknown key '{fault.keys[0]}' in {_what(fault.path)}", hint


def _misplaced(fault: Fault, at: Site, _known: object) -> Told:
    message = f"'{fault.keys[0]}' has no place in {_what(fault.path)} as it is described here"
    return "DM101", (at / fault.keys[0]).key_span, message, "Remove it, or correct the type that it belongs to."


def _absent(fault: Fault, at: Site, _known: object) -> Told:
    kind = at.plain.get("type") if isinstance(at.plain, Mapping) else None
    of = f" of type '{kind}'" if isinstance(kind, str) else ""
    message = f"the key '{fault.keys[0]}' is missing in {_what(fault.path)}{of}"
    return "DM102", at, message, f"Add '{fault.keys[0]}:' here."


def _one_of(fault: Fault, at: Site, _known: object) -> Told:
    return "DM105", at, f"{_what(fault.path)} needs one of {_listed(fault.keys, 'or')}", "Add one of the keys."


def _exclusive(fault: Fault, at: Site, _known: object) -> Told:
    message = f"{_listed(fault.keys, 'and')} exclude each other in {_what(fault.path)}"
    return "DM105", (at / fault.keys[-1]).key_span, message, None


def _type(fault: Fault, at: Site, _known: object) -> Told:
    expected = [each for each in fault.expected if each != "integer" or "number" not in fault.expected]
    wanted = " or ".join(_TYPES.get(each, each) for each in expected)
    hint = f"Write {wanted} here."
    if fault.expected == ("string",) and isinstance(at.plain, int | float):
        hint = "Put it in quotes."
    return "DM103", at, f"{_what(fault.path)} takes {wanted}", hint


def _value(fault: Fault, at: Site, _known: object) -> Told:
    near = suggest(at.plain, map(str, fault.expected)) if isinstance(at.plain, str) else None
    hint = f"did you mean '{near}'?" if near else f"It takes {_listed(fault.expected, 'or')}."
    return "DM104", at, f"not one of the values that {_what(fault.path)} takes", hint


def _form(fault: Fault, at: Site, _known: object) -> Told:
    key = next((step for step in reversed(fault.path) if isinstance(step, str)), "")
    hint = _FORMS.get(key)
    if hint is None and fault.expected:
        hint = f"It matches {' or '.join(fault.expected)}."
    return "DM104", at, f"{_what(fault.path)} does not have the form that the standard asks for", hint


def _count(fault: Fault, at: Site, _known: object) -> Told:
    rule, number = fault.expected
    code = "DM104" if "imum" in rule or rule == "multipleOf" else "DM106"
    wanted = _COUNTS[rule].format(number)
    if number == 1:
        wanted = wanted.replace("entries", "entry").replace("characters", "character")
    return code, at, f"{_what(fault.path)} takes {wanted}", f"Write {wanted}."


_TELL: Mapping[Kind, Callable[[Fault, Site, Callable[[Path], tuple[str, ...]]], Told]] = {
    Kind.UNKNOWN: _unknown,
    Kind.MISPLACED: _misplaced,
    Kind.MISSING: _absent,
    Kind.ONE_OF: _one_of,
    Kind.EXCLUSIVE: _exclusive,
    Kind.TYPE: _type,
    Kind.VALUE: _value,
    Kind.FORM: _form,
    Kind.COUNT: _count,
}
