# SPDX-License-Identifier: Apache-2.0
"""What the columns of an entity's source are made of: themselves, or columns of the tables that its query reads."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from dictamesh.connectors.registry import manifest
from dictamesh.connectors.sql.relation import table_parts
from dictamesh.runtime.compile.plan import EntityPlan
from dictamesh.runtime.lineage.model import DIRECT, Kind, Node, Provenance, Subtype, node
from dictamesh.runtime.lineage.naming import Naming
from dictamesh.runtime.lineage.statements.flows import Flow, Table
from dictamesh.runtime.lineage.statements.statement import Statement, read_statement


@dataclass(frozen=True, slots=True)
class Origin:
    """A node that goes into a column, and how; `text` is the SQL that does it, empty for the column itself."""

    node: Node
    subtype: Subtype = Subtype.IDENTITY
    text: str = ""
    masking: bool = False
    provenance: Provenance = Provenance.DECLARED

    def then(self, subtype: Subtype, text: str) -> "Origin":
        """Return the origin of a value that an expression makes of the column."""
        if subtype not in DIRECT:
            return Origin(self.node, subtype, text, self.masking, self.provenance)
        if self.subtype not in DIRECT or subtype is Subtype.IDENTITY:
            return self
        kept = Subtype.AGGREGATION if self.subtype is Subtype.AGGREGATION else subtype
        return Origin(self.node, kept, text, self.masking, self.provenance)


@dataclass(frozen=True)
class Sources:
    """The sources of one plan."""

    naming: Naming
    _statements: dict[str, Statement] = field(default_factory=dict, init=False, compare=False)

    def dataset(self, entity: EntityPlan) -> tuple[Node, ...]:
        """Return the datasets that an entity's rows come from."""
        read = self._statement(entity)
        if read is None:
            return (node(self.naming.source(entity), "", Kind.COLUMN),)
        return tuple(sorted({self._origin(entity, flow).node for flow in read.tables}))

    def column(self, entity: EntityPlan, name: str) -> tuple[Origin, ...]:
        """Return what a column of an entity's source is made of."""
        read = self._statement(entity)
        if read is None:
            return (Origin(node(self.naming.source(entity), name, Kind.COLUMN)),)
        return self._origins(entity, read.columns.get(name, ()))

    def rows(self, entity: EntityPlan) -> tuple[Origin, ...]:
        """Return what decides which rows the query of an entity yields."""
        read = self._statement(entity)
        return self._origins(entity, read.rows) if read is not None else ()

    def _statement(self, entity: EntityPlan) -> Statement | None:
        query = getattr(entity.source.options, "query", None)
        dialect = manifest(entity.connector).dialect
        if query is None or dialect is None:
            return None
        found = self._statements.get(entity.address)
        if found is None:
            names = [column.name for column in entity.source.columns]
            found = read_statement(query, dialect, names, self._known.get(entity.server))
            self._statements[entity.address] = found
        return found

    @cached_property
    def _known(self) -> Mapping[str, Mapping[Table, tuple[str, ...]]]:
        """Columns of tables by server, from the entities that stand for a table."""
        found: dict[str, dict[Table, set[str]]] = {}
        for entity in self.naming.plan.entities.values():
            if getattr(entity.source.options, "query", None) is None:
                table = table_parts(entity.source.physical_name)
                names = found.setdefault(entity.server, {}).setdefault(table, set())
                names.update(column.name for column in entity.source.columns)
        return {
            server: {table: tuple(sorted(names)) for table, names in tables.items()} for server, tables in found.items()
        }

    def _origins(self, entity: EntityPlan, flows: Iterable[Flow]) -> tuple[Origin, ...]:
        found = {self._origin(entity, flow) for flow in flows}
        return tuple(sorted(found, key=lambda each: (each.node, each.subtype, each.text)))

    def _origin(self, entity: EntityPlan, flow: Flow) -> Origin:
        dataset = self.naming.source(entity, ".".join(_written(flow.table)))
        at = node(dataset, flow.column, Kind.COLUMN)
        return Origin(at, flow.subtype, flow.text, flow.masking, Provenance.INFERRED)


def _written(table: Table) -> Iterator[str]:
    for part in table:
        yield '"' + part.replace('"', '""') + '"' if "." in part or '"' in part else part
