# SPDX-License-Identifier: Apache-2.0
"""The part of the GraphQL schema by which changes are heard of: `Subscription` and its types (GW-10)."""

from collections.abc import Iterable, Iterator, Sequence

from dictamesh.runtime.compile.plan import EntityPlan

ROOT = "Subscription"
EVENT, NODE = "event", "node"
FILTER, AFTER = "filter", "after"
RESERVED = (ROOT, "ChangeEvent", "ChangeType")

_EVENT = '''\
enum ChangeType {
  CREATED
  UPDATED
  DELETED
  ARCHIVED
}

"""What happened to a record."""
type ChangeEvent {
  """The id of the event, the same on every bus."""
  id: ID
  type: ChangeType
  """The canonical key of the record; null where the caller does not see it in clear."""
  key: String
  """What changed, of the fields that the caller sees in clear on every record."""
  changedFields: [String!]
  """Grows with every change of the record; null where the caller does not see all of it in clear."""
  version: String
  """Give it as `after` to go on behind this event."""
  cursor: String
  at: DateTime
}'''


def changed(entity: EntityPlan) -> str:
    """Return the name of the root field that tells of changes of an entity."""
    return f"{entity.singular}Changed"


def change_type(entity: EntityPlan) -> str:
    """Return the name of the type of its messages."""
    return f"{entity.name}Change"


def watched(entities: Iterable[EntityPlan]) -> list[EntityPlan]:
    """Return the entities whose changes can be heard of: those that somebody notices (`changes`)."""
    return [entity for entity in entities if entity.changes is not None]


def key_arguments(entity: EntityPlan) -> Sequence[str]:
    """Return the key fields that the root field takes as arguments: all, or none where a name has a meaning there."""
    return () if {FILTER, AFTER} & set(entity.key) else entity.key


def blocks(entities: Iterable[EntityPlan]) -> Iterator[str]:
    """Yield the root type and what it needs, nothing where no entity has `changes`."""
    heard = watched(entities)
    if not heard:
        return
    fields = "\n".join(_root_field(entity) for entity in heard)
    yield f'"""Changes as they happen, of records that exist for the caller."""\ntype {ROOT} {{\n{fields}\n}}'
    yield _EVENT
    for entity in heard:
        yield (
            f"type {change_type(entity)} {{\n  {EVENT}: ChangeEvent\n"
            f'  """The record as the caller sees it now; null once it is gone."""\n  {NODE}: {entity.name}\n}}'
        )


def _root_field(entity: EntityPlan) -> str:
    keys = [f"{name}: {_argument(entity, name)}" for name in key_arguments(entity)]
    arguments = ", ".join([*keys, f"{FILTER}: {entity.name}Filter", f"{AFTER}: String"])
    return f"  {changed(entity)}({arguments}): {change_type(entity)}"


def _argument(entity: EntityPlan, name: str) -> str:
    kind = entity.field(name).graphql
    return "ID" if len(entity.key) == 1 and kind == "String" else kind
