# SPDX-License-Identifier: Apache-2.0
"""From samples to a patch: what follows from a tag follows in the patch, and the patched specs are valid and quiet."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from dictamesh.runtime.mesh.build import build
from dictamesh.runtime.scan.sampling import Sample
from dictamesh.runtime.scan.scan import INVALID, Result, Tree, conclude
from dictamesh.specs.documents import Memory
from tests.support.columns import KINDS, TODAY

HEAD = """\
apiVersion: dictamesh/v1
kind: Mesh
name: m
servers: {db: {type: sqlite, path: x.sqlite}}
---
apiVersion: dictamesh/v1
kind: Taxonomy
tags:
  pii: {pii: true, children: [email, name, address]}
---
apiVersion: dictamesh/v1
kind: DataProduct
id: p
name: p
version: "1"
status: active
schema:
  - name: Thing
    physicalName: things
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
"""


def made_up(title: str) -> tuple[Any, ...]:
    draw = random.Random(1)
    return tuple(KINDS[title].make(draw, row) for row in range(60))


MAILS, STREETS, WORDS = made_up("e-mail address"), made_up("street and number"), made_up("stock keeping unit")


def tree(text: str) -> Tree:
    made = build(Memory({"mesh.yaml": text}), "mesh.yaml")
    assert made.specs is not None, made.diagnostics
    return Tree(made.specs, made.loaded.documents)


def concluded(
    text: str, fields: Mapping[str, Sequence[Any]], columns: Mapping[str, Sequence[Any]] | None = None
) -> Result:
    checks: list[bool] = []

    def check(texts: Mapping[str, str]) -> bool:
        checks.append(build(Memory({"mesh.yaml": texts["mesh.yaml"]}), "mesh.yaml").specs is not None)
        return checks[-1]

    result = conclude(tree(text), {"p#Thing": Sample(60, fields, columns or {})}, TODAY, check)
    assert all(checks), "a patch had to be taken back"
    return result


def patched(result: Result) -> str:
    return result.texts["mesh.yaml"][1].partition("classification: public}\n")[2]


def test_two_fields_on_one_column_are_tagged_alike() -> None:
    body = """\
      - {name: a, physicalName: c, logicalType: string, classification: internal}
      - {name: b, physicalName: C, logicalType: string, classification: internal}
source: {server: db}
"""
    result = concluded(HEAD + body, {"a": MAILS, "b": MAILS})
    assert patched(result).count("classification: restricted, tags: [pii.email]") == 2


def test_what_is_computed_follows_through_other_fields() -> None:
    body = """\
      - {name: a, physicalName: c, logicalType: string, classification: internal}
      - {name: host, logicalType: string, transformLogic: "split_part(c, '@', 2)", classification: internal}
      - {name: loud, logicalType: string, transformLogic: "upper(self.host)", classification: internal}
      - {name: other, logicalType: string, classification: internal}
source: {server: db}
"""
    hosts = [mail.partition("@")[2] for mail in MAILS]
    result = concluded(HEAD + body, {"a": MAILS, "host": hosts, "loud": hosts, "other": WORDS})
    assert [each.target.path for each in result.findings] == ["a", "host", "loud"]
    assert [each.what for each in result.findings[1].evidence] == ["carried"]
    assert patched(result).count("tags: [pii.email]") == 3


def test_a_declared_column_is_tagged_where_it_is_written() -> None:
    body = """\
      - {name: host, logicalType: string, transformLogic: "split_part(mail, '@', 2)", classification: internal}
source: {server: db, Thing: {columns: {mail: {type: string, classification: internal}, unread: string}}}
"""
    result = concluded(HEAD + body, {"host": WORDS}, {"mail": MAILS, "unread": MAILS})
    text = patched(result)
    assert "mail: {type: string, classification: restricted, tags: [pii.email]}" in text
    assert "unread: {type: string, classification: restricted, tags: [pii.email]}" in text
    assert "transformLogic: \"split_part(mail, '@', 2)\", classification: restricted, tags: [pii.email]}" in text


def test_readers_of_a_short_column_share_its_tags() -> None:
    body = """\
      - {name: host, logicalType: string, transformLogic: "split_part(mail, '@', 2)", classification: internal}
      - {name: known, logicalType: boolean, transformLogic: "mail IS NOT NULL", classification: internal}
source: {server: db, Thing: {columns: {mail: string}}}
"""
    result = concluded(HEAD + body, {"host": WORDS, "known": [True] * 60}, {"mail": MAILS})
    text = patched(result)
    assert text.count("classification: restricted, tags: [pii.email]") == 2
    assert "columns: {mail: string}" in text


def test_an_object_takes_the_tag_of_its_members_and_raises_them() -> None:
    body = """\
      - name: address
        logicalType: object
        classification: public
        properties:
          - {name: street, logicalType: string}
          - {name: door, logicalType: string, classification: public}
          - {name: box, logicalType: object, properties: [{name: code, logicalType: string, classification: internal}]}
