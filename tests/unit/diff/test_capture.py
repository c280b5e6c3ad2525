# SPDX-License-Identifier: Apache-2.0
"""A comparison says whose changes will be noticed anew from a full pass, and whose no more."""

import pytest

from dictamesh.runtime.diff.change import Class
from dictamesh.runtime.diff.compare import compare
from tests.support.example import CUSTOMERS, edited, files, side

BASE = files()
POLL = 'poll: {every: 2s, cursor: date_updated, parameter: "filter[date_updated][_gte]", lookBack: 1s, deletes: 30s}'
ADDRESS = "customers#Customer"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (POLL, POLL.replace("2s", "5s"), []),
        ("{name: newsletter,", "{name: letters, physicalName: newsletter,", []),
        (
            POLL,
            'poll: {every: 2s, cursor: date_created, parameter: "filter[date_created][_gte]"}',
            [
                (
                    "capture-full-pass",
                    "poll of customers.date_updated on cms",
                    "poll of customers.date_created on cms",
                )
            ],
        ),
        (
            "physicalName: customers\n",
            "physicalName: clients\n",
            [("capture-full-pass", "poll of customers.date_updated on cms", "poll of clients.date_updated on cms")],
        ),
        (
            f"    changes: # every change becomes an event; deletes are found by comparing all keys\n      {POLL}\n",
            "",
            [("capture-paused", "poll of customers.date_updated on cms", None)],
        ),
    ],
)
def test_what_an_edit_does_to_capture_is_said(before: str, after: str, said: list[tuple[str, str, str]]) -> None:
    found = compare(side(BASE), side(edited(BASE, (CUSTOMERS, before, after))))
    told = [each for each in found.changes if each.kind.startswith("capture-")]
    assert [(each.kind, each.before, each.after) for each in told] == said
    assert all(each.cls is Class.REVIEW and each.address == ADDRESS for each in told)
