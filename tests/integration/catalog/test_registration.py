# SPDX-License-Identifier: Apache-2.0
"""Registration is idempotent, whole or not at all, and forgets nothing (MC-8, AR-14); reading it back (MC-10)."""

import asyncio
import dataclasses
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from dictamesh.runtime.catalog.errors import EntityNotFound, InvalidRequest, RegistrationRejected
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.catalog.queries import EntityFilter, Locations, get_entity, list_entities
from dictamesh.runtime.catalog.registration import register
from dictamesh.runtime.catalog.rows import EntityRow, Registration, RelationRow, SchemaRow


def avro(name: str, *fields: str) -> dict[str, object]:
    return {"type": "record", "name": name, "fields": [{"name": field, "type": "string"} for field in fields]}


CUSTOMER = EntityRow(
    product_id="customers",
    product_version="1.2.0",
    entity_type="Customer",
    domain="customers",
    source_system="cms",
    key_fields=("id",),
    data_classification="restricted",
    contains_pii=True,
    owner="ana",
    api_base_url="http://user:canary@cms.example:8055/",
    api_path_template="/items/customers/{id}",
    api_auth_type="bearer",
    schema_version="1.2.0",
    availability_sla=Decimal("0.999"),
    latency_p99_ms=500,
    freshness_sla_seconds=5,
    retention_days=365,
)
INVOICE = EntityRow(
    product_id="invoices",
    product_version="1.0.0",
    entity_type="Invoice",
    domain="finance",
    source_system="erp",
    key_fields=("id",),
    data_classification="confidential",
    contains_pii=False,
)
ITEM = dataclasses.replace(
    INVOICE,
    entity_type="InvoiceItem",
    key_fields=("invoiceId", "line"),
    api_base_url="http://erp.example",
    api_path_template="invoices/{invoiceId}/items/{line}",
)
FULL = Registration(
    mesh="acme",
    entities=(CUSTOMER, INVOICE, ITEM),
    relations=(
        RelationRow(
            "customer", "Invoice", "Customer", "many-to-one", "invoices", {"from": ["customerId"], "to": ["id"]}
        ),
        RelationRow("items", "Invoice", "InvoiceItem", "one-to-many", "invoice"),
    ),
    schemas=(SchemaRow("Customer", "1.2.0", avro("Customer", "id", "email")),),
)


async def counts(pool: Pool) -> list[int]:
    tables = ("entity_catalog", "entity_relationships", "schemas")
    return [(await pool.rows(f"SELECT count(*) AS n FROM dictamesh_{name}".encode()))[0]["n"] for name in tables]


async def open_relations(pool: Pool) -> list[str]:
    statement = b"SELECT relationship_type AS n FROM dictamesh_entity_relationships WHERE valid_to IS NULL ORDER BY 1"
    return [row["n"] for row in await pool.rows(statement)]


async def test_twice_is_once_but_for_the_times(catalog: Pool) -> None:
    await register(catalog, FULL)
    first = await get_entity(catalog, "Customer")
    assert await counts(catalog) == [3, 2, 1]
    newer = dataclasses.replace(CUSTOMER, schema_version="1.3.0", product_version="1.3.0")
    schemas = (SchemaRow("Customer", "1.3.0", avro("Customer", "id")),)
    await register(catalog, FULL)
    await register(catalog, dataclasses.replace(FULL, entities=(newer, INVOICE, ITEM), schemas=schemas))
    again = await get_entity(catalog, "Customer")
    assert await counts(catalog) == [3, 2, 2]
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert again.updated_at > first.updated_at
    assert again.last_seen_at > first.last_seen_at
    assert again.schema_version == "1.3.0"
    deprecated = await catalog.rows(b"SELECT version FROM dictamesh_schemas WHERE deprecated_at IS NOT NULL")
    assert deprecated == [{"version": "1.2.0"}]


VERSIONS = b"SELECT deprecated_at, retired_at FROM dictamesh_schemas WHERE version = '1.2.0'"