source: {server: db}
"""
    rows = [{"street": street, "door": "a", "box": {"code": "x"}} for street in STREETS]
    text = patched(concluded(HEAD + body, {"address": rows}))
    assert "classification: confidential\n        tags: [pii.address]\n" in text
    assert "{name: street, logicalType: string}" in text
    assert "{name: door, logicalType: string, classification: confidential}" in text
    assert "{name: code, logicalType: string, classification: confidential}" in text


def test_lists_and_documents_are_opened() -> None:
    body = """\
      - {name: mails, logicalType: array, items: {logicalType: string}, classification: internal}
      - name: homes
        logicalType: array
        classification: internal
        items: {logicalType: object, properties: [{name: street, logicalType: string}]}
      - {name: extra, logicalType: object, classification: internal}
      - {name: blob, logicalType: string, classification: internal}
source: {server: db}
"""
    fields = {
        "mails": [[mail, None] for mail in MAILS],
        "homes": [[{"street": street}] for street in STREETS],
        "extra": [{"deep": [{"contact": mail}], "n": 1} for mail in MAILS],
        "blob": [f'{{"owner": "{mail}"}}' for mail in MAILS],
    }
    result = concluded(HEAD + body, fields)
    found = {each.target.path: each.tags for each in result.findings}
    assert found == {
        "mails": ("pii.email",),
        "homes.street": ("pii.address",),
        "extra": ("pii.email",),
        "blob": ("pii.email",),
    }
    assert "contact" not in " ".join(str(reason) for each in result.findings for reason in each.evidence)


def test_a_tier_never_falls() -> None:
    body = """\
      - {name: c1, logicalType: string}
      - {name: c2, logicalType: string, classification: restricted}
      - {name: c3, logicalType: string, classification: public}
source: {server: db}
"""
    text = patched(concluded(HEAD + body, dict.fromkeys(("c1", "c2", "c3"), STREETS)))
    assert "{name: c1, logicalType: string, classification: restricted, tags: [pii.address]}" in text
    assert "{name: c2, logicalType: string, classification: restricted, tags: [pii.address]}" in text
    assert "{name: c3, logicalType: string, classification: confidential, tags: [pii.address]}" in text


def test_what_cannot_be_valid_is_left_out_with_a_note() -> None:
    body = "      - {name: c1, logicalType: string, classification: internal}\nsource: {server: db}\n"
    result = conclude(tree(HEAD + body), {"p#Thing": Sample(60, {"c1": MAILS})}, TODAY, lambda _texts: False)
    assert [each.note for each in result.findings] == [INVALID]
    assert result.texts == {}


def generated(draw: random.Random) -> tuple[str, dict[str, Sequence[Any]], dict[str, Sequence[Any]]]:
    """Some product: plain fields, members, columns in short and long form, fields computed from any of them."""
    lines, fields, columns = [], {}, {}
    pool = [MAILS, STREETS, WORDS, WORDS]
    readable: list[str] = []
    for n in range(draw.randrange(1, 5)):
        tier = draw.choice(["", ", classification: public", ", classification: confidential"])
        column = draw.choice([f"c{n}", f"C{max(0, n - 1)}"])
        lines.append(f"      - {{name: f{n}, physicalName: {column}, logicalType: string{tier}}}")
        fields[f"f{n}"] = draw.choice(pool)
        readable.append(column)
    declared = {}
    for n in range(draw.randrange(0, 4)):
        long = "{type: string, classification: public}"
        declared[f"d{n}"] = draw.choice(["string", long])
        columns[f"d{n}"] = draw.choice(pool)
        readable.append(f"d{n}")
    for n in range(draw.randrange(0, 5)):
        reads = draw.sample(
            [*readable, *(f"self.x{m}" for m in range(n))], draw.randrange(1, 3) if n or len(readable) > 1 else 1
        )
        expression = " || ".join(f'"{name}"' if not name.startswith("self.") else name for name in reads)
        lines.append(f"      - {{name: x{n}, logicalType: string, transformLogic: '{expression}'}}")
        fields[f"x{n}"] = WORDS
    entries = ", ".join(f"{name}: {spec}" for name, spec in declared.items())
    lines.append(f"source: {{server: db, Thing: {{columns: {{{entries}}}}}}}")
    return HEAD + "\n".join(lines) + "\n", fields, columns


def test_any_patch_is_valid_and_the_next_scan_quiet() -> None:
    judged = 0
    for seed in range(160):
        text, fields, columns = generated(random.Random(seed))
        if build(Memory({"mesh.yaml": text}), "mesh.yaml").specs is None:
            continue  # fields on one column that say different tiers
        result = concluded(text, fields, columns)
        assert all(not each.note for each in result.findings), seed
        if result.texts:
            judged += 1
            assert concluded(result.texts["mesh.yaml"][1], fields, columns).findings == (), seed
    assert judged >= 60


def test_a_tag_of_names_that_is_not_personal_is_proposed_once() -> None:
    text = HEAD.replace("  pii: {pii", "  money: {names: [fee]}\n  pii: {pii")
    body = "      - {name: cardFee, logicalType: string, classification: public}\nsource: {server: db}\n"
    result = concluded(text + body, {"cardFee": WORDS})
    assert "classification: confidential, tags: [money]" in patched(result)
    assert concluded(result.texts["mesh.yaml"][1], {"cardFee": WORDS}).findings == ()
