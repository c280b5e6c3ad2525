# SPDX-License-Identifier: Apache-2.0
"""A plan depends on what its documents say, and on nothing else."""

import json
import random
import re
from typing import Any

import pytest

from dictamesh.runtime.compile.artefacts import artefacts
from dictamesh.runtime.compile.plan import Plan
from tests.properties.mutations import Tree
from tests.properties.test_mutations import built, example

RICHER = """\
apiVersion: dictamesh/v1
kind: DataProduct
id: stock
name: stock
version: 1.0.0
status: active
schema:
  - name: Place
    properties:
      - {name: code, logicalType: string, primaryKey: true, classification: public}
      - {name: size, logicalType: integer, transformLogic: wide * deep * high, classification: internal}
      - {name: free, logicalType: boolean, transformLogic: self.size > taken, classification: internal}
source:
  server: local
  Place: {columns: {wide: integer, deep: integer, high: {type: integer}, taken: integer}}
servers:
  - {server: local, type: sqlite, path: stock.sqlite}
graphql: {Place: {singular: spot, plural: spots}}
output: {Place: {topic: stock.places, partitions: 3}}
"""


def plan_of(tree: Tree) -> Plan:
    found = built(tree)
    assert found.plan is not None, found.diagnostics
    return found.plan


def tree() -> Tree:
    return {**example(), "products/stock.yaml": RICHER}


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        chance.shuffle(items)
        return {key: shuffled(each, chance) for key, each in items}
    if isinstance(value, list):
        return [shuffled(each, chance) for each in value]
    return value


def rearranged(documents: list[tuple[str, dict[str, Any]]], chance: random.Random) -> Tree:
    """The same documents with keys in another order, in other files of other names, included in another order."""
    mesh = next(plain for kind, plain in documents if kind == "Mesh")
    others = [plain for kind, plain in documents if kind != "Mesh"]
    chance.shuffle(others)
    files: dict[str, list[dict[str, Any]]] = {}
    for plain in others:
        files.setdefault(f"part-{chance.randrange(5)}.yaml", []).append(plain)
    names = list(files)
    chance.shuffle(names)
    found = {name: "\n---\n".join(json.dumps(shuffled(each, chance)) for each in files[name]) for name in names}
    found["mesh.yaml"] = json.dumps(shuffled({**mesh, "include": names}, chance))
    return found


def shown(plan: Plan) -> str:
    return json.dumps(artefacts(plan), sort_keys=True, default=str)


def test_the_same_tree_gives_the_same_plan_twice() -> None:
    assert shown(plan_of(tree())) == shown(plan_of(tree()))


@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_files_documents_and_keys_never_matters(seed: int) -> None:
    chance = random.Random(seed)
    found = built(tree())
    assert found.plan is not None
    again = plan_of(rearranged([(each.kind, each.plain()) for each in found.loaded.documents], chance))
    assert again.hash == found.plan.hash
    assert shown(again) == shown(found.plan)


GOVERNED = (
    ("policies/privacy.yaml", "effect: allow}", "effect: deny}"),
    ("policies/privacy.yaml", "kind: redact", "kind: nullify"),
    ("policies/privacy.yaml", "owner: privacy-office", "owner: somebody"),
    ("policies/privacy.yaml", 'keep: "country =', 'keep: "id ='),
    ("policies/privacy.yaml", "filter: deny, sort: deny", "filter: deny, sort: allow"),
    ("taxonomy.yaml", "phone, address]", "phone, address, fax]"),
    ("taxonomy.yaml", "finance: {", "finance: {pii: true, "),
    ("mesh.yaml", "roles: [support, analyst, steward]", "roles: [support, analyst, steward, auditor]"),
    ("mesh.yaml", "claims: {countries: [DE, FR]}", "claims: {countries: [DE]}"),
    ("mesh.yaml", "sees: public", "sees: internal"),
    ("mesh.yaml", "keys/pepper.key", "keys/other.key"),
    ("mesh.yaml", "X-Shop-Key", "X-Key"),
    ("products/stock.yaml", "path: stock.sqlite", "path: other.sqlite"),
    ("products/stock.yaml", "classification: public", "classification: internal"),
    ("products/stock.yaml", "wide * deep * high", "wide * deep"),
    ("products/stock.yaml", "partitions: 3", "partitions: 4"),
    ("products/invoices.yaml", "inverse: invoices", "inverse: bills"),
    ("products/invoices.yaml", "value: 10, unit: y", "value: 9, unit: y"),
    ("products/customers.yaml", "notFound: [403, 404]", "notFound: [404]"),
)


@pytest.mark.parametrize(("path", "old", "new"), GOVERNED)
def test_every_governed_thing_changes_the_hash(path: str, old: str, new: str) -> None:
    before = untested(tree())
    assert old in before[path]
    after = {**before, path: before[path].replace(old, new, 1)}
    assert plan_of(after).hash != plan_of(before).hash


def untested(files: Tree) -> Tree:
    """The tree without the policies' tests, which would refuse some changes."""
    return {path: re.sub(r"^tests:\n(?:  .*\n)+", "", text, flags=re.MULTILINE) for path, text in files.items()}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("runtime: {port: 8080", "runtime: {logLevel: debug, port: 9999"),
        ("[taxonomy.yaml, products/*.yaml, policies/*.yaml]", "[policies/*.yaml, products/*.yaml, taxonomy.yaml]"),
        ("name: acme", "name: acme # the mesh"),
    ],
)
def test_settings_comments_and_places_leave_the_hash(old: str, new: str) -> None:
    changed = tree()
    assert old in changed["mesh.yaml"]
    changed["mesh.yaml"] = changed["mesh.yaml"].replace(old, new)
    assert plan_of(changed).hash == plan_of(tree()).hash
