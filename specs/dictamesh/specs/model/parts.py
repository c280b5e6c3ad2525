# SPDX-License-Identifier: Apache-2.0
"""What all documents share: strictness, names, durations."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

API_VERSION = "dictamesh/v1"

UNITS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|m|h|d|w|y)\Z")


class Part(BaseModel):
    """The ancestor of every model: frozen, camelCase keys, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, strict=True)


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        found = DURATION.match(value.strip())
        if found is None:
            raise ValueError("a duration is a number with a unit, like 500ms, 2s, 10m, 1h, 30d")
        return float(found[1]) * UNITS[found[2]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a duration is a number with a unit, like 500ms, 2s, 10m, 1h, 30d")
    return float(value)


def _identifier(value: str) -> str:
    if not re.match(r"[A-Za-z_][A-Za-z0-9_]*\Z", value):
        raise ValueError("a name here is a GraphQL name: letters, digits and _, not starting with a digit")
    if value.startswith("__"):
        raise ValueError("names that start with __ belong to GraphQL itself")
    return value


def _slug(value: str) -> str:
    if not re.match(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z", value):
        raise ValueError("a name here holds letters, digits, '.', '_' and '-', and starts with a letter or digit")
    return value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Duration = Annotated[
    float,
    BeforeValidator(_seconds, json_schema_input_type=str | float),
    Field(description="such as 500ms, 2s, 10m, 1h"),
]
Identifier = Annotated[str, AfterValidator(_identifier), Field(max_length=128)]
Slug = Annotated[str, AfterValidator(_slug), Field(max_length=128)]
Names = Annotated[tuple[str, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)]
OneOrMany = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: tuple(v) if isinstance(v := _one_or_many(value), list) else v),
    Field(min_length=1),
]
ApiVersion = Literal["dictamesh/v1"]
Tier = str


def listed(value: Any) -> Any:
    """Turn a YAML sequence into the tuple a frozen model holds."""
    return tuple(value) if isinstance(value, list) else value


Listed = BeforeValidator(listed)
