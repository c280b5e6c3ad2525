# SPDX-License-Identifier: Apache-2.0
"""What a spec may say of a REST server and of one entity on it."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from dictamesh.specs.manifest import Options, SecretText

Style = Literal["csv", "repeat", "json"]
Operator = Literal["eq", "ne", "in", "lt", "lte", "gt", "gte", "like", "isNull"]

_STYLE_DOC = (
    "How several values are written: `csv` (one parameter, commas between), `repeat` (the parameter once per value) or"
    " `json` (a JSON array)."
)


class NoAuth(Options):
    """No credentials."""

    kind: Literal["none"] = "none"


class BasicAuth(Options):
    """User name and password (RFC 7617)."""

    kind: Literal["basic"]
    username: str = Field(description="User name; without a colon.")
    password: SecretText = Field(description="Password, by reference.")


class BearerAuth(Options):
    """A bearer token (RFC 6750)."""

    kind: Literal["bearer"]
    token: SecretText = Field(description="Token, by reference.")


class ApiKeyAuth(Options):
    """A key in a header or in a query parameter."""

    kind: Literal["apiKey"]
    key: SecretText = Field(description="Key, by reference.")
    header: str | None = Field(
        default=None, description="Header that carries the key; `X-API-Key` where neither is named."
    )
    query: str | None = Field(default=None, description="Query parameter that carries the key.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.header is not None and self.query is not None:
            raise ValueError("name either `header` or `query`")
        return self


Auth = Annotated[NoAuth | BasicAuth | BearerAuth | ApiKeyAuth, Field(discriminator="kind")]


class Tls(Options):
    """How the server's certificate is checked."""

    verify: bool = Field(default=True, description="Check the certificate and the host name.")
    ca: str | None = Field(default=None, description="PEM file of the authorities to trust, relative to the mesh file.")


class RestServer(Options):
    """A server that speaks JSON over HTTP."""

    url: str = Field(description="Base address, `http://` or `https://`; paths of entities are appended to it.")
    auth: Auth = Field(default_factory=NoAuth, description="Credentials sent with every call.")
    headers: dict[str, str] = Field(default_factory=dict, description="Further headers of every call.")
    tls: Tls = Field(default_factory=Tls, description="Checks of the server's certificate.")
    max_connections: int = Field(default=100, ge=1, le=1000, description="Open connections at most.")
    max_connections_per_host: int = Field(
        default=10, ge=1, le=1000, description="Open connections to one host at most."
    )
    health: str = Field(default="/", description="Path that a health probe reads.")

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if "${" not in value and not value.startswith(("http://", "https://")):
            raise ValueError("an address starts with http:// or https://")
        return value


class OffsetPages(Options):
    """Pages by number of rows to skip; a page shorter than asked is the last."""

    kind: Literal["offset"]
    limit: str = Field(default="limit", description="Query parameter for the number of rows.")
    offset: str = Field(default="offset", description="Query parameter for the number of rows to skip.")
    max_limit: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Most rows the source gives at once. Above the truth, lists end too early.",
    )


class NumberedPages(Options):
    """Pages by number. Exactly one of `last`, `total` and `shortPage` says where the list ends."""

    kind: Literal["page"]
    page: str = Field(default="page", description="Query parameter for the page number.")
    size: str | None = Field(
        default=None, description="Query parameter for the rows of a page, where the source has one."
    )
    start: int = Field(default=1, ge=0, le=1, description="Number of the first page.")
    page_size: int = Field(
        default=100, ge=1, le=10_000, description="Rows of a page: asked for by `size`, else as the source has it."
    )
    last: str | None = Field(default=None, description="Path in the answer of the number of pages.")
    total: str | None = Field(default=None, description="Path in the answer of the number of rows in all.")
    short_page: bool = Field(default=False, description="A page with fewer rows than `pageSize` is the last.")

    @model_validator(mode="after")
    def _explicit_end(self) -> Self:
        if sum((self.last is not None, self.total is not None, self.short_page)) != 1:
            raise ValueError("say where the list ends: one of `last`, `total` and `shortPage: true`")
        return self


