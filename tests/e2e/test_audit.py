# SPDX-License-Identifier: Apache-2.0
"""The audit of a running mesh as readers, auditors and attackers meet it: REST, heads, verify, export (GV-4..6)."""

import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from dictamesh.runtime.audit.keys import known_keys
from dictamesh.runtime.audit.statements import digest, read_line
from dictamesh.runtime.catalog.cluster import start as start_cluster
from dictamesh.runtime.catalog.ownership import running_owner
from examples.sources import serve
from tests.support.running import Runtime, Sources, command, edit, example_tree, running, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLEAR = "{ customers(limit: 3) { name email invoices(limit: 1) { number } } }"
DENIED = '{ customers(filter: {email: {eq: "a@example.com"}}) { id } }'


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dictamesh-audit-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as another user where the tests run as root
        config = example_tree(Path(name))
        edit(
            config, "audit: {readers: [steward]}", "audit: {readers: [steward], signEvery: 500ms, publish: copy.jsonl}"
        )
        yield Path(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(place: Path, sources: Sources) -> AsyncIterator[Runtime]:
    async with running(place / "mesh" / "mesh.yaml", place / "data", sources.environment) as runtime:
        for _ in range(3):
            assert "errors" not in await runtime.ask(CLEAR, "support")
        assert (await runtime.ask(DENIED, "analyst"))["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        yield runtime


def audit(place: Path, *words: str) -> tuple[str, ...]:
    return ("audit", *words, "--config", str(place / "mesh" / "mesh.yaml"), "--data-dir", str(place / "data"))


async def as_json(place: Path, *words: str) -> Any:
    code, out, err = await command(*audit(place, *words, "--format", "json"))
    assert (code, err) == (0, ""), out + err
    return json.loads(out)


async def test_readers_see_who_read_what(mesh: Runtime) -> None:
    status, body = await mesh.get("/api/v1/audit?principal=support-desk", "steward")
    assert (status, body["total"], body["limit"], body["offset"]) == (200, 3, 50, 0)
    newest = body["items"][0]
    assert (newest["product"], newest["entity_type"], newest["fields"]) == ("customers", "Customer", ["email", "name"])
    assert (newest["sequence"], newest["pii_access"], newest["subject_count"]) == (3, True, 3)
    assert newest["previous_hash"] == body["items"][1]["hash"]
    _, page = await mesh.get("/api/v1/audit?principal=support-desk&limit=1&offset=2", "steward")
    assert page["items"] == [body["items"][2]]
    _, denied = await mesh.get("/api/v1/audit?success=false&operation=READ&product=customers", "steward")
    assert [(each["principal"], each["denied_fields"]) for each in denied["items"]] == [("bi-tool", ["email"])]
    _, none = await mesh.get("/api/v1/audit?to=2020-01-01", "steward")
    assert none["total"] == 0
    _, traced = await mesh.get(f"/api/v1/audit?trace_id={newest['trace_id']}&from=2020-01-01T00:00:00Z", "steward")
    assert [each["id"] for each in traced["items"]] == [newest["id"]]
    _, subject = await mesh.get(f"/api/v1/audit?subject_token={newest['subject_tokens'][0]}", "steward")
    assert subject["total"] == 3


async def test_the_log_in_numbers(mesh: Runtime) -> None:
    status, body = await mesh.get("/api/v1/audit/stats", "steward")
    assert status == 200
    counted = {name: body[name] for name in ("rows", "total", "uniquePrincipals", "failures", "denials", "piiReads")}
    assert counted == {"rows": 4, "total": 4, "uniquePrincipals": 2, "failures": 1, "denials": 1, "piiReads": 3}
    assert 0 < body["avgDurationMs"] <= body["maxDurationMs"]
    _, nobody = await mesh.get("/api/v1/audit/stats?principal=nobody", "steward")
    assert (nobody["total"], nobody["avgDurationMs"]) == (0, None)


@pytest.mark.parametrize("path", ["/api/v1/audit", "/api/v1/audit/stats"])
async def test_the_log_is_for_readers_alone(mesh: Runtime, path: str) -> None:
    assert (await mesh.get(path))[0] == 401
    status, body = await mesh.get(path, "support")
    assert (status, body["error"]["code"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "offset=x", "operation=LOOK", "success=maybe", "from=soon", "who=me", "principal=%00"],
)
async def test_what_makes_no_sense_is_refused(mesh: Runtime, query: str) -> None:
    status, body = await mesh.get(f"/api/v1/audit?{query}", "steward")
    assert (status, body["error"]["code"]) == (400, "INVALID_REQUEST")


async def test_heads_are_published_and_verify_by_themselves(mesh: Runtime, place: Path) -> None:
    assert (await mesh.get("/api/v1/audit/heads"))[0] == 401

    async def signed() -> bool:
        _, body = await mesh.get("/api/v1/audit/heads", "support")
        return bool(json.loads(body["statements"][-1]["statement"])["chains"])

    await until(signed, "the chains are signed")
    _, body = await mesh.get("/api/v1/audit/heads?after=0&limit=1000", "support")
    _, key = await mesh.get("/api/v1/audit/key", "support")
    assert key == {"mesh": "acme", **body["key"]}
    public = load_pem_public_key(key["publicKey"].encode())
    keys = known_keys([key["publicKey"].encode()])
    assert len(public.public_bytes_raw()) == 32
    before = "0" * 64
    for number, each in enumerate(body["statements"], 1):
        assert keys.holds(each["keyId"], each["statement"], each["signature"])
        content = json.loads(each["statement"])
        assert (content["number"], content["previous"], content["mesh"]) == (number, before, "acme")
        before = digest(each["statement"])
    (chain,) = content["chains"]
    _, rows = await mesh.get("/api/v1/audit?limit=1", "steward")
    newest = rows["items"][0]
    assert (chain["product"], chain["rows"], chain["hash"]) == ("customers", 4, newest["hash"])
    assert body["last"] == len(body["statements"])
    _, last = await mesh.get("/api/v1/audit/heads?limit=1", "support")
    assert last["statements"] == body["statements"][-1:]
    for path in (place / "data" / "audit-heads.jsonl", place / "mesh" / "copy.jsonl"):
        lines = [read_line(line) for line in path.read_bytes().splitlines()]
        assert [each.statement for each in lines] == [each["statement"] for each in body["statements"]]
    assert (await mesh.get("/api/v1/audit/heads?limit=0", "support"))[0] == 400


async def test_verification_while_the_mesh_runs(mesh: Runtime, place: Path) -> None:
    report = await as_json(place, "verify")
    assert (report["intact"], report["rows"], report["chains"], report["first"]) == (True, 4, 1, None)
    code, out, _ = await command(*audit(place, "verify"))
    assert (code, out.splitlines()[0]) == (0, f"intact: 4 rows in 1 chains, {report['heads']} signed heads")
    day = (await as_json(place, "list"))["items"][0]["day"]
    assert (await as_json(place, "verify", "--from", day))["rows"] == 4
    assert (await as_json(place, "verify", "--to", "2020-01-01"))["rows"] == 0


async def test_the_command_line_lists_and_counts(mesh: Runtime, place: Path) -> None:
    code, out, _ = await command(*audit(place, "list", "--pii", "--limit", "1"))
    assert code == 0
    assert "support-desk READ customers#Customer read email,name 3 subjects" in out
    assert out.endswith("1 of 3 rows\n")
    stats = await as_json(place, "stats", "--failed")
    assert (stats["total"], stats["failures"]) == (1, 1)
    assert (await command(*audit(place, "list", "--limit", "0")))[0] == 2
    assert (await command(*audit(place, "list", "--principal", "\udcff")))[0] == 2


async def test_an_export_is_verified_without_the_database(mesh: Runtime, place: Path, tmp_path: Path) -> None:
    export, key, heads = tmp_path / "export.jsonl", tmp_path / "key.pem", str(place / "mesh" / "copy.jsonl")
    assert (await command(*audit(place, "export", "--out", str(export))))[0] == 0
    _, out, _ = await command(*audit(place, "export", "--product", "customers"))
    assert out.splitlines()[1:] == export.read_text().splitlines()[1:]
    key.write_text((await command(*audit(place, "key")))[1])
    elsewhere = ("audit", "verify", "--config", str(place / "mesh" / "mesh.yaml"), "--data-dir", str(tmp_path / "none"))
    offline = (*elsewhere, "--public-key", str(key), "--heads", heads, "--format", "json", "--file")
    code, out, err = await command(*offline, str(export))
    assert (code, err) == (0, ""), out
    assert json.loads(out)["rows"] == 4
    lines = export.read_text().splitlines(keepends=True)
    forgeries = {
        "edited": [*lines[:2], lines[2].replace("support-desk", "nobody"), *lines[3:]],
        "removed": [*lines[:2], *lines[3:]],
        "cut": lines[:-1],
        "reordered": [lines[0], lines[2], lines[1], *lines[3:]],
        "doubled": [*lines[:3], lines[2], *lines[3:]],
        "begins later": [lines[0], *lines[2:]],
    }
    for name, forged in forgeries.items():
        path = tmp_path / "forged.jsonl"
        path.write_text("".join(forged))
        code, out, _ = await command(*offline, str(path))
        first = json.loads(out)["first"]
        assert (code, first["product"]) == (1, "customers"), name
        wanted = {"cut": 4, "reordered": 1, "begins later": 1}.get(name, 2)
        assert first["sequence"] == wanted, (name, first)
    (tmp_path / "no.jsonl").write_text("{}\n")
    assert (await command(*offline, str(tmp_path / "no.jsonl")))[0] == 2
    code, _, err = await command(*elsewhere, "--heads", heads, "--file", str(export))
    assert code == 2
    assert "--public-key" in err


async def test_metrics_tell_of_heads(mesh: Runtime) -> None:
    text = await mesh.metrics()
    assert 'dictamesh_audit_heads_total{outcome="signed"}' in text
    assert "dictamesh_erasures_overdue 0.0" in text


async def test_a_catalog_that_cannot_be_reached_is_no_verdict(place: Path, tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    none = ("audit", "verify", "--config", str(config), "--data-dir", str(tmp_path / "data"))
    code, _, err = await command(*none)
    assert code == 3
    assert "there is no catalog" in err
    edit(config, "runtime: {", 'catalog: {dsn: "${env:CATALOG_DSN}"}\nruntime: {')
    dsn = "postgresql://nobody@127.0.0.1:1/nothing"
    assert (await command(*none, environment={"CATALOG_DSN": dsn}))[0] == 3


async def test_what_is_done_to_the_database_at_rest_is_found(sources: Sources, place: Path, mesh: Runtime) -> None:
    """The last test of this mesh: it is stopped, tampered with, verified, and started again."""
    assert await mesh.stop() == 0
    assert (await as_json(place, "verify"))["unsigned"] == 0, "signed at the end"
    assert running_owner(place / "data") is None
    async with await start_cluster(place / "data") as cluster:
        with psycopg.connect(cluster.dsn, autocommit=True) as connection:
            table = b"ALTER TABLE dictamesh_audit_logs "
            connection.execute(table + b"DISABLE TRIGGER trg_dictamesh_audit_logs_append_only")
            connection.execute(b"UPDATE dictamesh_audit_logs SET principal = 'nobody' WHERE sequence = 2")
            connection.execute(table + b"ENABLE ALWAYS TRIGGER trg_dictamesh_audit_logs_append_only")
    code, out, _ = await command(*audit(place, "verify", "--format", "json"))
    report = json.loads(out)
    assert (code, report["intact"], report["notes"]) == (1, False, [])
    assert (report["first"]["product"], report["first"]["sequence"], report["first"]["fault"]) == (
        "customers",
        2,
        "changed",
    )
    code, out, _ = await command(*audit(place, "verify"))
    assert (code, out.splitlines()[0].startswith("NOT intact: 4 rows")) == (1, True)
    async with running(place / "mesh" / "mesh.yaml", place / "data", sources.environment) as again:
        assert "errors" not in await again.ask(CLEAR, "support")
        code, out, _ = await command(*audit(place, "verify", "--format", "json"))
        assert (code, json.loads(out)["first"]["sequence"]) == (1, 2)


async def test_heads_are_posted_and_what_was_not_acknowledged_is_sent_again(sources: Sources, tmp_path: Path) -> None:
    received: list[int] = []
    refuse = True

    async def take(request: web.Request) -> web.Response:
        head = read_line(await request.read())
        assert request.query["token"] == "secret-4711"
        if refuse:
            return web.Response(status=503)
        received.append(head.number)
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/heads", take)
    config = example_tree(tmp_path)
    publish = 'audit: {readers: [steward], signEvery: 300ms, publish: "${env:TAKER}/heads?token=${env:TOKEN}"}'
    edit(config, "audit: {readers: [steward]}", publish)
    async with AsyncExitStack() as stack:
        taker = await serve.listen(stack, app, 0)
        environment = {**sources.environment, "TAKER": taker, "TOKEN": "secret-4711"}
        async with running(config, tmp_path / "data", environment) as mesh:
            await mesh.ask(CLEAR, "support")
            await mesh.until_said("audit heads are not published")
            assert "secret-4711" not in "".join(mesh.errors)
            assert 'outcome="unpublished"' in await mesh.metrics()
            refuse = False
            await mesh.ask(CLEAR, "support")
            await until(lambda: len(received) >= 2, "the heads arrive")
        count = max(received)
        async with running(config, tmp_path / "data", environment) as mesh:
            await mesh.ask(CLEAR, "support")
            await until(lambda: max(received) > count, "the heads arrive")
    assert list(dict.fromkeys(received)) == list(range(1, max(received) + 1)), "in order, none left out"
    assert received == sorted(received), "one may come twice, never after a later one"


async def test_a_signing_key_by_reference_and_its_change(sources: Sources, tmp_path: Path) -> None:
    config = example_tree(tmp_path)
    edit(config, "keys: {mesh-pepper:", 'keys: {seal: "${file:keys/seal.key}", mesh-pepper:')
    edit(config, "audit: {readers: [steward]}", "audit: {readers: [steward], signEvery: 300ms, signingKey: seal}")
    seal = config.parent / "keys" / "seal.key"
    seal.write_text("short")
    place = ("--config", str(config), "--data-dir", str(tmp_path / "data"))
    code, _, err = await command(*place, "--port", "0", "--metrics-port", "0", environment=sources.environment)
    assert code == 3
    assert "security.keys.seal cannot sign: it is shorter than 32 bytes" in err
    seal.write_text("the first secret that signs, 32 bytes or more")
    async with running(config, tmp_path / "data", sources.environment, "--no-watch") as mesh:
        await mesh.ask(CLEAR, "support")
        _, first = await mesh.get("/api/v1/audit/key", "steward")
        seal.write_text("the second secret that signs, 32 bytes or more")
        mesh.process.send_signal(1)
        await mesh.until_said("reloaded")
        _, second = await mesh.get("/api/v1/audit/key", "steward")
        assert first["keyId"] != second["keyId"]
        await mesh.ask(CLEAR, "support")
    code, out, _ = await command("audit", "verify", *place, "--format", "json")
    assert (code, json.loads(out)["intact"]) == (0, True), "both keys are known where they signed"
    (tmp_path / "data" / "audit-signing.pem").unlink()
    code, out, _ = await command("audit", "verify", *place, "--format", "json")
    assert (code, json.loads(out)["first"]["fault"]) == (1, "head-unknown-key")
    (tmp_path / "first.pem").write_text(first["publicKey"])
    code, out, _ = await command("audit", "verify", *place, "--public-key", str(tmp_path / "first.pem"))
    assert code == 0, out
    assert not (tmp_path / "data" / "audit-signing.key").exists()


async def test_an_operation_over_two_products_makes_a_row_in_each_chain(sources: Sources, tmp_path: Path) -> None:
    async with running(example_tree(tmp_path), tmp_path / "data", sources.environment) as mesh:
        async with aiohttp.ClientSession() as session:
            query = '{ customers(filter: {email: {eq: "a"}}) { id } invoices(filter: {total: {gt: "1"}}) { id } }'
            async with session.post(
                f"{mesh.url}/graphql", json={"query": query}, headers={"X-API-Key": serve.key("steward.key")}
            ) as answer:
                assert (await answer.json(content_type=None))["errors"]
        _, body = await mesh.get("/api/v1/audit", "steward")
        assert {(each["product"], each["sequence"]) for each in body["items"]} == {("customers", 1), ("invoices", 1)}
