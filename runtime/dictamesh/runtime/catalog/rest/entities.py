# SPDX-License-Identifier: Apache-2.0
"""Routes of entity types and of single records (MC-10 to MC-12)."""

from dictamesh.runtime.catalog import external
from dictamesh.runtime.catalog.errors import EntityNotFound
from dictamesh.runtime.catalog.external import Conflict, ExternalEntity, ExternalFacts
from dictamesh.runtime.catalog.queries import CatalogEntity, EntityFilter, Location, Page, get_entity, list_entities
from dictamesh.runtime.catalog.records import CatalogRecord, get_record, records_of_source
from dictamesh.runtime.catalog.rest.faults import RequestRefused
from dictamesh.runtime.catalog.rest.parameters import choice, flag, page, text
from dictamesh.runtime.catalog.rest.route import Call, Route
from dictamesh.runtime.catalog.sight import seen_types
from dictamesh.runtime.governance.audit import AuditRow, Operation

_NAME = text("name", "A type (`Customer`), an address (`customers#Customer`) or the id of the entry.").such_as(
    "Customer"
)
_TYPE = text("type", "An entity type.").needed().such_as("Customer")
_ID = text("id", "The canonical key of a record; a composite one is a JSON array.").needed().such_as("c-0001")
_SOURCE = text("source_system", "The server's name in the mesh file.").in_path().such_as("cms")
_STATUS = ("active", "deprecated", "archived")


async def list_catalog_entities(call: Call) -> Page[CatalogEntity]:
    """List entity types.

    In order of their names, narrowed by filters.
    """
    names = ("entity_type", "domain", "source_system", "status", "contains_pii")
    types = seen_types(await call.catalog.directory.known(), call.sight)
    filters = EntityFilter(**{name: call[name] for name in names})
    return await list_entities(call.catalog.pool, filters, call["limit"], call["offset"], types)


async def get_catalog_entity(call: Call) -> CatalogEntity:
    """Get an entity type.

    Of a type that moved to another source it is the active entry.
    """
    return await _seen(call, call["name"])


async def create_catalog_entity(call: Call) -> CatalogEntity:
    """Register an entity type that no spec declares.

    For callers with a role of `catalog.editors`. An archived one may be registered anew.
    """
    body: ExternalEntity = call.body
    try:
        made = await external.create(call.catalog, body)
    except Conflict:
        raise _conflict(body.entity_type, "the catalog has such an entity already") from None
    await _audit(call, made, "CREATE")
    return made


async def replace_catalog_entity(call: Call) -> CatalogEntity:
    """Replace an entity type that an editor registered.

    For callers with a role of `catalog.editors`. What a spec declares is changed in its spec.
    """
    known = await _seen(call, call["name"])
    try:
        made = await external.replace(call.catalog, known.entity_type, call.body)
    except Conflict:
        raise _conflict(known.entity_type, "a spec declares this entity") from None
    await _audit(call, made, "UPDATE")
    return made


async def archive_catalog_entity(call: Call) -> CatalogEntity:
    """Archive an entity type that an editor registered.

    For callers with a role of `catalog.editors`. The entry stays, with status `archived`.
    """
    known = await _seen(call, call["name"])
    try:
        made = await external.archive(call.catalog, known.entity_type)
    except Conflict:
        raise _conflict(known.entity_type, "a spec declares this entity") from None
    await _audit(call, made, "DELETE")
    return made


async def list_entities_of_source(call: Call) -> Page[CatalogEntity]:
    """List the entity types of a source."""
    types = seen_types(await call.catalog.directory.known(), call.sight)
    filters = EntityFilter(source_system=call["source_system"])
    return await list_entities(call.catalog.pool, filters, call["limit"], call["offset"], types)


async def list_records_of_source(call: Call) -> tuple[CatalogRecord, ...]:
    """Find records by their source and their id in it.

    Those that the catalog knows; several entities of a source may have records of one id.
    """
    return await records_of_source(call.catalog, call.sight, call["source_system"], call["source_entity_id"])


