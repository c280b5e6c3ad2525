# SPDX-License-Identifier: Apache-2.0
"""Policies that an engine decides by a text: the engine found, the text read by it, the names in it known (GV-10)."""

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.engines.protocol import Compiled, Mention, Refused
from dictamesh.specs.engines.registry import GROUP, RULES, Engines, compiled, installed
from dictamesh.specs.model import Mesh, Policy
from dictamesh.specs.resolve.declared import check_declared
from dictamesh.specs.resolve.matching import Known
from dictamesh.specs.resolve.sensitivity import unknown_tag
from dictamesh.specs.resolved import Declared
from dictamesh.specs.rules import Scope
from dictamesh.specs.suggest import suggest

DECLARED = {"role": "roles", "purpose": "purposes", "claim": "claims"}


def scope_of(mesh: Mesh, known: Known) -> Scope:
    """Return what texts of a mesh may speak of."""
    claims = mesh.security.claims if mesh.security is not None else {}
    return Scope(
        tuple(sorted(claims.items())),
        tuple(sorted(mesh.roles)),
        tuple(sorted(mesh.purposes)),
        tuple(sorted(known.words.tags)),
    )


def check_engine(policy: Policy, site: Site, mesh: Declared[Mesh], known: Known, findings: Findings) -> Compiled | None:
    """Record what keeps a text from deciding; return what its engine made of it, None where the rules decide."""
    if policy.engine == RULES:
        _check_unasked(policy, site, findings)
        return None
    there = installed()
    engine = there.engines.get(policy.engine)
    if engine is None:
        findings.error("DM413", site / "engine", *_missing(policy.engine, there))
        return None
    if policy.rules:
        hint = "Put the rules into a policy of their own."
        findings.error("DM412", (site / "rules").key_span, f"a policy by {engine.title} has no 'rules'", hint)
    if policy.cedar is not None and (policy.engine != "cedar" or policy.text is not None):
        hint = "Write the text once, under 'text'."
        findings.error("DM412", (site / "cedar").key_span, "a Cedar text that nobody asks", hint)
        return None
    if policy.decides_by is None:
        message = f"a policy by {engine.title} needs its text"
        findings.error("DM412", site / "engine", message, f"Add '{policy.text_key}: |' and the policies.")
        return None
    return _check_text(policy, site / policy.text_key, mesh, known, findings)


def _check_unasked(policy: Policy, site: Site, findings: Findings) -> None:
    if policy.cedar is not None:
        hint = "Add 'engine: cedar', or remove it."
        findings.error("DM412", (site / "cedar").key_span, "a Cedar text that nobody asks", hint)
    elif policy.text is not None:
        hint = "Add 'engine:' with the name of the engine that reads it, or remove it."
        findings.error("DM412", (site / "text").key_span, "a text that no engine is asked by", hint)


def _missing(name: str, there: Engines) -> tuple[str, str]:
    """What to say of an engine that is not there, and what to do."""
    if name in there.lacking:
        return "Cedar is not installed", f"Install dictamesh[{name}], or write the policy as rules."
    broken = next((note for note in there.notes if note.entry_point == name), None)
    if broken is not None:
        message = f"the engine '{name}' of {broken.package} cannot be used: {broken.reason}"
        return message, "Repair or upgrade that distribution."
    names = [*there.engines, RULES]
    near = suggest(name, names)
    start = f"did you mean '{near}'? " if near else ""
    listed = f"Installed here: {', '.join(sorted(names))}."
    hint = f"{start}{listed} A distribution adds one by an entry point in the group '{GROUP}'."
    return f"there is no engine '{name}'", hint


def _check_text(policy: Policy, site: Site, mesh: Declared[Mesh], known: Known, findings: Findings) -> Compiled | None:
    try:
        made = compiled(policy.engine, policy.decides_by or "", scope_of(mesh.model, known))
    except Exception as error:  # noqa: BLE001  (a stranger's engine may raise anything)
        hint = "Correct the text, or report it to whoever makes the engine."
        findings.error("DM412", site, f"the engine '{policy.engine}' fails on this: {type(error).__name__}", hint)
        return None
    if isinstance(made, Refused):
        for each in made.problems:
            findings.error("DM412", site, each.message, each.hint)
        return None
    sound = [_is_known(each, site, mesh, known, findings) for each in made.mentions]
    return made if all(sound) else None


def _is_known(mention: Mention, site: Site, mesh: Declared[Mesh], known: Known, findings: Findings) -> bool:
    if mention.kind != "tag":
        return check_declared(mention.name, DECLARED[mention.kind], mesh, site, findings)
    if mention.name in known.words.tags:
        return True
    unknown_tag(mention.name, known.words, site, findings)
    return False
