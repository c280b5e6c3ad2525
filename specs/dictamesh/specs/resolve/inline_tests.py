# SPDX-License-Identifier: Apache-2.0
"""The inline tests of policies: do they name what exists (their outcome is judged by the runtime)."""

from collections.abc import Iterable, Mapping

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Mesh, Policy, PolicyTest
from dictamesh.specs.resolve.declared import check_claims, check_declared, check_each
from dictamesh.specs.resolve.matching import Known
from dictamesh.specs.resolved import Declared, ResolvedEntity
from dictamesh.specs.suggest import suggest

OF_FIELDS = ("effect", "mask", "rule", "value")


def check_tests(policies: Iterable[Declared[Policy]], known: Known, mesh: Declared[Mesh], findings: Findings) -> None:
    """Record tests that name unknown fields, entities, roles, purposes or claims, or demand nothing."""
    addresses = {field.address for _, field in known.every}
    for policy in policies:
        for index, test in enumerate(policy.model.tests):
            site = policy.site / "tests" / index
            _check_principal(test, site / "as", mesh, findings)
            if known.complete and test.field is not None and test.field not in addresses:
                _unknown("field", test.field, addresses, site / "field", findings)
            if known.complete and test.on is not None and test.on not in known.entities:
                _unknown("entity", test.on, known.entities, site / "on", findings)
            _check_form(test, site, known.entities, findings)


def _check_principal(test: PolicyTest, site: Site, mesh: Declared[Mesh], findings: Findings) -> None:
    who = test.as_
    check_each(who.roles or (), "roles", mesh, site / "roles", findings)
    if who.purpose is not None:
        check_declared(who.purpose, "purposes", mesh, site / "purpose", findings)
    check_claims(who.claims, mesh, site / "claims", findings)


def _check_form(test: PolicyTest, site: Site, entities: Mapping[str, ResolvedEntity], findings: Findings) -> None:
    expect, at = test.expect, site / "expect"
    if (test.field is None) == (test.on is None):
        message = "a test is about one field, or about a record 'on' an entity"
        findings.error("DM408", site, message, "Give one of 'field' and 'on'.")
        return
    if test.on is not None and test.record is None:
        findings.error("DM408", site / "on", "a test of rows needs a record", "Add 'record: {...}'.")
    if not expect.model_fields_set:
        findings.error("DM408", at, "this test expects nothing", "Expect an effect, mask, rule, value or row.")
    for key in OF_FIELDS:
        if test.on is not None and key in expect.model_fields_set:
            message = f"a test of rows expects 'row' only, and no '{key}'"
            findings.error("DM408", (at / key).key_span, message, "Write 'field:' to test what is served of a field.")
    if test.field is not None and "value" in expect.model_fields_set and test.record is None and not _given(test):
        message = "a value is expected, and none is given"
        findings.error("DM408", at / "value", message, "Add 'value:' beside 'field:', or a record.")
    entity = entities.get(test.on or _entity_of(test.field or ""))
    for name in test.record or {}:
        if entity is not None and name not in entity.fields:
            _unknown("field", name, entity.fields, site / "record" / name, findings, key=True)


def _given(test: PolicyTest) -> bool:
    return "value" in test.model_fields_set


def _entity_of(address: str) -> str:
    product, _, path = address.partition("#")
    return f"{product}#{path.partition('.')[0]}"


def _unknown(what: str, name: str, known: Iterable[str], site: Site, findings: Findings, *, key: bool = False) -> None:
    near = suggest(name, sorted(known))
    hint = f"did you mean '{near}'?" if near else f"No {what} of this mesh has that name."
    findings.error("DM402", site.key_span if key else site, f"unknown {what} '{name}'", hint)
