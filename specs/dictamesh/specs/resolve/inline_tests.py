# SPDX-License-Identifier: Apache-2.0
"""The inline tests of policies: do they name what exists (their outcome is judged by the runtime)."""

from collections.abc import Mapping

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Mesh, Policy, PolicyTest
from dictamesh.specs.resolve.matching import every_field
from dictamesh.specs.resolve.mesh import claim_fits
from dictamesh.specs.resolve.policies import check_declared
from dictamesh.specs.resolved import Declared, ResolvedEntity
from dictamesh.specs.suggest import suggest


def check_tests(
    policy: Declared[Policy], entities: Mapping[str, ResolvedEntity], mesh: Mesh, findings: Findings
) -> None:
    """Record tests that name unknown fields, entities, roles, purposes or claims, or demand nothing."""
    addresses = {each.address for entity in entities.values() for each in every_field(entity.fields.values())}
    for index, test in enumerate(policy.model.tests):
        site = policy.site / "tests" / index
        _check_principal(test, site / "as", mesh, findings)
        if test.field is not None and test.field not in addresses:
            _unknown("field", test.field, addresses, site / "field", findings)
        if test.on is not None and test.on not in entities:
            _unknown("entity", test.on, entities, site / "on", findings)
        _check_form(test, site, entities, findings)


def _check_principal(test: PolicyTest, site: Site, mesh: Mesh, findings: Findings) -> None:
    who = test.as_
    claims = mesh.security.claims if mesh.security else {}
    check_declared(who.roles or (), "roles", mesh.roles, site / "roles", findings)
    if who.purpose is not None:
        check_declared((who.purpose,), "purposes", mesh.purposes, site / "purpose", findings)
    for claim, value in who.claims.items():
        check_declared((claim,), "claims", claims, site / "claims" / claim, findings)
        if claim in claims and not claim_fits(value, claims[claim]):
            findings.error("DM103", site / "claims" / claim, f"the claim '{claim}' is declared otherwise")


def _check_form(test: PolicyTest, site: Site, entities: Mapping[str, ResolvedEntity], findings: Findings) -> None:
    if (test.field is None) == (test.on is None):
        findings.error(
            "DM408", site, "a test is about one field, or about a record 'on' an entity", "Give one of them."
        )
    if test.on is not None and test.record is None:
        findings.error("DM408", site / "on", "a test of rows needs a record", "Add 'record: {...}'.")
    if not test.expect.model_fields_set:
        findings.error("DM408", site / "expect", "this test expects nothing", "Expect an effect, rule, value or row.")
    address = test.on or (test.field or "").rpartition(".")[0]
    entity = entities.get(address)
    for name in test.record or {}:
        if entity is not None and name not in entity.fields:
            _unknown("field", name, entity.fields, site / "record" / name, findings)


def _unknown(what: str, name: str, known: Mapping[str, object] | set[str], site: Site, findings: Findings) -> None:
    near = suggest(name, known)
    hint = f"did you mean '{near}'?" if near else f"Nothing in this mesh is a {what} of that name."
    findings.error("DM402", site, f"unknown {what} '{name}'", hint)
