# SPDX-License-Identifier: Apache-2.0
"""Checks the arguments of a list or count against S9 and S10, after coercion."""

from collections.abc import Iterator, Mapping
from typing import Any

from dictamesh.runtime.gateway.errors import GatewayError
from dictamesh.specs.expressions.problems import ExpressionFailed
from dictamesh.specs.expressions.strings import like_matcher
from dictamesh.specs.model.mesh import Limits

CONDITIONS = 250
"""Comparisons that the filter of one list may hold; the elements of an `in` count as one."""


def check_arguments(args: Mapping[str, Any], field: str, limits: Limits) -> None:
    """Refuse arguments that break a limit or have no meaning.

    `field` is the response path for the message. Raises GatewayError LIMIT_EXCEEDED or VALIDATION_ERROR.
    """
    bounded(args.get("limit"), "limit", limits.max_limit, field)
    bounded(args.get("offset"), "offset", limits.max_offset, field)
    for entry in args.get("orderBy") or ():
        if len(entry) != 1:
            raise _invalid(f"{field}: each entry of orderBy names one field, as in [{{name: ASC}}, {{id: ASC}}].")
        if None in entry.values():
            raise _invalid(f"{field}: a direction of orderBy is ASC or DESC, not null.")
    if args.get("filter") is not None:
        _check_filter(args["filter"], field, limits)


def _invalid(text: str) -> GatewayError:
    return GatewayError("VALIDATION_ERROR", text)


def bounded(value: int | None, name: str, largest: int, field: str) -> None:
    """Refuse a number outside 0 and `largest`; raises GatewayError VALIDATION_ERROR or LIMIT_EXCEEDED."""
    if value is None:
        return
    if value < 0:
        raise _invalid(f"{field}: {name} is 0 or more.")
    if value > largest:
        raise GatewayError("LIMIT_EXCEEDED", f"{field}: {name} is at most {largest}.")


def _check_filter(conditions: Mapping[str, Any], field: str, limits: Limits) -> None:
    count = 0
    for name, value in _leaves(conditions):
        count += 1
        if value is None:
            raise _invalid(f"{field}: null cannot be compared in a filter; use isNull.")
        if name == "in" and isinstance(value, list):
            if len(value) > limits.in_list:
                raise GatewayError("LIMIT_EXCEEDED", f"{field}: in takes at most {limits.in_list} values.")
        elif name == "like" and isinstance(value, str):
            _check_pattern(value, field)
    if count > CONDITIONS:
        raise GatewayError("LIMIT_EXCEEDED", f"{field}: a filter holds at most {CONDITIONS} conditions.")


def _leaves(conditions: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield operators with their operands, and every null, however deep; iterates, as filters nest by variables too."""
    waiting: list[tuple[str, Any]] = list(conditions.items())
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            if not value:
                yield name, value
            waiting.extend(value.items())
        elif isinstance(value, list) and (not value or isinstance(value[0], dict)):
            if not value:
                yield name, value
            waiting.extend((name, item) for item in value)
        else:
            yield name, value


def _check_pattern(pattern: str, field: str) -> None:
    try:
        like_matcher(pattern)
        return
    except ExpressionFailed:
        pass
    text = f"{field}: a like pattern has at most 256 characters and 8 wildcards, and does not end with its escape."
    raise GatewayError("LIMIT_EXCEEDED", text)


def argument_fault(field: str) -> GatewayError:
    """Return the error for arguments that cannot be coerced, such as null for a required one."""
    return GatewayError("VALIDATION_ERROR", f"The request is not valid: an argument of {field} has no valid value.")
