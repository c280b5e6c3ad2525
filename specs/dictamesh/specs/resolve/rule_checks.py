# SPDX-License-Identifier: Apache-2.0
"""What a single policy may get wrong in its rules: names, conditions, effects, masks, rules that never speak."""

from collections.abc import Iterable
from itertools import product

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Mesh, Policy, Rule
from dictamesh.specs.model.policy import Condition
from dictamesh.specs.resolve.declared import check_claim_values, check_each
from dictamesh.specs.resolve.masks import check_mask
from dictamesh.specs.resolved import Declared


def check_conditions(entries: Iterable[Condition], site: Site, mesh: Declared[Mesh], findings: Findings) -> None:
    """Check for whom rules are: declared roles, purposes and claims, names of their own, and none in vain."""
    names: dict[str, Site] = {}
    earlier: list[Condition] = []
    for index, entry in enumerate(entries):
        here = site / index
        first = names.setdefault(entry.name, here)
        if first is not here:
            message = f"a second rule '{entry.name}'; the first is at {(first / 'name').span}"
            findings.error("DM407", here / "name", message)
        check_each(entry.roles or (), "roles", mesh, here / "roles", findings)
        check_each(entry.purposes or (), "purposes", mesh, here / "purposes", findings)
        check_claim_values(entry.claims or {}, mesh, here / "claims", findings)
        _check_heard(entry, earlier, here, mesh, findings)
        earlier.append(entry)


def _check_heard(
    entry: Condition, earlier: list[Condition], here: Site, mesh: Declared[Mesh], findings: Findings
) -> None:
    covering = _covering(entry, earlier)
    if covering:
        before = " and ".join(f"'{name}'" for name in covering)
        verb = "stands" if len(covering) == 1 else "stand"
        message = f"'{entry.name}' can never speak: {before} {verb} before it and cover{'s' * (verb == 'stands')} it"
        findings.warning("DM802", here / "name", message, "The first rule that applies speaks; reorder or remove.")
        return
    asks = entry.roles or entry.purposes or entry.claims
    if asks and mesh.model.security is None and mesh.sound(mesh.site / "security"):
        message = f"'{entry.name}' can never speak: without 'security' every caller is anonymous"
        findings.warning("DM802", here / "name", message, "Add 'security' to the mesh file.")


def _covering(entry: Condition, earlier: Iterable[Condition]) -> list[str]:
    """The rules that together leave nobody to this one; empty where somebody is left."""
    able = [each for each in earlier if _asks_no_more(each, entry)]
    names: dict[str, None] = {}
    for role, purpose in product(entry.roles or (None,), entry.purposes or (None,)):
        found = next((each for each in able if _holds(each.roles, role) and _holds(each.purposes, purpose)), None)
        if found is None:
            return []
        names[found.name] = None
    return list(names)


def _asks_no_more(before: Condition, entry: Condition) -> bool:
    """Whether a rule speaks on all rows and days, and to everyone whose claims the other asks for."""
    if (isinstance(before, Rule) and before.where is not None) or before.agreements is not None:
        return False
    mine = entry.claims or {}
    return all(
        claim in mine and all(value in values for value in mine[claim])
        for claim, values in (before.claims or {}).items()
    )


def _holds(asked: tuple[str, ...] | None, held: str | None) -> bool:
    return asked is None or held in asked


def check_effect(rule: Rule, site: Site, policy: Declared[Policy], mesh: Declared[Mesh], findings: Findings) -> None:
    """Check that effect and mask belong together, and the mask's parameters to its kind."""
    if rule.effect == "mask" and rule.mask is None and policy.sound(site / "mask"):
        message = f"'{rule.name}' masks, and no mask is given"
        findings.error("DM404", site / "effect", message, "Add 'mask: {kind: redact}'.")
    mask = rule.mask
    if mask is None:
        return
    if rule.effect != "mask":
        message = f"effect '{rule.effect}' takes no mask"
        findings.error("DM404", (site / "mask").key_span, message, "Remove it, or write 'effect: mask'.")
    check_mask(mask, site / "mask", mesh, findings)
