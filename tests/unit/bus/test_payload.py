# SPDX-License-Identifier: Apache-2.0
"""What a topic bears of a record is what a caller with its roles and purpose gets (S13..S18)."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from dictamesh.runtime.adapters.cells import DATA_INVALID
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import Surrogates
from dictamesh.runtime.bus.payload import PolicyPayloads, plain, reader_of
from dictamesh.runtime.catalog.subject_keys import wrapping_key
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.access import AccessCache
from dictamesh.runtime.governance.masks import pseudonym
from tests.support.example import CUSTOMERS, Edit, edited, files, plan

ADDRESS = "customers#Customer"
KEYS = {"mesh-pepper": b"a pepper of the tests"}
ROW: dict[str, Any] = {
    "id": "c-1",
    "email": "ana@example.com",
    "name": "Ana Lee",
    "phone": "+49 555",
    "country": "DE",
    "birthdate": date(1990, 1, 31),
    "address": {"street": "Via Appia 1", "city": "Rome", "postcode": "00100"},
    "status": "active",
    "newsletter": True,
    "tags": ["a", None],
    "createdAt": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
}
CLEAR = {"id", "country", "status", "newsletter", "tags", "createdAt"}


def makers(port: str, *edits: Edit) -> tuple[PolicyPayloads, Plan]:
    tree = edited(files(), (CUSTOMERS, "", f"\noutput:\n  Customer: {port}\n"), *edits)
    made = plan(tree)
    ids = RecordIds(Surrogates(made.name, KEYS))
    return PolicyPayloads(made, KEYS, ids, b"audit", wrapping_key(b"wrapping")), made


def payload(port: str, row: dict[str, Any] = ROW, *edits: Edit) -> Any:
    maker, made = makers(port, *edits)
    return maker.of(made.entities[ADDRESS], row)


def test_by_default_nothing_above_internal_leaves() -> None:
    found = payload("{}")
    assert set(found) == CLEAR
    assert found["createdAt"] == "2026-01-02T03:04:05Z"
    assert found["tags"] == ["a", None]


def test_without_a_payload_nothing_leaves() -> None:
    assert payload("{payload: none}") is None


def test_open_gives_what_its_roles_see_in_clear_and_nothing_masked() -> None:
    found = payload("{payload: open, roles: [support], purpose: service}")
    assert found["email"] == "ana@example.com"
    assert found["birthdate"] == "1990-01-31"
    assert "email" not in payload("{payload: open, roles: [support]}"), "the purpose is not the topic's"


def test_all_gives_masked_values_as_policies_mask_them() -> None:
    found = payload("{payload: all}")
    assert found["email"] == found["name"] == "***REDACTED***"
    assert found["birthdate"] is None
    assert found["country"] == "DE"


def test_masks_have_the_keys_of_the_mesh_and_rows_are_filtered() -> None:
    port = "{payload: all, roles: [analyst], purpose: analytics}"
    assert payload(port) is None, "an analyst without countries has no rows"
    everybody = ("policies/privacy.yaml", 'keep: "country = ANY(principal.countries)"', "keep: \"country = 'DE'\"")
    found = payload(port, ROW, everybody)
    assert found["email"] == pseudonym(KEYS["mesh-pepper"], "acme", "ana@example.com")
    assert payload(port, {**ROW, "country": "FR"}, everybody) is None
    assert payload(port, {**ROW, "country": None}, everybody) is None


def test_a_row_that_only_another_row_could_allow_does_not_leave() -> None:
    maker, made = makers("{payload: all}")
    entity = made.entities[ADDRESS]
    bound = replace(entity, links=tuple(replace(link, restrict=True) for link in entity.links))
    assert bound.links
    assert maker.of(bound, ROW) is None


def test_deleted_records_and_wrong_values_have_none() -> None:
    maker, made = makers("{}")
    entity = made.entities[ADDRESS]
    assert maker.of(entity, None) is None
    assert maker.of(entity, {**ROW, "country": DATA_INVALID})["country"] is None


def test_fields_to_be_encrypted_are_left_out_until_their_key_is_there() -> None:
    found = payload("{payload: all, encrypt: [pii.direct, pii.indirect]}")
    assert not {"email", "name", "phone", "birthdate", "address"} & set(found)
    assert found.keys() >= CLEAR


@pytest.mark.parametrize("port", ["{}", "{payload: all}", "{payload: all, roles: [support], purpose: service}"])
def test_a_topic_never_tells_more_than_its_readers_are_told(port: str) -> None:
    maker, made = makers(port)
    entity = made.entities[ADDRESS]
    access = AccessCache(made, KEYS).access(reader_of(entity.topic))
    told = maker.of(entity, ROW)
    for each in entity.fields:
        served = plain(access.serializer(each)(ROW[each.name], ROW))
        assert told.get(each.name) in (None, served)


def test_json_values_are_those_of_answers() -> None:
    assert plain(Decimal("1.50")) == "1.50"
    assert plain(b"\x00") == "AA=="
    assert plain([{"a": date(2020, 1, 2)}, DATA_INVALID]) == [{"a": "2020-01-02"}, None]
