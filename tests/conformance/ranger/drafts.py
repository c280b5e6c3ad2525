# SPDX-License-Identifier: Apache-2.0
"""The documents of a mesh that says what a setting of Ranger says, and where each part came from."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tests.conformance.ranger.conditions import Said
from tests.conformance.ranger.model import Item, Policy, Reason, Schedule, Setting, Unsaid
from tests.conformance.ranger.names import tag_name
from tests.conformance.ranger.places import Place, Places, zone_tags
from tests.conformance.ranger.selectors import Users
from tests.conformance.ranger.speech import days

OWNER = "conformance"
PEPPER = "${env:RANGER_PEPPER}"
TIER = "restricted"
"""Of every resource: what no policy speaks of is denied, as with Ranger."""

Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a policy of ours comes from; `items` are Ranger's by the names of our rules."""

    policy: int
    type: int
    items: dict[str, Item] = field(default_factory=dict)


@dataclass(slots=True)
class Draft:
    """Documents on their way, for the places that questions are about and everybody who asks."""

    setting: Setting
    places: Places
    users: Users
    said: Said
    docs: list[Doc] = field(default_factory=list)
    origins: dict[str, Origin] = field(default_factory=dict)
    grants: dict[str, str] = field(default_factory=dict)  # datasets and projects, by agreement
    projects: set[str] = field(default_factory=set)
    edges: set[date] = field(default_factory=set)  # days on which the time of day would tell
    columns: dict[str, dict[str, str]] = field(default_factory=dict)  # that filters read, with types, by entity
    dated: set[str] = field(default_factory=set)  # addresses of fields that are dates
    unsaid: dict[tuple[str, str], str] = field(default_factory=dict)  # reasons by entity and row rule

    @property
    def known(self) -> list[Place]:
        return list(self.places.known.values())

    @property
    def zone_tags(self) -> dict[str, str]:
        return zone_tags(self.setting.zones)

    def policy(self, name: str, match: Doc, origin: Origin, rules: list[Doc] | None = None, rows: Any = None) -> None:
        """Add a policy; one without rules or without anything that it matches says nothing and is left out."""
        said = {"rules": rules} if rules else {"rows": rows}
        if (rules or rows) and match:
            self.docs.append(document("Policy", name=name, owner=OWNER, match=match, **said))
            self.origins[name] = origin

    def agreement(self, name: str, schedules: Iterable[Schedule], consumer: Doc | None = None) -> None:
        """Add an agreement that is in force while all schedules hold; raises Unsaid where dates do not tell."""
        spans = [days(each) for each in schedules]
        first = max((start for start, _ in spans if start), default=None)
        last = min((end for _, end in spans if end), default=None)
        for each in schedules:
            self.edges |= {moment.date() for moment in (each.start, each.end) if moment is not None}
        if first and last and last < first:
            raise Unsaid(Reason.EMPTY_SCHEDULE)
        dates = {key: value for key, value in (("startDate", first), ("endDate", last)) if value}
        given = {"consumer": consumer} if consumer else {}
        self.docs.append(
            document(
                "Agreement", name=name, owner=OWNER, products=["*"], status="approved", approver=OWNER, **given, **dates
            )
        )


def document(kind: str, **keys: Any) -> Doc:
    return {"apiVersion": "dictamesh/v1", "kind": kind, **keys}


def name_of(policy: Policy) -> str:
    """How the names begin of what a policy becomes; Ranger's numbers need not be unique in a file."""
    return f"{'tag' if policy.tag else 'resource'}-{policy.id}"


def written(docs: Iterable[Doc]) -> str:
    """Documents as a file; JSON is YAML, and only the key of pseudonyms is a reference."""
    text = "\n---\n".join(json.dumps(each) for each in docs) + "\n"
    return text.replace("${", "$${").replace(f"${PEPPER}", PEPPER)


def mesh(draft: Draft, roles: Iterable[str], purposes: Iterable[str], claims: Iterable[str]) -> list[Doc]:
    """Every document: the mesh, the taxonomy, a product for each first level, and what the draft holds."""
    declared = {claim: "boolean" if claim.startswith("unknown_") else "string" for claim in claims}
    security = {"anonymous": {"sees": "public"}, "claims": declared, "keys": {"pepper": PEPPER}}
    head = document(
        "Mesh",
        name="ranger",
        include=["more.yaml"],
        servers={"lake": {"type": "sqlite", "path": "lake.sqlite"}},
        roles=sorted(set(roles)),
        purposes=sorted(set(purposes)),
        security=security,
    )
    return [head, _taxonomy(draft), *_products(draft), *draft.docs]


def _taxonomy(draft: Draft) -> Doc:
    children: dict[str, set[str]] = {}
    for place in draft.known:
        for tag in place.tags:
            children.setdefault(tag_name(tag.type), set()).add(tag.instance)
    tags: Doc = {name: {"children": sorted(found)} for name, found in sorted(children.items())}
    tags |= {tag: {} for tag in draft.zone_tags.values()}
    return document("Taxonomy", tags=tags)


def _products(draft: Draft) -> Iterable[Doc]:
    entities: dict[str, dict[str, dict[str, Doc]]] = {}
    for place in draft.known:
        fields = entities.setdefault(place.product, {}).setdefault(place.entity, {})
        tags = [f"{tag_name(each.type)}.{each.instance}" for each in place.tags]
        if draft.zone_tags:
            tags.append(draft.zone_tags[place.zone])
        kind = "date" if place.address in draft.dated else "string"
        fields[place.field] = {"name": place.field, "logicalType": kind, "classification": TIER, "tags": tags}
    for number, (product, parts) in enumerate(sorted(entities.items())):
        yield document(
            "DataProduct",
            id=product,
            name=product,
            version="1.0.0",
            status="active",
            schema=[_entity(draft, f"{product}#{name}", name, fields) for name, fields in sorted(parts.items())],
            source={"server": "lake"},
            graphql={name: {"plural": f"{name}__all"} for name in parts},
            output={name: {"topic": f"t{number}.e{each}"} for each, name in enumerate(sorted(parts))},
        )


def _entity(draft: Draft, address: str, name: str, fields: dict[str, Doc]) -> Doc:
    plain = {"id": "string", "path": "string", "owner": "string", **draft.columns.get(address, {})}
    columns = [
        {"name": column, "logicalType": kind, "classification": "public"}
        for column, kind in plain.items()
        if column not in fields
    ]
    columns[0] |= {"primaryKey": True, "required": True}
    return {"name": name, "physicalName": "t", "properties": [*columns, *(fields[each] for each in sorted(fields))]}
