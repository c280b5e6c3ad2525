# SPDX-License-Identifier: Apache-2.0
"""Personal data in every place that a source can hold reaches no sink and no caller without the right.

The same sources are served twice: with policies off, where every sink that carries values must show them, and with
policies on. A sink that never carries values shows instead the word `planted`, which the specs and callers put into
names: the search reads that very sink.
"""

import json
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from dictamesh.runtime.catalog.ownership import running_owner
from examples.sources.serve import listen
from tests.support.canaries import (
    CANARIES,
    NEVER,
    SHOWN,
    TOKEN,
    clinic_app,
    files_below,
    found_in,
    make_lake,
    make_ledger,
)
from tests.support.running import Runtime, command, place, running, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TREE = Path(__file__).parent / "canaries"
PLANTED = b"lanted"  # Planted, planted
KEYS = {"DOCTOR_KEY": "key-of-the-doctor", "CLERK_KEY": "key-of-the-clerk", "NOBODY_KEY": "key-of-nobody"}
SENT = "SENT-CANARY-3141"  # what callers send
CHECKED = re.compile(r'^dictamesh_quality_checks_total\{entity="(\w+)"', re.MULTILINE)
RULED = {f"Planted{name}" for name in ("Person", "Account", "Visit", "Error", "Refusal", "Nonsense", "Gone")}
CALLERS: dict[str, dict[str, str]] = {
    "anonymous": {},
    "nobody": {"X-API-Key": KEYS["NOBODY_KEY"]},
    "clerk": {"X-API-Key": KEYS["CLERK_KEY"]},
    "doctor without purpose": {"X-API-Key": KEYS["DOCTOR_KEY"]},
    "doctor in sales": {"X-API-Key": KEYS["DOCTOR_KEY"], "X-Purpose": "sales"},
}
DOCTOR = {"X-API-Key": KEYS["DOCTOR_KEY"], "X-Purpose": "care"}

PERSON = (
    "id name email phone score weight born seen unclassified address { street zip } aliases state level parsed"
    " openLevel region note"
)
ACCOUNT = "login personId balance double opened visits openVisits region note"
VISIT = "id login reason cost day minutes region note"
SCALARS = {
    "plantedPersons": (
        "id",
        "name",
        "email",
        "phone",
        "score",
        "weight",
        "born",
        "seen",
        "unclassified",
        "state",
        "level",
        "parsed",
    ),
    "plantedAccounts": ("login", "personId", "balance", "double", "opened", "visits"),
    "plantedVisits": ("login", "reason", "cost", "day"),
}
READS = [
    f"{{ plantedPersons {{ {PERSON} }} plantedPersonsCount }}",
    f"{{ plantedAccounts {{ {ACCOUNT} }} plantedAccountsCount }}",
    f"{{ plantedVisits {{ {VISIT} }} plantedVisitsCount }}",
    f"{{ plantedAccounts {{ login person {{ {PERSON} accounts {{ {ACCOUNT} visitList {{ {VISIT} }} }} }} }} }}",
    f"{{ plantedVisits {{ id account {{ {ACCOUNT} person {{ {PERSON} }} }} }} }}",
    "{ a: plantedPersons { x: email y: email z: name } b: plantedAccounts { note: login region: balance } }",
    "query Q { ...F } fragment F on Query { plantedPersons { ...G } } fragment G on PlantedPerson { email phone born }",
    f'{{ plantedPerson(id: "{SHOWN["foreign key of a hidden row"]}") {{ {PERSON} }} }}',
    f'{{ plantedPerson(id: "{SHOWN["foreign key"]}") {{ {PERSON} }} }}',
    f'{{ plantedAccount(login: "other@leak.example") {{ {ACCOUNT} }} }}',
    "{ plantedVisit(id: 2) { id note } plantedVisits(offset: 1) { note } }",
    '{ plantedPersons(filter: {region: {ne: "north"}}) { note region } }',
    '{ plantedVisits(filter: {region: {eq: "south"}}, orderBy: [{note: DESC}]) { note } }',
    '{ plantedAccounts(filter: {note: {like: "HIDDEN%"}}) { note } }',
    '{ plantedAccountsCount(filter: {region: {eq: "south"}}) }',
    "{ plantedPersons(orderBy: [{openLevel: ASC}]) { openLevel note } }",
    "{ plantedVisits(filter: {minutes: {gt: 0}}) { minutes note } }",
]
USES = [
    query % {"root": root, "field": name}
    for root, names in SCALARS.items()
    for name in names
    for query in (
        "{ %(root)s(filter: {%(field)s: {isNull: false}}) { region } }",
        "{ %(root)s(orderBy: [{%(field)s: DESC}]) { region } }",
        "{ %(root)sCount(filter: {not: {%(field)s: {isNull: true}}}) }",
    )
] + ['{ plantedVisits(filter: {account: {login: {like: "canary%"}}}) { region } }']
BROKEN = [
    "{ plantedErrors { id } }", '{ plantedError(id: "1") { id } }', "{ plantedRefusals { id } }",
    '{ plantedRefusal(id: "1") { id } }', "{ plantedRedirects { id } }", '{ plantedRedirect(id: "1") { id } }',
    "{ plantedNonsenses { id } }", '{ plantedNonsense(id: "1") { id } }', "{ plantedShapes { id } }",
    '{ plantedShape(id: "1") { id } }', "{ plantedNexts { id } }", "{ plantedGones { id } }",
    "{ plantedTables { id } }",
]  # fmt: skip
FAULTY = [
    f'{{ plantedPersons(filter: {{region: {{eq: "{SENT}"}}}}) {{ region }} }}',
    f'{{ plantedPersons(filter: {{email: {{eq: "{SENT}"}}}}) {{ region }} }}',
    f'{{ plantedPerson(id: "{SENT}") {{ region }} }}',
    f"{{ plantedPersons {{ {SENT.replace('-', '_')} }} }}",
    f'{{ plantedPersons(limit: "{SENT}") {{ region }} }}',
    f'{{ broken "{SENT}"',
]


