# SPDX-License-Identifier: Apache-2.0
"""What changes of a contract mean to those who read the product: entities, fields, keys, relations, service levels."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, LinkPlan, Plan, ProductPlan
from dictamesh.runtime.diff.change import Change, Class
from dictamesh.runtime.diff.limits import limit_changes
from dictamesh.runtime.diff.tree import where_of
from dictamesh.runtime.diff.unserved import unserved_changes
from dictamesh.specs.resolve.sensitivity import rank

SENSITIVE = rank("confidential")
ENDED = ("deprecated", "retired")


def contract_changes(old: Plan, new: Plan) -> Iterator[Change]:
    """Yield what differs between the contracts of two plans, by address."""
    for name in sorted({*old.products, *new.products}):
        yield from _product(name, old, new)
    for address in sorted({*old.entities, *new.entities}):
        yield from _entity(address, old.entities.get(address), new.entities.get(address))


def change(cls: Class, kind: str, address: str, before: Any, after: Any) -> Change:
    """Return a change at an address, placed in its product's document."""
    document, path = where_of(address)
    return Change(cls, kind, address, before, after, document=document, path=path)


def _product(name: str, old: Plan, new: Plan) -> Iterator[Change]:
    before, after = old.products.get(name), new.products.get(name)
    if before is None or after is None:
        added = before is None
        cls = _new(_fields(new, after)) if added and after is not None else Class.BREAKING
        yield change(cls, "product-added" if added else "product-removed", name, _version(before), _version(after))
        return
    if before.status != after.status:
        cls = Class.BREAKING if after.status == "retired" else Class.REVIEW
        yield change(Class.SAFE if after.status not in ENDED else cls, "status", name, before.status, after.status)
    yield from _levels(name, before.sla, after.sla)
    if not before.served and not after.served:
        yield from unserved_changes(before, after)


def _version(product: ProductPlan | None) -> str | None:
    return None if product is None else product.version


def _fields(plan: Plan, product: ProductPlan) -> Iterator[FieldPlan]:
    for address in product.entities:
        yield from plan.entities[address].fields


def _new(fields: Iterable[FieldPlan]) -> Class:
    """New data is reviewed where it needs protection; its policies may let somebody see it."""
    return Class.REVIEW if any(each.pii or rank(each.tier) >= SENSITIVE for each in fields) else Class.SAFE


ODCS = {
    "availability": "availability",
    "freshness": "latency",
    "responseTime": "responseTime",
    "retention": "retention",
}
"""Our words for service levels and those of the documents."""


def _level(cls: Class, kind: str, product: str, level: str, values: tuple[Any, Any]) -> Change:
    path = ("slaProperties", f"[{ODCS[level]}]")
    return Change(cls, kind, product, *values, document=f"DataProduct/{product}", path=path)


