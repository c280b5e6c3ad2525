# SPDX-License-Identifier: Apache-2.0
"""The third phase: checked specs to a plan. Pure and deterministic; the order of files never changes the hash."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from dictamesh.runtime.compile.canonical import digest
from dictamesh.runtime.compile.contract import declared_levels, service_levels
from dictamesh.runtime.compile.entity import plan_entity
from dictamesh.runtime.compile.graphql import sdl
from dictamesh.runtime.compile.plan import EntityPlan, FlowPlan, Plan, ProductPlan, ServerPlan, TestPlan
from dictamesh.specs.collecting import uncollected
from dictamesh.specs.diagnostics import Diagnostic, Findings
from dictamesh.specs.model import Contract, LineageEntry, Policy, Product
from dictamesh.specs.resolved import Declared, Flow, Link, Specs

C = TypeVar("C", bound=Contract)

OUTSIDE = frozenset({"runtime", "include"})
"""Keys of the mesh file that are settings of the process, or say where its documents lie (S27)."""
DATABASE = frozenset({"dsn", "autoMigrate", "pool"})
"""Keys of `catalog` that are settings of the process, too."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A plan, and what compiling it found to warn of."""

    plan: Plan
    diagnostics: tuple[Diagnostic, ...]


def compile_specs(specs: Specs) -> Compiled:
    """Compile checked specs. Cannot fail: whatever would is an error of `validate`."""
    with uncollected():
        return _compiled(specs)


def _compiled(specs: Specs) -> Compiled:
    findings = Findings()
    mesh = specs.mesh.model
    links = _by_holder(specs.links)
    entities = {
        address: plan_entity(entity, links.get(address, ()), specs.entities, mesh)
        for address, entity in sorted(specs.entities.items())
    }
    _warn_calls(entities, specs.links, findings)
    draft = Plan(
        name=mesh.name,
        mesh=mesh,
        servers=_servers(specs),
        products=_products(specs, entities),
        entities=entities,
        rules=specs.rules,
        pii_tags=specs.pii_tags,
        tests=tuple(_tests(specs)),
        sdl=sdl(entities),
        notes=tuple(_notes(entities.values())),
        hash="",
        flows=tuple(_flow(each, specs) for each in specs.flows),
        documents=dict(_documents(specs)),
        regimes=specs.regimes,
    )
    return Compiled(replace(draft, hash=plan_hash(draft)), tuple(findings))


def plan_hash(plan: Plan) -> str:
    """SHA-256 over the plan but the settings of the process and the places of tests (S27).

    What documents say enters by their digests, what this version makes of it by the parts that follow.
    """
    return digest(
        [
            plan.name,
            plan.documents,
            plan.servers,
            {address: _hashed_entity(entity) for address, entity in plan.entities.items()},
            plan.rules,
            plan.pii_tags,
        ]
    )


def _hashed_entity(entity: EntityPlan) -> list[object]:
    # Avro, catalog row, SDL, tiers and tags follow from these parts and the documents; fields are in the mapping hash.
    return [entity.mapping_hash, entity.key, entity.links, entity.server, entity.topic, entity.singular, entity.plural]


def _documents(specs: Specs) -> Iterable[tuple[str, str]]:
    """What every document says, whoever reads it: a contract is more than what the mesh runs by."""
    said: Any = specs.mesh.site.plain
    catalog = {key: value for key, value in (said.get("catalog") or {}).items() if key not in DATABASE}
    kept = {key: value for key, value in said.items() if key not in OUTSIDE | {"catalog"}}
    yield "Mesh", digest(kept | ({"catalog": catalog} if catalog else {}))
    yield "Taxonomy", digest(specs.taxonomy.model_dump(mode="json", by_alias=True, exclude_unset=True))
    for kind, declared in _kinds(specs):
        for name, each in declared.items():
            yield f"{kind}/{name}", digest(each.site.plain)


def _kinds(specs: Specs) -> Iterable[tuple[str, Mapping[str, Declared[Any]]]]:
    return (
        ("DataProduct", specs.products),
        ("DataProduct", specs.contracts),
        ("Policy", specs.policies),
        ("Agreement", specs.agreements),
    )


def _by_holder(links: Iterable[Link]) -> dict[str, list[Link]]:
    found: dict[str, list[Link]] = {}
    for link in links:
        found.setdefault(link.holder, []).append(link)
    return found


