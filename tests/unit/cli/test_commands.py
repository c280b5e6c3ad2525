# SPDX-License-Identifier: Apache-2.0
"""Every command: what it prints, and its exit code (S32)."""

import io
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import fastavro
import jsonschema
import pytest
from graphql import build_schema

from dictamesh.runtime.catalog.migrate import known_migrations

Run = Callable[..., tuple[int, str, str]]

AGREEMENT = """\
apiVersion: dictamesh/v1
kind: Agreement
name: a-year
owner: people-data
products: [people]
consumer: {roles: [reader]}
status: approved
approver: ana
startDate: 2026-01-01
endDate: 2026-12-31
"""


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def product(mesh: Path) -> Path:
    return mesh.parent / "products" / "people.yaml"


def policy(mesh: Path) -> Path:
    return mesh.parent / "policies" / "office.yaml"


def without_tier(mesh: Path) -> None:
    change(product(mesh), "logicalType: integer, classification: internal", "logicalType: integer")


# --- validate ---


def test_validate_says_what_there_is(mesh: Path, run: Run) -> None:
    code, out, err = run("validate", "--config", str(mesh))
    assert (code, err) == (0, "")
    assert re.fullmatch(
        rf"{re.escape(str(mesh))}: fine \(1 products, 1 entities, 2 policy tests\); plan [0-9a-f]{{12}}\n", out
    )


def test_the_option_may_stand_before_the_command(mesh: Path, run: Run) -> None:
    assert run("--config", str(mesh), "validate") == run("validate", "--config", str(mesh))


def test_validate_points_at_a_fault(mesh: Path, run: Run) -> None:
    change(product(mesh), "[pii.email]", "[pii.mail]")
    code, out, err = run("validate", "--config", str(mesh))
    assert (code, out) == (1, "")
    assert err.startswith("products/people.yaml:14:79 DM204 error: unknown tag 'pii.mail'\n")
    assert "did you mean 'pii.email'?" in err


def test_validate_as_json(mesh: Path, run: Run) -> None:
    assert run("validate", "--config", str(mesh), "--format", "json") == (0, "[]\n", "")
    change(product(mesh), "[pii.email]", "[pii.mail]")
    code, out, err = run("validate", "--config", str(mesh), "--format", "json")
    assert (code, err) == (1, "")
    found = json.loads(out)
    assert {"code", "severity", "message", "file", "line", "column", "hint"} <= found[0].keys()
    assert (found[0]["code"], found[0]["severity"], found[0]["line"], found[0]["column"]) == ("DM204", "error", 14, 79)


def test_strict_makes_warnings_fail(mesh: Path, run: Run) -> None:
    without_tier(mesh)
    assert run("validate", "--config", str(mesh))[0] == 0
    code, _, err = run("validate", "--config", str(mesh), "--strict")
    assert code == 1
    assert "warning" in err


def test_a_failed_policy_test_is_a_finding(mesh: Path, run: Run) -> None:
    change(policy(mesh), "rule: others", "rule: insiders")
    code, _, err = run("validate", "--config", str(mesh))
    assert code == 1
    assert "DM409" in err


# --- plan ---


def test_plan_is_the_same_twice_and_in_both_forms(mesh: Path, run: Run) -> None:
    code, out, err = run("plan", "--config", str(mesh), "--format", "json")
    assert (code, err) == (0, "")
    plan = json.loads(out)
    assert run("plan", "--config", str(mesh), "--format", "json")[1] == out
    text = run("plan", "--config", str(mesh))[1]
    assert text.startswith(f"mesh small, plan {plan['hash'][:12]}\n")
    assert "Person  people on db (sqlite)" in text


def test_plan_holds_no_secret(mesh: Path, run: Run) -> None:
    out = run("plan", "--config", str(mesh), "--format", "json")[1]
    assert "the key of the desk" not in out
    assert "a pepper" not in out


# --- schema ---


def test_schema_graphql(mesh: Path, run: Run) -> None:
    code, out, _ = run("schema", "graphql", "--config", str(mesh))
    assert code == 0
    assert "type Person " in out
    assert "person" in build_schema(out).query_type.fields  # type: ignore[union-attr]  # there is a query type


