# SPDX-License-Identifier: Apache-2.0
"""What all documents share: strictness, names, durations."""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

API_VERSION = "dictamesh/v1"

UNITS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
LONGEST = 1000 * UNITS["y"]
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|m|h|d|w|y)\Z")


class Part(BaseModel):
    """The ancestor of every model: frozen, camelCase keys, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        strict=True,
        allow_inf_nan=False,
        defer_build=True,  # most parts are only ever built within the document they belong to
    )


def _seconds(value: Any) -> Any:
    if isinstance(value, str) and (found := DURATION.match(value.strip())):
        seconds = float(found[1]) * UNITS[found[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        seconds = float(value)
    else:
        raise ValueError("this is no duration; write a number with a unit, like 500ms, 2s, 10m, 1h or 30d")
    if seconds > LONGEST:
        raise ValueError("this is longer than 1000 years; write a shorter duration")
    return seconds


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("0 makes no sense here; write a longer duration, like 500ms or 2s")
    return seconds


def _identifier(value: str) -> str:
    if not IDENTIFIER.match(value):
        raise ValueError("this is no GraphQL name; write letters, digits and _, and a letter first")
    if value.startswith("__"):
        raise ValueError("names that start with __ belong to GraphQL itself; choose another name")
    return value


def _slug(value: str) -> str:
    if not SLUG.match(value):
        raise ValueError("this is no name; write letters, digits, '.', '_' and '-', and a letter or digit first")
    return value


def _reason(value: str) -> str:
    if not value.strip():
        raise ValueError("a reason is missing; say in a few words why")
    return value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


DURATION_TEXT = r"^\d+(\.\d+)?(ms|s|min|m|h|d|w|y)$"
Duration = Annotated[
    float,
    BeforeValidator(_seconds, json_schema_input_type=Annotated[str, Field(pattern=DURATION_TEXT)] | float),
]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Identifier = Annotated[
    str,
    AfterValidator(_identifier),
    Field(max_length=128, json_schema_extra={"pattern": "^(?!__)[A-Za-z_][A-Za-z0-9_]*$"}),
]
Slug = Annotated[
    str, AfterValidator(_slug), Field(max_length=128, json_schema_extra={"pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]*$"})
]
Reason = Annotated[str, AfterValidator(_reason), Field(max_length=1000, json_schema_extra={"pattern": r"\S"})]
Names = Annotated[tuple[str, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)]
OneOrMany = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    BeforeValidator(
        lambda value: tuple(v) if isinstance(v := _one_or_many(value), list) else v,
        json_schema_input_type=str | list[str],
    ),
]
ApiVersion = Literal["dictamesh/v1"]


def listed(value: Any) -> Any:
    """Turn a YAML sequence into the tuple a frozen model holds."""
    return tuple(value) if isinstance(value, list) else value


Listed = BeforeValidator(listed)
