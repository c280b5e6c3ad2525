# SPDX-License-Identifier: Apache-2.0
"""Policies bound to fields and rows (S13..S20)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.engines.protocol import Compiled
from dictamesh.specs.expressions.tree import Expr
from dictamesh.specs.model import Mask, Mesh, Policy, Rule
from dictamesh.specs.model.policy import Row, Selector
from dictamesh.specs.resolve.agreements import audience, check_named, warn_unagreed
from dictamesh.specs.resolve.engines import check_engine, scope_of
from dictamesh.specs.resolve.masks import made_for, mask_fits, mask_rule, same_for_all
from dictamesh.specs.resolve.matching import Known, by_name, check_selector, matched, matched_entities
from dictamesh.specs.resolve.rule_checks import check_conditions, check_effect
from dictamesh.specs.resolve.scopes import Conditions
from dictamesh.specs.resolve.sensitivity import rank
from dictamesh.specs.resolved import Declared, Field, ResolvedEntity
from dictamesh.specs.rules import (
    Effect,
    EngineRules,
    FieldPolicy,
    FieldRule,
    MaskRule,
    Resource,
    RowPolicy,
    RowRule,
    RuleTable,
)

SENSITIVE = rank("confidential")


@dataclass(frozen=True, slots=True)
class Binder:
    """What binding policies needs to know, and what it has bound so far."""

    mesh: Declared[Mesh]
    known: Known
    conditions: Conditions
    findings: Findings
    sites: dict[str, Site] = field(default_factory=dict)
    fields: dict[str, list[FieldPolicy]] = field(default_factory=dict)
    rows: dict[str, list[RowPolicy]] = field(default_factory=dict)


def bind_policies(
    policies: Iterable[Declared[Policy]], mesh: Declared[Mesh], known: Known, conditions: Conditions, findings: Findings
) -> RuleTable:
    """Bind policies in the order of their names, so that the order of files never matters."""
    binder = Binder(mesh, known, conditions, findings)
    for policy in sorted(policies, key=lambda each: each.model.name):
        binder.sites[policy.model.name] = policy.site
        _bind(policy, binder)
    for address, bound in binder.fields.items():
        _warn_different_masks(address, bound, binder)
    return RuleTable(
        fields={address: tuple(binder.fields[address]) for address in sorted(binder.fields)},
        rows={address: tuple(binder.rows[address]) for address in sorted(binder.rows)},
    )


def _bind(declared: Declared[Policy], binder: Binder) -> None:
    policy, site, findings = declared.model, declared.site, binder.findings
    sound = declared.sound(site / "match")
    check_selector(policy.match, site / "match", binder.known, findings, sound=sound)
    sound = sound and bool(policy.match.model_fields_set)
    unsaid = declared.sound(site / "rules") and declared.sound(site / "rows")
    decides = check_engine(policy, site, binder.mesh, binder.known, findings)
    if not policy.rules and not policy.rows and policy.engine == "rules" and unsaid:
        findings.error("DM403", site / "name", f"policy '{policy.name}' says nothing", "Give it 'rules' or 'rows'.")
    check_conditions(policy.rules, site / "rules", binder.mesh, findings)
    check_conditions(policy.rows, site / "rows", binder.mesh, findings)
    for key, entries in (("rules", policy.rules), ("rows", policy.rows)):
        check_named(entries, site / key, binder.known, findings)
    for index, rule in enumerate(policy.rules):
        check_effect(rule, site / "rules" / index, declared, binder.mesh, findings)
    if decides is not None and sound:
        _bind_engine(policy, decides, site, binder)
    elif policy.rules and sound:
        _bind_fields(policy, site, binder)
    if policy.rows and sound:
        _bind_rows(policy, site, binder)


def _bind_fields(policy: Policy, site: Site, binder: Binder) -> None:
    findings = binder.findings
    pairs = list(matched(policy.match, binder.known))
    if not pairs:
        _warn_idle(policy, site, "field", binder)
    allows = by_name(policy.match)
    unfit: set[Site] = set()
    uses = frozenset(use for use, said in policy.on_use if said == "allow")
    alike = [_alike(rule) for rule in policy.rules]
    places = [site / "rules" / index for index in range(len(policy.rules))]
    for entity, each in pairs:
        rules = tuple(
            same or _field_rule(rule, entity, each, place, binder, unfit)
            for rule, same, place in zip(policy.rules, alike, places, strict=True)
        )
        binder.fields.setdefault(each.address, []).append(FieldPolicy(policy.name, rules, allows, uses))
    warn_unagreed(policy.rules, {entity.product.name for entity, _ in pairs}, site / "rules", binder.known, findings)
    if not allows:
        _warn_silent(policy, [each for _, each in pairs if rank(each.tier) >= SENSITIVE], site, binder)


def _bind_engine(policy: Policy, made: Compiled, site: Site, binder: Binder) -> None:
    pairs, text = list(matched(policy.match, binder.known)), policy.decides_by or ""
    if not pairs:
        _warn_idle(policy, site, "field", binder)
    scope = scope_of(binder.mesh.model, binder.known)
    uses = frozenset(use for use, said in policy.on_use if said == "allow")
    for entity, each in pairs:
        name = each.address.removeprefix(f"{entity.address}.")
        resource = Resource(each.address, entity.address, entity.product.name, name, each.tier, each.tags, each.pii)
        rules = EngineRules(policy.engine, text, scope, resource, made.audiences)
        bound = FieldPolicy(policy.name, (), by_name(policy.match), uses, rules)
        binder.fields.setdefault(each.address, []).append(bound)


def _alike(rule: Rule) -> FieldRule | None:
    """The rule where it is the same for every field; None where it depends on the field or its entity."""
    if rule.where is not None or rule.agreements is not None or (rule.mask and not same_for_all(rule.mask)):
        return None
    mask = MaskRule(rule.mask.kind) if rule.mask and rule.effect == "mask" else None
    return FieldRule(rule.name, audience(rule, "", {}), Effect(rule.effect), mask)


def _warn_idle(policy: Policy, site: Site, what: str, binder: Binder) -> None:
    if not binder.findings.failed:
        message = f"policy '{policy.name}' matches no {what}"
        binder.findings.warning("DM801", site / "match", message, "Correct 'match', or remove the policy.")


def _warn_silent(policy: Policy, sensitive: list[Field], site: Site, binder: Binder) -> None:
    for index, rule in enumerate(policy.rules):
        if rule.effect == "allow" and sensitive:
            first, count = sensitive[0], len(sensitive)
            which = f"{first.address}, which is {first.tier}"
            if count > 1:
                which = f"{count} confidential or restricted fields, such as {first.address}"
            message = f"'{rule.name}' allows nothing on {which}"
            hint = "On such a field an allow counts from a policy that matches its tag, its tier or its name (S16)."
            binder.findings.warning("DM807", site / "rules" / index / "effect", message, hint)


def _field_rule(
    rule: Rule, entity: ResolvedEntity, each: Field, here: Site, binder: Binder, unfit: set[Site]
) -> FieldRule:
    where: Expr | None = None
    if rule.where is not None:
        where = binder.conditions.check(rule.where, entity, here / "where", binder.findings)
    mask = _fitting_mask(rule.mask, entity, each, here, binder, unfit) if rule.mask and rule.effect == "mask" else None
    whom = audience(rule, entity.product.name, binder.known.agreements)
    return FieldRule(rule.name, whom, Effect(rule.effect), mask, where)


def _fitting_mask(
    mask: Mask, entity: ResolvedEntity, each: Field, here: Site, binder: Binder, unfit: set[Site]
) -> MaskRule:
    if mask_fits(mask, each):
        return mask_rule(mask, (binder.mesh.model.name, entity.product.id))
    if mask.otherwise is not None:
        return MaskRule(mask.otherwise)
    if here not in unfit:
        unfit.add(here)
        what = "an enumeration" if each.type.values else str(each.model.logical_type)
        message = f"'{mask.kind}' is for {made_for(mask)}; {each.address} is {what}"
        hint = "Add 'otherwise: redact' to the mask, or exclude the field."
        binder.findings.error("DM405", here / "mask" / "kind", message, hint)
    return MaskRule("redact")


def _bind_rows(policy: Policy, site: Site, binder: Binder) -> None:
    for selector, place in ((policy.match, site / "match"), (policy.match.except_, site / "match" / "except")):
        key = _about_fields(selector)
        if key is not None:
            message = f"a policy with 'rows' matches products or entities, and not '{key}'"
            hint = "Put the field rules into a policy of their own."
            binder.findings.error("DM406", (place / key).key_span, message, hint)
            return
    entities, agreements = list(matched_entities(policy.match, binder.known.entities.values())), binder.known.agreements
    if not entities:
        _warn_idle(policy, site, "entity", binder)
    products = {entity.product.name for entity in entities}
    warn_unagreed(policy.rows, products, site / "rows", binder.known, binder.findings)
    for entity in entities:
        entries = tuple(
            RowRule(
                row.name,
                audience(row, entity.product.name, agreements),
                _keep(row, entity, site / "rows" / index, binder),
            )
            for index, row in enumerate(policy.rows)
        )
        binder.rows.setdefault(entity.address, []).append(RowPolicy(policy.name, entries))


def _about_fields(selector: Selector | None) -> str | None:
    given = {key: getattr(selector, key) for key in ("tags", "tiers", "fields")} if selector else {}
    return next((key for key, value in given.items() if value is not None), None)


def _keep(row: Row, entity: ResolvedEntity, site: Site, binder: Binder) -> Expr | bool:
    if row.keep in {"all", "none"}:
        return row.keep == "all"
    checked = binder.conditions.check(row.keep, entity, site / "keep", binder.findings)
    return False if checked is None else checked


def _warn_different_masks(address: str, bound: list[FieldPolicy], binder: Binder) -> None:
    seen: dict[str, tuple[str, MaskRule]] = {}
    for policy in bound:
        for rule in policy.rules:
            if rule.mask is None:
                continue
            other, mask = seen.setdefault(rule.mask.kind, (policy.policy, rule.mask))
            if mask != rule.mask and other != policy.policy:
                site = binder.sites[policy.policy]
                message = f"'{other}' and '{policy.policy}' both mask {address} by {mask.kind}, with other parameters"
                hint = "Where both speak the field is redacted (S14); give them the same parameters."
                binder.findings.warning("DM803", site / "name", message, hint)
                return
