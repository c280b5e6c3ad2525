# SPDX-License-Identifier: Apache-2.0
"""What strangers wrote is printed, and never obeyed by a terminal."""

import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from dictamesh.runtime.cli import dlq, events
from dictamesh.runtime.cli.common import escaped, print_json, visible
from dictamesh.runtime.events.kept_letters import Letter

HOSTILE = "o-1\x1b]0;owned\x07\x9b2J\u202e\r\n  0/7  DELETED  Order o-2 v9"


def event(key: str) -> dict[str, Any]:
    entity = {"type": "Order", "id": key, "version": "1"}
    place = {"topic": "t", "partition": 0, "offset": 1}
    return {**place, "event_type": "CREATED", "entity": entity, "changed_fields": ["a", key]}


def harmless(text: str) -> bool:
    return all(each.isprintable() or each == "\n" for each in text)


@pytest.mark.parametrize("told", [event(HOSTILE), {**event(""), "event_type": None, "tombstone": True, "key": HOSTILE}])
def test_an_event_is_one_line_that_no_terminal_obeys(told: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    if told["event_type"] is None:
        del told["event_type"]
    events._line(told)
    out = capsys.readouterr().out
    assert harmless(out)
    assert out.count("\n") == 1
    assert "o-1\\x1b]0;owned" in out


def test_json_says_the_same_and_is_obeyed_by_none(capsys: pytest.CaptureFixture[str]) -> None:
    events._json(event(HOSTILE))
    print_json(event(HOSTILE))
    lines, out = capsys.readouterr().out.split("\n", 1)
    assert harmless(lines + out)
    assert orjson.loads(lines) == orjson.loads(out) == event(HOSTILE)
    assert orjson.loads(escaped('"\x7f\u2028"')) == "\x7f\u2028"


def test_a_dead_letter_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    letter = Letter(
        uuid.uuid4(), "m", "t", "shop#Order", "kafka", "decode", "R", "e", HOSTILE, 1, now, now, None, None, HOSTILE,
        "pending", None,
    )  # fmt: skip
    line = dlq._line({**dlq._as_json(letter), "body": {"text": HOSTILE}})
    assert harmless(line)
    assert "\n" not in line
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("text", ["", "plain", "ümläut 漢字 🙂", "a b"])
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert visible(text) == text
