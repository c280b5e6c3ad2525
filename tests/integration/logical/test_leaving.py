# SPDX-License-Identifier: Apache-2.0
"""A product leaves a mesh that runs: its slot is kept and told of, and dropped by the command alone."""

from pathlib import Path

import aiohttp
import psycopg
import pytest

from dictamesh.runtime.capture.state import stands
from dictamesh.runtime.mesh import events
from dictamesh.runtime.mesh.build import build_file
from dictamesh.runtime.mesh.start import Start
from dictamesh.runtime.mesh.starting import start_mesh
from dictamesh.specs.model import Runtime
from tests.support.postgres import embedded_dsn, fresh_database
from tests.support.running import command, until

__all__ = ["embedded_dsn"]

MESH = """
apiVersion: dictamesh/v1
kind: Mesh
name: leaving
include: ["*.product.yaml"]
servers: {erp: {type: postgres, dsn: "${env:ERP}"}}
catalog: {dsn: "${env:CATALOG}"}
events: {lease: 0.3s}
"""
PRODUCT = """
apiVersion: dictamesh/v1
kind: DataProduct
id: NAME
name: NAME
version: 1.0.0
status: active
domain: NAME
team: {name: erp, members: [{username: ana, role: owner}]}
schema:
  - name: ENTITY
    physicalName: NAME
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
source: {server: erp, ENTITY: {changes: CHANGES}}
"""


def product(folder: Path, name: str, entity: str, changes: str) -> Path:
    path = folder / f"{name}.product.yaml"
    path.write_text(PRODUCT.replace("NAME", name).replace("ENTITY", entity).replace("CHANGES", changes), "utf-8")
    return path


def slots(base: str) -> list[tuple[str, bool]]:
    with psycopg.connect(base) as connection:
        statement = "SELECT slot_name, active FROM pg_replication_slots WHERE database = current_database()"
        return [(str(name), bool(active)) for name, active in connection.execute(statement).fetchall()]


async def test_a_slot_is_alarmed_of_and_dropped_on_request(
    tmp_path: Path,
    base: str,
    embedded_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(events, "_WATCH_SLOTS", 0.2)
    with psycopg.connect(base, autocommit=True) as source:
        source.execute("CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE shops (id int PRIMARY KEY)")
        source.execute("INSERT INTO orders VALUES (1)")
    config = tmp_path / "mesh.yaml"
    config.write_text(MESH, "utf-8")
    orders = product(tmp_path, "orders", "Order", "{postgres: {}}")
    product(tmp_path, "shops", "Shop", "{snapshot: {every: 1h}}")
    with fresh_database(embedded_dsn) as catalog:
        environment = {"ERP": base, "CATALOG": catalog}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        built = build_file(config)
        assert built.plan is not None, built.diagnostics
        settings = Runtime(port=0, metrics_port=0, data_dir=str(tmp_path / "data"), watch=False, shutdown_timeout=5)
        mesh = await start_mesh(Start(config, built, built.plan, settings))
        try:

            async def follows() -> bool:
                found = await stands(mesh.store.pool, "leaving", "orders#Order")
                return bool(found) and "lsn" in (found[0].position or {})  # what stands before a slot is made has none

            await until(follows, "the table is followed")
            ((slot, _),) = slots(base)
            assert "nobody reads the slot" not in caplog.text
            orders.unlink()
            assert await mesh.reload("signal") == "applied"
            await until(lambda: f"nobody reads the slot {slot}" in caplog.text, "the slot is told of")
            at = f"http://{mesh.metrics_http.host}:{mesh.metrics_http.port}/metrics"
            async with aiohttp.ClientSession() as session, session.get(at) as answer:
                assert "\ndictamesh_capture_slots_kept 1.0\n" in await answer.text()
        finally:
            await mesh.stop()
        common = ("state", "reset", "--config", str(config), "--data-dir", str(tmp_path / "data"))
        code, out, err = await command(*common, "--entity", "orders#Order", environment=environment)
        assert code != 0
        assert "--drop-slot" in out + err
        assert [name for name, _ in slots(base)] == [slot], "nothing but the request drops it"
        code, out, err = await command(*common, "--entity", "orders#Order", "--drop-slot", environment=environment)
        assert code == 0, out + err
        assert slots(base) == []
        with psycopg.connect(base) as source:
            assert source.execute("SELECT count(*) FROM pg_publication").fetchone() == (0,)
