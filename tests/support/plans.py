# SPDX-License-Identifier: Apache-2.0
"""Plans by hand: what the compiler would make of a small mesh, for tests of what comes after it."""

from typing import Any

from dictamesh.runtime.compile.graphql import sdl
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, LinkPlan, Plan, TopicPlan
from dictamesh.specs.expressions.tree import Column
from dictamesh.specs.manifest import Capabilities, Source, SourceColumn
from dictamesh.specs.model import Mesh
from dictamesh.specs.rules import RuleTable
from dictamesh.specs.types import (
    BOOLEAN,
    BYTES,
    DATE,
    FLOAT,
    INT,
    JSON,
    LONG,
    STRING,
    TIME,
    TIMESTAMP,
    Kind,
    Type,
)

GRAPHQL = {
    Kind.STRING: "String",
    Kind.BYTES: "Bytes",
    Kind.INT: "Int",
    Kind.LONG: "Long",
    Kind.FLOAT: "Float",
    Kind.DECIMAL: "Decimal",
    Kind.BOOLEAN: "Boolean",
    Kind.DATE: "Date",
    Kind.TIME: "Time",
    Kind.TIMESTAMP: "DateTime",
    Kind.JSON: "JSON",
}
MONEY = Type(Kind.DECIMAL, 12, 2)


def listed(item: Type) -> Type:
    return Type(Kind.ARRAY, item=item)


def field(name: str, type_: Type = STRING, graphql: str | None = None, **more: Any) -> FieldPlan:
    """A public field read from the column of its name; `more` overrides any part of FieldPlan."""
    inner = type_
    while inner.kind is Kind.ARRAY and inner.item is not None:
        inner = inner.item
    facts: dict[str, Any] = {
        "address": name,
        "name": name,
        "type": type_,
        "graphql": graphql or GRAPHQL.get(inner.kind, "JSON"),
        "expr": Column((name,), type_),
        "column": name,
        "pushed": None,
        "required": False,
        "tier": "public",
        "tags": (),
        "pii": False,
    }
    return FieldPlan(**(facts | more))


def link(name: str, target: str, own: str, theirs: str, *, many: bool, **more: Any) -> LinkPlan:
    """A relation from field `own` to field `theirs` of the entity at the address `target`."""
    facts: dict[str, Any] = {
        "name": name,
        "target": target,
        "own": (own,),
        "theirs": (theirs,),
        "many": many,
        "by_key": not many,
        "restrict": False,
        "same_server": True,
        "per_parent": False,
        "inverse": None,
    }
    return LinkPlan(**(facts | more))


def address(name: str) -> str:
    return f"{name.lower()}s#{name}"


def entity(name: str, *fields: FieldPlan, **more: Any) -> EntityPlan:
    """An entity over a server `main`, keyed by `id` unless `key` says otherwise."""
    low = name[0].lower() + name[1:]
    addressed = tuple(_addressed(one, f"{address(name)}.") for one in fields)
    columns = tuple(SourceColumn(one.name, one.type) for one in fields)
    key = more.get("key", ("id",))
    facts: dict[str, Any] = {
        "address": address(name),
        "product": f"{low}s",
        "product_id": f"{low}s",
        "name": name,
        "singular": low,
        "plural": f"{low}s",
        "description": "",
        "fields": addressed,
        "key": key,
        "links": (),
        "server": "main",
        "connector": "sqlite",
        "source": Source(address(name), f"{low}s", columns, key, None),
        "capabilities": Capabilities(),
        "coerce": False,
        "timezone": "UTC",
        "surrogate": None,
        "cache_ttl": 0.0,
        "stale_for": 0.0,
        "mapping_hash": "0" * 64,
        "topic": TopicPlan(f"test.main.{low}.entity_changed", 12, 3, 604_800.0, "lz4", "delete"),
        "avro": {},
        "catalog": {},
    }
    return EntityPlan(**(facts | more))


def _addressed(one: FieldPlan, above: str) -> FieldPlan:
    facts = {name: getattr(one, name) for name in FieldPlan.__slots__}
    facts["address"] = above + one.name
    facts["members"] = tuple(_addressed(member, f"{above}{one.name}.") for member in one.members)
    return FieldPlan(**facts)


def plan(*entities: EntityPlan, gateway: dict[str, Any] | None = None, **mesh: Any) -> Plan:
    """A plan that serves these entities; `gateway` and `mesh` are keys of the mesh file."""
    document = {"apiVersion": "dictamesh/v1", "kind": "Mesh", "name": "test", "gateway": gateway or {}, **mesh}
    by_address = {one.address: one for one in entities}
    return Plan(
        name="test",
        mesh=Mesh.model_validate(document),
        servers={},
        products={},
        entities=by_address,
        rules=RuleTable({}, {}),
        pii_tags=frozenset(),
        tests=(),
        sdl=sdl(by_address),
        notes=(),
        hash="1" * 64,
    )


def shop() -> tuple[EntityPlan, ...]:
    """Customers with invoices with items: two relations to many and back, an enumeration, money, an object."""
    customer = entity(
        "Customer",
        field("id", description="The customer's number."),
        field("name"),
        field("email"),
        field("createdAt", TIMESTAMP),
        field(
            "address",
            Type(Kind.OBJECT),
            "CustomerAddress",
            members=(field("city"), field("zip"), field("floors", listed(INT))),
            description='Where "home" is.',
        ),
        links=(link("invoices", address("Invoice"), "id", "customerId", many=True),),
        description="Who buys.",
    )
    status = Type(Kind.STRING, values=("open", "paid", "written off"))
    invoice = entity(
        "Invoice",
        field("id"),
        field("customerId"),
        field(
            "status",
            status,
            "InvoiceStatus",
            enum=(("open", "open"), ("paid", "paid"), ("written_off", "written off")),
        ),
        field("total", MONEY),
        field("overdue", BOOLEAN),
        links=(
            link("customer", address("Customer"), "customerId", "id", many=False),
            link("items", address("InvoiceItem"), "id", "invoiceId", many=True),
        ),
    )
    item = entity(
        "InvoiceItem",
        field("id"),
        field("invoiceId"),
        field("quantity", INT),
        links=(link("invoice", address("Invoice"), "invoiceId", "id", many=False),),
        capabilities=Capabilities(list=False),
    )
    return customer, invoice, item


def every_type() -> EntityPlan:
    """An entity with a field of each kind, keyed by two of them."""
    return entity(
        "Sample",
        field("shard", INT),
        field("serial", LONG),
        field("text"),
        field("raw", BYTES),
        field("ratio", FLOAT),
        field("price", MONEY),
        field("flag", BOOLEAN),
        field("day", DATE),
        field("clock", TIME),
        field("at", TIMESTAMP),
        field("extra", JSON),
        field("words", listed(STRING)),
        field("grid", listed(listed(INT))),
        key=("shard", "serial"),
    )