class LinkedPages(Options):
    """Pages by a link to the next one, which must stay on the same origin."""

    kind: Literal["link"]
    next: str = Field(description="Path in the answer of the next page's address; absent or null on the last page.")
    size: str | None = Field(default=None, description="Query parameter for the rows of a page.")
    page_size: int = Field(default=100, ge=1, le=10_000, description="Rows of a page, asked for by `size`.")


Pages = Annotated[OffsetPages | NumberedPages | LinkedPages, Field(discriminator="kind")]


class Sort(Options):
    """How an order is asked for."""

    param: str = Field(description="Query parameter.")
    asc: str = Field(default="{column}", description="One rising key; `{column}` stands for the column.")
    desc: str = Field(default="-{column}", description="One falling key.")
    separator: str = Field(default=",", description="What stands between keys.")
    columns: list[str] | None = Field(default=None, description="Columns the source can sort by; absent: all.")


class Fields(Options):
    """How a selection of fields is asked for."""

    param: str = Field(description="Query parameter.")
    style: Style = Field(default="csv", description=_STYLE_DOC)


class ListCall(Options):
    """How rows are listed."""

    path: str = Field(description="Path below the server's address.")
    query: dict[str, str] = Field(default_factory=dict, description="Fixed query parameters.")
    records: str | None = Field(
        default=None, description="Path in the answer of the array of rows; absent: the answer itself."
    )
    paginate: Pages | None = Field(
        default=None, description="How pages follow one another; absent: one answer holds all rows."
    )
    filters: dict[str, dict[Operator, str]] = Field(
        default_factory=dict,
        description="Filters the source applies: column, then operator, then query parameter. `in` sends values with"
        " commas between.",
    )
    sort: Sort | None = Field(default=None, description="Orders the source applies: NULLs last, text by code point.")
    fields: Fields | None = Field(
        default=None, description="Selection of fields, for `batch` and `lookup` on the same path too."
    )


class GetCall(Options):
    """How one row is read by its key."""

    path: str = Field(description="Path with `{id}` for a single key, or `{column}` for each key column.")
    query: dict[str, str] = Field(default_factory=dict, description="Fixed query parameters.")
    record: str | None = Field(default=None, description="Path in the answer of the row; absent: the answer itself.")
    not_found: list[int] = Field(
        default_factory=lambda: [404], description="Statuses that mean: there is no such row. 401 is always an error."
    )

    @field_validator("not_found")
    @classmethod
    def _client_errors(cls, value: list[int]) -> list[int]:
        if not all(400 <= status < 500 and status not in {401, 429} for status in value):
            raise ValueError("statuses from 400 to 499 except 401 and 429")
        return value


class BatchCall(Options):
    """How rows are read by many keys in one call."""

    path: str = Field(description="Path below the server's address.")
    query: dict[str, str] = Field(description="Query parameters; `{ids}` in one value stands for the keys.")
    style: Style = Field(default="csv", description=_STYLE_DOC)
    records: str | None = Field(
        default=None, description="Path in the answer of the array of rows; absent: the answer itself."
    )
    size: int = Field(default=100, ge=1, le=1000, description="Most keys of one call, by the source's rules.")
    paginate: Pages | None = Field(
        default=None, description="How pages follow; absent on the list's path: as the list's."
    )


class LookupCall(Options):
    """How rows are found by values of a column that is no key (S11)."""

    path: str = Field(description="Path below the server's address.")
    query: dict[str, str] = Field(description="Query parameters; `{values}` in one value stands for the values.")
    style: Style = Field(default="csv", description=_STYLE_DOC)
    records: str | None = Field(
        default=None, description="Path in the answer of the array of rows; absent: the answer itself."
    )
    size: int = Field(default=100, ge=1, le=1000, description="Most values of one call, by the source's rules.")
    paginate: Pages | None = Field(
        default=None, description="How pages follow; absent on the list's path: as the list's."
    )


class RestEntity(Options):
    """One entity on a REST server."""

    list: ListCall | None = Field(default=None, description="How rows are listed; absent: there is no root list.")
    get: GetCall | None = Field(default=None, description="How one row is read; absent: a batch of one.")
    batch: BatchCall | None = Field(
        default=None, description="How many rows are read by key; absent: one call per key."
    )
    lookup: dict[str, LookupCall] = Field(
        default_factory=dict, description="By column: how rows are found by its values, for to-many relations."
    )
