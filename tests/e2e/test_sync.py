# SPDX-License-Identifier: Apache-2.0
"""`sync` against a running mesh: a full pass now finds what no cursor shows, and what did not change emits nothing."""

import json
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import embedded_dsn, fresh_database
from tests.support.running import Sources, command, edit, example_tree, running, until

__all__ = ["embedded_dsn"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


def told(dsn: str) -> list[tuple[str, str, str]]:
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT entity_id, event_type, event_payload->'entity'->>'version' FROM dictamesh_event_log"
            " WHERE entity_type = 'Customer' ORDER BY id"
        )
        return [(str(row[0]), str(row[1]), str(row[2])) for row in found.fetchall()]


async def test_a_pass_finds_what_no_cursor_shows(sources: Sources, embedded_dsn: str, tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    edit(config, "audit: {readers: [steward]}", 'audit: {readers: [steward]}\ncatalog: {dsn: "${env:DSN}"}')
    customers = sources.records.customers
    with fresh_database(embedded_dsn) as dsn:
        environment = {**sources.environment, "DSN": dsn}
        data = ["--data-dir", str(tmp_path / "data")]
        asked = ["sync", "--config", str(config), *data, "--format", "json"]
        async with running(config, tmp_path / "data", environment):
            await until(lambda: len(told(dsn)) == len(customers), "the first pass ends", seconds=60)
            silent = customers[5]
            silent["country"] = "ZZ"  # and its date of change is what it was: the poll cannot see it
            code, out, err = await command(*asked, "customers", "Customer", "--wait", environment=environment)
            assert code == 0, out + err
            answer = json.loads(out)
            (found,) = answer["passes"]
            assert (found["entity"], found["progress"], found["events"]) == (
                "customers#Customer",
                "done",
                {"UPDATED": 1},
            )
            assert found["records"]["live"] == len(customers)
            assert answer["captured"] is True
            assert "customers#Customer: done" in err
            assert told(dsn)[len(customers) :] == [(silent["id"], "UPDATED", "2")]
            code, out, _ = await command(*asked, "customers", "--wait", environment=environment)
            assert (code, json.loads(out)["passes"][0]["events"]) == (0, {})
        code, out, err = await command(*asked, "customers", "--wait", environment=environment)
        assert (code, json.loads(out)["captured"]) == (3, False), "nobody captures it now"
        assert json.loads(out)["passes"][0]["progress"] == "waiting"


async def test_names_that_do_not_exist(tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    for given, said in (
        (["custmers"], "there is no product 'custmers'; did you mean 'customers'?"),
        (["customers", "Custmer"], "did you mean 'Customer'?"),
        (["customers", "Invoice"], "'Invoice' is no entity of product 'customers'"),
    ):
        code, _, err = await command("sync", "--config", str(config), *given)
        assert code == 2
        assert said in err
