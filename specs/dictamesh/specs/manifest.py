# SPDX-License-Identifier: Apache-2.0
"""What a connector says of itself: the part of the language that connectors add.

`specs` checks documents against manifests that are handed in; it never imports a connector.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from dictamesh.specs.expressions.tree import Expr
from dictamesh.specs.types import Type


class Options(BaseModel):
    """The ancestor of every options model: camelCase keys, unknown keys refused, frozen.

    A field that holds a secret is annotated `SecretText`; its literal value in a document is an error (DM7xx).
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, defer_build=True
    )


@dataclass(frozen=True, slots=True)
class SecretMark:
    """Marks an options field whose text must be a reference (`${env:..}` or `${file:..}`)."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "pattern": r"\$\{(env|file):"}


SecretText = Annotated[str, SecretMark()]


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A value that a source row holds.

    `name` is the physical name as declared: a column name, or for documents a dotted path (`address.city`).
    """

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Source:
    """Where one entity lives, as a connector sees it: no product, no policy, no GraphQL.

    `key` holds the physical names of the primary key in `primaryKeyPosition` order. `options` is an instance of the
    manifest's `entity` model.
    """

    address: str
    physical_name: str
    columns: tuple[SourceColumn, ...]
    key: tuple[str, ...]
    options: Any


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector can do for one source, given its options."""

    get: bool = True
    list: bool = True
    batch_size: int = 100  # keys in one call; 1: one call per key
    lookups: tuple[tuple[str, ...], ...] | None = ()  # column lists it can find rows by; None: any column
    count: bool = False
    limit_per_key: bool = False  # `Request.per_key`
    narrowed_keys: bool = True  # a request by keys may also carry where, order, limit and offset
    related: bool = False  # conditions over to-one relations on the same server
    ordered_by_key: bool = False  # a list without an order comes by primary key
    integer_booleans: bool = False  # booleans are stored as 0 and 1
    text_values: bool = False  # every value is text, as in CSV
    json_text: bool = False  # JSON columns arrive as text
    max_page_size: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class Dataset:
    """What OpenLineage calls a dataset, by its naming rules: where it lives, and its name there."""

    namespace: str
    name: str


Reason = str | None  # why something is not pushed down; None when it is


def _never(_source: Source, _expr: Expr) -> Reason:
    return "this connector evaluates no expressions"


@dataclass(frozen=True, slots=True)
class Measure:
    """A query that gives one value, in the column `column`, to be run as an entity's `query` is.

    `counts`: the value tells how many rows there are of a kind, and nothing that is in them.
    """

    query: str
    column: str
    counts: bool


@dataclass(frozen=True, slots=True)
class Sql:
    """SQL about a source; pure functions.

    `measure` turns a query of a quality rule, with ODCS's placeholders for the object and for a column, into one that
    can be run, or says what is wrong with it. `duplicates` counts the rows that hold the same in some columns as an
    earlier one; None where the source would compare otherwise than the runtime.
    """

    measure: Callable[[Source, str, str | None], Measure | str]
    duplicates: Callable[[Source, tuple[SourceColumn, ...]], Measure | None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A connector's description: option models with documentation, capabilities and what it pushes down.

    `server` and `entity` are `Options` models whose field descriptions become the reference page. `capabilities`,
    `filters`, `orders` and `outputs` are pure; they read no network.
    """

    name: str
    title: str
    doc: str
    server: type[Options]
    entity: type[Options]
    capabilities: Callable[[Source], Capabilities]
    filters: Callable[[Source, Expr], Reason] = _never
    orders: Callable[[Source, Expr], Reason] = _never
    outputs: Callable[[Source, Expr], Reason] = _never
    sql: Sql | None = None
    """What SQL can be asked about a source; None where an entity has no option `query`."""
    check: Callable[[Source], tuple[tuple[tuple[str, ...], str, str], ...]] = field(default=lambda _source: ())
    """Extra findings on one source: (path below the entity's options, message, cure)."""
    auth_type: Callable[[Any], str | None] = field(default=lambda _server: None)
    """The catalog's word for how the server authenticates: bearer, api_key, oauth2, basic or None."""
    base_url: Callable[[Any], str | None] = field(default=lambda _server: None)
    path_template: Callable[[Source], str | None] = field(default=lambda _source: None)
    """The path of one entity with `{id}` in it, for the catalog; None where there is none."""
    dataset: Callable[[Any, Source, PurePath], Dataset | None] = field(default=lambda _server, _source, _folder: None)
    """The dataset of a source, from the server's options with references resolved and the mesh file's folder; no
    credential is part of it. None where the protocol has no names of its own."""
    since: Callable[[Source, str, str], Source] | None = None
    """The source as it is read where a parameter of the protocol takes the least value of a column: (source, column,
    parameter). None where the protocol has no such parameters."""
    dialect: str | None = None
    """The SQL dialect of an entity's `query`, as sqlglot names it."""
