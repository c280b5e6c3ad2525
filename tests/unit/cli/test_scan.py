# SPDX-License-Identifier: Apache-2.0
"""`scan`: what it finds in real sources, the patch it makes, and what it leaves alone."""

import csv
import json
import random
import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support import columns

Run = Callable[..., tuple[int, str, str]]

MESH = """\
apiVersion: dictamesh/v1
kind: Mesh
name: shop
include: ["*.yaml"]
servers:
  db: {type: sqlite, path: shop.sqlite}
  lake: {type: file, path: lake}
roles: [support]
"""
TAXONOMY = """\
apiVersion: dictamesh/v1
kind: Taxonomy
tags:
  # who it is
  pii.direct: {pii: true, children: [email, phone, name, ssn]} # by itself
  pii.indirect: {pii: true, children: [birthdate]}
  clinic: {pii: true, names: [case no], patterns: ['[A-Z]{2}-\\d{5}/[ABC]']}
"""
PEOPLE = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: people
name: people
version: 1.0.0
status: active
schema:
  - name: Person
    physicalName: people
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
      - {name: contact, physicalName: c1, logicalType: string, classification: internal} # who knows
      - name: fullName
        logicalType: string
        transformLogic: "given || ' ' || family" # two columns
        classification: internal
        tags:
          - clinic
      - {name: domain, logicalType: string, transformLogic: "split_part(c1, '@', 2)", classification: internal}
      - name: born
        logicalType: date
        classification: internal
      - {name: orderNo, physicalName: order_no, logicalType: string, classification: public}
      - {name: reference, logicalType: string, classification: public}
      - {name: model, physicalName: phone_model, logicalType: string, classification: public}
      - {name: remark, logicalType: string, classification: internal}
source:
  server: db
  Person: {columns: {given: string, family: string}}
"""
VISITS = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: visits
name: visits
version: 1.0.0
status: active
schema:
  - name: Visit
    physicalName: visits.csv
    properties: [{name: id, logicalType: string, primaryKey: true, required: true, classification: public}]
source: {server: lake}
"""
ROWS = 200
HIGH, MAIL = "classification: restricted", "pii.direct.email"
CHANGES = {
    "c1, logicalType: string, classification: internal}": f"c1, logicalType: string, {HIGH}, tags: [{MAIL}]}}",
    '2)", classification: internal}': f'2)", {HIGH}, tags: [{MAIL}]}}',
    "date\n        classification: internal": (
        "date\n        classification: confidential\n        tags: [pii.indirect.birthdate]"
    ),
    "reference, logicalType: string, classification: public}": (
        "reference, logicalType: string, classification: confidential, tags: [clinic]}"
    ),
    "remark, logicalType: string, classification: internal}": (
        f"remark, logicalType: string, {HIGH}, tags: [{MAIL}, pii.direct.phone]}}"
    ),
    "family: string}": f"family: string, ssn: {{type: string, {HIGH}, tags: [pii.direct.ssn]}}}}",
}


def fill(folder: Path) -> None:
    draw = random.Random(5)
    make = {kind.title: kind.make for kind in columns.KINDS.values()}
    people = [
        (
            row, make["e-mail address"](draw, row), draw.choice(columns.GIVEN), draw.choice(columns.FAMILY),
            make["date of birth"](draw, row).isoformat(), make["order number"](draw, row),
            f"{draw.choice('QX')}Y-{row:05}/{draw.choice('ABC')}", f"Brick {draw.choice('35')} mini {row}",
            make["contacts within text"](draw, row), make["US SSN"](draw, row), make["price"](draw, row),
        )
        for row in range(ROWS)
    ]  # fmt: skip
    with closing(sqlite3.connect(folder / "shop.sqlite")) as connection:
        connection.execute(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, c1 TEXT, given TEXT, family TEXT, born DATE, order_no TEXT,"
            " reference TEXT, phone_model TEXT, remark TEXT, ssn VARCHAR(11), balance NUMERIC)"
        )
        connection.executemany(f"INSERT INTO people VALUES ({', '.join('?' * 11)})", people)
        connection.commit()
    (folder / "lake").mkdir()
    with (folder / "lake" / "visits.csv").open("w", encoding="utf-8", newline="") as file:
        rows = [(f"v{row}", make["IP address"](draw, row), make["price"](draw, row)) for row in range(ROWS)]
        csv.writer(file).writerows([("id", "client ip", "cost"), *rows])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name, text in {"mesh": MESH, "taxonomy": TAXONOMY, "people": PEOPLE, "visits": VISITS}.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    fill(tmp_path)
    return tmp_path / "mesh.yaml"


def scan(run: Run, shop: Path, *arguments: str, code: int = 1) -> dict[str, Any]:
    ended, out, err = run("scan", "--config", str(shop), "--format", "json", *arguments)
    assert (ended, err) == (code, "")
    return json.loads(out)


