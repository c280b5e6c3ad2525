# SPDX-License-Identifier: Apache-2.0
"""Migrations only add, so that the release before goes on working beside the new one (MI-3)."""

import re

import pytest

from dictamesh.runtime.catalog.migrate import Migration, known_migrations

BODY = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
COMMENT = re.compile(r"--[^\n]*")
TEXT = re.compile(r"'(?:[^']|'')*'")
TAKES_AWAY = {
    "drops something": r"\bDROP\s+(TABLE|COLUMN|VIEW|FUNCTION|TYPE|CONSTRAINT|INDEX|SCHEMA|NOT\s+NULL)\b",
    "renames something": r"\bRENAME\b",
    "changes a type": r"\bALTER\s+(COLUMN\s+)?\S+\s+(SET\s+DATA\s+)?TYPE\b",
    "makes a column that is there required": r"\bSET\s+NOT\s+NULL\b",
    "removes rows": r"\b(DELETE\s+FROM|TRUNCATE\s+(TABLE\s+)?dictamesh)",
}
ADDED = re.compile(r"\bADD\s+COLUMN\b(?P<what>[^,;]*)", re.IGNORECASE)


def _must_be_given(column: str) -> bool:
    return "NOT NULL" in column.upper() and not re.search(r"DEFAULT|GENERATED", column, re.IGNORECASE)


def faults(sql: str) -> list[str]:
    """What a way up takes away from a release that does not know it."""
    bare = TEXT.sub("''", COMMENT.sub("", BODY.sub("''", sql)))
    found = [name for name, pattern in TAKES_AWAY.items() if re.search(pattern, bare, re.IGNORECASE)]
    for column in ADDED.finditer(bare):
        if _must_be_given(column["what"]):
            found.append("adds a column that must be given")
    return found


# They rebuild tables of 0.1.0 while it has not been released: there is no release before it that could go on working.
BEFORE_THE_FIRST_RELEASE = frozenset({4, 6})


@pytest.mark.parametrize(
    "step",
    [step for step in known_migrations() if step.version not in BEFORE_THE_FIRST_RELEASE],
    ids=lambda step: f"{step.version:04}",
)
def test_a_migration_only_adds(step: Migration) -> None:
    assert faults(step.up.decode()) == []


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("ALTER TABLE t DROP COLUMN a;", "drops something"),
        ("DROP TABLE IF EXISTS t;", "drops something"),
        ("ALTER TABLE t RENAME COLUMN a TO b;", "renames something"),
        ("ALTER TABLE t ALTER COLUMN a TYPE bigint;", "changes a type"),
        ("ALTER TABLE t ALTER a SET DATA TYPE bigint;", "changes a type"),
        ("ALTER TABLE t ALTER a SET NOT NULL;", "makes a column that is there required"),
        ("ALTER TABLE t ADD COLUMN a text NOT NULL;", "adds a column that must be given"),
        ("DELETE FROM dictamesh_t;", "removes rows"),
        ("TRUNCATE dictamesh_t;", "removes rows"),
    ],
)
def test_what_takes_something_away_is_found(sql: str, fault: str) -> None:
    assert faults(sql) == [fault]


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t ADD COLUMN a text;",
        "ALTER TABLE t ADD COLUMN a text NOT NULL DEFAULT '';",
        "COMMENT ON TABLE t IS 'DictaMesh: DROP TABLE t';",
        "-- DROP TABLE t\nCREATE TABLE t (a text NOT NULL);",
        "CREATE FUNCTION f() RETURNS trigger AS $b$ BEGIN DELETE FROM x; END $b$ LANGUAGE plpgsql;",
    ],
)
def test_what_adds_is_fine(sql: str) -> None:
    assert faults(sql) == []
