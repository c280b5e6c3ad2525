# SPDX-License-Identifier: Apache-2.0
"""Sums of calls and operations: taken once, bounded, without a caller's text."""

from dictamesh.runtime.mesh.lineage import collected
from dictamesh.runtime.mesh.lineage.collected import FAULTS, OTHER_FAULT, OTHERS, Collected


def test_calls_are_summed_by_entity_and_taken_once() -> None:
    sums = Collected()
    sums.called("a#A", "list", "ok", 0.1, 3, None)
    sums.called("a#A", "batch", "ok", 0.3, 2, 5)
    sums.called("a#A", "get", "not_found", 0.1, 0, 1)
    sums.called("b#B", "list", "timeout", 2.0, 0, None)
    sums.called("b#B", "list", "cancelled", 0.1, 0, None)
    sums.looked_up("c#C", "hit", 3)
    flows = sums.take_flows()
    assert [(each.entity, each.calls, round(each.seconds, 3)) for each in flows] == [("a#A", 2, 0.4)]
    assert sums.take_flows() == []
    window = sums.take_window()
    assert window.start < window.end
    assert {address: (each.calls, each.failed, each.rows) for address, each in window.reads.items()} == {
        "a#A": (3, 0, 5),
        "b#B": (2, 1, 0),
    }
    assert window.reads["b#B"].message == FAULTS["timeout"]
    after = sums.take_window()
    assert (after.start, dict(after.reads), dict(after.answers)) == (window.end, {}, {})


def test_a_fault_that_has_no_text_of_its_own() -> None:
    sums = Collected()
    sums.called("a#A", "list", "error", 0.1, 0, None)
    assert sums.take_window().reads["a#A"].message == OTHER_FAULT


def test_operations_of_one_kind_are_one(monkeypatch) -> None:
    monkeypatch.setattr(collected, "JOBS", 2)
    sums = Collected()
    for index in range(5):
        sums.answered((f"r{index % 4}",), {"a#A": [f"f{index}"]}, failed=index == 4)
    answers = sums.take_window().answers
    assert {roots: (each.operations, each.failed) for roots, each in answers.items()} == {
        ("r0",): (2, 1),
        ("r1",): (1, 0),
        OTHERS: (2, 0),
    }
    assert answers["r0",].touched == {"a#A": {"f0", "f4"}}