def proposed(found: dict[str, Any]) -> dict[str, tuple[list[str], str]]:
    return {
        each["address"]
        if "#" in each["address"] and "." in each["address"]
        else f"{each['address']}:{each['column']}": (
            each["proposed"]["tags"],
            each["proposed"]["classification"],
        )
        for each in found["findings"]
    }


def test_findings_name_place_tag_tier_and_evidence(shop: Path, run: Run) -> None:
    found = scan(run, shop)
    assert proposed(found) == {
        "people#Person.contact": (["pii.direct.email"], "restricted"),
        "people#Person.domain": (["pii.direct.email"], "restricted"),
        "people#Person.born": (["pii.indirect.birthdate"], "confidential"),
        "people#Person.reference": (["clinic"], "confidential"),
        "people#Person.remark": (["pii.direct.email", "pii.direct.phone"], "restricted"),
        "people#Person:ssn": (["pii.direct.ssn"], "restricted"),
        "visits#Visit:client ip": (["pii.indirect"], "confidential"),
    }
    contact = found["findings"][0]
    assert (contact["column"], contact["file"], contact["line"]) == ("c1", "people.yaml", 12)
    assert contact["confidence"] > 0.9
    formats = [each for each in contact["evidence"] if each["what"] == "format"]
    assert formats == [{"what": "format", "format": "email", "share": 1.0, "checked": ROWS, "baseRate": 0.001}]
    assert found["sampled"]["people#Person"] == {"rows": ROWS, "fields": 9, "columns": 4, "failed": None}
    assert [each["column"] for each in found["dismissed"]] == []