def test_schema_avro(mesh: Path, run: Run) -> None:
    every = json.loads(run("schema", "avro", "--config", str(mesh))[1])
    one = json.loads(run("schema", "avro", "Person", "--config", str(mesh))[1])
    assert every == {"people.db.entity_changed": one}
    assert json.loads(run("schema", "avro", "people#Person", "--config", str(mesh))[1]) == one
    fastavro.parse_schema(one)
    code, out, err = run("schema", "avro", "Persn", "--config", str(mesh))
    assert (code, out) == (2, "")
    assert "did you mean 'Person'?" in err


def test_schema_json_needs_no_mesh(run: Run) -> None:
    code, out, _ = run("schema", "json")
    assert code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(out))
    assert run("schema", "json", "Person")[0] == 2


# --- query ---


def ask(run: Run, mesh: Path, *arguments: str) -> tuple[int, Any]:
    code, out, err = run("query", "--config", str(mesh), *arguments)
    assert err == ""
    return code, json.loads(out)


COUNT = "{ personsCount }"
FIRST = '{ person(id: "p1") { id email level } }'


def test_query_as_nobody_and_as_somebody(mesh: Path, run: Run) -> None:
    code, anonymous = ask(run, mesh, FIRST)
    assert code == 0
    assert anonymous["data"]["person"] == {"id": "p1", "email": "***REDACTED***", "level": None}
    _, without_roles = ask(run, mesh, "--as", "", FIRST)
    assert without_roles["data"]["person"] == {"id": "p1", "email": "***REDACTED***", "level": 1}
    _, chief = ask(run, mesh, "--as", "chief", "--purpose", "care", FIRST)
    assert chief == {"data": {"person": {"id": "p1", "email": "p1@example.com", "level": 1}}}
    _, without_purpose = ask(run, mesh, "--as", "chief", FIRST)
    assert without_purpose["data"]["person"]["email"] == "***REDACTED***"
    _, both = ask(run, mesh, "--as", "reader,chief", "--purpose", "care", "--claim", "areas=north", FIRST)
    assert both["data"]["person"]["email"] == "p1@example.com"


def test_claims_are_repeated_and_typed(mesh: Path, run: Run) -> None:
    def count(*claims: str) -> str:
        given = [word for claim in claims for word in ("--claim", claim)]
        return ask(run, mesh, "--as", "reader", *given, COUNT)[1]["data"]["personsCount"]

    assert count() == "0"
    assert count("areas=north") == "3"
    assert count("areas=north", "areas=south") == "6"
    assert count("level=2") == "1"
    assert count("level=2", "areas=north") == "4"
    _, insider = ask(run, mesh, "--as", "", "--claim", "insider=true", FIRST)
    assert insider["data"]["person"]["email"] == "p1@example.com"
    _, outsider = ask(run, mesh, "--as", "", "--claim", "insider=false", FIRST)
    assert outsider["data"]["person"]["email"] == "***REDACTED***"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--as", "redaer"], "unknown role 'redaer'; did you mean 'reader'?"),
        (["--as", "reader", "--purpose", "cure"], "unknown purpose 'cure'; did you mean 'care'?"),
        (["--as", "", "--claim", "arreas=x"], "unknown claim 'arreas'; did you mean 'areas'?"),
        (["--as", "", "--claim", "areas"], "--claim takes NAME=VALUE"),
        (["--as", "", "--claim", "level=two"], "the claim 'level' is declared as integer"),
        (["--as", "", "--claim", "insider=yes"], "the claim 'insider' is declared as boolean"),
        (["--as", "", "--claim", "level=1", "--claim", "level=2"], "the claim 'level' is no list"),
        (["--purpose", "care"], "--purpose and --claim need --as"),
        (["--claim", "level=1"], "--purpose and --claim need --as"),
        (["--variables", "[]"], "--variables takes a JSON object"),
        (["--variables", "{"], "--variables takes a JSON object"),
    ],
)
def test_wrong_usage(arguments: list[str], told: str, mesh: Path, run: Run) -> None:
    code, out, err = run("query", "--config", str(mesh), *arguments, COUNT)
    assert (code, out) == (2, "")
    assert told in err


