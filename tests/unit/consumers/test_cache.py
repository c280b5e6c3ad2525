# SPDX-License-Identifier: Apache-2.0
"""Events end cached rows, also of entities whose keys are shown as pseudonyms (EV-11, S25)."""

import uuid
from datetime import UTC, datetime

import pytest

from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import surrogates
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.consumers.cache import Invalidation
from dictamesh.runtime.events.log import LoggedEvent
from dictamesh.runtime.mesh.build import build_file
from dictamesh.runtime.resilience import L1, cache_key
from tests.support.subscribing import MESH, SPECS


@pytest.fixture
def plan(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    (tmp_path / "mesh.yaml").write_text(MESH % {"events": "", "subscriptions": ""}, "utf-8")
    (tmp_path / "specs.yaml").write_text(SPECS, "utf-8")
    monkeypatch.setenv("HEARD_DSN", "postgresql:///nowhere")
    built = build_file(tmp_path / "mesh.yaml")
    assert built.plan is not None, built.diagnostics
    return built.plan


def told(entity: str, record: str, kind: str) -> LoggedEvent:
    now = datetime.now(UTC)
    return LoggedEvent("t", 0, 0, uuid.uuid4(), kind, entity, record, (), {}, now, now, None)


@pytest.mark.parametrize("kind", ["CREATED", "UPDATED", "DELETED", "ARCHIVED"])
@pytest.mark.parametrize("name", ["Person", "Badge"])
def test_an_event_ends_the_row_of_its_record_alone(plan: Plan, name: str, kind: str) -> None:
    ids = RecordIds(surrogates(plan, {"pepper": b"0123456789abcdef"}))
    l1, counts = L1(), []
    entity: EntityPlan = plan.entities[f"people#{name}"]
    (key,) = entity.key
    places = {record: cache_key(plan.name, name, entity.mapping_hash, record) for record in ("1", "2")}
    for record, place in places.items():
        l1.put(place, {key: record}, ttl=60)
    invalidation = Invalidation(l1, lambda: (plan, ids), lambda of, count: counts.append((of.name, count)))
    began = l1.now()
    shown = ids.of(entity, ("1",))
    assert (shown == "1") is (entity.surrogate is None)
    invalidation.forget([told(name, shown, kind), told(name, "nobody", kind)])
    assert counts == [(name, 1)]
    assert l1.get(places["1"]) is None
    gone = kind in {"DELETED", "ARCHIVED"}
    assert (l1.get(places["1"], stale_ok=True) is None) is gone
    assert l1.get(places["2"]) is not None
    l1.put(places["1"], {key: "1"}, ttl=60, read_at=began)
    assert l1.get(places["1"]) is None
    assert (l1.get(places["1"], stale_ok=True) is None) is gone


def test_a_record_that_is_deleted_and_made_again_is_not_kept(plan: Plan) -> None:
    l1 = L1()
    entity = plan.entities["people#Person"]
    place = cache_key(plan.name, "Person", entity.mapping_hash, "1")
    l1.put(place, {"id": "1"}, ttl=60)
    ids = RecordIds(surrogates(plan, {"pepper": b"0123456789abcdef"}))
    Invalidation(l1, lambda: (plan, ids)).forget([told("Person", "1", "DELETED"), told("Person", "1", "CREATED")])
    assert l1.get(place, stale_ok=True) is None
