# SPDX-License-Identifier: Apache-2.0
"""`export` and `import`: what they print, what they write, what they refuse."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Run = Callable[..., tuple[int, str, str]]

FILES = {
    "odcs": ["people.odcs.yaml"],
    "avro": ["people.db.entity_changed.avsc"],
    "jsonschema": ["Person.schema.json"],
    "sql": ["persons.sql"],
    "dbt": ["people.yml"],
    "asyncapi": ["asyncapi.yaml"],
}


def read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix in {".json", ".avsc"} else yaml.safe_load(text)


@pytest.mark.parametrize("kind", FILES)
def test_each_kind_is_written_to_a_folder(mesh: Path, run: Run, kind: str) -> None:
    code, out, err = run("export", kind, "--config", str(mesh), "--out", "made/deep")
    assert (code, err) == (0, "")
    assert out.splitlines() == [f"made/deep/{name}" for name in FILES[kind]]
    folder = mesh.parent / "made" / "deep"
    assert sorted(path.name for path in folder.iterdir()) == FILES[kind]
    if kind != "sql":
        assert isinstance(read(folder / FILES[kind][0]), dict)


@pytest.mark.parametrize("kind", FILES)
def test_one_thing_is_printed_as_it_would_be_written(mesh: Path, run: Run, kind: str) -> None:
    name = "people" if kind == "odcs" else "Person"
    run("export", kind, "--config", str(mesh), name, "--out", "made")
    code, out, err = run("export", kind, "--config", str(mesh), name)
    assert (code, err) == (0, "")
    assert out == (mesh.parent / "made" / FILES[kind][0]).read_text(encoding="utf-8")


def test_an_entity_may_be_named_by_its_address(mesh: Path, run: Run) -> None:
    by_type, by_address = (run("export", "sql", "--config", str(mesh), name) for name in ("Person", "people#Person"))
    assert by_type == by_address


def test_all_avro_schemas_are_printed_as_schema_avro_prints_them(mesh: Path, run: Run) -> None:
    assert run("export", "avro", "--config", str(mesh)) == run("schema", "avro", "--config", str(mesh))


def test_all_json_schemas_are_printed_as_one(mesh: Path, run: Run) -> None:
    _, out, _ = run("export", "jsonschema", "--config", str(mesh))
    assert list(json.loads(out)["$defs"]) == ["Person"]


@pytest.mark.parametrize("kind", ["avro", "jsonschema", "sql", "dbt", "asyncapi"])
def test_an_entity_that_is_not_there(mesh: Path, run: Run, kind: str) -> None:
    code, out, err = run("export", kind, "--config", str(mesh), "Persn")
    assert (code, out) == (2, "")
    assert "there is no entity 'Persn'; did you mean 'Person'?" in err


def test_a_product_that_is_not_there(mesh: Path, run: Run) -> None:
    code, out, err = run("export", "odcs", "--config", str(mesh), "peple")
    assert (code, out) == (2, "")
    assert "there is no product 'peple'; did you mean 'people'?" in err


def test_a_dialect_that_is_not_known(mesh: Path, run: Run) -> None:
    code, out, err = run("export", "sql", "--config", str(mesh), "--dialect", "klingon")
    assert (code, out) == (2, "")
    assert "klingon" in err


def test_a_folder_that_cannot_be_made(mesh: Path, run: Run) -> None:
    code, out, err = run("export", "sql", "--config", str(mesh), "--out", str(mesh))
    assert (code, out) == (2, "")
    assert "cannot be written" in err


@pytest.mark.parametrize("kind", FILES)
def test_a_mesh_with_a_fault_is_not_exported(mesh: Path, run: Run, kind: str) -> None:
    mesh.write_text(mesh.read_text(encoding="utf-8").replace("kind: Mesh", "kind: Mash"), encoding="utf-8")
    code, out, err = run("export", kind, "--config", str(mesh), "--out", "made")
    assert (code, out) == (1, "")
    assert " error: " in err
    assert not (mesh.parent / "made").exists()


@pytest.mark.parametrize("kind", FILES)
def test_no_secret_leaves(mesh: Path, run: Run, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers' options hold references, and references are all that an export may hold."""
    secret = "hunter2-of-the-database"
    monkeypatch.setenv("PEOPLE_DSN", f"postgresql://u:{secret}@db/people")
    product = mesh.parent / "products" / "people.yaml"
    own = 'servers:\n  - {server: own, type: postgres, dsn: "${env:PEOPLE_DSN}"}\nsource: {server: own}'
    product.write_text(product.read_text(encoding="utf-8").replace("source: {server: db}", own), encoding="utf-8")
    code, out, err = run("export", kind, "--config", str(mesh))
    assert (code, err) == (0, "")
    assert secret not in out
    assert ("${env:PEOPLE_DSN}" in out) == (kind == "odcs")


def test_a_contract_comes_in_as_it_went_out(mesh: Path, run: Run) -> None:
    run("export", "odcs", "--config", str(mesh), "--out", "made")
    code, out, err = run("import", "odcs", "made/people.odcs.yaml", "--out", "back")
    assert code == 0
    assert "DM128 note: the contract brings a source" in err
    assert out == "made/people.odcs.yaml: back/people.yaml\n"
    assert read(mesh.parent / "back" / "people.yaml") == read(mesh.parent / "products" / "people.yaml")
    assert stat.S_IMODE((mesh.parent / "back" / "people.yaml").stat().st_mode) & 0o111 == 0


@pytest.mark.parametrize("there", ["kind: DataProduct\nname: people\nsource: {server: db}\n", "mine: true\n", "[", ""])
def test_what_is_there_is_not_written_over(mesh: Path, run: Run, there: str) -> None:
    run("export", "odcs", "--config", str(mesh), "--out", "made")
    target = mesh.parent / "products" / "people.yaml"
    target.write_text(there, encoding="utf-8")
    code, _, err = run("import", "odcs", "made/people.odcs.yaml", "--out", "products")
    assert code == 1
    assert "DM124 error: " in err
    assert target.read_text(encoding="utf-8") == there
    assert run("import", "odcs", "made/people.odcs.yaml", "--out", "products", "--force")[0] == 0
    assert read(target)["name"] == "people"


def test_a_contract_with_a_fault_is_shown_as_validate_shows_it(mesh: Path, run: Run) -> None:
    bad = mesh.parent / "bad.odcs.yaml"
    bad.write_text("apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\nnmae: y\n", "utf-8")
    code, out, err = run("import", "odcs", str(bad), "--out", "back")
    assert (code, out) == (1, "")
    assert "bad.odcs.yaml:6:1 DM101 error: " in err
    code, out, err = run("import", "odcs", str(bad), "--out", "back", "--format", "json")
    assert (code, err) == (1, "")
    assert [(each["code"], each["line"], each["column"]) for each in json.loads(out)] == [("DM101", 6, 1)]
    assert not (mesh.parent / "back").exists()


def test_a_file_that_is_not_there(mesh: Path, run: Run) -> None:
    code, out, err = run("import", "odcs", "none.odcs.yaml", "--out", "back")
    assert (code, out) == (2, "")
    assert "none.odcs.yaml" in err