def test_an_answer_with_errors_is_exit_code_1(mesh: Path, run: Run) -> None:
    code, answer = ask(run, mesh, "{ nothing }")
    assert code == 1
    assert answer["errors"][0]["extensions"]["code"] == "VALIDATION_ERROR"
    code, answer = ask(run, mesh, '{ persons(filter: {email: {eq: "p1@example.com"}}) { id } }')
    assert code == 1
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def test_variables_operation_and_standard_input(mesh: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "query A($id: ID!) { person(id: $id) { id } } query B { personsCount }"
    assert ask(run, mesh, "--operation", "A", "--variables", '{"id": "p2"}', text)[1] == {
        "data": {"person": {"id": "p2"}}
    }
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert ask(run, mesh, "--operation", "B", "-")[1] == {"data": {"personsCount": "6"}}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe")))
    code, _, err = run("query", "--config", str(mesh), "-")
    assert (code, err) == (2, "dictamesh-runtime: standard input is no UTF-8 text\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("audit", "verify", "--from", "x"), "--from: takes a day, like 2026-12-31"),
        (
            ("audit", "list", "--to", "2026-99-01"),
            "--to: takes a day or an instant, like 2026-12-31 or 2026-12-31T08:00:",
        ),
        (("audit", "stats", "--from", "0001-01-01T00:00:00+14:00"), "--from: takes a day or an instant, like"),
        (("sync", "people", "--timeout", "soon"), "--timeout: between 0 and 86400 seconds"),
        (("sync", "people", "--timeout", "nan"), "--timeout: between 0 and 86400 seconds"),
    ],
)
def test_options_say_what_they_take(mesh: Path, run: Run, arguments: tuple[str, ...], told: str) -> None:
    code, _, err = run(*arguments, "--config", str(mesh))
    assert code == 2
    assert told in err


def test_reads_in_clear_are_audited_into_a_file(mesh: Path, run: Run) -> None:
    log = mesh.parent / "data" / "audit.jsonl"
    ask(run, mesh, "--as", "", "{ persons { id } }")
    assert not log.exists()
    ask(run, mesh, "--as", "chief", "--purpose", "care", FIRST)
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [(row["principal"], row["purpose"], row["fields"], row["subject_count"]) for row in rows] == [
        ("command-line", "care", ["email"], 1)
    ]
    assert "p1" not in log.read_text(encoding="utf-8").replace(rows[0]["id"], "")
    assert log.stat().st_mode & 0o077 == 0


def test_an_answer_that_cannot_be_audited_is_withheld(mesh: Path, run: Run) -> None:
    (mesh.parent / "data" / "audit.jsonl").mkdir(parents=True)
    code, out, err = run("query", "--config", str(mesh), "--as", "chief", "--purpose", "care", FIRST)
    answer = json.loads(out)
    assert code == 1
    assert "p1@example.com" not in out
    assert "audit log" in answer["errors"][0]["message"]
    assert "audit rows could not be written" in err
    (mesh.parent / "data" / "audit.jsonl").rmdir()


def test_a_data_folder_that_cannot_be_made(mesh: Path, run: Run) -> None:
    code, _, err = run("query", "--config", str(mesh), "--data-dir", str(mesh / "data"), COUNT)
    assert code == 3
    assert "the data folder" in err


def test_a_missing_secret_is_a_missing_dependency(mesh: Path, run: Run) -> None:
    (mesh.parent / "pepper.key").unlink()
    code, out, err = run("query", "--config", str(mesh), COUNT)
    assert (code, out) == (3, "")
    assert "security.keys.pepper: the file pepper.key is not there" in err


# --- policy ---


def test_policy_test(mesh: Path, run: Run) -> None:
    code, out, _ = run("policy", "test", "--config", str(mesh))
    assert code == 0
    assert out.endswith("2 passed, 0 failed\n")
    change(policy(mesh), "rule: others", "rule: insiders")
    code, out, _ = run("policy", "test", "--config", str(mesh))
    assert code == 1
    assert "FAILED policies/office.yaml:15 addresses" in out
    code, out, _ = run("policy", "test", "--config", str(mesh), "--format", "json")
    assert code == 1
    assert [each["passed"] for each in json.loads(out)] == [True, False]


def test_policy_explain(mesh: Path, run: Run) -> None:
    code, out, _ = run("policy", "explain", "--config", str(mesh), "people#Person.email")
    assert code == 0
    assert "redact" in out
    arguments = ("policy", "explain", "--config", str(mesh), "--as", "chief", "--purpose", "care", "--format", "json")
    code, out, _ = run(*arguments, "people#Person.email")
    assert code == 0
    assert '"allow"' in out
    code, out, _ = run("policy", "explain", "--config", str(mesh), "--as", "reader", "people#Person")
    assert code == 0
    assert "own-areas" in out
    for unknown in ("people#Person.mail", "people#Persn", "x"):
        assert run("policy", "explain", "--config", str(mesh), unknown)[0] == 2


