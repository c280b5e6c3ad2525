# SPDX-License-Identifier: Apache-2.0
"""The value types of the language and the Python values that carry them (S3)."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """A family of values; the comment names the Python type that carries one at run time."""

    STRING = "string"  # str
    BYTES = "bytes"  # bytes
    INT = "int"  # int within 32 bits
    LONG = "long"  # int within 64 bits
    FLOAT = "float"  # float, finite
    DECIMAL = "decimal"  # decimal.Decimal
    BOOLEAN = "boolean"  # bool
    DATE = "date"  # datetime.date
    TIME = "time"  # datetime.time, naive
    TIMESTAMP = "timestamp"  # datetime.datetime, aware, UTC
    JSON = "json"  # anything JSON can hold
    OBJECT = "object"  # dict by property name
    ARRAY = "array"  # list
    NULL = "null"  # the type of a bare NULL; never the type of a field


@dataclass(frozen=True, slots=True)
class Type:
    """A type with its parameters.

    `precision` and `scale` belong to DECIMAL (both None: any), `item` to ARRAY, `members` to OBJECT (name and type in
    declared order), `values` to STRING fields that are enumerations, in declared order.
    """

    kind: Kind
    precision: int | None = None
    scale: int | None = None
    item: "Type | None" = None
    members: tuple[tuple[str, "Type"], ...] = ()
    values: tuple[str, ...] = ()

    @property
    def numeric(self) -> bool:
        return self.kind in NUMERIC

    @property
    def scalar(self) -> bool:
        return self.kind not in {Kind.OBJECT, Kind.ARRAY, Kind.JSON}

    def __str__(self) -> str:
        if self.kind is Kind.DECIMAL and self.precision is not None:
            return f"decimal({self.precision},{self.scale})"
        if self.kind is Kind.ARRAY:
            return f"[{self.item}]"
        return str(self.kind)


NUMERIC = frozenset({Kind.INT, Kind.LONG, Kind.FLOAT, Kind.DECIMAL})

STRING = Type(Kind.STRING)
BYTES = Type(Kind.BYTES)
INT = Type(Kind.INT)
LONG = Type(Kind.LONG)
FLOAT = Type(Kind.FLOAT)
DECIMAL = Type(Kind.DECIMAL)
BOOLEAN = Type(Kind.BOOLEAN)
DATE = Type(Kind.DATE)
TIME = Type(Kind.TIME)
TIMESTAMP = Type(Kind.TIMESTAMP)
JSON = Type(Kind.JSON)
NULL = Type(Kind.NULL)
