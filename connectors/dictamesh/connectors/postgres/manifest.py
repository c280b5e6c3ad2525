# SPDX-License-Identifier: Apache-2.0
"""The manifest of the PostgreSQL connector."""

from typing import Self

from pydantic import Field, model_validator

from dictamesh.connectors.sql.measuring import measuring
from dictamesh.connectors.sql.naming import postgres_dataset
from dictamesh.connectors.sql.options import SqlEntity
from dictamesh.connectors.sql.pushdown import capabilities, checks, filters, orders, outputs
from dictamesh.specs.expressions import Engine
from dictamesh.specs.manifest import Manifest, Options, SecretText


class Pool(Options):
    """How many connections are held."""

    min: int = Field(default=1, ge=0, le=1000, description="Connections kept open.")
    max: int = Field(default=10, ge=1, le=1000, description="Connections at most.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError("`min` must not be above `max`")
        return self


class PostgresServer(Options):
    """One PostgreSQL database."""

    dsn: SecretText = Field(description="Connection string or URL of libpq, by reference.")
    pool: Pool = Field(default_factory=Pool, description="Sizes of the connection pool.")


MANIFEST = Manifest(
    name="postgres",
    title="PostgreSQL",
    doc=(
        "PostgreSQL 15 and later through a pool of connections. Every statement runs in a read-only transaction of its"
        " own, is prepared, and ends with the attempt's timeout; a cancelled request cancels it on the server. Fields,"
        " filters, orders, limits and keys are pushed down, values always bound."
    ),
    server=PostgresServer,
    entity=SqlEntity,
    capabilities=capabilities(),
    filters=filters(Engine.POSTGRES),
    orders=orders(Engine.POSTGRES),
    outputs=outputs(Engine.POSTGRES),
    sql=measuring(Engine.POSTGRES),
    check=checks(Engine.POSTGRES),
    auth_type=lambda _server: "basic",
    dataset=lambda server, source, _folder: postgres_dataset(server.dsn, source.physical_name),
    dialect=Engine.POSTGRES.value,
)