async def get_catalog_record(call: Call) -> CatalogRecord:
    """Get a record by its type and canonical key.

    What the catalog knows of it, and where it is; its data is served by GraphQL.
    """
    return await get_record(call.catalog, call.sight, call["type"], call["id"])


async def locate(call: Call) -> Location:
    """Locate a record.

    The URL at its source is that of the spec, filled with the key, whether or not there is such a record.
    """
    known = await call.catalog.directory.known()
    entity_type = call["type"]
    if entity_type not in known.types or not call.sight.type(known.types[entity_type]):
        raise EntityNotFound(entity_type)
    return await call.catalog.locations.locate(entity_type, call["id"])


async def _seen(call: Call, name: str) -> CatalogEntity:
    entity = await get_entity(call.catalog.pool, name)
    known = (await call.catalog.directory.known()).types.get(entity.entity_type)
    if known is None or not call.sight.type(known):
        raise EntityNotFound(name)
    return entity


def _admit_editor(call: Call) -> None:
    if not call.sight.has_role(call.catalog.plan().mesh.catalog.editors):
        raise RequestRefused("FORBIDDEN", "this needs a role of catalog.editors")


def _conflict(entity_type: str, message: str) -> RequestRefused:
    return RequestRefused("CONFLICT", message, entity_type=entity_type)


async def _audit(call: Call, entity: CatalogEntity, operation: Operation) -> None:
    row = AuditRow(
        principal=call.sight.name,
        product=entity.product_id,
        entity_type=entity.entity_type,
        plan_hash=call.catalog.plan().hash,
        operation=operation,
        trace_id=call.trace_id,
    )
    await call.catalog.audit.record([row])


ROUTES = (
    Route(
        "GET",
        "/catalog/entities",
        list_catalog_entities,
        Page[CatalogEntity],
        (
            text("entity_type", "Only this type."),
            text("domain", "Only those of this domain."),
            text("source_system", "Only those of this source."),
            choice("status", "Only those of this status.", _STATUS),
            flag("contains_pii", "Only those with, or without, personal data."),
            *page(),
        ),
    ),
    Route(
        "POST",
        "/catalog/entities",
        create_catalog_entity,
        CatalogEntity,
        body=ExternalEntity,
        admit=_admit_editor,
        status=201,
        faults=("CONFLICT",),
    ),
    Route(
        "GET",
        "/catalog/entities/by-source/{source_system}",
        list_entities_of_source,
        Page[CatalogEntity],
        (_SOURCE, *page()),
    ),
    Route(
        "GET",
        "/catalog/entities/by-source/{source_system}/{source_entity_id}",
        list_records_of_source,
        tuple[CatalogRecord, ...],
        (
            _SOURCE,
            text("source_entity_id", "The canonical key of a record.").in_path().such_as("c-0001"),
        ),
    ),
    Route(
        "GET",
        "/catalog/entities/{name}",
        get_catalog_entity,
        CatalogEntity,
        (_NAME.in_path(),),
        faults=("ENTITY_NOT_FOUND",),
    ),
    Route(
        "PUT",
        "/catalog/entities/{name}",
        replace_catalog_entity,
        CatalogEntity,
        (_NAME.in_path(),),
        body=ExternalFacts,
        admit=_admit_editor,
        faults=("ENTITY_NOT_FOUND", "CONFLICT"),
    ),
    Route(
        "DELETE",
        "/catalog/entities/{name}",
        archive_catalog_entity,
        CatalogEntity,
        (_NAME.in_path(),),
        admit=_admit_editor,
        faults=("ENTITY_NOT_FOUND", "CONFLICT"),
    ),
    Route(
        "GET",
        "/entities/{type}/{id}",
        get_catalog_record,
        CatalogRecord,
        (_TYPE.in_path(), _ID.in_path()),
        faults=("ENTITY_NOT_FOUND",),
    ),
    Route("GET", "/catalog/locate", locate, Location, (_TYPE, _ID), faults=("ENTITY_NOT_FOUND",)),
)