async def test_a_version_ends_when_its_contract_says_so(catalog: Pool) -> None:
    def told(**more: Any) -> Registration:
        return dataclasses.replace(FULL, schemas=(dataclasses.replace(FULL.schemas[0], **more),))

    june, july = datetime(2027, 6, 30, tzinfo=UTC), datetime(2027, 7, 31, tzinfo=UTC)
    await register(catalog, told(deprecated_at=june, retired_at=july))
    assert await catalog.rows(VERSIONS) == [{"deprecated_at": june, "retired_at": july}]
    await register(catalog, told(deprecated=True))
    (first,) = await catalog.rows(VERSIONS)
    assert first["deprecated_at"] < june, "sooner than was said"
    assert first["retired_at"] is None
    await register(catalog, FULL)
    assert await catalog.rows(VERSIONS) == [{"deprecated_at": None, "retired_at": None}]
    await register(catalog, told(deprecated=True, retired=True))
    (first,) = await catalog.rows(VERSIONS)
    assert None not in first.values()
    await register(catalog, told(deprecated=True, retired=True))
    assert await catalog.rows(VERSIONS) == [first], "since when it was first said"


async def test_row_reads_back_as_written_without_credentials(catalog: Pool) -> None:
    await register(catalog, FULL)
    entity = await get_entity(catalog, "customers#Customer")
    assert entity == await get_entity(catalog, entity.id)
    assert entity.api_base_url == "http://cms.example:8055/"
    assert (entity.availability_sla, entity.latency_p99_ms, entity.freshness_sla_seconds) == (0.999, 500, 5)
    assert (entity.contains_pii, entity.data_classification, entity.owner) == (True, "restricted", "ana")
    assert (entity.source_entity_id, entity.status, entity.retention_days) == ("*", "active", 365)
    shown = await catalog.rows(b"SELECT c::text AS row FROM dictamesh_entity_catalog c")
    assert not any("canary" in row["row"] for row in shown)


async def test_what_left_the_plan_is_deprecated_and_can_come_back(catalog: Pool) -> None:
    await register(catalog, FULL)
    await register(
        catalog, dataclasses.replace(FULL, entities=(INVOICE, ITEM), relations=FULL.relations[1:], schemas=())
    )
    assert (await get_entity(catalog, "Customer")).status == "deprecated"
    assert await counts(catalog) == [3, 2, 1], "nothing is deleted"
    assert await open_relations(catalog) == ["items"]
    with pytest.raises(EntityNotFound):
        await Locations(catalog).locate("Customer", "c1")
    await register(catalog, FULL)
    assert (await get_entity(catalog, "Customer")).status == "active"
    assert await open_relations(catalog) == ["customer", "items"]
    assert await counts(catalog) == [3, 3, 1], "the closed relation is history"
    assert await catalog.rows(b"SELECT version FROM dictamesh_schemas WHERE deprecated_at IS NOT NULL") == []


async def test_another_mesh_in_the_same_database_is_left_alone(catalog: Pool) -> None:
    await register(catalog, FULL)
    other = dataclasses.replace(INVOICE, entity_type="Order", product_id="orders", source_system="other")
    await register(catalog, Registration("second", (other,)))
    assert (await list_entities(catalog, EntityFilter(status="active"))).total == 4
    await register(catalog, Registration("second", ()))
    assert (await list_entities(catalog, EntityFilter(status="active"))).total == 3
    assert await open_relations(catalog) == ["customer", "items"]


async def test_type_that_moved_to_another_source_is_answered_by_its_active_row(catalog: Pool) -> None:
    await register(catalog, FULL)
    moved = dataclasses.replace(FULL, entities=(dataclasses.replace(CUSTOMER, source_system="crm"), INVOICE, ITEM))
    await register(catalog, moved)
    assert (await get_entity(catalog, "Customer")).source_system == "crm"
    rows = (await list_entities(catalog, EntityFilter(entity_type="Customer"))).items
    assert [(row.source_system, row.status) for row in rows] == [("cms", "deprecated"), ("crm", "active")]