def test_policy_explain_of_an_operation(mesh: Path, run: Run) -> None:
    arguments = ("policy", "explain", "--config", str(mesh), "--as", "reader", "--query")
    code, out, _ = run(*arguments, "{ persons { id email } }")
    assert code == 0
    assert "people#Person for roles reader, no purpose: condition" in out
    assert "people#Person.email for roles reader, no purpose: redact" in out
    code, out, _ = run(*arguments, "{ persons(orderBy: [{email: ASC}], offset: 3) { id } }", "--format", "json")
    assert code == 1
    assert json.loads(out)["uses"] == [
        {"field": "people#Person.email", "use": "cursor", "permitted": False},
        {"field": "people#Person.email", "use": "sort", "permitted": False},
    ]
    assert run(*arguments, "{ nothing }")[0] == 2
    assert run(*arguments, "{ persons { id } }", "people#Person")[0] == 2
    assert run("policy", "explain", "--config", str(mesh))[0] == 2


def test_policy_explain_on_a_day(mesh: Path, run: Run) -> None:
    change(mesh, "policies/*.yaml]", "policies/*.yaml, agreed.yaml]")
    (mesh.parent / "agreed.yaml").write_text(AGREEMENT, encoding="utf-8")
    change(
        policy(mesh), "  - {name: others", "  - {name: agreed, agreements: [a-year], effect: allow}\n  - {name: others"
    )
    arguments = ("policy", "explain", "--config", str(mesh), "--as", "reader", "people#Person.email", "--date")
    for day, effect, why in (
        ("2026-12-31", "allow", "agreed (allow): speaks"),
        ("2027-01-01", "redact", "a-year ended on 2026-12-31"),
        ("2025-12-31", "redact", "a-year begins on 2026-01-01"),
    ):
        code, out, _ = run(*arguments, day)
        assert code == 0
        assert f"{effect} (policy addresses" in out
        assert why in out
    code, out, _ = run("policy", "explain", "--config", str(mesh), "people#Person.email", "--date", "2026-12-31")
    assert "the caller is no party to a-year" in out
    assert run(*arguments, "31.12.2026")[0] == 2


# --- token ---


def test_tokens_are_revealed_to_whoever_sees_the_field(mesh: Path, run: Run) -> None:
    masked = "{name: others, effect: mask, mask: {kind: token, key: pepper}}"
    change(policy(mesh), "{name: others, effect: mask, mask: {kind: redact}}", masked)
    code, out, _ = run("query", "--config", str(mesh), "--as", "", "{ persons(limit: 1) { email } }")
    token = json.loads(out)["data"]["persons"][0]["email"]
    assert token.startswith("tok_")
    reveal = ("token", "reveal", "--config", str(mesh), "people#Person.email")
    code, out, _ = run(*reveal, token, "--as", "chief", "--purpose", "care")
    assert (code, out) == (0, "p1@example.com\n")
    code, out, _ = run(*reveal, token, "tok_AAAA", "--as", "chief", "--purpose", "care", "--format", "json")
    assert (code, json.loads(out)["values"]) == (1, ["p1@example.com", None])
    for who in ((), ("--as", ""), ("--as", "chief"), ("--as", "chief,reader", "--purpose", "care")):
        code, out, _ = run(*reveal, token, *who)
        assert code == 1
        assert json.loads(out)["error"]["code"] == "FORBIDDEN"
    code, out, _ = run("token", "reveal", "--config", str(mesh), "people#Person.mail", token)
    assert json.loads(out)["error"]["code"] == "FORBIDDEN"
    rows = [json.loads(line) for line in (mesh.parent / "data" / "audit.jsonl").read_text("utf-8").splitlines()]
    told = [row for row in rows if row["fields"] == ["email"]]
    assert [row["subject_count"] for row in told] == [1, 2]
    assert "p1@example.com" not in json.dumps(rows)
    assert token not in json.dumps(rows)


# --- contract-test ---


def test_contract_test(mesh: Path, run: Run) -> None:
    code, out, _ = run("contract-test", "people", "--config", str(mesh))
    assert code == 0
    assert "failed " not in out
    code, out, _ = run("contract-test", "people", "--config", str(mesh), "--live", "--format", "json")
    assert code == 0
    names = {each["check"] for each in json.loads(out)}
    assert {"columns", "shape", "paging", "known key", "unknown key", "response time"} <= names
    code, _, err = run("contract-test", "peple", "--config", str(mesh))
    assert code == 2
    assert "did you mean 'people'?" in err