def _levels(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    promised = old.keys() & new.keys()  # a contract without a source promises what it says
    for key, higher_is_better in (("availability", True), ("freshness", False), ("responseTime", False)):
        if key in promised and old[key] != new[key]:
            before, after = old[key], new[key]
            worse = (after < before) == higher_is_better
            yield _level(Class.BREAKING if worse else Class.SAFE, f"sla-{key}", name, key, (before, after))
    if "retention" in promised and old["retention"] != new["retention"]:
        before, after = old["retention"], new["retention"]
        longer = after is None or (before is not None and after > before)
        kind = "retention-lengthened" if longer else "retention-shortened"
        told = _days(before), _days(after)
        yield _level(Class.PRIVACY if longer else Class.REVIEW, kind, name, "retention", told)


def _days(seconds: float | None) -> str:
    return "without end" if seconds is None else f"{seconds / 86_400:g} days"


def _entity(address: str, old: EntityPlan | None, new: EntityPlan | None) -> Iterator[Change]:
    if old is None or new is None:
        if old is None and new is not None:
            yield change(_new(new.fields), "entity-added", address, None, new.name)
        elif old is not None:
            yield change(Class.BREAKING, "entity-removed", address, old.name, None)
        return
    if old.key != new.key:
        yield change(Class.BREAKING, "key", address, list(old.key), list(new.key))
    if old.surrogate != new.surrogate:
        cls = Class.PRIVACY if old.surrogate is not None else Class.BREAKING
        yield change(cls, "key-pseudonym", address, old.surrogate, new.surrogate)
    yield from _members(old.fields, new.fields)
    yield from _links(address, old.links, new.links)
    yield from _topic(address, old, new)


def _members(old: Iterable[FieldPlan], new: Iterable[FieldPlan]) -> Iterator[Change]:
    before, after = ({each.address: each for each in fields} for fields in (old, new))
    for address in sorted({*before, *after}):
        one, other = before.get(address), after.get(address)
        if one is None and other is not None:
            yield change(_new([other]), "field-added", address, None, _shape(other))
        elif one is not None and other is None:
            yield change(Class.BREAKING, "field-removed", address, _shape(one), None)
        elif one is not None and other is not None:
            yield from _field(one, other)


def _shape(field: FieldPlan) -> str:
    return " ".join([str(field.type), field.tier, *field.tags])


def _field(old: FieldPlan, new: FieldPlan) -> Iterator[Change]:
    address = new.address
    if not (old.members and new.members) and _type(old) != _type(new):
        yield change(Class.BREAKING, "field-type", address, _type(old), _type(new))
    if old.required != new.required:
        cls = Class.REVIEW if new.required else Class.BREAKING
        yield change(cls, "required" if new.required else "no-longer-required", address, old.required, new.required)
    yield from _values(old, new)
    for cls, kind, before, after in limit_changes(old, new):
        yield change(cls, kind, address, before, after)
    yield from _labels(old, new)
    if old.expr != new.expr and not new.members:
        yield change(Class.REVIEW, "mapping", address, old.column or "computed", new.column or "computed")
    yield from _members(old.members, new.members)


def _type(field: FieldPlan) -> str:
    return "enumeration" if field.enum else str(field.type)


def _values(old: FieldPlan, new: FieldPlan) -> Iterator[Change]:
    before, after = ([text for _, text in field.enum] for field in (old, new))
    if before and after and before != after:
        gone = [text for text in before if text not in after]
        cls = Class.BREAKING if gone else Class.REVIEW if set(after) - set(before) else Class.SAFE
        yield change(cls, "enum-values", new.address, before, after)


def _labels(old: FieldPlan, new: FieldPlan) -> Iterator[Change]:
    if rank(old.tier) != rank(new.tier):
        lowered = rank(new.tier) < rank(old.tier)
        kind = "tier-lowered" if lowered else "tier-raised"
        yield change(Class.PRIVACY if lowered else Class.REVIEW, kind, new.address, old.tier, new.tier)
    gone, came = sorted(set(old.tags) - set(new.tags)), sorted(set(new.tags) - set(old.tags))
    if gone:
        cls = Class.PRIVACY if old.pii else Class.REVIEW
        yield change(cls, "tag-removed", new.address, list(old.tags), list(new.tags))
    elif came:
        yield change(Class.REVIEW, "tag-added", new.address, list(old.tags), list(new.tags))
    if old.pii != new.pii and not gone and not came:
        cls, kind = (Class.PRIVACY, "no-longer-personal") if old.pii else (Class.REVIEW, "personal")
        yield change(cls, kind, new.address, old.pii, new.pii)


def _links(address: str, old: Iterable[LinkPlan], new: Iterable[LinkPlan]) -> Iterator[Change]:
    before, after = ({each.name: each for each in links} for links in (old, new))
    for name in sorted({*before, *after}):
        one, other, at = before.get(name), after.get(name), f"{address}.{name}"
        if one is None and other is not None:
            yield _relation(Class.SAFE, "relation-added", at, None, other)
        elif one is not None and other is None:
            yield _relation(Class.BREAKING, "relation-removed", at, one, None)
            if one.restrict:
                yield _relation(Class.PRIVACY, "relation-restricts-no-longer", at, one, None)
        elif one is not None and other is not None:
            yield from _link(at, one, other)


def _link(at: str, old: LinkPlan, new: LinkPlan) -> Iterator[Change]:
    if (old.target, old.many) != (new.target, new.many):
        yield _relation(Class.BREAKING, "relation-changed", at, old, new)
    elif (old.own, old.theirs) != (new.own, new.theirs):
        yield _relation(Class.REVIEW, "relation-fields", at, old, new)
    if old.restrict != new.restrict:
        cls, kind = (Class.REVIEW, "relation-restricts")
        if old.restrict:
            cls, kind = Class.PRIVACY, "relation-restricts-no-longer"
        yield _relation(cls, kind, at, old, new)


def _relation(cls: Class, kind: str, at: str, old: LinkPlan | None, new: LinkPlan | None) -> Change:
    document, _ = where_of(at)
    path = ("relations", f"[{at.rpartition('.')[2]}]")
    return Change(cls, kind, at, _end(old), _end(new), document=document, path=path)


def _end(link: LinkPlan | None) -> str | None:
    if link is None:
        return None
    ends = ", ".join(f"{own} = {theirs}" for own, theirs in zip(link.own, link.theirs, strict=True))
    return f"{'many' if link.many else 'one'} {link.target} by {ends}"


def _topic(address: str, old: EntityPlan, new: EntityPlan) -> Iterator[Change]:
    before, after = old.topic, new.topic
    if before.name != after.name:
        yield change(Class.BREAKING, "topic-renamed", address, before.name, after.name)
    if before.partitions != after.partitions:
        yield change(Class.BREAKING, "topic-partitions", address, before.partitions, after.partitions)
    settings = [f"{each.replication} copies, {each.compression}, {each.cleanup}" for each in (before, after)]
    if settings[0] != settings[1]:
        yield change(Class.REVIEW, "topic-settings", address, *settings)
    if before.retention != after.retention:
        longer = after.retention > before.retention
        kind = "retention-lengthened" if longer else "retention-shortened"
        told = [f"topic kept {_days(each.retention)}" for each in (before, after)]
        yield change(Class.PRIVACY if longer else Class.REVIEW, kind, address, *told)