def _servers(specs: Specs) -> dict[str, ServerPlan]:
    refs = {entity.server.id: entity.server for entity in specs.entities.values()}
    return {name: ServerPlan(name, refs[name].manifest.name, refs[name].options) for name in sorted(refs)}


def _products(specs: Specs, entities: Mapping[str, EntityPlan]) -> dict[str, ProductPlan]:
    own: dict[str, list[EntityPlan]] = {name: [] for name in sorted(specs.products)}
    for entity in entities.values():
        own[entity.product].append(entity)
    served = {name: _served(specs.products[name], found) for name, found in own.items()}
    return dict(sorted({**served, **{name: _product(each) for name, each in specs.contracts.items()}}.items()))


def _served(declared: Declared[Product], own: list[EntityPlan]) -> ProductPlan:
    return replace(
        _product(declared),
        served=True,
        entities=tuple(entity.address for entity in own),
        sla=service_levels(declared.model),
        lineage=tuple(
            {"upstream": f"{entity.server}:{entity.source.physical_name}", "downstream": entity.address}
            for entity in own
        ),
        subjects={
            kind: tuple(dict.fromkeys(f"{declared.model.name}#{text}" for text in texts))
            for kind, texts in sorted(declared.model.subjects.items())
        },
    )


def _product(declared: Declared[C]) -> ProductPlan:
    """A product as its contract alone says."""
    product = declared.model
    owner = (
        next((each.username for each in product.team.members if each.role == "owner"), None) if product.team else None
    )
    return ProductPlan(
        name=product.name,
        id=product.id,
        version=product.version,
        status=product.status,
        domain=product.domain,
        owner=owner or (product.team.name if product.team else None),
        description=product.description.purpose or "",
        entities=(),
        sla=declared_levels(product),
        lineage=(),
        served=False,
        document=declared.site.document.plain(),
    )


def _flow(flow: Flow, specs: Specs) -> FlowPlan:
    model = flow.model
    if model is None:
        return FlowPlan(flow.source, flow.target, description=_transformed(flow, specs))
    return FlowPlan(
        flow.source,
        flow.target,
        through=model.through,
        key=model.key,
        declassified=model.declassify.approver if model.declassify else None,
        kind=model.transformation if isinstance(model, LineageEntry) else None,
        expression=model.expression if isinstance(model, LineageEntry) else None,
        description=model.description,
        column=flow.column,
    )


def _transformed(flow: Flow, specs: Specs) -> str:
    """The words that ODCS has for what `transformSourceObjects` go through."""
    product, _, rest = flow.target.partition("#")
    entity, _, name = rest.partition(".")
    found = specs.entities[f"{product}#{entity}"].fields.get(name)
    return (found.model.transform_description or "") if found is not None else ""


def _tests(specs: Specs) -> Iterable[TestPlan]:
    for name, policy in sorted(specs.policies.items()):
        yield from _tests_of(name, policy)


def _tests_of(name: str, policy: Declared[Policy]) -> Iterable[TestPlan]:
    for index, test in enumerate(policy.model.tests):
        span = (policy.site / "tests" / index).span
        yield TestPlan(name, index, test, span.file, span.line, span.column)


def _warn_calls(entities: Mapping[str, EntityPlan], links: Iterable[Link], findings: Findings) -> None:
    for link in links:
        plan = entities[link.holder].link(link.name)
        if plan is not None and plan.per_parent:
            path = f"{entities[link.holder].plural}.{link.name}"
            columns = ", ".join(link.theirs)
            message = f"'{path}' costs one call per parent, 20 at most: {link.target} cannot be looked up by {columns}"
            hint = f"Add 'lookup: {{{columns}: ...}}' to the source of {link.target}."
            key = "inverse" if link.inverted else "name"
            findings.warning("DM806", link.site / key, message, hint)


def _notes(entities: Iterable[EntityPlan]) -> Iterable[str]:
    for entity in entities:
        if entity.capabilities.list and not entity.capabilities.ordered_by_key:
            yield f"{entity.plural} without orderBy comes in the order of its source"
        if not entity.capabilities.list:
            yield f"{entity.plural} is no root list: its source has no 'list'"
        for field in entity.fields:
            if field.column is None and field.pushed is not None:
                yield f"{field.address} is computed in the mesh: {field.pushed}"
