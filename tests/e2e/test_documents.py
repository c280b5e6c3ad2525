# SPDX-License-Identifier: Apache-2.0
"""The documents do what they say: outputs are current, the connector works, PostgreSQL takes one changed line."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.sources import erp
from tests.support.distributions import imported, install, modules
from tests.support.postgres import embedded_dsn, fresh_database  # noqa: F401  (a fixture)
from tests.support.running import ROOT, TOUR, Sources, command, example_sources, example_tree, running
from tools.readme import DOCUMENTS, lasting, rewritten

HOW_TO = ROOT / "docs/how-to/add-a-connector.md"
NOTES = """
apiVersion: dictamesh/v1
kind: Mesh
name: notes
include: product.yaml
"""
PRODUCT = """
apiVersion: dictamesh/v1
kind: DataProduct
id: notes
name: notes
version: 1.0.0
status: active
team: {name: us, members: [{username: ana, role: owner}]}
schema:
  - name: Note
    physicalName: notes
    properties:
      - {name: id, logicalType: string, primaryKey: true, required: true, classification: public}
      - {name: stars, logicalType: integer, classification: public}
servers:
  - {server: notes, type: toml, path: notes.toml}
source:
  server: notes
"""
MORE = (
    '{ invoicesCount(filter: {total: {gt: "100.00"}, overdue: {eq: true}}) '
    "invoices(limit: 5, orderBy: [{total: DESC}]) { id number total overdue createdAt } }"
)


@pytest.mark.skipif(shutil.which("curl") is None and os.environ.get("CI") != "true", reason="the documents call curl")
@pytest.mark.parametrize("name", DOCUMENTS)
async def test_the_outputs_are_current(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert lasting(await rewritten(text)) == lasting(text), "run: python -m tools.readme"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the connector of the guide as an installed package has it."""
    folder = tmp_path / "site"
    install(folder, "toml-tables", modules(HOW_TO), "[dictamesh.connectors]\ntoml = toml_tables\n")
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("toml_tables", None)


async def test_the_connector_of_the_guide_keeps_the_contract(package: Path, tmp_path: Path) -> None:
    await imported(package / "test_toml_tables.py").test_it_keeps_the_contract(tmp_path)


async def test_the_connector_of_the_guide_is_found_by_its_entry_point(package: Path, tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(NOTES, encoding="utf-8")
    (tmp_path / "product.yaml").write_text(PRODUCT, encoding="utf-8")
    rows = "".join(f'[[notes]]\nid = "n{number}"\nstars = {5 - number}\n' for number in range(5))
    (tmp_path / "notes.toml").write_text(rows, encoding="utf-8")
    query = '{ note(id: "n4") { stars } notes(filter: {stars: {gt: 2}}, orderBy: [{stars: ASC}]) { id } }'
    place = ["--config", str(tmp_path / "mesh.yaml"), "--data-dir", str(tmp_path / "data")]
    code, out, err = await command("query", *place, query, environment={"PYTHONPATH": str(package)})
    assert (code, err) == (0, "")
    assert re.sub(r"\s", "", out) == '{"data":{"note":{"stars":1},"notes":[{"id":"n2"},{"id":"n1"},{"id":"n0"}]}}'


async def test_postgres_takes_one_changed_line(embedded_dsn: str, tmp_path: Path) -> None:  # noqa: F811  (the fixture)
    guide = (ROOT / "docs/how-to/move-to-postgres.md").read_text(encoding="utf-8")
    old, new = re.findall(r"```yaml\n(.*?\n)```", guide, re.DOTALL)
    config = example_tree(tmp_path)
    text = config.read_text(encoding="utf-8")
    assert text.count(old) == 1
    async with example_sources(tmp_path) as sources:
        before = await _answers(config, tmp_path / "sqlite", sources, sources.environment)
        config.write_text(text.replace(old, new), encoding="utf-8")
        with fresh_database(embedded_dsn) as dsn:
            erp.fill_postgres(dsn, sources.records)
            after = await _answers(config, tmp_path / "postgres", sources, {**sources.environment, "ERP_DSN": dsn})
    assert before == after
    assert before["support"]["data"]["customers"][0]["invoices"][0]["total"] == "39.98"


async def _answers(config: Path, data_dir: Path, sources: Sources, environment: dict[str, str]) -> dict[str, dict]:
    async with running(config, data_dir, environment) as runtime:
        found = {str(caller): await runtime.ask(TOUR, caller) for caller in (None, "analyst", "support")}
        found["more"] = await runtime.ask(MORE, "support")
        return found
