# SPDX-License-Identifier: Apache-2.0
"""What the databases that DDL is written for call the types of S3, and what of a table they can declare.

Objects and arrays are JSON everywhere, as an answer holds them; a decimal without precision gets what a database
holds at most, where it must say one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dictamesh.specs.types import Kind, Type


class Remarks(StrEnum):
    """How a description gets into a table."""

    STATEMENTS = "statements"  # COMMENT ON
    INLINE = "inline"  # COMMENT '...' beside the column
    OPTIONS = "options"  # OPTIONS (description = '...')
    SQL = "sql"  # comments of the SQL text only


class Keys(StrEnum):
    """Whether a primary key can be declared."""

    YES = "yes"
    NOT_ENFORCED = "not enforced"  # and must say so
    NO = "no"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One database, by sqlglot's name for it. `text_key` is a text type that can be a key."""

    name: str
    types: Mapping[Kind, str]
    remarks: Remarks = Remarks.STATEMENTS
    keys: Keys = Keys.YES
    unique: bool = True
    checks: bool = True
    text_key: str | None = None
    national: bool = False  # texts beyond ASCII need N'...'
    any_decimal: str = "DECIMAL(38, 9)"
    decimal: str = "DECIMAL"

    def type(self, kind: Type, *, key: bool = False) -> str:
        """Return the column type of values; `key`: of a column that is unique."""
        if kind.kind is Kind.DECIMAL:
            return f"{self.decimal}({kind.precision}, {kind.scale or 0})" if kind.precision else self.any_decimal
        if key and kind.kind is Kind.STRING and self.text_key:
            return self.text_key
        return self.types[Kind.JSON if kind.kind in {Kind.OBJECT, Kind.ARRAY} else kind.kind]


def _types(  # noqa: PLR0913 - one for each kind
    *,
    string: str = "TEXT",
    bytes_: str = "BLOB",
    int_: str = "INTEGER",
    long: str = "BIGINT",
    float_: str = "DOUBLE",
    boolean: str = "BOOLEAN",
    date: str = "DATE",
    time: str = "TIME",
    timestamp: str = "TIMESTAMP",
    json: str = "JSON",
) -> Mapping[Kind, str]:
    return {
        Kind.STRING: string,
        Kind.BYTES: bytes_,
        Kind.INT: int_,
        Kind.LONG: long,
        Kind.FLOAT: float_,
        Kind.BOOLEAN: boolean,
        Kind.DATE: date,
        Kind.TIME: time,
        Kind.TIMESTAMP: timestamp,
        Kind.JSON: json,
    }


_ALL = (
    Dialect(
        "postgres",
        _types(bytes_="BYTEA", float_="DOUBLE PRECISION", timestamp="TIMESTAMPTZ", json="JSONB"),
        any_decimal="NUMERIC",
    ),
    Dialect(
        "sqlite",  # dates as ISO 8601 text, the form that its functions read
        _types(float_="REAL", date="TEXT", time="TEXT", timestamp="TEXT", json="TEXT"),
        remarks=Remarks.SQL,
        any_decimal="NUMERIC",
    ),
    Dialect("duckdb", _types(timestamp="TIMESTAMPTZ")),
    Dialect(
        "mysql",
        _types(time="TIME(6)", timestamp="DATETIME(6)", bytes_="LONGBLOB", string="LONGTEXT"),
        remarks=Remarks.INLINE,
        text_key="VARCHAR(255)",
    ),
    Dialect(
        "snowflake",
        _types(string="VARCHAR", bytes_="BINARY", timestamp="TIMESTAMP_TZ", json="VARIANT"),
        remarks=Remarks.INLINE,
        checks=False,
    ),
    Dialect(
        "bigquery",
        _types(string="STRING", bytes_="BYTES", int_="INT64", long="INT64", float_="FLOAT64", boolean="BOOL"),
        remarks=Remarks.OPTIONS,
        keys=Keys.NOT_ENFORCED,
        unique=False,
        checks=False,
        decimal="BIGNUMERIC",
        any_decimal="BIGNUMERIC",
    ),
    Dialect(
        "redshift",
        _types(
            string="VARCHAR(MAX)", bytes_="VARBYTE", float_="DOUBLE PRECISION", timestamp="TIMESTAMPTZ", json="SUPER"
        ),
        checks=False,
    ),
    Dialect(
        "databricks",
        _types(string="STRING", bytes_="BINARY", int_="INT", time="STRING", json="STRING"),
        remarks=Remarks.INLINE,
        unique=False,
        checks=False,
    ),
    Dialect(
        "tsql",
        _types(
            string="NVARCHAR(MAX)",
            bytes_="VARBINARY(MAX)",
            int_="INT",
            float_="FLOAT",
            boolean="BIT",
            time="TIME(6)",
            timestamp="DATETIMEOFFSET(6)",
            json="NVARCHAR(MAX)",
        ),
        remarks=Remarks.SQL,
        text_key="NVARCHAR(450)",
        national=True,
    ),
    Dialect(
        "oracle",
        _types(
            string="VARCHAR2(4000)",
            int_="NUMBER(10)",
            long="NUMBER(19)",
            float_="BINARY_DOUBLE",
            boolean="NUMBER(1)",
            time="VARCHAR2(15)",
            timestamp="TIMESTAMP WITH TIME ZONE",
            json="CLOB",
        ),
        any_decimal="NUMBER",
        decimal="NUMBER",
    ),
    Dialect(
        "trino",
        _types(string="VARCHAR", bytes_="VARBINARY", time="TIME(6)", timestamp="TIMESTAMP(6) WITH TIME ZONE"),
        remarks=Remarks.INLINE,
        keys=Keys.NO,
        unique=False,
        checks=False,
    ),
)

DIALECTS: Mapping[str, Dialect] = {each.name: each for each in _ALL}
