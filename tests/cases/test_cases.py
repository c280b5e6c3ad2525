# SPDX-License-Identifier: Apache-2.0
"""All golden cases: what bad input says, and where."""

import json
from collections.abc import Callable

import pytest

from dictamesh.runtime.cli.common import entities_of
from dictamesh.runtime.exports.asyncapi import events
from dictamesh.runtime.exports.dbt import properties
from dictamesh.runtime.exports.ddl import ddl
from dictamesh.runtime.exports.dialects import DIALECTS
from dictamesh.runtime.exports.json_schema import row_schema
from dictamesh.runtime.lineage.derive import derive
from dictamesh.runtime.lineage.printing import as_json, as_mermaid, as_text
from dictamesh.runtime.lineage.statements.flows import Flow
from dictamesh.runtime.lineage.statements.statement import read_statement
from dictamesh.runtime.lineage.traverse import DEEPEST, DIRECTIONS, walk
from dictamesh.runtime.mesh.build import build
from dictamesh.specs.diagnostics import CODES, render
from dictamesh.specs.documents import MAX_BYTES, Memory, load, write
from dictamesh.specs.documents.reader import MAX_FAULTS
from dictamesh.specs.odcs.exporting import to_contract
from dictamesh.specs.odcs.files import import_files
from dictamesh.specs.resolve.secrets import missing_references
from tests.support.contracts import complaints
from tests.support.golden import Case, cases, check


def run_load(case: Case) -> str:
    loaded = load(Memory(case.files), case.options.get("main", "mesh.yaml"))
    return render(loaded.diagnostics, loaded.sources) or "no findings"


def run_validate(case: Case) -> str:
    """Everything that `validate` does: load, validate, compile, the policies' tests."""
    built = build(Memory(_padded(case)), case.options.get("main", "mesh.yaml"))
    only = case.options.get("only")
    found = [each for each in built.diagnostics if only in {None, each.code}]
    return render(found, built.sources) or "no findings"


def run_json(case: Case) -> str:
    found = build(Memory(case.files), "mesh.yaml").diagnostics
    return json.dumps([each.to_json() for each in found], indent=2, ensure_ascii=False)


def run_references(case: Case) -> str:
    """The notes of `validate` on references; `env` and `files` list what there is."""
    loaded = load(Memory(case.files), "mesh.yaml")
    env = dict.fromkeys(case.options.get("env", "").split(), "")
    found = missing_references(loaded, env, case.options.get("files", "").split().__contains__)
    return render(found, loaded.sources) or "no findings"


def run_import(case: Case) -> str:
    """`import odcs` of all contracts of the case; `out/` holds what is there already."""
    files = {name: data for name, data in case.files.items() if not name.startswith("out/")}
    made = import_files(
        files,
        lambda name: case.files.get(f"out/{name}.yaml"),
        connectors=("postgres", "file", "rest"),
        force=case.options.get("force") == "true",
    )
    texts = [f"--- {each.name}.yaml\n{each.text or ''}" for each in made.products if not made.failed]
    return render(made.diagnostics, made.sources) + "\n".join(texts)


def run_export(case: Case) -> str:
    """`export odcs` of all products of the mesh."""
    built = build(Memory(case.files), "mesh.yaml")
    assert built.plan is not None, render(built.diagnostics, built.sources)
    contracts = {name: to_contract(product.document).contract for name, product in built.plan.products.items()}
    assert [complaints(contract) for contract in contracts.values()] == [[]] * len(contracts)
    return "\n".join(f"--- {name}.odcs.yaml\n{write(contract)}" for name, contract in contracts.items())


def run_exports(case: Case) -> str:
    """`export KIND` of the entities of the mesh: the options `kind`, `entity` and `dialect` say of what and how."""
    built = build(Memory(case.files), "mesh.yaml")
    assert built.plan is not None, render(built.diagnostics, built.sources)
    chosen = entities_of(built.plan, case.options.get("entity"))
    dialect = DIALECTS[case.options.get("dialect", "postgres")]
    kind = case.options["kind"]
    if kind == "sql":
        return "\n".join(ddl(each, dialect) for each in chosen)
    if kind == "dbt":
        return write(properties(chosen, built.plan.entities, dialect))
    if kind == "asyncapi":
        return write(events(built.plan, chosen))
    schemas = {each.topic.name if kind == "avro" else each.name: each for each in chosen}
    found = {name: each.avro if kind == "avro" else row_schema(each) for name, each in schemas.items()}
    return json.dumps(found, indent=1, ensure_ascii=False)


def run_statement(case: Case) -> str:
    """The lineage of the columns of `query.sql`."""
    names = [name.strip() for name in case.options["columns"].split(",")]
    known = {("known",): ("id", "name")}
    found = read_statement(case.files["query.sql"].decode(), case.options["dialect"], names, known)
    lines = [] if found.whole else ["not followed"]
    for name, flows in [*found.columns.items(), ("(rows)", found.rows)]:
        lines += [f"{name} ← {told}" for told in sorted(map(_told, flows))] or [f"{name} ← nothing"]
    return "\n".join(lines)


def _told(flow: Flow) -> str:
    place = f"{'.'.join(flow.table)}.{flow.column}" if flow.column else f"{'.'.join(flow.table)} as a whole"
    marks = f"{' masked' if flow.masking else ''}{'' if flow.certain else ' ?'}"
    said = f": {flow.text}" if flow.text else ""
    return f"{place} {flow.subtype}{marks}{said}"


def run_lineage(case: Case) -> str:
    """What `lineage` prints for the option `address`; the servers' addresses are not known."""
    plan = build(Memory(case.files), "mesh.yaml").plan
    assert plan is not None
    direction = next(each for each in DIRECTIONS if each == case.options.get("direction", "both"))
    found = walk(derive(plan), case.options["address"], direction, int(case.options.get("depth", DEEPEST)))
    assert found is not None, "nothing has the address"
    if case.options.get("format") == "json":
        return json.dumps(as_json(found), indent=2, ensure_ascii=False)
    return as_mermaid(found) if case.options.get("format") == "mermaid" else as_text(found)


def _padded(case: Case) -> dict[str, bytes]:
    """The files; that of the option `pad` with a comment too large for any spec file, that of `faults` with a few."""
    files = dict(case.files)
    for option, text in (("pad", b"#" * MAX_BYTES), ("faults", b"faults:\n" + b"- !no 1\n" * (MAX_FAULTS + 1))):
        if option in case.options:
            files[case.options[option]] += text
    return files


RUNNERS: dict[str, Callable[[Case], str]] = {
    "load": run_load,
    "validate": run_validate,
    "json": run_json,
    "references": run_references,
    "import": run_import,
    "export": run_export,
    "exports": run_exports,
    "statement": run_statement,
    "lineage": run_lineage,
}


@pytest.mark.parametrize("case", cases("*.md"))
def test_case(case: Case) -> None:
    check(case, RUNNERS[case.runner](case))


def test_every_code_has_a_case() -> None:
    """The codes of start and run (DM9xx) are shown by the tests of the running mesh."""
    shown = {code for case in cases("*.md") for code in CODES if f" {code} " in (case.values[0].expected or "")}
    lacking = sorted(code for code in CODES if not code.startswith("DM9") and code not in shown)
    assert not lacking, f"no golden case shows {', '.join(lacking)}"
