# SPDX-License-Identifier: Apache-2.0
"""The scan over PostgreSQL: columns that no field reads, types of its own, rows from all over a table."""

import json
import random
from pathlib import Path

import psycopg
import pytest

from tests.support.columns import KINDS
from tests.support.postgres import fresh_database
from tests.support.running import command

SPECS = """\
apiVersion: dictamesh/v1
kind: Mesh
name: pg
servers: {pg: {type: postgres, dsn: "${env:PG}"}}
---
apiVersion: dictamesh/v1
kind: Taxonomy
tags:
  pii: {pii: true, children: [email, ip, phone, birthdate, name]}
---
apiVersion: dictamesh/v1
kind: DataProduct
id: logins
name: logins
version: "1"
status: active
schema:
  - name: Login
    physicalName: app.logins
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, classification: public}
source: {server: pg}
"""
ROWS = 3_000


@pytest.fixture(params=["embedded_dsn", "postgres15_dsn"])
def server(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


async def test_live_columns_of_every_type(server: str, tmp_path: Path) -> None:
    draw = random.Random(8)
    make = {kind.title: kind.make for kind in KINDS.values()}
    (tmp_path / "mesh.yaml").write_text(SPECS, encoding="utf-8")
    with fresh_database(server) as dsn:
        with psycopg.connect(dsn) as connection:
            connection.execute("CREATE SCHEMA app")
            connection.execute(
                "CREATE TABLE app.logins (id int PRIMARY KEY, client inet, born date, profile jsonb, seen timestamptz,"
                ' cost numeric(9,2), token uuid, raw bytea, tried bool, "user mail" varchar(80), labels text[])'
            )
            with connection.cursor().copy("COPY app.logins FROM STDIN") as copy:
                for row in range(ROWS):
                    # the first rows are those of a test, long ago: only a look at others tells
                    mail = "test" if row < 400 else make["e-mail address"](draw, row)
                    profile = json.dumps({"contact": {"phone": make["phone number"](draw, row)}, "score": row})
                    days = (make["IP address"](draw, row), make["date of birth"](draw, row), profile)
                    rest = (make["timestamp"](draw, row), make["price"](draw, row), make["UUID"](draw, row), b"\0\xff")
                    copy.write_row((row, *days, *rest, True, mail, ["red", "blue"]))
        scan = ("scan", "--config", str(tmp_path / "mesh.yaml"), "--sample", "400")
        code, out, err = await command(*scan, "--format", "json", environment={"PG": dsn})
        assert (code, err) == (1, "")
        found = json.loads(out)
        assert {each["column"]: each["proposed"]["tags"] for each in found["findings"]} == {
            "born": ["pii.birthdate"],
            "profile": ["pii.phone"],
            "user mail": ["pii.email"],
            "client": ["pii.ip"],
        }
        code, out, err = await command(*scan, "--write", environment={"PG": dsn})
        assert "columns: {client: {type: string," in (tmp_path / "mesh.yaml").read_text(encoding="utf-8")
        code, out, err = await command(*scan, environment={"PG": dsn})
        assert (code, err, out) == (0, "", "1 entity, 400 rows: no findings\n")
        test = ("contract-test", "logins", "--live", "--config", str(tmp_path / "mesh.yaml"))
        code, out, err = await command(*test, environment={"PG": dsn})
        assert "5 declared columns are there" in out