def test_the_patch_is_small_and_makes_the_scan_quiet(shop: Path, run: Run) -> None:
    patch = scan(run, shop)["patch"]
    done = subprocess.run(
        ["git", "apply", "-"], cwd=shop.parent, input=patch, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    people = (shop.parent / "people.yaml").read_text(encoding="utf-8")
    wanted = PEOPLE
    for before, after in CHANGES.items():
        assert wanted.count(before) == 1, before
        wanted = wanted.replace(before, after)
    assert people == wanted
    assert run("validate", "--strict", "--config", str(shop))[0] == 0
    assert scan(run, shop, code=0)["findings"] == []


def test_text_ends_in_a_patch_that_git_takes(shop: Path, run: Run) -> None:
    code, out, err = run("scan", "--config", str(shop), "people")
    assert (code, err) == (1, "")
    assert "people#Person.contact (people.yaml:12): pii.direct.email, restricted; confidence 0.98" in out
    assert "people#Person, column 'ssn' (people.yaml:8): pii.direct.ssn, restricted" in out
    assert "visits" not in out
    done = subprocess.run(
        ["git", "apply", "-"], cwd=shop.parent, input=out, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_write_applies_the_patch(shop: Path, run: Run) -> None:
    code, out, _ = run("scan", "--config", str(shop), "--write")
    assert code == 1
    assert out.endswith("written: people.yaml, visits.yaml\n")
    assert [path.name for path in shop.parent.iterdir() if path.name.startswith(".")] == []
    code, out, _ = run("scan", "--config", str(shop))
    assert (code, out) == (0, "2 entities, 400 rows: no findings\n")


def test_what_was_looked_at_is_left_alone(shop: Path, run: Run) -> None:
    with (shop.parent / "people.yaml").open("a", encoding="utf-8") as file:
        file.write("notPersonal:\n  Person.contact: addresses of shops\n  Person.remark: made up\n")
    found = proposed(scan(run, shop, "people"))
    assert "people#Person.contact" not in found
    assert "people#Person.domain" not in found
    assert "people#Person.remark" not in found


def test_a_name_that_the_values_belie_is_dismissed(shop: Path, run: Run) -> None:
    path = shop.parent / "people.yaml"
    text = path.read_text(encoding="utf-8")
    with closing(sqlite3.connect(shop.parent / "shop.sqlite")) as connection:
        connection.execute("ALTER TABLE people RENAME COLUMN phone_model TO mobile_phone")
        connection.commit()
    path.write_text(text.replace("phone_model", "mobile_phone"), encoding="utf-8")
    found = scan(run, shop, "people")
    assert "people#Person.model" not in proposed(found)
    assert [(each["address"], each["looksLike"]) for each in found["dismissed"]] == [
        ("people#Person.model", "a phone number")
    ]
    assert "named like a phone number, and the values are none" in run("scan", "--config", str(shop))[1]


def test_a_key_needs_a_decision_first(shop: Path, run: Run) -> None:
    path = shop.parent / "people.yaml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("{name: id, logicalType: integer, primaryKey: true", "{name: id, logicalType: integer")
    text = text.replace(
        "physicalName: c1, logicalType: string", "physicalName: c1, primaryKey: true, logicalType: string"
    )
    path.write_text(text, encoding="utf-8")
    found = scan(run, shop, "people")
    contact = next(each for each in found["findings"] if each["address"].endswith(".contact"))
    assert not contact["patched"]
    assert "allowPiiKey" in contact["note"]
    assert "pii.direct.email" not in found["patch"].replace("[pii.direct.email, pii.direct.phone]", "")


def test_without_a_fitting_tag_one_is_declared(shop: Path, run: Run) -> None:
    path = shop.parent / "taxonomy.yaml"
    people = shop.parent / "people.yaml"
    people.write_text(people.read_text(encoding="utf-8").replace("        tags:\n          - clinic\n", ""), "utf-8")
    path.write_text("apiVersion: dictamesh/v1\nkind: Taxonomy\ntags:\n  money: {} # only\n", encoding="utf-8")
    run("scan", "--config", str(shop), "--write")
    text = path.read_text(encoding="utf-8")
    assert text.startswith(
        "apiVersion: dictamesh/v1\nkind: Taxonomy\ntags:\n  money: {} # only\n  pii.direct.email: {pii: true,"
    )
    assert run("validate", "--config", str(shop))[0] == 0
    path.unlink()
    mesh = shop.read_text(encoding="utf-8")
    for name, product in {
        "people": PEOPLE.replace("        tags:\n          - clinic\n", ""),
        "visits": VISITS,
    }.items():
        (shop.parent / f"{name}.yaml").write_text(product, encoding="utf-8")
    run("scan", "--config", str(shop), "--write")
    assert shop.read_text(encoding="utf-8").startswith(
        f"{mesh}---\napiVersion: dictamesh/v1\nkind: Taxonomy\ntags:\n  pii."
    )
    assert run("validate", "--config", str(shop))[0] == 0
    assert scan(run, shop, code=0)["findings"] == []


def test_what_the_specs_would_not_bear_is_left_out(shop: Path, run: Run) -> None:
    (shop.parent / "policy.yaml").write_text(
        "apiVersion: dictamesh/v1\nkind: Policy\nname: births\nowner: office\nmatch: {tags: [pii.indirect]}\n"
        "rules: [{name: everyone, effect: mask, mask: {kind: partial}}]\n",
        encoding="utf-8",
    )
    found = scan(run, shop)
    notes = {each["address"]: each["note"] for each in found["findings"] if each["note"]}
    assert "people#Person.born" in notes
    assert "would not be valid" in notes["people#Person.born"]
    assert "pii.indirect.birthdate" not in found["patch"]
    assert "pii.direct.email" in found["patch"]
    assert "client ip" in found["patch"]
    assert list(notes) == ["people#Person.born"]


def test_aliases_are_edited_by_hand(shop: Path, run: Run) -> None:
    path = shop.parent / "people.yaml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("- {name: reference,", "- &shared {name: reference,")
    path.write_text(text, encoding="utf-8")
    found = scan(run, shop)
    reference = next(each for each in found["findings"] if each["address"].endswith(".reference"))
    assert reference["note"] == "edit it by hand: it is written by an alias or an anchor, which other places share"


def test_a_source_that_fails_is_told_of_and_the_others_are_read(shop: Path, run: Run) -> None:
    (shop.parent / "shop.sqlite").write_bytes(b"no database")
    found = scan(run, shop, code=3)
    assert found["sampled"]["people#Person"]["failed"] == "SOURCE_UNAVAILABLE"
    assert found["sampled"]["visits#Visit"]["rows"] == ROWS
    assert "visits#Visit:client ip" in proposed(found)
    assert "not read (SOURCE_UNAVAILABLE); judged by names alone" in run("scan", "--config", str(shop))[1]


def test_fewer_rows(shop: Path, run: Run) -> None:
    found = scan(run, shop, "--sample", "40")
    assert found["sampled"]["people#Person"]["rows"] == 40
    assert "people#Person.contact" in proposed(found)


@pytest.mark.parametrize("words", [["--sample", "0"], ["--sample", "10001"], ["--sample", "x"], ["peple"]])
def test_wrong_usage(shop: Path, run: Run, words: list[str]) -> None:
    code, out, err = run("scan", "--config", str(shop), *words)
    assert (code, out) == (2, "")
    assert err


def test_specs_with_errors_are_shown(shop: Path, run: Run) -> None:
    (shop.parent / "taxonomy.yaml").write_text("apiVersion: dictamesh/v1\nkind: Taxonomy\n", encoding="utf-8")
    code, out, err = run("scan", "--config", str(shop))
    assert (code, out) == (1, "")
    assert "DM204" in err


def test_no_value_is_told(shop: Path, run: Run) -> None:
    with closing(sqlite3.connect(shop.parent / "shop.sqlite")) as connection:
        rows = connection.execute("SELECT c1, given, family, born, ssn, reference, remark FROM people").fetchall()
    for layout in ("text", "json"):
        told = "".join(run("scan", "--config", str(shop), "--format", layout)[1:])
        assert [value for row in rows for value in row if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", told)] == []
