# SPDX-License-Identifier: Apache-2.0
"""Policies bound to fields and rows, with every fault a steward can make (S13..S20)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.expressions.tree import Expr
from dictamesh.specs.model import Mask, Mesh, Policy, Rule
from dictamesh.specs.model.policy import Condition
from dictamesh.specs.resolve.matching import Known, by_name, check_selector, matched, matched_entities
from dictamesh.specs.resolve.scopes import Conditions
from dictamesh.specs.resolved import Declared, Field, ResolvedEntity
from dictamesh.specs.rules import Audience, Effect, FieldPolicy, FieldRule, MaskRule, RowPolicy, RowRule, RuleTable
from dictamesh.specs.suggest import suggest
from dictamesh.specs.types import Kind

PARAMETERS = {
    "redact": frozenset[str](),
    "nullify": frozenset[str](),
    "partial": frozenset({"keep_first", "keep_last", "char"}),
    "hmac": frozenset({"key", "scope"}),
}
FOR_STRINGS = frozenset({"partial", "hmac"})


@dataclass(frozen=True, slots=True)
class Binder:
    """What binding policies needs to know, and what it has bound so far."""

    mesh: Mesh
    known: Known
    conditions: Conditions
    findings: Findings
    sites: dict[str, Site] = field(default_factory=dict)
    fields: dict[str, list[FieldPolicy]] = field(default_factory=dict)
    rows: dict[str, list[RowPolicy]] = field(default_factory=dict)


def bind_policies(
    policies: Iterable[Declared[Policy]], mesh: Mesh, known: Known, conditions: Conditions, findings: Findings
) -> RuleTable:
    """Bind policies in the order of their names, so that the order of files never matters."""
    binder = Binder(mesh, known, conditions, findings)
    for policy in sorted(policies, key=lambda each: each.model.name):
        binder.sites[policy.model.name] = policy.site
        _bind(policy.model, policy.site, binder)
    for address, bound in binder.fields.items():
        _warn_different_masks(address, bound, binder)
    return RuleTable(
        fields={address: tuple(binder.fields[address]) for address in sorted(binder.fields)},
        rows={address: tuple(binder.rows[address]) for address in sorted(binder.rows)},
    )


def _bind(policy: Policy, site: Site, binder: Binder) -> None:
    findings = binder.findings
    check_selector(policy.match, site / "match", binder.known, findings)
    if not policy.rules and not policy.rows:
        findings.error("DM403", site / "name", f"policy '{policy.name}' says nothing", "Give it 'rules' or 'rows'.")
    for part, entries in (("rules", policy.rules), ("rows", policy.rows)):
        _check_conditions(entries, site / part, binder)
    for index, rule in enumerate(policy.rules):
        _check_effect(rule, site / "rules" / index, binder)
    if policy.rules:
        _bind_fields(policy, site, binder)
    if policy.rows:
        _bind_rows(policy, site, binder)


def _bind_fields(policy: Policy, site: Site, binder: Binder) -> None:
    pairs = list(matched(policy.match, binder.known.entities.values()))
    if not pairs and not binder.findings.failed:
        hint = "Correct 'match', or remove the policy."
        binder.findings.warning("DM801", site / "match", f"policy '{policy.name}' matches no field", hint)
    allows = by_name(policy.match)
    unfit: set[Site] = set()
    for entity, each in pairs:
        rules = tuple(
            _field_rule(rule, entity, each, site / "rules" / index, binder, unfit)
            for index, rule in enumerate(policy.rules)
        )
        use = policy.on_use
        bound = FieldPolicy(
            policy.name, rules, allows, use.sort == "allow", use.group == "allow", use.relation == "allow"
        )
        binder.fields.setdefault(each.address, []).append(bound)


def _field_rule(
    rule: Rule, entity: ResolvedEntity, each: Field, here: Site, binder: Binder, unfit: set[Site]
) -> FieldRule:
    where: Expr | None = None
    if rule.where is not None:
        where = binder.conditions.check(rule.where, entity, here / "where", binder.findings)
    mask = _mask_rule(rule.mask, entity, binder.mesh) if rule.mask and rule.effect == "mask" else None
    if rule.mask and mask and mask.kind in FOR_STRINGS and not _fits(each):
        if rule.mask.otherwise is not None:
            mask = MaskRule(rule.mask.otherwise)
        elif here not in unfit:
            unfit.add(here)
            message = f"'{mask.kind}' is for strings; {each.address} is {each.type}"
            hint = "Add 'otherwise: redact' to the mask, or exclude the field."
            binder.findings.error("DM405", here / "mask", message, hint)
    return FieldRule(rule.name, _audience(rule), Effect(rule.effect), mask, where)


def _fits(each: Field) -> bool:
    kind = each.type
    while kind.kind is Kind.ARRAY and kind.item is not None:
        kind = kind.item
    if kind.kind is Kind.OBJECT:
        return True  # a mask on an object acts on its leaves, each of which is matched by itself
    return kind.kind is Kind.STRING and not kind.values


def _mask_rule(mask: Mask, entity: ResolvedEntity, mesh: Mesh) -> MaskRule:
    if mask.kind == "hmac":
        scope = entity.product.id if mask.scope == "product" else mesh.name
        return MaskRule("hmac", key=mask.key, scope=scope)
    if mask.kind == "partial":
        keep_last = 4 if mask.keep_last is None else mask.keep_last
        return MaskRule("partial", keep_first=mask.keep_first or 0, keep_last=keep_last, char=mask.char or "*")
    return MaskRule(mask.kind)


def _bind_rows(policy: Policy, site: Site, binder: Binder) -> None:
    match = policy.match
    if match.tags is not None or match.tiers is not None or match.fields is not None:
        hint = "Match products or entities; put field rules into a policy of their own."
        binder.findings.error("DM406", site / "rows", "a policy with 'rows' matches products or entities only", hint)
        return
    for entity in matched_entities(match, binder.known.entities.values()):
        entries = tuple(
            RowRule(row.name, _audience(row), _keep(row.keep, entity, site / "rows" / index / "keep", binder))
            for index, row in enumerate(policy.rows)
        )
        binder.rows.setdefault(entity.address, []).append(RowPolicy(policy.name, entries))


def _keep(text: str, entity: ResolvedEntity, site: Site, binder: Binder) -> Expr | bool:
    if text in {"all", "none"}:
        return text == "all"
    checked = binder.conditions.check(text, entity, site, binder.findings)
    return False if checked is None else checked


def _audience(condition: Condition) -> Audience:
    return Audience(
        roles=frozenset(condition.roles) if condition.roles is not None else None,
        purposes=frozenset(condition.purposes) if condition.purposes is not None else None,
        claims=tuple(sorted((condition.claims or {}).items())),
    )


def _check_conditions(entries: Iterable[Condition], site: Site, binder: Binder) -> None:
    mesh, findings = binder.mesh, binder.findings
    claims = mesh.security.claims if mesh.security else {}
    names: set[str] = set()
    earlier: list[Condition] = []
    for index, entry in enumerate(entries):
        here = site / index
        if entry.name in names:
            findings.error(
                "DM407", here / "name", f"a second rule '{entry.name}'", "Rules of a policy have different names."
            )
        names.add(entry.name)
        for key, given, known in (("roles", entry.roles, mesh.roles), ("purposes", entry.purposes, mesh.purposes)):
            check_declared(given or (), key, known, here / key, findings)
        for claim in entry.claims or {}:
            check_declared((claim,), "claims", claims, here / "claims", findings)
        for before in earlier:
            if _shadows(before, entry):
                message = f"'{entry.name}' can never speak: '{before.name}' stands before it and covers it"
                findings.warning(
                    "DM802", here / "name", message, "The first rule that applies speaks; reorder or remove."
                )
                break
        earlier.append(entry)


def _shadows(before: Condition, after: Condition) -> bool:
    if isinstance(before, Rule) and before.where is not None:
        return False
    return (
        _wider(before.roles, after.roles)
        and _wider(before.purposes, after.purposes)
        and all((after.claims or {}).get(claim) == values for claim, values in (before.claims or {}).items())
    )


def _wider(before: tuple[str, ...] | None, after: tuple[str, ...] | None) -> bool:
    return before is None or (after is not None and set(after) <= set(before))


def check_declared(given: Iterable[str], key: str, known: Iterable[str], site: Site, findings: Findings) -> None:
    """Record roles, purposes or claims that the mesh file does not declare (S21)."""
    one = {"roles": "role", "purposes": "purpose", "claims": "claim"}[key]
    names = list(known)
    for index, name in enumerate(given):
        if name not in names:
            near = suggest(name, names)
            where = "security.claims" if key == "claims" else f"'{key}'"
            hint = f"did you mean '{near}'?" if near else f"Declare it under {where} of the mesh file."
            findings.error("DM208", site / index if (site / index).exists else site, f"unknown {one} '{name}'", hint)


def _check_effect(rule: Rule, site: Site, binder: Binder) -> None:
    findings = binder.findings
    if rule.effect == "mask" and rule.mask is None:
        findings.error(
            "DM404", site / "effect", f"'{rule.name}' masks, and no mask is given", "Add 'mask: {kind: redact}'."
        )
    if rule.mask is None:
        return
    if rule.effect != "mask":
        findings.error(
            "DM404", site / "mask", f"effect '{rule.effect}' takes no mask", "Remove it, or write 'effect: mask'."
        )
    allowed = PARAMETERS[rule.mask.kind] | {"kind", "otherwise"}
    for name in sorted(rule.mask.model_fields_set - allowed):
        key = "".join(part.title() if i else part for i, part in enumerate(name.split("_")))
        findings.error("DM404", site / "mask" / key, f"'{rule.mask.kind}' has no '{key}'", "Remove it.")
    if rule.mask.kind == "hmac":
        _check_key(rule.mask.key, site / "mask", binder.mesh, findings)


def _check_key(key: str | None, site: Site, mesh: Mesh, findings: Findings) -> None:
    keys: Mapping[str, str] = mesh.security.keys if mesh.security else {}
    if key is None:
        findings.error("DM404", site, "'hmac' needs a key", "Add 'key:' with a name of security.keys.")
    elif key not in keys:
        near = suggest(key, keys)
        hint = f"did you mean '{near}'?" if near else "Declare it under security.keys of the mesh file, by reference."
        findings.error("DM209", site / "key", f"unknown key '{key}'", hint)


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