def test_contract_test_finds_drift(mesh: Path, run: Run) -> None:
    with closing(sqlite3.connect(mesh.parent / "small.sqlite")) as connection:
        connection.execute("ALTER TABLE people RENAME COLUMN area TO region")
    code, out, _ = run("contract-test", "people", "--config", str(mesh), "--live")
    assert code == 1
    assert "failed   Person columns: declared, and not there: area" in out


def test_contract_test_finds_data_that_break_the_contract(mesh: Path, run: Run) -> None:
    with closing(sqlite3.connect(mesh.parent / "small.sqlite")) as connection:
        connection.execute("UPDATE people SET level = 'a secret word' WHERE id = 'p3'")
        connection.commit()
    code, out, _ = run("contract-test", "people", "--config", str(mesh), "--live")
    assert code == 1
    assert "failed   Person shape: level (SOURCE_DATA_INVALID) in 1 of 6 rows" in out
    assert "a secret word" not in out


def test_contract_test_finds_values_beyond_a_limit(mesh: Path, run: Run) -> None:
    product = next(each for each in mesh.parent.rglob("*.yaml") if "name: level, logicalType" in each.read_text())
    limit = "name: level, logicalTypeOptions: {maximum: 1}, logicalType"
    product.write_text(product.read_text().replace("name: level, logicalType", limit))
    code, out, _ = run("contract-test", "people", "--config", str(mesh), "--live")
    with closing(sqlite3.connect(mesh.parent / "small.sqlite")) as connection:
        ((beyond,),) = connection.execute("SELECT count(*) FROM people WHERE level > 1").fetchall()
    assert code == 1
    assert f"failed   Person shape: level (breaks maximum) in {beyond} of 6 rows" in out


# --- migrate, doctor ---


def test_migrate(mesh: Path, run: Run) -> None:
    before = run("migrate", "status", "--config", str(mesh))
    assert before[0] == 0
    assert "pending  0001" in before[1]
    code, out, _ = run("migrate", "up", "--config", str(mesh))
    assert code == 0
    newest = [line.split()[1] for line in out.splitlines() if line.startswith("up ")][-1]
    assert out.count("up    ") == len(known_migrations())
    assert run("migrate", "up", "--config", str(mesh))[1] == "nothing to do\n"
    code, out, _ = run("migrate", "down", "--config", str(mesh))
    assert code == 0
    assert out.startswith(f"down  {newest} ")
    assert f"pending  {newest}" in run("migrate", "status", "--config", str(mesh))[1]
    assert run("migrate", "--config", str(mesh))[0] == 2
    assert run("migrate", "sideways", "--config", str(mesh))[0] == 2


def test_doctor(mesh: Path, run: Run) -> None:
    change(mesh, "runtime: {dataDir: data}", "runtime: {dataDir: data, port: 0, metricsPort: 0}")
    code, out, _ = run("doctor", "--config", str(mesh))
    assert code == 0, out
    assert "FAIL" not in out
    (mesh.parent / "pepper.key").unlink()
    code, out, _ = run("doctor", "--config", str(mesh), "--format", "json")
    assert code == 3
    bad = [each for each in json.loads(out) if not each["fine"]]
    assert [each["check"] for each in bad] == ["secrets"]
    assert bad[0]["cure"]
    change(product(mesh), "[pii.email]", "[pii.mail]")
    assert run("doctor", "--config", str(mesh))[0] == 1


# --- events ---


def test_a_group_that_nobody_has_is_not_set_back(mesh: Path, run: Run) -> None:
    change(
        mesh, "runtime:", 'events: {hooks: {crm: {url: "http://localhost:1", secret: "${env:SMALL_HOOK}"}}}\nruntime:'
    )
    asked = ("--config", str(mesh), "events", "replay", "--product", "people", "--from", "beginning")
    code, _, err = run(*asked, "--group", "hook:cmr")
    assert (code, "there is no group 'hook:cmr'; did you mean 'hook:crm'?" in err) == (2, True)
    code, _, err = run(*asked, "--group", "x\x1b[2J")
    assert (code, "\x1b" in err) == (2, False)
