# SPDX-License-Identifier: Apache-2.0
"""The scan over real sources: the example gets its tags back, and no value of any source is told."""

import json
import re
import subprocess
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from examples.sources.serve import listen
from tests.e2e.test_canaries import KEYS, TREE
from tests.support.canaries import CANARIES, SHOWN, TOKEN, clinic_app, found_in, make_lake, make_ledger
from tests.support.running import ROOT, command, example_sources, example_tree

POLICY = """\
apiVersion: dictamesh/v1
kind: Policy
name: none
owner: us
match: {tags: [pii.direct]}
rules: [{name: all, effect: deny}]
"""
TAGS = re.compile(r",? tags: \[pii[^\]]*\]|\n +tags: \[pii[^\]]*\]")


def untagged(config: Path) -> Path:
    """Take the personal tags from the example's customers, and lower their tiers."""
    path = config.parent / "products" / "customers.yaml"
    text = TAGS.sub("", path.read_text(encoding="utf-8"))
    for line in ("email", "phone", "birthdate"):
        text = re.sub(rf"(name: {line}, .*classification: )\w+", r"\1internal", text)
    text = re.sub(r"(\n +classification: )confidential", r"\1internal", text)
    assert "pii" not in text
    path.write_text(text, encoding="utf-8")
    return path


async def test_the_example_gets_its_tags_back(tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    path = untagged(config)
    async with example_sources(tmp_path) as sources:
        code, _, err = await command("validate", "--config", str(config), environment=sources.environment)
        assert code == 1  # policies' tests fail where nothing is tagged
        assert err.count("DM805 warning") == 5
        code, out, err = await command("scan", "--config", str(config), environment=sources.environment)
        assert (code, err) == (1, "")
        done = subprocess.run(
            ["git", "apply", "-"], cwd=config.parent, input=out, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert path.read_bytes() == (ROOT / "examples/products/customers.yaml").read_bytes()
        code, out, err = await command("validate", "--strict", "--config", str(config), environment=sources.environment)
        assert (code, err) == (0, "")
        explain = ("policy", "explain", "--config", str(config), "--as", "analyst", "customers#Customer.email")
        assert "hmac" in (await command(*explain))[1]
        code, out, _ = await command("scan", "--config", str(config), environment=sources.environment)
        assert (code, out) == (0, "4 entities, 1,800 rows: no findings\n")


async def test_the_example_as_it_is_has_no_finding(tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    (config.parent / "products" / "suppliers.yaml").write_bytes((ROOT / "examples/extra/suppliers.yaml").read_bytes())
    async with example_sources(tmp_path) as sources:
        code, out, err = await command("scan", "--config", str(config), environment=sources.environment)
    assert (code, err) == (0, ""), out


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """The canaries' specs without any tag or tier of personal data."""
    for source in TREE.rglob("*.yaml"):
        target = tmp_path / "mesh" / source.relative_to(TREE)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = TAGS.sub("", source.read_text(encoding="utf-8"))
        if target.parent.name == "policies":
            text = POLICY
        target.write_text(text, encoding="utf-8")
    make_ledger(tmp_path / "ledger.sqlite")
    make_lake(tmp_path / "lake")
    (tmp_path / "lake" / "gone.csv").write_bytes(b'id\n"\xff\xfe' + CANARIES["body that is no JSON"].encode())
    return tmp_path / "mesh" / "mesh.yaml"


@pytest.mark.parametrize("layout", ["text", "json"])
async def test_no_value_is_told(planted: Path, tmp_path: Path, layout: str) -> None:
    served: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        url = await listen(stack, clinic_app(served), 0)
        environment = {"CLINIC_URL": url, "CLINIC_TOKEN": TOKEN, "PEPPER": "pepper-of-the-test", **KEYS}
        environment |= {"LEDGER": str(tmp_path / "ledger.sqlite"), "LAKE": str(tmp_path / "lake")}
        scan = ("scan", "--config", str(planted), "--format", layout, "--write")
        code, out, err = await command(*scan, environment=environment)
    assert code == 3  # some sources are broken
    assert served["/people"]
    assert "planted-people#PlantedPerson.email" in out
    assert found_in(out + err) == []
    for path in planted.parent.rglob("*"):
        if path.is_file():
            assert found_in(path.read_bytes()) == [], path
    if layout == "json":
        found = json.loads(out)
        assert found["sampled"]["planted-people#PlantedPerson"]["rows"] == 2
        assert found["sampled"]["planted-accounts#PlantedAccount"]["rows"] == 2
        assert {each["address"] for each in found["findings"]} >= {
            "planted-people#PlantedPerson.email",
            "planted-people#PlantedPerson.phone",
            "planted-people#PlantedPerson.name",
            "planted-people#PlantedPerson.address",
        }


async def test_names_within_documents_and_headers_that_are_values_are_not_told(tmp_path: Path) -> None:
    secret = SHOWN["text"]
    rows = [{"id": str(n), "people": {f"{n}{secret}": {"email": f"{n}{secret}"}}} for n in range(20)]
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "docs.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    lines = [f"{n},{n}{secret},49301234{n:03}" for n in range(20)]
    (tmp_path / "lake" / "headless.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "mesh.yaml").write_text(
        "apiVersion: dictamesh/v1\nkind: Mesh\nname: docs\ninclude: product.yaml\n"
        "servers: {lake: {type: file, path: lake}}\n---\n"
        "apiVersion: dictamesh/v1\nkind: Taxonomy\ntags: {pii: {pii: true}}\n",
        encoding="utf-8",
    )
    (tmp_path / "product.yaml").write_text(
        "apiVersion: dictamesh/v1\nkind: DataProduct\nid: docs\nname: docs\nversion: '1'\nstatus: active\nschema:\n"
        "  - name: Doc\n    physicalName: docs.jsonl\n    properties:\n"
        "      - {name: id, logicalType: string, primaryKey: true, classification: public}\n"
        "      - {name: people, logicalType: object, classification: internal}\n"
        "  - name: Line\n    physicalName: headless.csv\n    properties:\n"
        "      - {name: id, physicalName: '0', logicalType: string, primaryKey: true, classification: public}\n"
        "source: {server: lake}\n",
        encoding="utf-8",
    )
    for layout in ("text", "json"):
        code, out, err = await command("scan", "--config", str(tmp_path / "mesh.yaml"), "--format", layout)
        assert (code, err) == (1, "")
        assert "docs#Doc.people" in out
        assert secret not in out
        assert "leak.example" not in out