async def test_replicas_register_at_the_same_time(catalog: Pool) -> None:
    backwards = dataclasses.replace(FULL, entities=FULL.entities[::-1], relations=FULL.relations[::-1])
    await asyncio.gather(*(register(catalog, rows) for rows in (FULL, backwards) * 5))
    assert await counts(catalog) == [3, 2, 1]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"schemas": (SchemaRow("Customer", "1.2.0", {"type": "record"}),)}, "not a valid Avro schema"),
        ({"schemas": (SchemaRow("Customer", "1.2.0", {"type": "array", "items": "Gone"}),)}, "not a valid Avro schema"),
        (
            {"schemas": (SchemaRow("Customer", "1.2.0", {"type": "nonsense"}, "json-schema"),)},
            "not a valid JSON Schema",
        ),
        ({"schemas": ()}, "no schema of version 1.2.0"),
        ({"entities": (CUSTOMER, CUSTOMER)}, "registered twice"),
        ({"entities": (CUSTOMER,)}, "no entity Invoice"),
        ({"entities": (dataclasses.replace(CUSTOMER, availability_sla=Decimal("99.9")),)}, "share between 0 and 1"),
        ({"mesh": ""}, "mesh's name"),
    ],
)
async def test_invalid_registration_writes_nothing(catalog: Pool, changes: dict[str, object], fault: str) -> None:
    with pytest.raises(RegistrationRejected, match=fault):
        await register(catalog, dataclasses.replace(FULL, **changes))
    assert await counts(catalog) == [0, 0, 0]


async def test_a_thousand_entities(catalog: Pool) -> None:
    many = tuple(dataclasses.replace(INVOICE, entity_type=f"E{number:04}") for number in range(1000))
    await register(catalog, Registration("big", many))
    page = await list_entities(catalog, limit=100, offset=950)
    assert (page.total, len(page.items), page.items[0].entity_type) == (1000, 50, "E0950")


async def test_filters_and_bounds(catalog: Pool) -> None:
    await register(catalog, FULL)

    async def names(**keys: object) -> list[str]:
        return [row.entity_type for row in (await list_entities(catalog, EntityFilter(**keys))).items]

    assert await names() == ["Customer", "Invoice", "InvoiceItem"]
    assert await names(domain="finance") == ["Invoice", "InvoiceItem"]
    assert await names(contains_pii=True) == ["Customer"]
    assert await names(source_system="erp", entity_type="Invoice", status="active") == ["Invoice"]
    assert await names(status="archived") == []
    assert [row.entity_type for row in (await list_entities(catalog, types={"Invoice"})).items] == ["Invoice"]
    for limit, offset in ((0, 0), (101, 0), (1, -1)):
        with pytest.raises(InvalidRequest):
            await list_entities(catalog, limit=limit, offset=offset)


@pytest.mark.parametrize(
    ("record", "url"),
    [
        ("c1", "http://cms.example:8055/items/customers/c1"),
        ("../users/me", "http://cms.example:8055/items/customers/..%2Fusers%2Fme"),
        ("a b?x=1#y", "http://cms.example:8055/items/customers/a%20b%3Fx%3D1%23y"),
        ("ü%2F", "http://cms.example:8055/items/customers/%C3%BC%252F"),
    ],
)
async def test_locate_fills_the_url(catalog: Pool, record: str, url: str) -> None:
    await register(catalog, FULL)
    location = await Locations(catalog).locate("Customer", record)
    assert location.url == url
    assert (location.source_system, location.method, location.auth_type) == ("cms", "GET", "bearer")
    assert (location.schema_version, location.contains_pii, location.data_classification) == (
        "1.2.0",
        True,
        "restricted",
    )


async def test_locate_composite_keys_and_sources_without_url(catalog: Pool) -> None:
    await register(catalog, FULL)
    locations = Locations(catalog)
    assert (await locations.locate("InvoiceItem", '["i/1",7]')).url == "http://erp.example/invoices/i%2F1/items/7"
    assert (await locations.locate("Invoice", "i1")).url is None
    for bad in ("i1", '["i1"]', '{"a":1}', '["..",1]'):
        with pytest.raises(InvalidRequest):
            await locations.locate("InvoiceItem", bad)
    for bad in (".", ".."):
        with pytest.raises(InvalidRequest):
            await locations.locate("Customer", bad)
    with pytest.raises(EntityNotFound):
        await locations.locate("Nothing", "1")
    with pytest.raises(EntityNotFound):
        await locations.locate("customers#Customer", "1")


async def test_locations_are_remembered_until_cleared(catalog: Pool) -> None:
    await register(catalog, FULL)
    locations = Locations(catalog)
    known = await locations.locate("Customer", "c1")
    await register(catalog, Registration("acme", ()))
    assert await locations.locate("Customer", "c1") is known
    locations.clear()
    with pytest.raises(EntityNotFound):
        await locations.locate("Customer", "c1")