@dataclass
class Campaign:
    """One runtime after all questions: answers by caller, and every sink by name."""

    answers: dict[str, list[str]] = field(default_factory=dict)
    sinks: dict[str, bytes] = field(default_factory=dict)
    served: Counter[str] = field(default_factory=Counter)


async def campaign(folder: Path, config: Path, *, opened: bool) -> Campaign:
    """Ask everything as everybody, then gather every sink."""
    done = Campaign()
    async with AsyncExitStack() as stack:
        url = await listen(stack, clinic_app(done.served), 0)
        environment = {"CLINIC_URL": url, "CLINIC_TOKEN": TOKEN, "PEPPER": "pepper-of-the-test", **KEYS}
        environment |= {"LEDGER": str(folder / "ledger.sqlite"), "LAKE": str(folder / "lake")}
        make_ledger(folder / "ledger.sqlite")
        make_lake(folder / "lake")
        (folder / "lake" / "gone.csv").write_bytes(b'id\n"\xff\xfe' + NEVER["body that is no JSON"].encode())
        data_dir = folder / "data"
        done.sinks |= await commands(config, data_dir, environment)
        async with running(config, data_dir, environment, "--log-level", "debug") as runtime:
            await ask_everything(runtime, done)
            await checked(runtime)
            done.sinks["metrics"] = (await runtime.metrics()).encode()
            done.sinks["health"] = str(await runtime.get("/health/ready")).encode()
            done.sinks["catalog API"] = await catalog_api(runtime)
            done.sinks |= dumped(running_owner(data_dir))
            broken = config.parent / "products" / "visits.yaml"
            text = broken.read_text(encoding="utf-8")
            place(broken, text.replace("logicalType: date", "logicalType: dete"))
            await runtime.until_said("the changed specs have errors")
            place(broken, text)
            runtime.process.send_signal(signal.SIGHUP)
            await runtime.until_said("reloaded")
        done.sinks["log"] = "".join(runtime.errors).encode()
        done.sinks["standard output"] = "".join(runtime.output).encode()
        pointer = data_dir / "postgres.path"
        homes = [data_dir, *([Path(pointer.read_text("utf-8").strip())] if pointer.exists() else [])]
        for path, content in files_below(*homes).items():
            done.sinks[f"file {path}"] = content
    assert opened or "doctor" in done.answers
    return done


async def checked(runtime: Runtime) -> None:
    """Wait until the rules of every entity that has any were checked."""

    async def all_of_them() -> bool:
        return set(CHECKED.findall(await runtime.metrics())) >= RULED

    await until(all_of_them, "every rule is checked")


async def ask_everything(runtime: Runtime, done: Campaign) -> None:
    for caller, headers in {**CALLERS, "doctor": DOCTOR}.items():
        answers = done.answers.setdefault(caller, [])
        for query in [*READS, *USES, *BROKEN]:
            status, text, sent = await runtime.post(json.dumps({"query": query}).encode(), headers)
            answers.append(f"{text}\n{status} {sent}")
        for query in FAULTY:
            await runtime.post(json.dumps({"query": query, "operationName": SENT}).encode(), headers)
            await runtime.post(json.dumps({"query": query, "variables": {"x": SENT}}).encode(), headers)
    await runtime.post(SENT.encode(), {"X-API-Key": SENT, "traceparent": SENT, "User-Agent": SENT})
    await runtime.post(b"{}", {"X-API-Key": KEYS["CLERK_KEY"], "X-Purpose": SENT})
    await runtime.post(b"{}", {"Authorization": f"Bearer {SENT}"})
    await runtime.fetch(f"/api/v1/catalog/locate?type=PlantedAccount&id={SENT}", {})
    await runtime.fetch(f"/{SENT}?q={SENT}", {})


