# SPDX-License-Identifier: Apache-2.0
"""Plans built by hand: one entity `customers#Customer` with a field of each kind that governance treats differently."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, Plan, TestPlan, TopicPlan
from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal
from dictamesh.specs.manifest import Capabilities, Source
from dictamesh.specs.model import Mesh, PolicyTest
from dictamesh.specs.rules import Audience, Effect, FieldPolicy, FieldRule, MaskRule, RowPolicy, RuleTable
from dictamesh.specs.types import BOOLEAN, DATE, INT, JSON, LONG, STRING, Kind, Type

PRODUCT = "customers"
ENTITY = "customers#Customer"
ENUM = Type(Kind.STRING, values=("open", "paid"))
DECIMAL = Type(Kind.DECIMAL, precision=12, scale=2)
ADDRESS = Type(Kind.OBJECT, members=(("city", STRING), ("street", STRING)))
CONTACTS = Type(Kind.ARRAY, item=Type(Kind.OBJECT, members=(("phone", STRING), ("since", DATE))))

EVERYONE = Audience()
REDACT = MaskRule("redact")
NULLIFY = MaskRule("nullify")
PARTIAL = MaskRule("partial", keep_first=0, keep_last=4, char="*")
HMAC = MaskRule("hmac", key="pepper", scope="acme")
KEYS = {"pepper": b"a pepper of the tests"}

STRANGER = Principal("anonymous", authenticated=False)


def person(*roles: str, purpose: str | None = None, **claims: Any) -> Principal:
    return Principal("someone", True, frozenset(roles), purpose, (), claims)


def rule(name: str, effect: str | MaskRule, *roles: str, where: Expr | None = None, **audience: Any) -> FieldRule:
    for_whom = Audience(frozenset(roles) or None, **audience)
    if isinstance(effect, MaskRule):
        return FieldRule(name, for_whom, Effect.MASK, effect, where)
    return FieldRule(name, for_whom, Effect(effect), None, where)


def policy(name: str, *rules: FieldRule, allows: bool = True, uses: Iterable[str] = ()) -> FieldPolicy:
    return FieldPolicy(name, rules, allows, frozenset(uses))


def equals(field: str, value: Any, type_: Type = STRING) -> Expr:
    return Call("eq", (Column((field,), type_), Literal(value, type_)), BOOLEAN)


def always(value: bool | None) -> Expr:
    return Literal(value, BOOLEAN)


def field(name: str, type_: Type = STRING, tier: str = "public", parent: str = ENTITY) -> FieldPlan:
    address = f"{parent}.{name}"
    inner = type_.item if type_.kind is Kind.ARRAY and type_.item else type_
    return FieldPlan(
        address=address,
        name=name,
        type=type_,
        graphql="String",
        expr=Column((name,), type_),
        column=name,
        pushed=None,
        required=False,
        tier=tier,
        tags=(),
        pii=False,
        members=tuple(field(member, of, tier, address) for member, of in inner.members),
    )


FIELDS = (
    field("id"),
    field("number", LONG),
    field("email", tier="restricted"),
    field("name", tier="confidential"),
    field("country", tier="internal"),
    field("status", ENUM, tier="confidential"),
    field("total", DECIMAL, tier="confidential"),
    field("level", INT),
    field("extra", JSON, tier="confidential"),
    field("born", DATE, tier="confidential"),
    field("tags", Type(Kind.ARRAY, item=STRING), tier="confidential"),
    field("address", ADDRESS, tier="confidential"),
    field("contacts", CONTACTS, tier="confidential"),
)


def entity(fields: Sequence[FieldPlan] = FIELDS, key: tuple[str, ...] = ("id",)) -> EntityPlan:
    return EntityPlan(
        address=ENTITY,
        product=PRODUCT,
        product_id=PRODUCT,
        name="Customer",
        singular="customer",
        plural="customers",
        description="",
        fields=tuple(fields),
        key=key,
        links=(),
        server="cms",
        connector="rest",
        source=Source(ENTITY, "customers", (), key, None),
        capabilities=Capabilities(),
        coerce=False,
        timezone="UTC",
        surrogate=None,
        cache_ttl=0,
        stale_for=0,
        mapping_hash="m",
        topic=TopicPlan("crm.cms.entity_changed", 12, 3, 1.0, "lz4", "delete"),
        avro={},
        catalog={},
    )


SECURITY: Mapping[str, Any] = {
    "claims": {"countries": ["string"], "level": "integer", "vip": "boolean"},
    "keys": {"pepper": "${env:PEPPER}"},
}


def plan(
    fields: Mapping[str, Sequence[FieldPolicy]] | None = None,
    rows: Sequence[RowPolicy] = (),
    *,
    tests: Sequence[PolicyTest] = (),
    security: Mapping[str, Any] | None = SECURITY,
    of: EntityPlan | None = None,
) -> Plan:
    """A plan whose rules stand by field name below the entity (`email`, `address.city`)."""
    mesh = {"apiVersion": "dictamesh/v1", "kind": "Mesh", "name": "acme", "security": security}
    return Plan(
        name="acme",
        mesh=Mesh.model_validate(mesh),
        servers={},
        products={},
        entities={ENTITY: of or entity()},
        rules=RuleTable(
            {f"{ENTITY}.{name}": tuple(policies) for name, policies in (fields or {}).items()},
            {ENTITY: tuple(rows)} if rows else {},
        ),
        pii_tags=frozenset(),
        tests=tuple(
            TestPlan("direct-identifiers", index, test, "policies/pii.yaml", 10 + index, 5)
            for index, test in enumerate(tests)
        ),
        sdl="",
        notes=(),
        hash="h",
    )
