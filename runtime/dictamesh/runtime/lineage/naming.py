# SPDX-License-Identifier: Apache-2.0
"""Names of datasets: sources by OpenLineage's rules, entities, GraphQL types and topics in the mesh's own namespace."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from pydantic import ValidationError

from dictamesh.connectors.registry import manifest
from dictamesh.runtime.compile.plan import EntityPlan, Plan, ServerPlan
from dictamesh.specs.manifest import Dataset, Options

OptionsOf = Callable[[ServerPlan], Options | None]
"""The options of a server with references resolved; None where they cannot be."""


def unresolved(server: ServerPlan) -> Options | None:
    """Return the options of a server that holds no reference."""
    if "${" in repr(server.options):
        return None
    try:
        return manifest(server.connector).server.model_validate(dict(server.options))
    except ValidationError:
        return None


@dataclass(frozen=True)
class Naming:
    """How the datasets of one plan are called.

    A source whose server's address is not known here is named after the server: `postgres://erp`.
    """

    plan: Plan
    options_of: OptionsOf = unresolved
    folder: PurePath = field(default_factory=PurePath)
    topics: str | None = None  # the namespace of topics, `kafka://host:port`; None: the mesh's
    _options: dict[str, Options | None] = field(default_factory=dict, init=False, compare=False)

    @property
    def mesh(self) -> str:
        """The namespace of everything that the mesh itself makes."""
        return f"dictamesh://{self.plan.name}"

    def source(self, entity: EntityPlan, table: str | None = None) -> Dataset:
        """The dataset that an entity's rows come from, or another table of its server."""
        server = self.plan.servers[entity.server]
        if server.id not in self._options:
            self._options[server.id] = self.options_of(server)
        options = self._options[server.id]
        source = entity.source if table is None else replace(entity.source, physical_name=table)
        found = manifest(server.connector).dataset(options, source, self.folder) if options is not None else None
        return found or Dataset(f"{server.connector}://{server.id}", source.physical_name)

    def entity(self, entity: EntityPlan) -> Dataset:
        return Dataset(self.mesh, entity.address)

    def graphql(self, entity: EntityPlan) -> Dataset:
        return Dataset(self.mesh, f"graphql:{entity.name}")

    def topic(self, entity: EntityPlan) -> Dataset:
        if self.topics is not None:
            return Dataset(self.topics, entity.topic.name)
        return Dataset(self.mesh, f"topic:{entity.topic.name}")