CATALOG = (
    *("entities", "entities/PlantedPerson", "entities/PlantedVisit", "locate?type=PlantedAccount&id=1"),
    *("graph?type=PlantedAccount", "graph?type=PlantedVisit&id=1", "relationships", "schemas", "events"),
    *("relationships?entity_type=PlantedVisit&entity_id=2", "products", "products/planted-people", "usage"),
    *("search?limit=100", "search?q=canary", f"search?q={SENT}", "search?q=leak.example", "entities/by-source/clinic"),
)
CATALOG_QUERY = """{ catalog { products { name entities { fields { name access operations } relations { name } }
  serviceLevels { state } consumers { principal } } search(q: "canary OR leak OR planted") { total items { address } }
  graph(type: "PlantedVisit") { nodes { id } edges { relation } } } }"""


async def catalog_api(runtime: Runtime) -> bytes:
    """All that the catalog says to everybody, once what the queries left has reached it."""
    written = 'dictamesh_catalog_entries_total{outcome="written",what="usage"}'
    await until(lambda: _has(runtime, written), "what queries left is written")
    parts = []
    for headers in (*CALLERS.values(), DOCTOR):
        for path in CATALOG:
            parts.append(str(await runtime.fetch(f"/api/v1/catalog/{path}", headers)))
        parts.append(str(await runtime.fetch("/api/v1/entities/PlantedVisit/1", headers)))
        parts.append(str(await runtime.post(json.dumps({"query": CATALOG_QUERY}).encode(), headers)))
    return "\n".join(parts).encode()


async def _has(runtime: Runtime, series: str) -> bool:
    return series in await runtime.metrics()


async def commands(config: Path, data_dir: Path, environment: Mapping[str, str]) -> dict[str, bytes]:
    """What the commands print, and the audit file that `query` leaves while no runtime runs."""
    found: dict[str, bytes] = {}
    common = ("--config", str(config))
    asked = {
        "query of anonymous": ("query", "--data-dir", str(data_dir), READS[0]),
        "query of broken sources": (
            "query",
            "--data-dir",
            str(data_dir),
            "{ plantedErrors { id } plantedTables { id } }",
        ),
        "contract-test of people": ("contract-test", "planted-people", "--live"),
        "contract-test of accounts": ("contract-test", "planted-accounts", "--live"),
        "contract-test of visits": ("contract-test", "planted-visits", "--live", "--format", "json"),
        "contract-test of broken sources": ("contract-test", "planted-broken", "--live"),
        "contract-test of a table": ("contract-test", "planted-table", "--live"),
        "contract-test of a file": ("contract-test", "planted-gone", "--live"),
        "doctor": ("doctor", "--data-dir", str(data_dir)),
        "scan": ("scan",),
        "scan as JSON": ("scan", "--format", "json", "--sample", "40"),
        "plan": ("plan", "--format", "json"),
        "quality": ("quality", "run"),
        "quality as JSON": ("quality", "run", "--format", "json"),
        "explain": ("policy", "explain", "planted-people#PlantedPerson.email"),
    }
    for name, arguments in asked.items():
        code, out, err = await command(*arguments, *common, environment=environment)
        assert "Traceback" not in err, err
        assert "fault of DictaMesh" not in err, (name, err)
        found[f"command {name}"] = f"{code} {out} {err}".encode()
    reading = ("query", "--data-dir", str(data_dir), "--as", "doctor", "--purpose", "care", READS[0])
    _, out, err = await command(*reading, *common, environment=environment)
    assert found_in(out), f"the doctor's answer shows nothing: {out}{err}"
    found["audit.jsonl"] = (data_dir / "audit.jsonl").read_bytes()
    return found


def dumped(dsn: str | None) -> dict[str, bytes]:
    """Every row of every table of the runtime."""
    assert dsn is not None
    found: dict[str, bytes] = {}
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            rows = connection.execute(f'SELECT t::text FROM "{schema}"."{table}" AS t'.encode()).fetchall()
            found[f"table {table}"] = "\n".join(row[0] for row in rows).encode()
    assert {"table dictamesh_audit_logs", "table dictamesh_entity_catalog", "table dictamesh_schemas"} <= found.keys()
    return found


@asynccontextmanager
async def tree(folder: Path, policies: str) -> AsyncIterator[Path]:
    """A copy of the specs with one of the two sets of policies."""
    for path in TREE.rglob("*.yaml"):
        target = folder / "mesh" / path.relative_to(TREE)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8")
        target.write_text(text.replace("policies/closed.yaml", policies), encoding="utf-8")
    yield folder / "mesh" / "mesh.yaml"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def closed(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    folder = tmp_path_factory.mktemp("closed")
    async with tree(folder, "policies/closed.yaml") as config:
        return await campaign(folder, config, opened=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    folder = tmp_path_factory.mktemp("opened")
    async with tree(folder, "policies/open.yaml") as config:
        return await campaign(folder, config, opened=True)


async def test_with_policies_off_every_caller_is_shown_everything(opened: Campaign) -> None:
    for caller, answers in opened.answers.items():
        missing = SHOWN.keys() - set(found_in("\n".join(answers)))
        assert not missing, f"the probe is blind for {caller}: {missing}"
    assert found_in(opened.sinks["command query of anonymous"])


async def test_with_policies_on_the_one_with_the_right_is_shown_everything(closed: Campaign) -> None:
    missing = SHOWN.keys() - set(found_in("\n".join(closed.answers["doctor"])))
    assert not missing, f"the probe is blind: {missing}"


async def test_with_policies_on_nobody_else_is_shown_anything(closed: Campaign) -> None:
    queries = [*READS, *USES, *BROKEN]
    for caller in CALLERS:
        assert len(closed.answers[caller]) == len(queries)
        for query, answer in zip(queries, closed.answers[caller], strict=True):
            assert found_in(answer) == [], f"{caller} asks {query} and gets {answer}"


async def test_masked_fields_cannot_be_used(closed: Campaign) -> None:
    start = len(READS)
    for caller in CALLERS:
        for query, answer in zip(USES, closed.answers[caller][start : start + len(USES)], strict=True):
            assert '"FORBIDDEN"' in answer, f"{caller} asks {query} and gets {answer}"
            assert '"data"' not in answer


async def test_a_key_with_a_pseudonym_is_shown_to_nobody(opened: Campaign, closed: Campaign) -> None:
    for done in (opened, closed):
        for caller, answers in done.answers.items():
            ids = [row["id"] for row in json.loads(answers[0].partition("\n")[0])["data"]["plantedPersons"]]
            assert ids, caller
            assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids), caller


async def test_what_no_field_can_hold_is_shown_to_nobody(opened: Campaign, closed: Campaign) -> None:
    for done in (opened, closed):
        for path in ("/error", "/refusal", "/redirect", "/nonsense", "/shape", "/next", "/error/1", "/shape/1"):
            assert done.served[path], f"{path} was never asked, so the probe is blind"
        for caller, answers in done.answers.items():
            assert found_in("\n".join(answers), NEVER) == [], caller


async def test_no_other_sink_holds_a_value(opened: Campaign, closed: Campaign) -> None:
    """Logs, metrics, catalog, audit, files of the database: whatever the policies say, these hold no values."""
    for done in (opened, closed):
        shows = {"command query of anonymous"} if done is opened else set()
        for name, content in done.sinks.items():
            if name not in shows:
                assert found_in(content) == [], name
            assert SENT.encode() not in content, name


async def test_the_search_reads_every_sink(opened: Campaign, closed: Campaign) -> None:
    expected = {
        "log", "metrics", "health", "standard output", "catalog API", "audit.jsonl", "table dictamesh_audit_logs",
        "table dictamesh_entity_catalog", "table dictamesh_schemas", "table dictamesh_entity_relationships",
        "table dictamesh_quality_results",
        "table dictamesh_search_documents", "table dictamesh_usage", "table dictamesh_service_levels",
        "table dictamesh_cache_status",
    }  # fmt: skip
    for done in (opened, closed):
        for name in expected | {name for name in done.sinks if name.startswith("command ")}:
            planted = b"clinic" if name in {"health", "command doctor"} else PLANTED
            assert planted in done.sinks[name], f"{name}: {done.sinks[name][:2000]!r}"
        files = [content for name, content in done.sinks.items() if name.startswith("file ") and "/postgres/" in name]
        assert len(files) > 100
        assert sum(PLANTED in content for content in files) >= 3  # tables, write-ahead log
    assert b"planted-doctor" in closed.sinks["table dictamesh_audit_logs"]


async def test_the_search_finds_every_canary(tmp_path: Path) -> None:
    for kind, canary in CANARIES.items():
        (tmp_path / "sink").write_bytes(b"\x00\xff" + canary.encode() + b"\x00")
        (content,) = files_below(tmp_path).values()
        assert kind in found_in(content)
    assert found_in("score 91827364, phone 7391827364555") == ["64-bit number", "decimal"]
    assert found_in(b"nothing of the sort") == []
